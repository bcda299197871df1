package guest

import (
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/deskhand/deskhand/internal/guestapi"
)

// dial opens a connection inside and becomes it. Either side may end its
// direction first.
func (s *server) dial(w http.ResponseWriter, r *http.Request) error {
	if err := wantUpgrade(r, guestapi.RawProtocol); err != nil {
		return err
	}
	q := r.URL.Query()
	inside, err := s.host.Dial(r.Context(), q.Get("network"), q.Get("address"))
	if err != nil {
		return err
	}
	defer inside.Close()
	conn, br, release, err := s.upgrade(w, r, guestapi.RawProtocol)
	if err != nil {
		return nil // the connection is gone
	}
	defer release()
	var both sync.WaitGroup
	both.Go(func() { carry(inside, br, conn) })
	carry(conn, inside, inside)
	both.Wait()
	return nil
}

// carry copies from to to and then ends that direction. When the copy fails
// both sides are closed, which ends the other direction too.
func carry(to net.Conn, from io.Reader, source net.Conn) {
	_, err := io.Copy(to, from)
	half, ok := to.(interface{ CloseWrite() error })
	if err != nil || !ok || half.CloseWrite() != nil {
		_ = to.Close()
		_ = source.Close()
	}
}
