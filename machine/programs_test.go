package machine

import (
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/guest/stack"
	"github.com/deskhand/deskhand/sandbox"
)

// output runs a program inside and returns what it wrote.
func output(t testing.TB, m *Machine, args ...string) string {
	t.Helper()
	p, err := m.Sandbox().Exec(t.Context(), sandbox.Cmd{Args: args})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	}()
	_ = p.Stdin().Close()
	out, err := io.ReadAll(p.Stdout())
	if err != nil {
		t.Fatal(err)
	}
	errs, _ := io.ReadAll(p.Stderr())
	if e, err := p.Wait(); err != nil || e.Status != 0 {
		t.Logf("%q: %+v, %v: %s", args, e, err, errs)
	}
	return string(out)
}

func TestLaunchersOpenPrograms(t *testing.T) {
	t.Parallel()
	size := deskhand.Size{W: 1280, H: 800}
	cases := []struct {
		kind  stack.Kind
		class string
	}{
		{stack.Terminal, "XTerm"}, {stack.Editor, "Mousepad"}, {stack.Files, "Pcmanfm"}, {stack.Calculator, "Galculator"},
	}
	m := up(t, Config{})
	for _, c := range cases {
		click(t, m, launcher(size, c.kind))
		w := window(t, m, c.class)
		if w.PID == 0 || w.Bounds.Empty() || w.Bounds.Y1 > size.H-stack.PanelOf(size, 1).Height {
			t.Errorf("%s: window is %+v", c.kind, w)
		}
	}
	settle(t, m)
	look(t, m, "programs")
}

// TestBrowserOpensQuietly sees that Chromium starts with a sandbox of its own,
// on one blank page and with nothing that wants an answer, also after a crash.
func TestBrowserOpensQuietly(t *testing.T) {
	t.Parallel()
	m := up(t, Config{})
	w := browse(t, m, "chromium")
	command := output(t, m, "sh", "-c", "tr '\\0' ' ' </proc/"+strconv.Itoa(w.PID)+"/cmdline")
	if !strings.Contains(command, "--no-first-run") || strings.Contains(command, "--no-sandbox") {
		t.Errorf("it runs as %q", command)
	}
	// What its sandbox holds has a number in a namespace below ours as well.
	inside := output(t, m, "sh", "-c", "grep -h NSpid /proc/[0-9]*/status | awk 'NF > 2' | wc -l")
	if n := strings.TrimSpace(inside); n == "0" || n == "" {
		t.Errorf("no process of the browser is in a namespace of its own")
	}
	output(t, m, "sh", "-c", "kill -KILL $(pidof chromium)")
	until(t, "the window to go", func(ctx context.Context) bool {
		all, err := m.Desktop().Windows(ctx)
		return err == nil && !slices.ContainsFunc(all, func(w desktop.Window) bool { return w.Class == "Chromium" })
	})
	browse(t, m, "chromium-again")
}

// browse opens the browser from its launcher and sees nothing but a blank page.
func browse(t *testing.T, m *Machine, name string) desktop.Window {
	t.Helper()
	click(t, m, launcher(deskhand.Size{W: 1280, H: 800}, stack.Browser))
	w := window(t, m, "Chromium")
	const white = 0xFFFFFF
	until(t, "a blank page", func(context.Context) bool { return colourAt(look(t, m, name), 640, 400) == white })
	settle(t, m)
	img := look(t, m, name)
	if w.Bounds.Size().W < 1200 || w.Bounds.Size().H < 700 {
		t.Errorf("window is %+v", w)
	}
	all, err := m.Desktop().Windows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range all {
		if w.Class != "Chromium" && w.Class != "Desktop" && w.Class != "Tint2" {
			t.Errorf("another window: %+v", w)
		}
	}
	// Below the toolbar everything is white: no bar, bubble or prompt.
	inner := w.Bounds
	for y := inner.Y0 + 110; y < inner.Y1-20; y++ {
		for x := inner.X0 + 20; x < inner.X1-20; x++ {
			if colourAt(img, x, y) != white {
				t.Fatalf("colour %06x at %d,%d of a blank page", colourAt(img, x, y), x, y)
			}
		}
	}
	if c := colourAt(img, 700, inner.Y0+30); c == 0x3F6C8A || c == white {
		t.Errorf("colour %06x where the tabs are", c)
	}
	return w
}

func TestFirefoxOpensQuietly(t *testing.T) {
	t.Parallel()
	m := up(t, Config{})
	p, err := m.Sandbox().Exec(t.Context(), sandbox.Cmd{Args: []string{"firefox-esr", "about:blank"}})
	if err != nil {
		t.Fatal(err)
	}
	window(t, m, "firefox-esr")
	// A blank page is white, or the colour of Firefox's own pages when it has not
	// drawn the page over its empty tab: seen in some starts on a busy machine.
	blank := func(c int) bool { return c == 0xFFFFFF || c == 0xF9F9FB }
	until(t, "a blank page", func(context.Context) bool { return blank(int(colourAt(look(t, m, "firefox"), 640, 400))) })
	settle(t, m)
	img := look(t, m, "firefox")
	first := int(colourAt(img, 640, 140))
	for y := 140; y < 680; y++ {
		if c := int(colourAt(img, 640, y)); c != first || !blank(c) {
			t.Fatalf("colour %06x at line %d of a blank page that begins with %06x", c, y, first)
		}
	}
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
}

// TestProgramsFromShell sees that what is started by exec appears on the
// desktop, sees the clipboard, and gets typed text.
func TestProgramsFromShell(t *testing.T) {
	t.Parallel()
	m := up(t, Config{Locale: "C.UTF-8"})
	p, err := m.Sandbox().Exec(t.Context(), sandbox.Cmd{Args: []string{"xterm", "-e", "read a; printf %s \"$a\" > $HOME/typed"}})
	if err != nil {
		t.Fatal(err)
	}
	window(t, m, "XTerm")
	settle(t, m)
	if err := m.Desktop().Input(t.Context(), desktop.Action{Kind: desktop.Type, Text: "Grüße, 世界\n"}); err != nil {
		t.Fatal(err)
	}
	if e, err := p.Wait(); err != nil || e.Status != 0 {
		t.Fatalf("xterm: %+v, %v", e, err)
	}
	until(t, "the typed text", func(ctx context.Context) bool {
		data, _, err := m.Sandbox().ReadFile(ctx, "/home/user/typed", 0, 0)
		return err == nil && string(data) == "Grüße, 世界"
	})
}
