package stack

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/desktop/x11"
	"github.com/deskhand/deskhand/internal/xvfb"
)

// sockets is where an X server puts its socket. Made here, since a server that
// is not root does not make it.
const sockets = "/tmp/.X11-unix"

// server is the X server with everything that stands on it.
func (s *Stack) server() service {
	return service{
		name: nameServer, title: "The display", lost: " The windows that were open are gone.",
		start: s.startServer,
		with: func(ctx context.Context, r running) {
			o := r.(*open)
			s.setDisplay(display{o.server.Display, o.server.Authority, o.desktop})
			s.supervise(ctx, s.bus(o))
			// What starts before there is another server is to find that one: it
			// takes the same number, unless somebody else took it meanwhile.
			s.setDisplay(display{o.server.Display, o.server.Authority, nil})
		},
	}
}

func (s *Stack) setDisplay(d display) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.display = d
}

// startServer starts an X server and connects to it.
func (s *Stack) startServer(ctx context.Context) (running, error) {
	if err := os.Mkdir(sockets, 0o777); err == nil {
		if err := os.Chmod(sockets, 0o777|fs.ModeSticky); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	s.logs[nameServer].begin()
	server, err := xvfb.Start(ctx, xvfb.Config{Size: s.config.Size, DPI: dpi * s.config.Scale, Dir: s.files.dir, Stderr: s.logs[nameServer].input})
	if err != nil {
		return nil, err
	}
	o := &open{server: server}
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	if o.session, err = openSession(ctx, server.Display, server.Authority, backdrop, resources(s.config.Scale)); err != nil {
		o.stop()
		return nil, err
	}
	if o.desktop, err = x11.Open(ctx, x11.Config{Display: server.Display, Authority: server.Authority}); err != nil {
		o.desktop = nil // not a nil *Desktop
		o.stop()
		return nil, err
	}
	return o, nil
}

// open is a running X server with our connections to it.
type open struct {
	server  *xvfb.Server
	session *session
	desktop desktop.Desktop
}

func (o *open) pid() int              { return o.server.PID }
func (o *open) done() <-chan struct{} { return o.server.Done() }

func (o *open) stop() {
	if o.desktop != nil {
		_ = o.desktop.Close()
	}
	if o.session != nil {
		o.session.close()
	}
	o.server.Stop()
}
