package remote_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
)

// TestListen checks that a listener inside is accepted from out here.
func TestListen(t *testing.T) {
	t.Parallel()
	s := serve(t, "", "")
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	l, err := s.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = s.Listen(t.Context(), l.Addr().String())
	if deskhand.CodeOf(err) != deskhand.Conflict {
		t.Errorf("a second time: %v", err)
	}
	for _, address := range []string{"", "0.0.0.0:0", "198.51.100.7:80", "localhost:80", "/tmp/x"} {
		if _, err := s.Listen(t.Context(), address); deskhand.CodeOf(err) != deskhand.Invalid {
			t.Errorf("%q: %v", address, err)
		}
	}
	go func() {
		c, err := net.DialTimeout("tcp", l.Addr().String(), 10*time.Second)
		if err == nil {
			_, _ = io.WriteString(c, "hello")
			_ = c.Close()
		}
	}()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
}
