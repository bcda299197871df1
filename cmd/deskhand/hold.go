package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/procfs"
	"github.com/deskhand/deskhand/machine"
	"github.com/deskhand/deskhand/sandbox/egress"
	"github.com/deskhand/deskhand/sandbox/remote"
	"github.com/deskhand/deskhand/secret"
)

// readyFD is where a holding process reports, once, that its desktop is up or
// why it is not.
const readyFD = 3

// report is what it writes there.
type report struct {
	Code  deskhand.Code `json:"code,omitempty"`
	Error string        `json:"error,omitempty"`
}

// holdLimit bounds how long a desktop may take to come up.
const holdLimit = 90 * time.Second

// holding is what the desktop that a process of its own keeps up is given. It
// reads it from its standard input.
type holding struct {
	Task  deskhand.Task `json:"task"`            // whose folders and hosts count
	Never []string      `json:"never,omitempty"` // hosts that no desktop reaches, whatever the task says
}

// hold starts a desktop in a process of its own, which outlives this one, and
// returns when it is up.
func (a *app) hold(ctx context.Context, h desktopHoldCmd, t deskhand.Task) (held, error) {
	d, err := a.desktops()
	if err != nil {
		return held{}, err
	}
	h.Dir = d.dir
	if h.Name, err = d.reserve(h.Name); err != nil {
		return held{}, err
	}
	if err := a.startHolder(ctx, d, h, holding{t, a.never()}); err != nil {
		return held{}, errors.Join(err, d.forget(h.Name))
	}
	return d.get(h.Name)
}

// startHolder starts the process and waits for its report.
func (a *app) startHolder(ctx context.Context, d desktops, h desktopHoldCmd, what holding) error {
	told, err := inMemory(what)
	if err != nil {
		return deskhand.E("desktop: up", deskhand.Internal, err)
	}
	defer told.Close()
	exe, err := os.Executable()
	if err != nil {
		return deskhand.E("desktop: up", deskhand.Internal, err)
	}
	log, err := os.OpenFile(d.path(h.Name, logFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return deskhand.E("desktop: up", deskhand.Internal, err)
	}
	defer log.Close()
	// The lock is the process's that gets the log: it says that the desktop is
	// coming up, whatever becomes of this process.
	if err := unix.Flock(int(log.Fd()), unix.LOCK_EX); err != nil {
		return deskhand.E("desktop: up", deskhand.Internal, err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return deskhand.E("desktop: up", deskhand.Internal, err)
	}
	defer r.Close()
	//nolint:noctx // it outlives this command on purpose
	cmd := exec.Command(exe, append([]string{"desktop", "hold"}, h.args()...)...)
	cmd.Stdin = told
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, []*os.File{w}
	cmd.Env = withoutKeys(os.Environ())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	if err = errors.Join(err, w.Close()); err != nil {
		return deskhand.E("desktop: up", deskhand.Internal, err)
	}
	if err := awaitReport(ctx, r); err != nil {
		return errors.Join(err, cmd.Process.Kill(), ignore(cmd.Wait()))
	}
	return cmd.Process.Release()
}

// inMemory returns a file that holds v as JSON, and that nobody else can open.
func inMemory(v any) (*os.File, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("holding", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "holding")
	_, err = f.Write(data)
	if _, sought := f.Seek(0, io.SeekStart); err != nil || sought != nil {
		return nil, errors.Join(err, sought, f.Close())
	}
	return f, nil
}

// withoutKeys returns an environment without secrets and without what gives
// access to a model: a desktop needs none of it.
func withoutKeys(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		return slices.ContainsFunc([]string{"ANTHROPIC_", "AWS_", "GOOGLE_", "CLOUDSDK_", "AZURE_", secret.EnvPrefix}, func(of string) bool { return strings.HasPrefix(v, of) })
	})
}

// ignore drops an error that tells nothing new.
func ignore(error) error { return nil }

func awaitReport(ctx context.Context, r *os.File) error {
	if err := r.SetReadDeadline(time.Now().Add(holdLimit)); err != nil {
		return deskhand.E("desktop: up", deskhand.Internal, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Now()) })
	defer stop()
	var said report
	err := json.NewDecoder(io.LimitReader(r, 64<<10)).Decode(&said)
	switch {
	case ctx.Err() != nil:
		return deskhand.E("desktop: up", deskhand.Canceled, ctx.Err())
	case errors.Is(err, os.ErrDeadlineExceeded):
		return deskhand.Errorf("desktop: up", deskhand.Unavailable, "the desktop did not come up within %s: deskhand doctor says what is missing", holdLimit)
	case err != nil:
		return deskhand.Errorf("desktop: up", deskhand.Unavailable, "the desktop's process ended without a word: deskhand doctor says what is missing")
	case said.Error != "":
		return deskhand.Errorf("", said.Code, "%s", said.Error)
	}
	return nil
}

type desktopHoldCmd struct {
	Name    string `arg:""`
	Dir     string `required:""`
	Size    string `required:""`
	Scale   int    `default:"1"`
	Sandbox string `required:""`
	Logs    string // where its programs write what they say; empty: beside its state
	Parked  bool   // for a task that may wait for a person: gone with it, and when nobody comes for parkedLife
}

// args is the command line that reads as c.
func (c desktopHoldCmd) args() []string {
	return []string{"--dir", c.Dir, "--size", c.Size, "--scale", strconv.Itoa(c.Scale), "--sandbox", c.Sandbox, "--logs=" + c.Logs, "--parked=" + strconv.FormatBool(c.Parked), c.Name}
}

