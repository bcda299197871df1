// Package bwrap builds a sandbox on this machine with bubblewrap: namespaces of
// its own for users, mounts, processes, IPC, the host name and the network,
// with the guest as the first process inside.
//
// Trust: what runs inside is hostile. It has no capabilities, cannot gain any,
// sees the programs of this machine read-only, a private home and nothing
// else, and has no network but its own loopback. When a wall cannot be built
// nothing starts. Nested user namespaces stay possible, because browsers build
// their own sandboxes with them. See docs/decisions/0006-bwrap-walls.md.
package bwrap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/guestapi"
	"github.com/deskhand/deskhand/internal/overlay"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/remote"
)

// Places inside.
const (
	Home    = "/home/user"
	Runtime = "/run/user/1000"
	Logs    = "/run/deskhand/log"
	Binary  = "/run/deskhand/deskhand"
)

// Config says what the sandbox is given. The zero value is usable by a binary
// that has a "guest" subcommand.
type Config struct {
	Binary  string           // the program that is the guest, called with Args; default: this program's own file
	Args    []string         // its arguments; default: guest
	Home    string           // host directory that is the home inside, writable; default: an empty one that is gone afterwards
	Logs    string           // host directory for logs at Logs inside, writable; default: an empty one that is gone afterwards
	Binds   []Bind           // further host directories and files; default: none
	Layers  []overlay.Layer  // mounted before the walls are built, so that Binds may name what is merged; default: none
	Mirrors []overlay.Mirror // as Layers, of folders that this process serves; their sockets are closed by Start; default: none
	Stack   any              // of the display stack, handed to the guest as JSON; default: no display
	Environ []string         // the host's environment, of which the locale, TZ and TERM are passed on; default: none of it
	Env     []string         // added to the environment inside, as NAME=value; default: none
	Limits  Limits           // of what runs inside; default: see there
	Mounts  bool             // let programs mount in namespaces of their own, as WebKit's inner walls do; default: refused
	Proxy   string           // HOST:PORT inside where programs will find a proxy; they are configured for it; default: none
	Log     io.Writer        // gets what the guest and bubblewrap say until Close returns; default: nowhere
	Dir     string           // where the guest's socket is made before it loses its path; default: os.TempDir()

	StartLimit time.Duration // default: see remote.LaunchConfig
	StopLimit  time.Duration // default: see remote.LaunchConfig
}

// Bind is a host file or directory that is visible inside.
type Bind struct {
	Host   string
	Inside string // absolute
	Write  bool   // else read-only
}

// Sandbox is a running sandbox.
type Sandbox struct{ *remote.Sandbox }

var _ sandbox.Sandbox = (*Sandbox)(nil)

// present are the walls that every sandbox of this package has.
var present = []string{"user", "mount", "pid", "ipc", "uts", "network", "syscalls"}

// Start builds the walls and returns when the guest inside answers.
//
// Invalid: the configuration is wrong. Unavailable: a wall cannot be built; the
// text names it and says what to do.
func Start(ctx context.Context, c Config) (*Sandbox, error) {
	const op = "sandbox: start"
	defer closeMirrors(c.Mirrors)
	program, err := exec.LookPath("bwrap")
	if err != nil {
		return nil, deskhand.E(op, deskhand.Unavailable, errors.New(missing))
	}
	if c, err = c.withDefaults(); err != nil {
		return nil, deskhand.E(op, "", err)
	}
	w, err := wallsOf(c)
	if err != nil {
		return nil, deskhand.E(op, "", err)
	}
	group, unbounded, _ := group(c.Limits) // why there is none, doctor says; the walls name what is missing
	settings := struct {
		Home   string          `json:"home"`
		Limits guestapi.Limits `json:"limits"`
		Stack  any             `json:"stack,omitempty"`
	}{Home, perProcess(c.Limits, unbounded), c.Stack}
	argv := append(append([]string{program}, w.args...), append([]string{"--", Binary}, c.Args...)...)
	mounts := len(c.Layers)+len(c.Mirrors) > 0
	if mounts {
		if argv, err = w.layered(c, argv); err != nil {
			return nil, deskhand.E(op, "", err)
		}
	}
	launch := remote.LaunchConfig{
		Argv: argv, Files: w.files, Mounts: mounts,
		Guest: settings, Dir: c.Dir, Log: c.Log, Explain: explain, StartLimit: c.StartLimit, StopLimit: c.StopLimit,
	}
	if group != nil {
		launch.Argv, launch.Group = group.Command(launch.Argv), group
	}
	launch.Walls = sandbox.Walls{Driver: "bwrap", Present: slices.Clone(present), Missing: slices.Concat([]string{}, unbounded)}
	for _, b := range bounded {
		if !slices.Contains(unbounded, b) {
			launch.Walls.Present = append(launch.Walls.Present, b)
		}
	}
	s, err := remote.Launch(ctx, launch)
	if err != nil {
		return nil, err
	}
	return &Sandbox{s}, nil
}

