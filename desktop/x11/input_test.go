package x11

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
)

func at(x, y int) *deskhand.ScreenPoint { return &deskhand.ScreenPoint{X: x, Y: y} }

func do(t testing.TB, d *Desktop, actions ...desktop.Action) {
	t.Helper()
	if err := d.Input(t.Context(), actions...); err != nil {
		t.Fatal(err)
	}
}

func TestPointerEvents(t *testing.T) {
	t.Parallel()
	s := display(t, small)
	d, w := open(t, s), newWitness(t, s)
	cases := []struct {
		name   string
		action desktop.Action
		want   []string
	}{
		{"move", desktop.Action{Kind: desktop.Move, Point: at(10, 20)}, []string{"move 10,20"}},
		{"click", desktop.Action{Kind: desktop.Click, Point: at(30, 40)}, []string{"move 30,40", "down 1 at 30,40 with 0x0", "up 1"}},
		{"click where it is", desktop.Action{Kind: desktop.Click, Point: at(30, 40)}, []string{"move 30,40", "down 1 at 30,40 with 0x0", "up 1"}},
		{"click nowhere", desktop.Action{Kind: desktop.Click, Button: desktop.ButtonRight}, []string{"down 3 at 30,40 with 0x0", "up 3"}},
		{"double", desktop.Action{Kind: desktop.Click, Count: 2, Button: desktop.ButtonMiddle}, []string{"down 2 at 30,40 with 0x0", "up 2", "down 2 at 30,40 with 0x0", "up 2"}},
		{"ctrl+shift click", desktop.Action{Kind: desktop.Click, Modifiers: "ctrl+shift"},
			[]string{"key 37 with 0x0", "key 50 with 0x4", "down 1 at 30,40 with 0x5", "up 1", "let 50", "let 37"}},
		{"scroll", desktop.Action{Kind: desktop.Scroll, Direction: desktop.Down, Count: 2}, []string{"down 5 at 30,40 with 0x0", "up 5", "down 5 at 30,40 with 0x0", "up 5"}},
		{"scroll left at", desktop.Action{Kind: desktop.Scroll, Direction: desktop.Left, Point: at(0, 479), Modifiers: "alt"},
			[]string{"move 0,479", "key 64 with 0x0", "down 6 at 0,479 with 0x8", "up 6", "let 64"}},
		{"press", desktop.Action{Kind: desktop.Press}, []string{"down 1 at 0,479 with 0x0"}},
		{"move pressed", desktop.Action{Kind: desktop.Move, Point: at(639, 0)}, []string{"move 639,0"}},
		{"release", desktop.Action{Kind: desktop.Release}, []string{"up 1"}},
	}
	for _, c := range cases {
		do(t, d, c.action)
		if got := w.events(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	w.nothingHeld()
	if p, err := d.Cursor(t.Context()); err != nil || p != (deskhand.ScreenPoint{X: 639}) {
		t.Errorf("the pointer is at %v, %v", p, err)
	}
}

func TestDragPassesPointsInBetween(t *testing.T) {
	t.Parallel()
	s := display(t, small)
	d, w := open(t, s), newWitness(t, s)
	start := time.Now()
	do(t, d, desktop.Action{Kind: desktop.Drag, From: at(100, 100), Point: at(300, 150), Modifiers: "shift"})
	took := time.Since(start)
	got := w.events()
	if len(got) < 10 || got[0] != "move 100,100" || got[1] != "key 50 with 0x0" || got[2] != "down 1 at 100,100 with 0x1" ||
		got[3] != "move 120,105" || !slices.Contains(got, "move 300,150") || got[len(got)-1] != "let 50" {
		t.Errorf("%q", got)
	}
	if took > time.Second {
		t.Errorf("took %s", took)
	}
	w.nothingHeld()
}

func TestKeyEvents(t *testing.T) {
	t.Parallel()
	s := display(t, small)
	d, w := open(t, s), newWitness(t, s)
	cases := map[string][]string{
		"a":            {"key 38 with 0x0", "let 38"},
		"A":            {"key 50 with 0x0", "key 38 with 0x1", "let 38", "let 50"},
		"?":            {"key 50 with 0x0", "key 61 with 0x1", "let 61", "let 50"},
		"ctrl+s":       {"key 37 with 0x0", "key 39 with 0x4", "let 39", "let 37"},
		"Ctrl+S":       {"key 37 with 0x0", "key 39 with 0x4", "let 39", "let 37"},
		"ctrl+shift+s": {"key 37 with 0x0", "key 50 with 0x4", "key 39 with 0x5", "let 39", "let 50", "let 37"},
		"shift+?":      {"key 50 with 0x0", "key 61 with 0x1", "let 61", "let 50"},
		"ctrl++":       {"key 37 with 0x0", "key 50 with 0x4", "key 21 with 0x5", "let 21", "let 50", "let 37"},
		"+":            {"key 50 with 0x0", "key 21 with 0x1", "let 21", "let 50"},
		"ctrl+plus":    {"key 37 with 0x0", "key 50 with 0x4", "key 21 with 0x5", "let 21", "let 50", "let 37"},
		"f5":           {"key 71 with 0x0", "let 71"},
		"PAGE_UP":      {"key 112 with 0x0", "let 112"},
		"enter":        {"key 36 with 0x0", "let 36"},
		"cmd":          {"key 133 with 0x0", "let 133"},
		"alt+Tab":      {"key 64 with 0x0", "key 23 with 0x8", "let 23", "let 64"},
		"ctrl+alt":     {"key 37 with 0x0", "key 64 with 0x4", "let 64", "let 37"},
		"space":        {"key 65 with 0x0", "let 65"},
		" ":            {"key 65 with 0x0", "let 65"},
	}
	for keys, want := range cases {
		do(t, d, desktop.Action{Kind: desktop.Key, Keys: keys})
		if got := w.events(); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", keys, got, want)
		}
	}
	do(t, d, desktop.Action{Kind: desktop.Key, Keys: "Down", Count: 3})
	if got := w.events(); len(got) != 6 {
		t.Errorf("three times Down: %q", got)
	}
	w.nothingHeld()
}

func TestNothingMovesWhenAnActionIsInvalid(t *testing.T) {
	t.Parallel()
	s := display(t, small)
	d, w := open(t, s), newWitness(t, s)
	cases := []struct {
		action desktop.Action
		want   string
	}{
		{desktop.Action{Kind: desktop.Click, Point: at(640, 0)}, "Coordinates (640, 0) are outside display bounds (640x480)."},
		{desktop.Action{Kind: desktop.Key, Keys: "ctrl+nokey"}, "unknown key 'nokey'; use a single character or a name such as Return, Page_Up or F5"},
		{desktop.Action{Kind: desktop.Key, Keys: "ctrl+"}, "unknown key ''"},
		{desktop.Action{Kind: desktop.Key, Keys: "\xff"}, "UTF-8"},
		{desktop.Action{Kind: desktop.Type, Text: "a\x1b"}, "U+001B"},
		{desktop.Action{Kind: desktop.Type, Text: "a\rb"}, "U+000D"},
		{desktop.Action{Kind: desktop.Type, Text: "a\u0085"}, "U+0085"},
		{desktop.Action{Kind: desktop.Click, Modifiers: "ctrl+a"}, "modifiers"},
		{desktop.Action{Kind: desktop.Hold, Keys: "a+b+c+d+e+f+g+h+i+j+k"}, "up to 10 keys"},
	}
	for _, c := range cases {
		err := d.Input(t.Context(), desktop.Action{Kind: desktop.Click, Point: at(1, 1)}, c.action)
		var in *desktop.InputError
		if deskhand.CodeOf(err) != deskhand.Invalid || !strings.Contains(err.Error(), c.want) || !errors.As(err, &in) || in.Action != 1 {
			t.Errorf("%+v: %v", c.action, err)
		}
		if got := w.events(); len(got) != 0 {
			t.Fatalf("%+v: %q came of it", c.action, got)
		}
	}
}

func TestEverythingIsLetGo(t *testing.T) {
	t.Parallel()
	s := display(t, small)
	d, w := open(t, s), newWitness(t, s)

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- d.Input(ctx, desktop.Action{Kind: desktop.Press, Button: desktop.ButtonRight},
			desktop.Action{Kind: desktop.Hold, Keys: "ctrl+shift+a", Duration: time.Minute})
	}()
	var got []string
	wait(t, "the keys go down", func() bool { got = append(got, w.events()...); return len(got) >= 4 })
	cancel()
	err := <-done
	var in *desktop.InputError
	if deskhand.CodeOf(err) != deskhand.Canceled || !errors.As(err, &in) || in.Action != 1 {
		t.Fatal(err)
	}
	if got := w.events(); !slices.Equal(got[max(0, len(got)-3):], []string{"let 38", "let 50", "let 37"}) {
		t.Errorf("after the cancel: %q", got)
	}
	do(t, d, desktop.Action{Kind: desktop.Move, Point: at(5, 5)}) // the press outlives its list
	if err := d.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.events(); !slices.Equal(got, []string{"move 5,5", "up 3"}) {
		t.Errorf("after Release: %q", got)
	}
	w.nothingHeld()

	for n := range 12 { // what a defect leaves behind, wherever it strikes
		func() {
			defer func() { _ = recover() }()
			_ = d.Input(&panicky{Context: t.Context(), after: n},
				desktop.Action{Kind: desktop.Hold, Keys: "ctrl+a", Duration: time.Millisecond})
		}()
		w.nothingHeld()
	}

	do(t, d, desktop.Action{Kind: desktop.Press})
	d.Close()
	w.nothingHeld()
}

