package desktoptest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
)

func testClipboard(t *testing.T, b Bench) {
	for _, want := range []string{"plain", "", "Grüße\n\t世界 👋🏽 \"quoted\"\r\n", strings.Repeat("long ", 100_000)} {
		if err := b.Desktop.SetClipboard(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		if got, err := b.Desktop.Clipboard(t.Context()); err != nil || got != want {
			t.Errorf("clipboard of %d bytes came back as %d bytes, %v", len(want), len(got), err)
		}
	}
}

func testWindows(t *testing.T, b Bench) {
	if _, err := b.Desktop.Windows(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b.OpenWindow == nil {
		return
	}
	b.OpenWindow("below ü", deskhand.ScreenRect{X0: 10, Y0: 10, X1: 200, Y1: 150})
	b.OpenWindow("above 世界", deskhand.ScreenRect{X0: 50, Y0: 60, X1: 250, Y1: 200})
	windows, err := b.Desktop.Windows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	find := func(title string) int {
		return slices.IndexFunc(windows, func(w desktop.Window) bool { return w.Title == title })
	}
	below, above := find("below ü"), find("above 世界")
	if below < 0 || above < 0 || above > below {
		t.Fatalf("windows are %+v, want both, the later one first", windows)
	}
	if w := windows[above]; w.Bounds.Empty() || w.ID == 0 || w.ID == windows[below].ID {
		t.Errorf("window is %+v", w)
	}
}

// calls is every method that can fail, by name.
func calls(d desktop.Desktop) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Size":         func(ctx context.Context) error { _, err := d.Size(ctx); return err },
		"Screen":       func(ctx context.Context) error { _, err := d.Screen(ctx, desktop.Shot{}); return err },
		"Input":        func(ctx context.Context) error { return d.Input(ctx, desktop.Action{Kind: desktop.Click}) },
		"Cursor":       func(ctx context.Context) error { _, err := d.Cursor(ctx); return err },
		"Windows":      func(ctx context.Context) error { _, err := d.Windows(ctx); return err },
		"Clipboard":    func(ctx context.Context) error { _, err := d.Clipboard(ctx); return err },
		"SetClipboard": func(ctx context.Context) error { return d.SetClipboard(ctx, "x") },
		"Settle":       func(ctx context.Context) error { _, err := d.Settle(ctx, desktop.Wait{}); return err },
		"Release":      d.Release,
	}
}

func testClose(t *testing.T, b Bench) {
	b.input(t, desktop.Action{Kind: desktop.Press})
	for range 2 {
		if err := b.Desktop.Close(); err != nil {
			t.Error("Close:", err)
		}
	}
	b.receives(t, "left down", "left up")
	for name, call := range calls(b.Desktop) {
		isCode(t, name+" after Close", call(t.Context()), deskhand.Unavailable)
	}
}

func testCloseWhileHolding(t *testing.T, b Bench) {
	if b.Received == nil {
		return
	}
	failed := make(chan error, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		failed <- b.Desktop.Input(t.Context(), desktop.Action{Kind: desktop.Hold, Keys: "a", Duration: time.Minute})
	})
	eventually(t, "the key", func() bool { return slices.Contains(b.lines(), "key a down") })
	if err := b.Desktop.Close(); err != nil {
		t.Error("Close:", err)
	}
	isCode(t, "Input when the desktop was closed", <-failed, deskhand.Unavailable)
	b.receives(t, "key a down", "key a up")
}

func testCanceled(t *testing.T, b Bench) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range calls(b.Desktop) {
		if name != "Size" { // a constant may be known without asking
			isCode(t, name+" when its context ended", call(ctx), deskhand.Canceled)
		}
	}
	if b.Received != nil && len(b.lines()) != 0 {
		t.Errorf("input was performed although its context had ended: %q", b.lines())
	}
}
