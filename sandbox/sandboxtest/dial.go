package sandboxtest

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
)

// echo listens on the address family of its first argument, says where, and
// sends back what it gets until the end of it, then "bye".
const echo = `
import socket, sys
s = socket.socket(getattr(socket, sys.argv[1]))
s.bind(("127.0.0.1", 0) if sys.argv[1] == "AF_INET" else sys.argv[2])
s.listen()
print(s.getsockname()[1] if sys.argv[1] == "AF_INET" else "ready", flush=True)
while True:
    c, _ = s.accept()
    while True:
        data = c.recv(65536)
        if not data: break
        c.sendall(data)
    c.sendall(b"bye")
    c.close()
`

func testDial(t *testing.T, p Place) {
	for network, family := range map[string]string{"tcp": "AF_INET", "unix": "AF_UNIX"} {
		t.Run(network, func(t *testing.T) {
			address := p.Dir + "/echo socket"
			server := p.exec(t, sandbox.Cmd{Args: []string{"python3", "-c", echo, family, address}})
			if port := line(t, server.Stdout()); network == "tcp" {
				address = "127.0.0.1:" + port
			}
			conn, err := p.Sandbox.Dial(t.Context(), network, address)
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
				t.Fatal(err)
			}
			const size = 4 << 20
			go func() {
				_, _ = conn.Write(make([]byte, size))
				_ = conn.(interface{ CloseWrite() error }).CloseWrite()
			}()
			got, err := io.ReadAll(conn)
			if err != nil || len(got) != size+3 || string(got[size:]) != "bye" {
				t.Errorf("%d bytes, %v; want %d and bye", len(got), err, size)
			}
			_ = conn.Close()
			deadline(t, p, network, address)
			if err := server.Kill(); err != nil {
				t.Error(err)
			}
		})
	}
}

// deadline checks that a read ends at its deadline.
func deadline(t *testing.T, p Place, network, address string) {
	t.Helper()
	conn, err := p.Sandbox.Dial(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	_, err = conn.Read(make([]byte, 1))
	if e, ok := errors.AsType[net.Error](err); !ok || !e.Timeout() {
		t.Errorf("a read past its deadline: %v", err)
	}
}

func testDialFailures(t *testing.T, p Place) {
	for name, c := range map[string]struct {
		network, address string
		want             deskhand.Code
	}{
		"nobody listens": {"tcp", "127.0.0.1:1", deskhand.Unavailable},
		"no socket":      {"unix", p.Dir + "/nothing", deskhand.NotFound},
		"no network":     {"udp", "127.0.0.1:1", deskhand.Invalid},
		"no address":     {"tcp", "nonsense", deskhand.Invalid},
	} {
		_, err := p.Sandbox.Dial(t.Context(), c.network, c.address)
		wantCode(t, name, err, c.want)
	}
	_, err := p.Sandbox.Dial(canceled(t), "tcp", "127.0.0.1:1")
	wantCode(t, "ended context", err, deskhand.Canceled)
}
