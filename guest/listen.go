package guest

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/guestapi"
	"github.com/deskhand/deskhand/internal/handover"
)

// listen makes a TCP listener on an address inside and hands it to the host,
// who accepts from it: nothing of what goes through it passes the guest.
func (s *server) listen(w http.ResponseWriter, r *http.Request) error {
	if err := wantUpgrade(r, guestapi.ListenProtocol); err != nil {
		return err
	}
	address := r.URL.Query().Get("address")
	to, err := netip.ParseAddrPort(address)
	if err != nil || !to.Addr().IsLoopback() {
		return deskhand.Errorf("", deskhand.Invalid, "address %q is not a loopback address with a port", address)
	}
	l, err := new(net.ListenConfig).Listen(r.Context(), "tcp", to.String())
	if err != nil {
		return deskhand.Errorf("", deskhand.Conflict, "nobody can listen on %s inside: %w", to, reason(err))
	}
	defer l.Close() // the host has its own by then
	conn, br, release, err := s.upgrade(w, r, guestapi.ListenProtocol)
	if err != nil {
		return nil // the connection is gone
	}
	defer release()
	// A reader that is still after the answer's head would lose the descriptor.
	if _, err := br.ReadByte(); err != nil {
		return nil
	}
	if err := hand(conn, l); err != nil {
		s.log.Error("a listener was not handed over", "err", err)
	}
	return nil
}

// reason is why a socket could not be had, without its address.
func reason(err error) error {
	var call *os.SyscallError
	if errors.As(err, &call) {
		return call.Err
	}
	return err
}

// hand sends one byte with l's descriptor over conn.
func hand(conn net.Conn, l net.Listener) error {
	way, ok := conn.(*net.UnixConn)
	if !ok {
		return errors.New("descriptors go over Unix sockets only")
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	defer f.Close()
	return handover.Send(way, f)
}