// parkedLife is how long the desktop of a waiting task stays up without anybody
// on it. An answer that comes later would not count any more.
const parkedLife = 24 * time.Hour

// Run keeps a desktop up until it is told to end, or the desktop ends.
func (c *desktopHoldCmd) Run(ctx context.Context, a *app) error {
	syscall.CloseOnExec(readyFD)
	ready := os.NewFile(readyFD, "ready")
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := c.keep(ctx, a, func() error {
		return errors.Join(json.NewEncoder(ready).Encode(report{}), ready.Close())
	})
	if err != nil {
		// Nobody reads this when the desktop was up already.
		return errors.Join(err, ignore(json.NewEncoder(ready).Encode(report{deskhand.CodeOf(err), firstOf(err).Error()})))
	}
	return nil
}

func (c *desktopHoldCmd) keep(ctx context.Context, a *app, ready func() error) (err error) {
	d := desktops{c.Dir}
	var what holding
	if err := json.NewDecoder(a.stdin).Decode(&what); err != nil {
		return deskhand.E("desktop: hold", deskhand.Internal, err)
	}
	size, err := screenSize(c.Size, c.Scale)
	if err != nil {
		return err
	}
	t := what.Task
	cfg := machine.Config{
		Driver: machine.Driver(c.Sandbox), Screen: size, Scale: c.Scale, Dir: filepath.Join(d.dir, c.Name), Environ: os.Environ(),
		Logs: c.Logs, Log: slog.New(slog.NewTextHandler(a.stderr, nil)),
	}
	if len(t.Allow) > 0 {
		rules, err := egress.NewRules(what.Never, t.Allow...)
		if err != nil {
			return err
		}
		cfg.Network = &egress.Config{Judge: rules}
	}
	m, err := a.upSharing(ctx, t, cfg)
	if err != nil {
		return err
	}
	place, ok := m.Sandbox().(*remote.Sandbox)
	if !ok {
		return errors.Join(deskhand.Errorf("desktop: hold", deskhand.Internal, "a %T cannot be passed on", m.Sandbox()), m.Close())
	}
	defer func() { err = errors.Join(err, m.Close(), d.forget(c.Name)) }()
	l, err := d.listen(c.Name, socketFile)
	if err != nil {
		return deskhand.E("desktop: hold", deskhand.Internal, err)
	}
	told, err := d.listen(c.Name, toldFile)
	if err != nil {
		return errors.Join(deskhand.E("desktop: hold", deskhand.Internal, err), l.Close())
	}
	defer serveTold(ctx, told, m)()
	self, err := procfs.Read(os.Getpid())
	if err != nil {
		return errors.Join(deskhand.E("desktop: hold", deskhand.Internal, err), l.Close())
	}
	h := held{Name: c.Name, PID: self.PID, Start: self.Start, Size: size, Created: time.Now().UTC(), Walls: place.Walls(), Parked: c.Parked}
	if err := errors.Join(d.publish(h), ready()); err != nil {
		return errors.Join(err, l.Close())
	}
	idle := time.Duration(0)
	if c.Parked {
		idle = parkedLife
	}
	relay(ctx, l, place.Connect, place.Done(), idle)
	return nil
}

// relay passes connections made to l on to the guest, until ctx ends, the desktop
// does, or nobody was connected for the time of idle, which 0 makes endless. It
// returns when every connection is closed.
func relay(ctx context.Context, l net.Listener, connect func(context.Context) (net.Conn, error), gone <-chan struct{}, idle time.Duration) {
	ctx, cancel := context.WithCancel(ctx)
	alone := newAlone(idle, cancel)
	defer alone.stop()
	var open sync.WaitGroup
	defer open.Wait()
	defer cancel()
	open.Go(func() {
		select {
		case <-ctx.Done():
		case <-gone:
			cancel()
		}
		l.Close()
	})
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		alone.come()
		open.Go(func() {
			defer alone.leave()
			to, err := connect(ctx)
			if err != nil {
				c.Close() // the caller sees a closed connection, which is the truth
				return
			}
			pass(ctx, c, to)
		})
	}
}

// alone calls give up when nobody was there for a time. A nil one never does.
type alone struct {
	mu    sync.Mutex
	here  int
	idle  time.Duration
	timer *time.Timer
}

func newAlone(idle time.Duration, giveUp func()) *alone {
	if idle == 0 {
		return nil
	}
	return &alone{idle: idle, timer: time.AfterFunc(idle, giveUp)}
}

func (a *alone) count(by int) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.here += by; a.here == 0 {
		a.timer.Reset(a.idle)
	} else {
		a.timer.Stop()
	}
}

func (a *alone) come()  { a.count(1) }
func (a *alone) leave() { a.count(-1) }

func (a *alone) stop() {
	if a != nil {
		a.timer.Stop()
	}
}

// pass copies both ways until either side is done or ctx ends.
func pass(ctx context.Context, a, b net.Conn) {
	shut := func() { a.Close(); b.Close() }
	stop := context.AfterFunc(ctx, shut)
	defer stop()
	var one sync.WaitGroup
	defer shut()
	defer one.Wait()
	one.Go(func() { io.Copy(a, b); shutWrite(a) })
	io.Copy(b, a)
	shutWrite(b)
}

// shutWrite tells the other side that nothing more comes, so that what it still
// says arrives.
func shutWrite(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	} else {
		c.Close()
	}
}
