package x11

import (
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
)

func TestClipboardBetweenDrivers(t *testing.T) {
	t.Parallel()
	s := display(t, small)
	a, b := open(t, s), open(t, s)
	read := func(d *Desktop, want string) {
		t.Helper()
		if got, err := d.Clipboard(t.Context()); err != nil || got != want {
			t.Errorf("got %d bytes, %v; want %d bytes: %.40q", len(got), err, len(want), got)
		}
	}
	read(a, "")
	for _, text := range []string{"plain", "ß é € 漢字 👩‍👩‍👧\n\ttwo lines", "", strings.Repeat("0123456789abcde\n", 4096), strings.Repeat("long €€ ", MaxClipboard/16)} {
		for _, pair := range [][2]*Desktop{{a, b}, {b, a}} {
			if err := pair[0].SetClipboard(t.Context(), text); err != nil {
				t.Fatal(err)
			}
			read(pair[0], text)
			read(pair[1], text)
		}
	}
	for _, text := range []string{"a\x00b", "\xff", strings.Repeat("x", MaxClipboard+1)} {
		if err := a.SetClipboard(t.Context(), text); deskhand.CodeOf(err) != deskhand.Invalid {
			t.Errorf("%.10q: %v", text, err)
		}
	}
	if err := b.SetClipboard(t.Context(), "mine"); err != nil {
		t.Fatal(err)
	}
	b.Close()
	read(a, "") // it went with its owner
}

// TestClipboardWithChromium copies from and pastes into a program of another make.
func TestClipboardWithChromium(t *testing.T) {
	t.Parallel()
	s, d := desk(t)
	texts := chromium(t, s, page)
	w := focused(t, d, "chromium")
	do(t, d, desktop.Action{Kind: desktop.Click, Point: at((w.Bounds.X0+w.Bounds.X1)/2, (w.Bounds.Y0+w.Bounds.Y1)/2)})
	key := func(keys string) desktop.Action { return desktop.Action{Kind: desktop.Key, Keys: keys} }
	for _, text := range []string{"Grüße, 漢字 👩‍👩‍👧", strings.Repeat("a long text of 32 characters …\n", 8000)} {
		if err := d.SetClipboard(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		do(t, d, key("ctrl+v"), key("F9"))
		expectText(t, "pasted", posted(t, texts), text)
	}
	do(t, d, desktop.Action{Kind: desktop.Type, Text: "copied"}, key("ctrl+a"), key("ctrl+c"))
	wait(t, "the copy arrives", func() bool {
		got, err := d.Clipboard(t.Context())
		return err == nil && got == "copied"
	})
}
