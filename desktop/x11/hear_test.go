package x11

import (
	"slices"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/desktop"
	"github.com/jezek/xgb/xproto"
)

// property gives a window a property of 32-bit numbers.
func (w *witness) property(win xproto.Window, name string, kind xproto.Atom, values ...uint32) {
	w.t.Helper()
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = le.AppendUint32(raw, v)
	}
	w.must(xproto.ChangePropertyChecked(w.conn, xproto.PropModeReplace, win, w.atom(name), kind, 32, uint32(len(values)), raw).Check())
}

func (w *witness) atom(name string) xproto.Atom {
	w.t.Helper()
	r, err := xproto.InternAtom(w.conn, false, uint16(len(name)), name).Reply()
	w.must(err)
	return r.Atom
}

// pinged waits for a ping on the witness's connection.
func (w *witness) pinged() xproto.ClientMessageEvent {
	w.t.Helper()
	var ping xproto.ClientMessageEvent
	wait(w.t, "a ping", func() bool {
		e, err := w.conn.PollForEvent()
		if err != nil {
			w.t.Fatal(err)
		}
		var ok bool
		ping, ok = e.(xproto.ClientMessageEvent)
		return ok
	})
	return ping
}

// answer sends a ping back to the root window, as programs do.
func (w *witness) answer(ping xproto.ClientMessageEvent) {
	w.t.Helper()
	root := xproto.Setup(w.conn).DefaultScreen(w.conn).Root
	ping.Window = root
	w.must(xproto.SendEventChecked(w.conn, false, root, xproto.EventMaskSubstructureNotify|xproto.EventMaskSubstructureRedirect, string(ping.Bytes())).Check())
}

// TestKeysWaitForEveryConnection has a program that gets its keys on one
// connection and hears of the keymap on another too, as Chromium does. No key
// may come before it has heard of the map there.
func TestKeysWaitForEveryConnection(t *testing.T) {
	t.Parallel()
	s := display(t, small)
	d := open(t, s)
	gtk, keys := newWitness(t, s), newWitness(t, s)
	root := xproto.Setup(keys.conn).DefaultScreen(keys.conn).Root
	keys.property(root, "_NET_ACTIVE_WINDOW", xproto.AtomWindow, uint32(keys.win))
	for _, w := range []*witness{gtk, keys} {
		w.property(w.win, "_NET_WM_PID", xproto.AtomCardinal, 4242)
		w.property(w.win, "WM_PROTOCOLS", xproto.AtomAtom, uint32(w.atom("_NET_WM_PING")))
	}
	typed := make(chan error, 1)
	input := func(text string) {
		go func() { typed <- d.Input(t.Context(), desktop.Action{Kind: desktop.Type, Text: text}) }()
	}
	pressed := func() []string {
		return slices.DeleteFunc(keys.events(), func(e string) bool { return !strings.HasPrefix(e, "key") })
	}
	input("Ж")
	ping := gtk.pinged()
	if early := pressed(); len(early) > 0 {
		t.Errorf("before the program had heard of the keymap: %q", early)
	}
	gtk.answer(ping)
	keys.must(<-typed)
	if got := pressed(); len(got) != 1 {
		t.Errorf("after it had heard of it: %q", got)
	}

	input("Жa") // the map is as it was: nobody is asked
	keys.must(<-typed)
	if got := pressed(); len(got) != 2 {
		t.Errorf("the second time: %q", got)
	}
	setLayout(t, s, "de") // somebody else changes it
	input("a")
	ping = gtk.pinged()
	if early := pressed(); len(early) > 0 {
		t.Errorf("before the program had heard of the new layout: %q", early)
	}
	gtk.answer(ping)
	keys.must(<-typed)
}
