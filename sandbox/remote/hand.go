package remote

import (
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/deskhand/deskhand/internal/handover"
)

// HandSocket is the name of the socket in LaunchConfig.Hand.
const HandSocket = "hand"

// giving is how the guest gets the socket that it listens on: it inherits it,
// or the first who comes to a socket with a path is given it.
type giving struct {
	listener *os.File          // what is given
	at       *net.UnixListener // nil when it is inherited
	done     sync.WaitGroup
}

func handOut(dir string, listener *os.File) (*giving, error) {
	g := &giving{listener: listener}
	if dir == "" {
		return g, nil
	}
	path := filepath.Join(dir, HandSocket)
	var err error
	if g.at, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"}); err != nil {
		return nil, err
	}
	// The guest may be another user of this machine; the directory is private.
	return g, os.Chmod(path, 0o666)
}

// inherited is what the child gets as descriptor 3, nil when it fetches it.
func (g *giving) inherited() *os.File {
	if g.at != nil {
		return nil
	}
	return g.listener
}

// serve gives the socket to the first who comes, and to nobody when ended comes
// first. From then on nobody listens but who was given it, so that whoever waits
// for a guest that has ended learns it. That it was not given the guest says itself.
func (g *giving) serve(ended <-chan struct{}) {
	if g.at == nil {
		_ = g.listener.Close() // the child has it
		return
	}
	given := make(chan struct{})
	g.done.Go(func() {
		defer close(given)
		if way, err := g.at.AcceptUnix(); err == nil {
			_ = handover.Send(way, g.listener)
			_ = way.Close()
		}
		_ = g.listener.Close()
	})
	g.done.Go(func() {
		select {
		case <-ended:
			_ = g.at.Close()
		case <-given:
		}
	})
}

// Close ends the giving; what was given stays with who has it. Before serve it may
// be called too.
func (g *giving) Close() error {
	if g.at != nil {
		_ = g.at.Close() // takes the path away too
		g.done.Wait()
	}
	return ignoreDone(g.listener.Close())
}