func (c Config) withDefaults() (Config, error) {
	if c.Binary == "" {
		exe, err := os.Executable()
		if err != nil {
			return c, deskhand.Errorf("", deskhand.Internal, "this program's own file cannot be found: %w", err)
		}
		c.Binary = exe
	}
	if c.Args == nil {
		c.Args = []string{"guest"}
	}
	var err error
	if c.Limits, err = c.Limits.WithDefaults(); err != nil {
		return c, err
	}
	for name, dir := range map[string]string{"home": c.Home, "logs": c.Logs} {
		if dir == "" {
			continue
		}
		if info, err := os.Stat(dir); err != nil || !info.IsDir() || !filepath.IsAbs(dir) {
			return c, deskhand.Errorf("", deskhand.Invalid, "the sandbox's %s %q is not an existing directory with an absolute path", name, dir)
		}
	}
	for _, b := range c.Binds {
		if !filepath.IsAbs(b.Inside) || !filepath.IsAbs(b.Host) {
			return c, deskhand.Errorf("", deskhand.Invalid, "%q cannot be shared as %q: both need absolute paths", b.Host, b.Inside)
		}
		if _, err := os.Stat(b.Host); err != nil {
			return c, deskhand.Errorf("", deskhand.Invalid, "%q cannot be shared: %w", b.Host, errors.Unwrap(err))
		}
	}
	return c, nil
}

// walls are the arguments of bubblewrap and the files they name by descriptor.
type walls struct {
	args  []string
	files []*os.File
	err   error
}

// firstFile is the descriptor of the first file: 3 is the guest's socket.
const firstFile = 4

func (w *walls) add(args ...string) { w.args = append(w.args, args...) }

// file makes content a read-only file at path.
func (w *walls) file(path, content string) {
	if fd, ok := w.hand(content); ok {
		w.add("--perms", "0444", "--ro-bind-data", fd, path)
	}
}

// syscalls loads the filter, as the last thing before the guest starts.
func (w *walls) syscalls(c Config) {
	program, err := filter(c.Mounts)
	w.err = errors.Join(w.err, err)
	if fd, ok := w.hand(string(program)); ok {
		w.add("--seccomp", fd)
	}
}

// hand gives bubblewrap a descriptor from which it reads content.
func (w *walls) hand(content string) (fd string, ok bool) {
	f, err := memory(content)
	if err != nil {
		w.err = errors.Join(w.err, err)
		return "", false
	}
	w.files = append(w.files, f)
	return fmt.Sprint(firstFile + len(w.files) - 1), true
}

// layered returns the arguments of the companion that mounts the layers and
// then becomes argv.
func (w *walls) layered(c Config, argv []string) ([]string, error) {
	o := overlay.Order{Layers: c.Layers, Argv: argv}
	for _, m := range c.Mirrors {
		fd, err := unix.FcntlInt(m.Socket.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.files = append(w.files, os.NewFile(uintptr(fd), "mirror"))
		o.Served = append(o.Served, overlay.Served{At: m.At, FD: firstFile + len(w.files) - 1})
	}
	order, err := o.Bytes()
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	fd, ok := w.hand(string(order))
	if !ok {
		return nil, errors.Join(w.err, w.close())
	}
	return append(append([]string{c.Binary}, c.Args...), overlay.Arg, fd), nil
}

func closeMirrors(all []overlay.Mirror) {
	for _, m := range all {
		_ = m.Socket.Close()
	}
}

func (w *walls) close() error {
	var errs []error
	for _, f := range w.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// wallsOf returns the walls that c asks for. Later arguments lie over earlier
// ones, so that the order is the meaning.
func wallsOf(c Config) (*walls, error) {
	w := &walls{}
	w.add("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try",
		"--uid", "1000", "--gid", "1000", "--hostname", "desk", "--cap-drop", "ALL",
		"--new-session", "--die-with-parent", "--as-pid-1")
	w.environment(c)
	w.system()
	w.configuration()
	w.syscalls(c)
	w.policies(c.Proxy)
	w.private(c)
	for _, b := range c.Binds {
		w.add(map[bool]string{true: "--bind", false: "--ro-bind"}[b.Write], b.Host, b.Inside)
	}
	// What was made along the way on the root's own file system is finished.
	w.add("--remount-ro", "/", "--chdir", Home)
	if w.err != nil {
		return nil, deskhand.Errorf("", deskhand.Internal, "the sandbox's own files cannot be made: %w", errors.Join(w.err, w.close()))
	}
	return w, nil
}

// private mounts what belongs to this sandbox alone.
func (w *walls) private(c Config) {
	w.folders("/home", "/run", "/run/lock", "/run/user", "/run/deskhand", "/var", "/var/lib", "/var/cache")
	w.add("--proc", "/proc", "--dev", "/dev")
	w.tmpfs("1777", c.Limits.Memory/shmShare, "/dev/shm")
	w.add("--remount-ro", "/dev")
	w.tmpfs("1777", c.Limits.Scratch, "/tmp")
	// An X server that is not root does not make the places of its sockets.
	w.add("--perms", "1777", "--dir", "/tmp/.X11-unix", "--perms", "1777", "--dir", "/tmp/.ICE-unix")
	w.tmpfs("1777", c.Limits.Scratch, "/var/tmp")
	w.tmpfs("0700", c.Limits.Memory/runtimeShare, Runtime)
	w.add("--symlink", "/run", "/var/run", "--symlink", "/run/lock", "/var/lock",
		"--ro-bind-try", "/var/cache/fontconfig", "/var/cache/fontconfig",
		"--ro-bind", c.Binary, Binary)
	w.directory(c.Home, Home, c.Limits.Scratch)
	w.directory(c.Logs, Logs, c.Limits.Scratch)
}

// directory mounts the host's directory, or an empty one of size bytes,
// writable at inside.
func (w *walls) directory(host, inside string, size int64) {
	if host == "" {
		w.tmpfs("0700", size, inside)
		return
	}
	w.add("--bind", host, inside)
}
