package x11

import (
	"net"
	"os"
	"sync"
	"testing"

	"github.com/deskhand/deskhand/internal/xvfb"
)

// dialCookie connects to the display and puts the cookie into the first write:
// xgb takes one from the environment only, which parallel tests share.
func dialCookie(t testing.TB, s *xvfb.Server) net.Conn {
	t.Helper()
	raw, err := os.ReadFile(s.Authority)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", "/tmp/.X11-unix/X"+s.Display[1:])
	if err != nil {
		t.Fatal(err)
	}
	return &cookieConn{Conn: conn, cookie: raw[len(raw)-16:]}
}

type cookieConn struct {
	net.Conn
	cookie []byte
	once   sync.Once
}

func (c *cookieConn) Write(p []byte) (n int, err error) {
	greeting := false
	c.once.Do(func() { greeting = true })
	if !greeting {
		return c.Conn.Write(p)
	}
	const name = "MIT-MAGIC-COOKIE-1"
	hello := append([]byte{'l', 0, 11, 0, 0, 0, byte(len(name)), 0, 16, 0, 0, 0}, name+"\x00\x00"...)
	_, err = c.Conn.Write(append(hello, c.cookie...))
	return len(p), err
}
