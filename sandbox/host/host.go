// Package host is sandbox.Sandbox on this machine itself, with no walls: what
// the guest uses once it is inside walls that somebody else built.
//
// Trust: programs that run here can do whatever this process's user can. A
// file is judged when it is opened and never trusted by its name: what is not
// a regular file is refused without waiting for it. See Process for what Kill
// promises with and without a keeper.
package host

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
)

// Config says what programs get. The zero value is usable.
type Config struct {
	Home string   // where programs start; default: HOME, else "/"
	Env  []string // the environment of every program; default: what of this process's own is harmless, see Env
	// Keeper is the argument list that runs Keep in a program of its own, which
	// stands above every program started here so that its descendants stay
	// findable. Default: none; Kill then relies on descent, group and session.
	Keeper []string
}

func (c Config) withDefaults() Config {
	if c.Env == nil {
		c.Env = Env(os.Environ())
	}
	if c.Home == "" {
		c.Home = lookup(c.Env, "HOME")
	}
	if c.Home == "" {
		c.Home = "/"
	}
	return c
}

// harmless are the variables that Env lets through: what programs need to find
// programs, a language, a time zone and a display, and nothing that can hold a
// secret.
var harmless = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "TMPDIR",
	"DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS",
	"XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_DATA_DIRS", "XDG_CONFIG_DIRS",
}

// Env returns the entries of env that are on a short list of harmless names.
func Env(env []string) []string {
	var kept []string
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		if slices.Contains(harmless, name) || strings.HasPrefix(name, "LC_") {
			kept = append(kept, e)
		}
	}
	return kept
}

// Sandbox is this machine. It implements sandbox.Sandbox.
type Sandbox struct {
	config Config

	mu        sync.Mutex
	closed    bool
	processes map[*Process]bool // started, and not both gone and read to the end

	background sync.WaitGroup
}

var _ sandbox.Sandbox = (*Sandbox)(nil)

// New returns this machine as a sandbox.
func New(c Config) *Sandbox {
	return &Sandbox{config: c.withDefaults(), processes: map[*Process]bool{}}
}

// Walls says that there are none.
func (s *Sandbox) Walls() sandbox.Walls {
	return sandbox.Walls{Driver: "host", Present: []string{}, Missing: []string{"user", "mount", "pid", "ipc", "uts", "network", "syscalls"}}
}

// Dial opens a stream to an address of this machine.
func (s *Sandbox) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	const op = "sandbox: dial"
	if err := s.open(ctx, op); err != nil {
		return nil, err
	}
	if network != "tcp" && network != "unix" {
		return nil, deskhand.Errorf(op, deskhand.Invalid, "network %q is neither tcp nor unix", network)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, fail(ctx, op, address, err)
	}
	return conn, nil
}

// Close ends every program that was started here, with its descendants.
func (s *Sandbox) Close() error {
	s.mu.Lock()
	s.closed = true
	running := make([]*Process, 0, len(s.processes))
	for p := range s.processes {
		running = append(running, p)
	}
	s.mu.Unlock()
	errs := make([]error, len(running))
	var all sync.WaitGroup
	for i, p := range running {
		all.Go(func() { errs[i] = p.Close() })
	}
	all.Wait()
	s.background.Wait()
	return errors.Join(errs...)
}

// open fails when the sandbox is closed or ctx has ended.
func (s *Sandbox) open(ctx context.Context, op string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return deskhand.Errorf(op, deskhand.Unavailable, "the sandbox is closed")
	}
	if err := ctx.Err(); err != nil {
		return deskhand.E(op, deskhand.Canceled, err)
	}
	return nil
}

// lookup returns the value of name in env, whose last entry of a name counts.
func lookup(env []string, name string) string {
	for _, e := range slices.Backward(env) {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}
