package xwire

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is the server's end of a connection without a server.
func fake(t *testing.T, event func([]byte)) (*Conn, net.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	c := newConn(ours, Setup{}, event)
	t.Cleanup(func() { theirs.Close(); c.Close() })
	return c, theirs
}

func answerTo(number uint16, kind byte) []byte {
	b := make([]byte, 32)
	b[0] = kind
	binary.LittleEndian.PutUint16(b[2:], number)
	return b
}

// send sends a batch while the other end swallows n bytes.
func send(t *testing.T, c *Conn, peer net.Conn, b *Batch, n int) {
	t.Helper()
	done := make(chan error)
	go func() { _, err := io.ReadFull(peer, make([]byte, n)); done <- err }()
	if err := c.Send(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestErrorsGoToTheirBatch(t *testing.T) {
	t.Parallel()
	c, peer := fake(t, nil)
	var b Batch
	b.Req(1, 0)
	first := b.Req(2, 0).Want()
	b.Req(3, 0)
	second := b.Req(4, 0).Want()
	send(t, c, peer, &b, 16)
	for _, a := range [][]byte{answerTo(2, answerReply), answerTo(3, answerError), answerTo(4, answerReply)} {
		if _, err := peer.Write(a); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := first.Wait(t.Context()); err != nil {
		t.Error("first:", err)
	}
	var refused *Error
	if _, err := second.Wait(t.Context()); !errors.As(err, &refused) {
		t.Error("second:", err)
	}
	var later Batch
	r := later.Req(5, 0).Want()
	send(t, c, peer, &later, 4)
	_, _ = peer.Write(answerTo(4, answerError)) // of a batch that is over
	_, _ = peer.Write(answerTo(5, answerReply))
	if _, err := r.Wait(t.Context()); err != nil {
		t.Error("later:", err)
	}
}

func TestWaitsEnd(t *testing.T) {
	t.Parallel()
	c, peer := fake(t, nil)
	var b Batch
	r, other := b.Req(1, 0).Want(), (*Reply)(nil)
	other = b.Req(1, 0).Want()
	send(t, c, peer, &b, 8)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := r.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	peer.Close()
	if _, err := other.Wait(t.Context()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := c.Send(t.Context(), &Batch{}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestNumbersBeyond16Bits(t *testing.T) {
	t.Parallel()
	last := uint64(0)
	for n := uint64(1); n < 300_000; n += 60_000 {
		if last = widen(last, uint16(n), false); last != n {
			t.Fatalf("got %d, want %d", last, n)
		}
	}
}

func TestDisplays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]address{
		":0":         {"unix", "/tmp/.X11-unix/X0", "0", 0},
		":12.1":      {"unix", "/tmp/.X11-unix/X12", "12", 1},
		"unix:3":     {"unix", "/tmp/.X11-unix/X3", "3", 0},
		"host:10.0":  {"tcp", "host:6010", "10", 0},
		"":           {},
		"0":          {},
		":x":         {},
		":-1":        {},
		":0.x":       {},
		":../../etc": {},
	} {
		got, err := parseDisplay(text)
		if got != want || (err == nil) != (want != address{}) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func FuzzHandshake(f *testing.F) {
	f.Add([]byte{}, []byte{0xff, 0xff, 0, 0, 0, 1, '0', 0, 1, 'x', 0, 0}, 0)
	f.Add(make([]byte, 200), []byte{0xff, 0xff, 0xff, 0xff}, 1)
	f.Fuzz(func(t *testing.T, setup, authority []byte, screen int) {
		if screen >= 0 {
			_, _ = parseSetup(setup, screen)
		}
		if c := findCookie(authority, "0"); c != "" && len(c) != 16 {
			t.Errorf("cookie %q", c)
		}
	})
}
