// Package machine assembles one computer: a sandbox, the guest and a desktop
// inside it, and the tools that reach them.
//
// Trust: what runs on the machine is hostile. The loop, the key and the journal
// never come near it; it gets a home of its own, a few harmless words of the
// environment, and answers through the guest only. The driver None has no
// walls: what runs there can do whatever this user can, which is why nothing
// chooses it but a person.
package machine

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	desktopremote "github.com/deskhand/deskhand/desktop/remote"
	"github.com/deskhand/deskhand/internal/guestapi"
	"github.com/deskhand/deskhand/internal/overlay"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/bwrap"
	"github.com/deskhand/deskhand/sandbox/egress"
	"github.com/deskhand/deskhand/sandbox/remote"
	"github.com/deskhand/deskhand/tool"
	"github.com/deskhand/deskhand/tool/bash"
	"github.com/deskhand/deskhand/tool/computer"
	"github.com/deskhand/deskhand/tool/editor"
)

const op = "computer: start"

// Driver names what stands between a computer and this machine.
type Driver string

// The drivers.
const (
	Bwrap Driver = "bwrap" // walls of bubblewrap
	OCI   Driver = "oci"   // a container of docker or podman
	None  Driver = "none"  // no walls at all
)

// Container names a container engine and an image.
type Container struct {
	Engine []string // program and options of its own
	Image  string
}

// Private is the Home that is made for one computer and goes with it.
const Private = "private"

// Config says what computer to make.
type Config struct {
	Binary string        // the deskhand program, which is the guest inside; default: this program's own file
	Args   []string      // its arguments; default: guest
	Driver Driver        // default: Bwrap
	Screen deskhand.Size // default: 1280x800
	Scale  int           // magnification of everything on the display, 1 to 3; default: 1

	// Dir is a private directory of the host, in which home and log are made.
	// Default: a temporary one.
	Dir string
	// Home is Private, or an existing directory of the host that becomes the
	// home and is kept. Default: Private.
	Home string
	// Logs is an existing directory of the host in which the programs of the
	// desktop write what they say; it is kept. Default: one in Dir, removed.
	Logs string
	// Keep leaves the private home and the logs in Dir after Close. Default: they are removed.
	Keep bool

	Binds   []bwrap.Bind     // host folders visible inside; default: none. None sees everything anyway
	Layers  []overlay.Layer  // of folders that Binds shares for review; default: none
	Mirrors []overlay.Mirror // of folders that Binds shares and this process serves; their sockets are closed by Up; default: none
	Copies  []string         // of folders that Binds shares for review, where there are no layers; default: none
	// Room is how many bytes the home, the logs, Layers and Copies may hold
	// together. What writes beyond that is ended, and Notices says so. The same when
	// the disk has less than 256 MB left. Negative: nothing is watched. Default: 10 GB.
	Room    int64
	Locale  string   // such as de_DE.UTF-8; default: the one of Environ, else C.UTF-8
	Environ []string // the host's environment, of which the locale, TZ and TERM are used; default: none of it

	// Container is the engine and the image of OCI. Default: see oci.Config.
	Container Container

	// Network is the way out, a proxy over what its Judge allows. Needs walls.
	// Default: none, not even a proxy.
	Network *egress.Config
	// Judged is asked what the way out judged, where another process runs it. For
	// Attach only. Default: there is none.
	Judged func(ctx context.Context) ([]deskhand.NetworkJudged, error)

	Computer computer.Config // the computer tool; see there
	Bash     bash.Config     // the bash tool; see there
	Editor   editor.Config   // the editor tool; see there
	// More makes further tools for a computer that is up; those that can be
	// closed are closed with it. Default: none.
	More func(inside sandbox.Sandbox) ([]tool.Tool, error)
	// Guard returns what stands before a tool, and is called for each. An
	// Observer stays one, and what can be closed too. Default: nothing does.
	Guard func(tool.Tool) tool.Tool

	Log *slog.Logger // default: nothing is logged
}

