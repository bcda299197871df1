package fake_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/desktop/desktoptest"
	"github.com/deskhand/deskhand/desktop/fake"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSuite(t *testing.T) {
	t.Parallel()
	desktoptest.Run(t, func(t *testing.T) desktoptest.Bench {
		d := setup(t)
		return desktoptest.Bench{
			Desktop: d, Paint: d.Paint, Received: d.Received, Typed: d.Typed,
			OpenWindow: func(title string, bounds deskhand.ScreenRect) {
				ws, err := d.Windows(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				d.SetWindows(append([]desktop.Window{{ID: uint32(len(ws) + 1), Title: title, Bounds: bounds}}, ws...)...)
			},
		}
	})
}

func setup(t *testing.T) *fake.Desktop {
	d := fake.New(deskhand.Size{W: 320, H: 240})
	t.Cleanup(func() { d.Close() })
	return d
}

func TestFailInput(t *testing.T) {
	t.Parallel()
	d := setup(t)
	d.FailInput(2, fake.Fault{Action: 1, Typed: 2, Err: deskhand.Errorf("", deskhand.Unavailable, "pulled the plug")})
	list := []desktop.Action{{Kind: desktop.Click}, {Kind: desktop.Type, Text: "äöü"}}
	if err := d.Input(t.Context(), list...); err != nil {
		t.Fatal(err)
	}
	err := d.Input(t.Context(), list...)
	var in *desktop.InputError
	if !errors.As(err, &in) || in.Action != 1 || in.Typed != 2 || deskhand.CodeOf(err) != deskhand.Unavailable {
		t.Errorf("got %#v", err)
	}
	if d.Typed() != "äöüäö" || len(d.Applied()) != 3 {
		t.Errorf("typed %q, applied %d actions", d.Typed(), len(d.Applied()))
	}
	if err := d.Input(t.Context(), list...); err != nil {
		t.Error("a fault struck twice:", err)
	}
}

func TestBlock(t *testing.T) {
	t.Parallel()
	d := setup(t)
	free := d.Block()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if err := d.Input(ctx, desktop.Action{Kind: desktop.Click}); deskhand.CodeOf(err) != deskhand.Canceled {
		t.Errorf("got %v, want Canceled", err)
	}
	done := make(chan error)
	go func() { done <- d.Input(t.Context(), desktop.Action{Kind: desktop.Click}) }()
	select {
	case err := <-done:
		t.Fatal("input went through a closed gate:", err)
	default:
	}
	free()
	free()
	if err := <-done; err != nil || len(d.Applied()) != 1 {
		t.Errorf("after the gate opened: %v, %d applied", err, len(d.Applied()))
	}
}

func TestKeysAreSplit(t *testing.T) {
	t.Parallel()
	for keys, want := range map[string]string{
		"+": "+", "ctrl++": "ctrl +", "ctrl+shift+s": "ctrl shift s", "Page_Up": "Page_Up", "ctrl+": "ctrl +",
	} {
		d := setup(t)
		if err := d.Input(t.Context(), desktop.Action{Kind: desktop.Key, Keys: keys}); err != nil {
			t.Errorf("%s: %v", keys, err)
		}
		var down []string
		for _, line := range d.Received() {
			if name, ok := strings.CutSuffix(line, " down"); ok {
				down = append(down, strings.TrimPrefix(name, "key "))
			}
		}
		if !slices.Equal(down, strings.Fields(want)) {
			t.Errorf("%s: pressed %q, want %q", keys, down, want)
		}
		if len(d.Held()) != 0 {
			t.Errorf("%s: %q stay down", keys, d.Held())
		}
	}
}
