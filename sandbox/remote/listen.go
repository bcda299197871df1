package remote

import (
	"context"
	"net"
	"net/http"
	"net/url"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/guestapi"
	"github.com/deskhand/deskhand/internal/handover"
)

// Listen returns a listener on a loopback address inside, HOST:PORT. What is
// accepted from it are the connections of programs inside, without anybody in
// between. The caller closes it. Conflict: something listens there already.
// Unavailable: the guest is not reached over a Unix socket of this machine.
func (s *Sandbox) Listen(ctx context.Context, address string) (net.Listener, error) {
	const op = "sandbox: listen"
	q := url.Values{"address": {address}}
	c, err := s.upgrade(ctx, op, http.MethodGet, guestapi.Listen+"?"+q.Encode(), guestapi.ListenProtocol, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }() // the descriptor has come, or never will
	way, ok := c.Conn.(*net.UnixConn)
	if !ok {
		return nil, deskhand.Errorf(op, deskhand.Unavailable, "a listener comes over a Unix socket only")
	}
	stop := context.AfterFunc(ctx, func() { _ = way.Close() })
	defer stop()
	_, err = way.Write([]byte{0}) // ready for the descriptor
	if err != nil {
		return nil, deskhand.E(op, "", s.lost(ctx, err))
	}
	f, err := handover.Receive(way, "listener")
	if err != nil {
		return nil, deskhand.E(op, "", s.lost(ctx, err))
	}
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, deskhand.Errorf(op, deskhand.Internal, "what the guest handed over is no listener: %w", err)
	}
	return l, nil
}
