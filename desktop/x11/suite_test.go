package x11

import (
	"fmt"
	"sync"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop/desktoptest"
	"github.com/jezek/xgb/xproto"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	desktoptest.Run(t, func(t *testing.T) desktoptest.Bench {
		s := display(t, small)
		w := newWitness(t, s)
		var mu sync.Mutex
		var all []string
		return desktoptest.Bench{
			Desktop: open(t, s),
			Paint:   func(x, y, width, height int, rgb uint32) { w.paint(x, y, width, height, rgb) },
			Received: func() []string {
				mu.Lock()
				defer mu.Unlock()
				for _, e := range w.events() {
					if line := inWords(e); line != "" {
						all = append(all, line)
					}
				}
				return append([]string(nil), all...)
			},
			OpenWindow: w.open,
		}
	})
}

// inWords turns an event of the witness into the suite's words.
func inWords(event string) string {
	names := map[int]string{1: "left", 2: "middle", 3: "right", 4: "wheel up", 5: "wheel down", 6: "wheel left", 7: "wheel right"}
	keys := map[int]string{38: "a", 56: "b", 54: "c", 40: "d", 50: "shift", 36: "Return"}
	var n int
	switch {
	case scan(event, "down %d", &n) && n > 3:
		return names[n]
	case scan(event, "down %d", &n):
		return names[n] + " down"
	case scan(event, "up %d", &n) && n <= 3:
		return names[n] + " up"
	case scan(event, "key %d", &n):
		return "key " + keys[n] + " down"
	case scan(event, "let %d", &n):
		return "key " + keys[n] + " up"
	}
	return ""
}

func scan(s, format string, n *int) bool {
	got, _ := fmt.Sscanf(s, format, n)
	return got == 1
}

// open maps a window of its own, on top.
func (w *witness) open(title string, r deskhand.ScreenRect) {
	w.t.Helper()
	win, err := xproto.NewWindowId(w.conn)
	w.must(err)
	screen := xproto.Setup(w.conn).DefaultScreen(w.conn)
	w.must(xproto.CreateWindowChecked(w.conn, screen.RootDepth, win, screen.Root, int16(r.X0), int16(r.Y0), uint16(r.Size().W), uint16(r.Size().H),
		0, xproto.WindowClassInputOutput, screen.RootVisual, xproto.CwBackPixel, []uint32{0xffffff}).Check())
	name, err := xproto.InternAtom(w.conn, false, uint16(len("_NET_WM_NAME")), "_NET_WM_NAME").Reply()
	w.must(err)
	kind, err := xproto.InternAtom(w.conn, false, uint16(len("UTF8_STRING")), "UTF8_STRING").Reply()
	w.must(err)
	w.must(xproto.ChangePropertyChecked(w.conn, xproto.PropModeReplace, win, name.Atom, kind.Atom, 8, uint32(len(title)), []byte(title)).Check())
	w.must(xproto.MapWindowChecked(w.conn, win).Check())
}
