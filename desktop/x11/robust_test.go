package x11

import (
	"bytes"
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/xwire"
	"github.com/jezek/xgb/xproto"
)

func TestFrozenServerIsNotWaitedForLonger(t *testing.T) {
	t.Parallel()
	s := display(t, small)
	d, w := open(t, s), newWitness(t, s)
	if err := syscall.Kill(s.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	resumed := false
	resume := func() {
		if !resumed {
			resumed = true
			_ = syscall.Kill(s.PID, syscall.SIGCONT)
		}
	}
	defer resume()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := d.Screen(ctx, desktop.Shot{}); deskhand.CodeOf(err) != deskhand.Canceled {
		t.Errorf("Screen with 100 ms: %v", err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
	start = time.Now()
	if _, err := d.Cursor(t.Context()); deskhand.CodeOf(err) != deskhand.Unavailable {
		t.Errorf("Cursor: %v", err)
	}
	if took := time.Since(start); took > 2*xwire.ReplyLimit {
		t.Errorf("took %s", took)
	}
	resume()
	do(t, d, desktop.Action{Kind: desktop.Click, Point: at(9, 9)}) // it goes on
	if _, err := d.Screen(t.Context(), desktop.Shot{}); err != nil {
		t.Error(err)
	}
	w.nothingHeld()
}

func TestGrabbedServerIsNotWaitedForLonger(t *testing.T) {
	t.Parallel()
	s := display(t, small)
	d, w := open(t, s), newWitness(t, s)
	w.must(xproto.GrabServerChecked(w.conn).Check())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := d.Input(ctx, desktop.Action{Kind: desktop.Hold, Keys: "a", Duration: time.Minute})
	if deskhand.CodeOf(err) != deskhand.Canceled {
		t.Error(err)
	}
	w.must(xproto.UngrabServerChecked(w.conn).Check())
	if err := d.Release(t.Context()); err != nil {
		t.Error(err)
	}
	w.nothingHeld()
}

// TestKeyboardIsRestored compares the whole map with what it was.
func TestKeyboardIsRestored(t *testing.T) {
	t.Parallel()
	s := display(t, small)
	w := newWitness(t, s)
	mapping := func() []byte {
		t.Helper()
		setup := xproto.Setup(w.conn)
		r, err := xproto.GetKeyboardMapping(w.conn, setup.MinKeycode, byte(setup.MaxKeycode-setup.MinKeycode+1)).Reply()
		w.must(err)
		var raw bytes.Buffer
		for i, k := range r.Keysyms {
			if k != 0 { // the number of columns may have grown
				raw.WriteString(string(rune(i/int(r.KeysymsPerKeycode))) + "=" + string(rune(k&0xffff)) + " ")
			}
		}
		return raw.Bytes()
	}
	for _, layout := range []string{"us", "de", "us,ru"} {
		setLayout(t, s, layout)
		before := mapping()
		d := open(t, s)
		do(t, d, desktop.Action{Kind: desktop.Key, Keys: "Caps_Lock"}, desktop.Action{Kind: desktop.Type, Text: mixed})
		during := mapping()
		kb, err := d.input.keyboard(t.Context())
		if err != nil || kb.state.locked != modLock || kb.state.lockedGroup != 0 {
			t.Errorf("%s: state %+v, %v", layout, kb.state, err)
		}
		do(t, d, desktop.Action{Kind: desktop.Key, Keys: "Caps_Lock"})
		d.Close()
		if bytes.Equal(during, before) {
			t.Errorf("%s: nothing was put on spare keys", layout)
		}
		if !bytes.Equal(mapping(), before) {
			t.Errorf("%s: the map was not restored", layout)
		}
	}
	w.nothingHeld()
}

func TestManyGoroutines(t *testing.T) {
	t.Parallel()
	s := display(t, small)
	d, w := open(t, s), newWitness(t, s)
	done := make(chan error)
	calls := []func() error{
		func() error { return d.Input(t.Context(), desktop.Action{Kind: desktop.Type, Text: "aÄб"}) },
		func() error { return d.Input(t.Context(), desktop.Action{Kind: desktop.Click, Point: at(3, 3)}) },
		func() error { _, err := d.Screen(t.Context(), desktop.Shot{Cursor: true}); return err },
		func() error { _, err := d.Settle(t.Context(), desktop.Wait{Quiet: 5 * time.Millisecond}); return err },
		func() error { _, err := d.Windows(t.Context()); return err },
		func() error { return d.SetClipboard(t.Context(), "x") },
		func() error { _, err := d.Clipboard(t.Context()); return err },
		func() error { return d.Release(t.Context()) },
	}
	for _, call := range calls {
		go func() {
			var err error
			for range 15 {
				if e := call(); e != nil {
					err = e
				}
			}
			done <- err
		}()
	}
	for range calls {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	w.nothingHeld()
}
