package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
)

// LaunchConfig says what to start and how.
type LaunchConfig struct {
	Argv  []string   // what ends in running the guest with the socket as descriptor 3 and the settings on standard input
	Env   []string   // the whole environment of Argv; default: empty
	Files []*os.File // further descriptors, from 4 on; closed by Launch
	Guest any        // the guest's settings, sent as JSON; default: {}
	Group Group      // in which Argv runs; closed once everything has ended, also when Launch fails; default: none
	Walls sandbox.Walls

	// Hand is a private directory of the host in which the guest finds a socket
	// named HandSocket, as guestapi.FromArg, and fetches what it listens on: for
	// walls that hand no descriptor through. It is there for one taker and gone
	// once the guest answers. Default: the guest inherits descriptor 3.
	Hand string
	// Token is needed with every request, and part of Guest too. Default: none.
	Token string

	// Mounts starts Argv in a namespace of its own in which it may mount, as
	// the root of nothing but that. Default: in this process's namespaces.
	Mounts bool

	Dir string    // where the socket is made, in a private directory that is gone once the guest answers; default: os.TempDir()
	Log io.Writer // gets what Argv writes to standard error until Close returns; default: nowhere

	// Explain turns the end of standard error, and how Argv ended, into a
	// sentence that says what is missing and how to mend it. Default: a quote.
	Explain func(stderr string, ended error) error

	StartLimit time.Duration // for the first answer; default 15s
	StopLimit  time.Duration // for an orderly end, before everything is killed; default 10s
}

// Group bounds what a sandbox takes of the machine.
type Group interface {
	// Kills returns how many processes were ended because memory ran out.
	Kills() (int, error)
	Close() error
}

// none is the group of a sandbox that is not bounded.
type none struct{}

func (none) Kills() (int, error) { return 0, nil }
func (none) Close() error        { return nil }

func (c LaunchConfig) withDefaults() LaunchConfig {
	if c.Guest == nil {
		c.Guest = struct{}{}
	}
	if c.Group == nil {
		c.Group = none{}
	}
	if c.Explain == nil {
		c.Explain = func(stderr string, ended error) error {
			return fmt.Errorf("the sandbox ended (%v): %q", ended, stderr)
		}
	}
	if c.StartLimit == 0 {
		c.StartLimit = 15 * time.Second
	}
	if c.StopLimit == 0 {
		c.StopLimit = 10 * time.Second
	}
	return c
}

// Launch starts c.Argv and returns when its guest answers. When it does not,
// nothing is left of it. The sandbox lives until Close, or until Argv ends by
// itself, and dies with this process however this process dies.
func Launch(ctx context.Context, c LaunchConfig) (*Sandbox, error) {
	const op = "sandbox: start"
	c = c.withDefaults()
	defer closeAll(c.Files)
	settings, err := json.Marshal(c.Guest)
	if err != nil {
		return nil, deskhand.E(op, deskhand.Internal, errors.Join(err, c.Group.Close()))
	}
	socket, err := newSocket(c.Dir)
	if err != nil {
		return nil, deskhand.Errorf(op, deskhand.Unavailable, "the guest's socket cannot be made: %w", errors.Join(err, c.Group.Close()))
	}
	give, err := handOut(c.Hand, socket.listener)
	if err != nil {
		return nil, deskhand.E(op, deskhand.Unavailable, errors.Join(err, socket.listener.Close(), socket.Close(), c.Group.Close()))
	}
	ch, err := startChild(c, give.inherited())
	if err != nil {
		return nil, deskhand.E(op, deskhand.Unavailable, errors.Join(err, give.Close(), socket.Close(), c.Group.Close()))
	}
	s := New(Config{Dial: socket.dial, Walls: c.Walls, Token: c.Token})
	s.child, s.group = ch, c.Group
	s.shutdown = sync.OnceValue(func() error {
		return errors.Join(ch.stop(c.StopLimit), ignoreDone(socket.Close()), c.Group.Close())
	})
	give.serve(ch.done)
	s.stream.Go(func() {
		<-ch.done
		s.finish(c.Explain(ch.tail.String(), ch.ended))
	})
	err = s.greet(ctx, c, settings)
	if err = errors.Join(err, give.Close()); err != nil {
		return nil, deskhand.E(op, "", errors.Join(err, s.Close()))
	}
	return s, nil
}

// greet sends the settings and waits for the guest's first answer. The socket
// listens already, so that the connection waits in its queue and nothing has
// to be tried twice.
func (s *Sandbox) greet(ctx context.Context, c LaunchConfig, settings []byte) error {
	limit := fmt.Errorf("the guest did not answer within %s", c.StartLimit)
	within, cancel := context.WithTimeoutCause(ctx, c.StartLimit, limit)
	defer cancel()
	if _, err := s.child.stdin.Write(append(settings, '\n')); err != nil {
		return s.lost(ctx, err)
	}
	_, err := s.health(within, "", 0, -1)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		return deskhand.E("", deskhand.Unavailable, limit)
	} else if err != nil {
		return err
	}
	return s.child.hold()
}

// socket is the way to the guest. Once made it has no path: the directory is
// removed and the socket is reached through a descriptor.
type socket struct {
	listener *os.File // for the guest
	hold     *os.File // the socket's inode
}

func newSocket(dir string) (*socket, error) {
	private, err := os.MkdirTemp(dir, "deskhand-") // 0700
	if err != nil {
		return nil, err
	}
	s, err := listenIn(private)
	return s, errors.Join(err, os.RemoveAll(private))
}

func listenIn(private string) (*socket, error) {
	d, err := os.Open(private)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	// The path of a socket may have 107 bytes only; that of a descriptor has few.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: fmt.Sprintf("/proc/self/fd/%d/guest", d.Fd()), Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	defer l.Close()
	hold, err := openPath(filepath.Join(private, "guest"))
	if err != nil {
		return nil, err
	}
	f, err := l.File()
	if err != nil {
		return nil, errors.Join(err, hold.Close())
	}
	return &socket{listener: f, hold: hold}, nil
}

func (s *socket) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d", s.hold.Fd()))
}

func (s *socket) Close() error { return s.hold.Close() }

func ignoreDone(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// openPath takes hold of what is at path without opening it.
func openPath(path string) (*os.File, error) {
	return os.OpenFile(path, unix.O_PATH|unix.O_NOFOLLOW, 0)
}
