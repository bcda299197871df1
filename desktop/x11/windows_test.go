package x11

import (
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/jezek/xgb/xproto"
)

func TestWindows(t *testing.T) {
	t.Parallel()
	s, d := desk(t)
	first := program(t, s, "xterm", "-T", "Grüße", "-geometry", "40x10+100+100")
	one := focused(t, d, "xterm")
	program(t, s, "xterm", "-class", "Other", "-geometry", "40x10+600+400")
	focused(t, d, "other")
	windows, err := d.Windows(t.Context())
	if err != nil || len(windows) != 2 {
		t.Fatalf("%+v, %v", windows, err)
	}
	top, below := windows[0], windows[1]
	if top.Class != "Other" || !top.Focused || below.Focused || below.Title != "Grüße" || below.Class != "XTerm" || below.PID != first.Process.Pid {
		t.Errorf("%+v", windows)
	}
	inside := below.Bounds.X0 >= 0 && below.Bounds.Y0 >= 0 && below.Bounds.Size().W > 200 && below.Bounds.Size().H > 100
	if !inside || below.Bounds != one.Bounds {
		t.Errorf("bounds %+v", below.Bounds)
	}
}

// TestHostileWindows gives a window properties that lie.
func TestHostileWindows(t *testing.T) {
	t.Parallel()
	s := display(t, small)
	d, w := open(t, s), newWitness(t, s)
	set := func(name string, kind xproto.Atom, format byte, value []byte) {
		t.Helper()
		r, err := xproto.InternAtom(w.conn, false, uint16(len(name)), name).Reply()
		w.must(err)
		w.must(xproto.ChangePropertyChecked(w.conn, xproto.PropModeReplace, w.win, r.Atom, kind, format, uint32(len(value)*8/int(format)), value).Check())
	}
	huge := []byte(strings.Repeat("\xff\x00é", 50000))
	set("_NET_WM_NAME", xproto.AtomString, 8, huge)
	set("WM_CLASS", xproto.AtomString, 8, huge)
	set("_NET_WM_PID", xproto.AtomCardinal, 32, []byte{255, 255, 255, 255})
	set("_NET_FRAME_EXTENTS", xproto.AtomCardinal, 32, []byte(strings.Repeat("\xff", 16)))
	set("_GTK_FRAME_EXTENTS", xproto.AtomCardinal, 8, []byte("four"))
	windows, err := d.Windows(t.Context())
	if err != nil || len(windows) != 1 {
		t.Fatalf("%+v, %v", windows, err)
	}
	got := windows[0]
	if got.ID != uint32(w.win) || len(got.Title) > 4*maxTitle || strings.ContainsRune(got.Title, 0) || got.PID != 0 ||
		got.Bounds != (deskhand.ScreenRect{X1: 640, Y1: 480}) || !got.Focused {
		t.Errorf("%d %d %+v", len(got.Title), got.PID, got.Bounds)
	}
}
