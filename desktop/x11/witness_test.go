package x11

import (
	"fmt"
	"testing"
	"time"

	"github.com/deskhand/deskhand/internal/xvfb"
	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// witness is a window of another X library (xgb) that records what it is sent,
// so that the driver is not judged by its own reading of the protocol.
type witness struct {
	t    testing.TB
	conn *xgb.Conn
	win  xproto.Window
}

// newWitness maps a window over the whole display and gives it the focus.
func newWitness(t testing.TB, s *xvfb.Server) *witness {
	t.Helper()
	xgb.Logger.SetOutput(discard{})
	conn, err := xgb.NewConnNet(dialCookie(t, s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		for {
			if e, err := conn.WaitForEvent(); e == nil && err == nil {
				return
			}
		}
	})
	screen := xproto.Setup(conn).DefaultScreen(conn)
	win, err := xproto.NewWindowId(conn)
	if err != nil {
		t.Fatal(err)
	}
	mask := uint32(xproto.EventMaskKeyPress | xproto.EventMaskKeyRelease | xproto.EventMaskButtonPress |
		xproto.EventMaskButtonRelease | xproto.EventMaskPointerMotion)
	w := &witness{t, conn, win}
	w.must(xproto.CreateWindowChecked(conn, screen.RootDepth, win, screen.Root, 0, 0, screen.WidthInPixels, screen.HeightInPixels,
		0, xproto.WindowClassInputOutput, screen.RootVisual, xproto.CwBackPixel|xproto.CwEventMask, []uint32{0x336699, mask}).Check())
	w.must(xproto.MapWindowChecked(conn, win).Check())
	w.must(xproto.SetInputFocusChecked(conn, xproto.InputFocusPointerRoot, win, 0).Check())
	return w
}

func (w *witness) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// events returns what came until now, in words.
func (w *witness) events() (out []string) {
	w.t.Helper()
	if _, err := xproto.GetInputFocus(w.conn).Reply(); err != nil {
		w.t.Fatal(err)
	}
	for {
		e, err := w.conn.PollForEvent()
		if err != nil {
			w.t.Fatal(err)
		}
		switch e := e.(type) {
		case nil:
			return out
		case xproto.MotionNotifyEvent:
			out = append(out, fmt.Sprintf("move %d,%d", e.RootX, e.RootY))
		case xproto.ButtonPressEvent:
			out = append(out, fmt.Sprintf("down %d at %d,%d with %#x", e.Detail, e.RootX, e.RootY, e.State))
		case xproto.ButtonReleaseEvent:
			out = append(out, fmt.Sprintf("up %d", e.Detail))
		case xproto.KeyPressEvent:
			out = append(out, fmt.Sprintf("key %d with %#x", e.Detail, e.State))
		case xproto.KeyReleaseEvent:
			out = append(out, fmt.Sprintf("let %d", e.Detail))
		}
	}
}

// nothingHeld fails the test unless no key and no button is down.
func (w *witness) nothingHeld() {
	w.t.Helper()
	keys, err := xproto.QueryKeymap(w.conn).Reply()
	w.must(err)
	for i, b := range keys.Keys {
		if b != 0 {
			w.t.Errorf("keys %d to %d: %08b are down", i*8, i*8+7, b)
		}
	}
	p, err := xproto.QueryPointer(w.conn, xproto.Setup(w.conn).DefaultScreen(w.conn).Root).Reply()
	w.must(err)
	if p.Mask != 0 {
		w.t.Errorf("buttons and modifiers %#x are down", p.Mask)
	}
}

// wait polls cond, for things that happen in other programs.
func wait(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