func (c Config) withDefaults() Config {
	if c.Args == nil {
		c.Args = []string{"guest"}
	}
	if c.Driver == "" {
		c.Driver = Bwrap
	}
	if c.Screen == (deskhand.Size{}) {
		c.Screen = deskhand.Size{W: 1280, H: 800}
	}
	if c.Scale == 0 {
		c.Scale = 1
	}
	if c.Home == "" {
		c.Home = Private
	}
	if c.Room == 0 {
		c.Room = defaultRoom
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// drivers start the sandbox of a computer.
var drivers = map[Driver]func(ctx context.Context, c Config, d *directories, log io.Writer) (*remote.Sandbox, error){
	Bwrap: startWalled,
	OCI:   startContained,
	None:  startOpen,
}

// Machine is one running computer. Methods may be called concurrently.
type Machine struct {
	sandbox *remote.Sandbox
	desktop desktop.Desktop
	tools   *tool.Set
	dirs    *directories
	guest   io.Closer // the guest's own log, written until the sandbox is gone; nil when it is not ours
	log     *slog.Logger

	gone    chan struct{}      // closed when the guest does not answer any more
	cancel  context.CancelFunc // of follow
	unwatch context.CancelFunc // of the watch over the disk; nil: there is none
	follow  sync.WaitGroup

	judged     func(context.Context) ([]deskhand.NetworkJudged, error) // nil without a network
	disconnect context.CancelFunc
	network    sync.WaitGroup

	mu      sync.Mutex
	notices []string
	kills   int // of processes that ran out of memory, already told of
	close   sync.Once
	closed  error // of the first Close
}

// Up makes a computer and returns when its desktop is ready. When that fails
// nothing of it is left.
//
// Invalid: c makes no sense. Unavailable: the sandbox cannot be built, or a
// program of the desktop does not start; the text names which, with the last
// thing that it said. Canceled.
func Up(ctx context.Context, c Config) (*Machine, error) {
	c = c.withDefaults()
	if c.Binary == "" {
		exe, err := os.Executable()
		if err != nil {
			return nil, deskhand.Errorf(op, deskhand.Internal, "this program's own file cannot be found: %w", err)
		}
		c.Binary = exe
	}
	if c.Driver == OCI && len(c.Layers)+len(c.Binds) > 0 {
		return nil, deskhand.Errorf(op, deskhand.Invalid, "folders cannot be shared with the sandbox oci; use bwrap")
	}
	start, ok := drivers[c.Driver]
	if !ok {
		return nil, deskhand.Errorf(op, deskhand.Invalid, "there is no sandbox %q; choose bwrap, oci or none", c.Driver)
	}
	if c.Network != nil && c.Driver == None {
		return nil, deskhand.Errorf(op, deskhand.Invalid, "a list of hosts means nothing without walls: everything can be reached with the sandbox %q", c.Driver)
	}
	dirs, err := makeDirectories(c)
	if err != nil {
		return nil, deskhand.E(op, "", err)
	}
	log, err := openLog(dirs)
	if err != nil {
		return nil, errors.Join(deskhand.E(op, "", err), dirs.remove())
	}
	sb, err := start(ctx, c, dirs, log)
	if err != nil {
		return nil, errors.Join(err, log.Close(), dirs.remove())
	}
	m := &Machine{sandbox: sb, dirs: dirs, guest: log, log: c.Log, gone: make(chan struct{})}
	if err := m.connect(ctx, c); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	if err := m.furnish(ctx, c); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	if err := m.bound(ctx, c); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// bound watches what the computer keeps on the disk.
func (m *Machine) bound(ctx context.Context, c Config) error {
	r, err := newRoom(m, c, m.dirs)
	if err != nil {
		return deskhand.Errorf(op, deskhand.Unavailable, "the room on the disk cannot be watched: %w", err)
	}
	if r == nil {
		return nil
	}
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	m.unwatch = cancel
	m.follow.Go(func() { r.watch(watching) })
	return nil
}

// furnish waits for the desktop and makes the tools.
func (m *Machine) furnish(ctx context.Context, c Config) error {
	seen, err := m.ready(ctx)
	if err != nil {
		return err
	}
	m.desktop = desktopremote.New(m.sandbox.HTTP(), "")
	if m.tools, err = tools(m.desktop, m.sandbox, c); err != nil {
		return deskhand.E(op, "", err)
	}
	follow, cancel := context.WithCancel(context.WithoutCancel(ctx))
	m.cancel = cancel
	m.follow.Go(func() { m.watch(follow, seen) })
	return nil
}

// Desktop is the computer's display.
func (m *Machine) Desktop() desktop.Desktop { return m.desktop }

// Sandbox is where the computer's programs run.
func (m *Machine) Sandbox() sandbox.Sandbox { return m.sandbox }

// Logs is the host directory in which the programs of the desktop write what
// they say. It is gone after Close unless Config.Logs or Config.Keep.
func (m *Machine) Logs() string { return m.dirs.logs }

// Health says how the desktop's programs stand, and what the guest holds.
func (m *Machine) Health(ctx context.Context) (guestapi.HealthReply, error) {
	return m.sandbox.Health(ctx, 0, -1)
}

// Gone is closed when the computer has ended without Close.
func (m *Machine) Gone() <-chan struct{} { return m.gone }

// Tools is what a model may call: the computer, bash, the editor, and those of
// Config.More.
func (m *Machine) Tools() *tool.Set { return m.tools }

// Close ends everything on the computer and removes what was private to it. It
// returns when nothing runs any more, and may be called twice.
func (m *Machine) Close() error {
	m.close.Do(func() {
		if m.cancel != nil {
			m.cancel()
		}
		if m.unwatch != nil {
			m.unwatch()
		}
		err := m.end()
		m.follow.Wait()
		if m.disconnect != nil {
			m.disconnect()
		}
		m.network.Wait()
		if m.desktop != nil {
			err = errors.Join(err, m.desktop.Close())
		}
		if m.guest != nil {
			err = errors.Join(err, m.guest.Close())
		}
		if err == nil { // else something may still write there
			err = m.dirs.remove()
		}
		m.closed = deskhand.E("computer: close", "", err)
	})
	return m.closed
}

// The end of a computer is orderly when it can be, and soon in any case:
// stopping a task takes less than a second, also when display or guest hang.
const (
	toolsLimit = 200 * time.Millisecond // for the tools to end what they started
	endLimit   = 400 * time.Millisecond // for the guest to end the rest, before everything is killed
)

// end closes the tools, then the sandbox. Tools whose guest does not answer end
// with their connections.
func (m *Machine) end() error {
	ended := make(chan error, 1)
	go func() { ended <- m.closeTools() }()
	limit := time.NewTimer(toolsLimit)
	defer limit.Stop()
	select {
	case err := <-ended:
		return errors.Join(err, m.sandbox.Close())
	case <-limit.C:
	}
	err := m.sandbox.Close()
	if failed := <-ended; failed != nil {
		m.log.Warn("tools ended with their connections", "err", failed)
	}
	return err
}

// closeTools lets the tools end what they started.
func (m *Machine) closeTools() error {
	if m.tools == nil {
		return nil
	}
	return closeAll(m.tools.All())
}

func closeAll(tools []tool.Tool) error {
	var errs []error
	for _, t := range tools {
		if c, ok := t.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

// tools makes what a model may call.
func tools(d desktop.Desktop, sb sandbox.Sandbox, c Config) (*tool.Set, error) {
	screen, err := computer.New(d, c.Computer)
	if err != nil {
		return nil, err
	}
	shell, err := bash.New(sb, c.Bash)
	if err != nil {
		return nil, err
	}
	files, err := editor.New(sb, c.Editor)
	if err != nil {
		return nil, err
	}
	all := []tool.Tool{screen, shell, files}
	if c.More != nil {
		more, err := c.More(sb)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	if c.Guard != nil {
		for i, t := range all {
			all[i] = c.Guard(t)
		}
	}
	set, err := tool.NewSet(all...)
	if err != nil {
		return nil, errors.Join(err, closeAll(all))
	}
	return set, nil
}

// logPath is the log of the guest itself.
func logPath(d *directories) string { return filepath.Join(d.logs, "guest.log") }