// panicky panics when it has been asked for its channel a number of times.
type panicky struct {
	context.Context
	after int
}

func (p *panicky) Done() <-chan struct{} {
	if p.after--; p.after < 0 {
		panic("a defect")
	}
	return p.Context.Done()
}

func TestClosedAndDeadDisplays(t *testing.T) {
	t.Parallel()
	calls := map[string]func(context.Context, *Desktop) error{
		"Size":         func(ctx context.Context, d *Desktop) error { _, err := d.Size(ctx); return err },
		"Screen":       func(ctx context.Context, d *Desktop) error { _, err := d.Screen(ctx, desktop.Shot{}); return err },
		"Input":        func(ctx context.Context, d *Desktop) error { return d.Input(ctx, desktop.Action{Kind: desktop.Click}) },
		"Cursor":       func(ctx context.Context, d *Desktop) error { _, err := d.Cursor(ctx); return err },
		"Windows":      func(ctx context.Context, d *Desktop) error { _, err := d.Windows(ctx); return err },
		"Clipboard":    func(ctx context.Context, d *Desktop) error { _, err := d.Clipboard(ctx); return err },
		"SetClipboard": func(ctx context.Context, d *Desktop) error { return d.SetClipboard(ctx, "x") },
		"Settle":       func(ctx context.Context, d *Desktop) error { _, err := d.Settle(ctx, desktop.Wait{}); return err },
		"Release":      func(ctx context.Context, d *Desktop) error { return d.Release(ctx) },
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	s := display(t, small)
	d := open(t, s)
	for name, call := range calls {
		if err := call(ended, d); deskhand.CodeOf(err) != deskhand.Canceled {
			t.Errorf("%s with an ended context: %v (%s)", name, err, deskhand.CodeOf(err))
		}
	}
	closed := open(t, s)
	closed.Close()
	closed.Close()
	s.Stop()
	for name, call := range calls {
		for what, d := range map[string]*Desktop{"closed": closed, "on a dead display": d} {
			if err := call(t.Context(), d); deskhand.CodeOf(err) != deskhand.Unavailable {
				t.Errorf("%s when %s: %v (%s)", name, what, err, deskhand.CodeOf(err))
			}
		}
	}
	if _, err := Open(t.Context(), Config{Display: s.Display, Authority: s.Authority}); deskhand.CodeOf(err) != deskhand.Unavailable {
		t.Errorf("Open: %v", err)
	}
}

func TestTypingCanBeCanceled(t *testing.T) {
	t.Parallel()
	s := display(t, small)
	d, w := open(t, s), newWitness(t, s)
	text := strings.Repeat("AbÄß ", 20000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- d.Input(ctx, desktop.Action{Kind: desktop.Type, Text: text}) }()
	wait(t, "typing begins", func() bool { return len(w.events()) > 0 })
	cancel()
	err := <-done
	var in *desktop.InputError
	if deskhand.CodeOf(err) != deskhand.Canceled || !errors.As(err, &in) || in.Typed >= 100000 {
		t.Errorf("%v, %+v", err, in)
	}
	w.nothingHeld()
	do(t, d, desktop.Action{Kind: desktop.Key, Keys: "a"})
	w.events()
	do(t, d, desktop.Action{Kind: desktop.Key, Keys: "a"})
	if got := w.events(); !slices.Equal(got, []string{"key 38 with 0x0", "let 38"}) {
		t.Errorf("afterwards: %q", got)
	}
}
