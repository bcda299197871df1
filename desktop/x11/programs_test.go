package x11

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/xvfb"
	"github.com/deskhand/deskhand/internal/xwire"
)

// mixed is text of every kind that has gone wrong in some program.
const mixed = "The quick (brown) fox: 100% of \"it\"! @#$^&*_+-=[]{}|;',./<>?`~\\ AaBbYyZz\n" +
	"\tß é ñ € ÄÖÜ ŵ İ Привет, МИР! ελληνικά\n" +
	"漢字かな 한글 e\u0301 a\u0308 \U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f600 ﬁn…\n"

// desk is a display with mutter.
func desk(t testing.TB) (*xvfb.Server, *Desktop) {
	t.Helper()
	s := display(t, full)
	d := open(t, s)
	program(t, s, "dbus-run-session", "mutter", "--x11", "--sm-disable")
	wait(t, "mutter is ready", func() bool {
		var b, a xwire.Batch
		name, err := ask(t.Context(), d.conn, &a, askAtom(&a, "_NET_SUPPORTING_WM_CHECK"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := ask(t.Context(), d.conn, &b, askProperty(&b, d.conn.Setup.Root, le.Uint32(name[8:]), 4))
		return err == nil && readProperty(r).number() != 0
	})
	return s, d
}

// han is text with more characters than there are spare keys: 400 ideographs,
// most of them once.
func han() string {
	var b strings.Builder
	for i := range 400 {
		b.WriteRune(rune(0x4e00 + i*i%1777))
		if i%80 == 79 {
			b.WriteString(" line\n")
		}
	}
	return b.String()
}

// layout switches the display's keyboard layout.
func setLayout(t testing.TB, s *xvfb.Server, name string) {
	t.Helper()
	cmd := exec.Command("setxkbmap", name)
	cmd.Env = append(cmd.Environ(), "DISPLAY="+s.Display, "XAUTHORITY="+s.Authority)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("setxkbmap %s: %v: %s", name, err, out)
	}
}

// focused waits for a window whose class holds the text and which has the
// focus and has drawn itself.
func focused(t testing.TB, d *Desktop, class string) desktop.Window {
	t.Helper()
	var found desktop.Window
	wait(t, class+" has the focus", func() bool {
		windows, err := d.Windows(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range windows {
			if w.Focused && strings.Contains(strings.ToLower(w.Class), class) {
				found = w
				return true
			}
		}
		return false
	})
	if _, err := d.Settle(t.Context(), desktop.Wait{Quiet: 300 * time.Millisecond, Limit: 5 * time.Second}); err != nil {
		t.Fatal(err)
	}
	return found
}

// layouts are what typing is tried under, each with a state to get in its way.
var layouts = []struct {
	name   string
	before []desktop.Action
}{
	{"us", nil},
	{"de", []desktop.Action{{Kind: desktop.Key, Keys: "Caps_Lock"}}},
	{"fr", []desktop.Action{{Kind: desktop.Key, Keys: "Num_Lock"}}},
	{"ru", nil},
	{"dvorak", []desktop.Action{{Kind: desktop.Key, Keys: "ISO_Lock"}}},
	{"us,ru", []desktop.Action{{Kind: desktop.Key, Keys: "ISO_Next_Group"}}},
	{"de", []desktop.Action{{Kind: desktop.Key, Keys: "ISO_Level3_Latch"}}},
}

func TestTypingIntoXterm(t *testing.T) {
	t.Parallel()
	s, d := desk(t)
	for i, l := range layouts {
		setLayout(t, s, l.name)
		file := filepath.Join(t.TempDir(), fmt.Sprint("out", i))
		xterm := program(t, s, "xterm", "-u8", "-e", "sh", "-c", "cat > "+file+".part; mv "+file+".part "+file)
		focused(t, d, "xterm")
		do(t, d, l.before...)
		start := time.Now()
		do(t, d, desktop.Action{Kind: desktop.Type, Text: mixed}, desktop.Action{Kind: desktop.Key, Keys: "ctrl+d"})
		sent := time.Since(start)
		expectFile(t, l.name, file, mixed)
		t.Logf("%s: sent in %s, there after %s", l.name, sent, time.Since(start))
		_ = xterm.Wait()
	}
}

func expectFile(t *testing.T, what, file, want string) {
	t.Helper()
	var got []byte
	var err error
	wait(t, what+": the file is written", func() bool { got, err = os.ReadFile(file); return err == nil && len(got) > 0 })
	expectText(t, what, string(got), want)
}

func expectText(t *testing.T, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	t.Logf("%s: got all in all %q", what, got)
	a, b := []rune(got), []rune(want)
	for i := range b {
		if i >= len(a) || a[i] != b[i] {
			t.Errorf("%s: from character %d on got %q, want %q", what, i, string(a[min(i, len(a)):min(i+20, len(a))]), string(b[i:min(i+20, len(b))]))
			return
		}
	}
	t.Errorf("%s: %q too much", what, string(a[len(b):]))
}

// TestTypingAThousand measures from the call until the program has it all.
func TestTypingAThousand(t *testing.T) {
	t.Parallel()
	s, d := desk(t)
	text := strings.Repeat("The quick brown fox jumps over the lazy dog; 0123456789 (ABC) [x] {y}\n", 14) + "The end. Really.\n"
	file := filepath.Join(t.TempDir(), "out")
	// dd ends after exactly so many bytes, which cat would not tell.
	program(t, s, "xterm", "-u8", "-e", "sh", "-c", fmt.Sprintf("dd bs=1 count=%d of=%s.part status=none; mv %s.part %s", len(text), file, file, file))
	focused(t, d, "xterm")
	start := time.Now()
	do(t, d, desktop.Action{Kind: desktop.Type, Text: text})
	handed := time.Since(start)
	expectFile(t, "xterm", file, text)
	t.Logf("xterm: %d characters handed over in %s, there after %s", len(text), handed, time.Since(start))

	texts := chromium(t, s, page)
	w := focused(t, d, "chromium")
	do(t, d, desktop.Action{Kind: desktop.Click, Point: at((w.Bounds.X0+w.Bounds.X1)/2, (w.Bounds.Y0+w.Bounds.Y1)/2)})
	for range 2 {
		start = time.Now()
		do(t, d, desktop.Action{Kind: desktop.Type, Text: text}, desktop.Action{Kind: desktop.Key, Keys: "F9"})
		expectText(t, "chromium", posted(t, texts), text)
		t.Logf("chromium: there after %s", time.Since(start))
	}
	do(t, d, desktop.Action{Kind: desktop.Key, Keys: "alt+F4"})

	file = filepath.Join(t.TempDir(), "out.txt")
	program(t, s, "dbus-run-session", "mousepad", "--disable-server", file)
	focused(t, d, "mousepad")
	start = time.Now()
	do(t, d, desktop.Action{Kind: desktop.Type, Text: text}, desktop.Action{Kind: desktop.Key, Keys: "ctrl+s"})
	expectFile(t, "mousepad", file, text)
	t.Logf("mousepad: there after %s", time.Since(start))
}

// TestTypingMoreThanFits also finds the clipboard as it was.
func TestTypingMoreThanFits(t *testing.T) {
	t.Parallel()
	s, d := desk(t)
	if err := d.SetClipboard(t.Context(), "before"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "out")
	xterm := program(t, s, "xterm", "-u8", "-e", "sh", "-c", "cat > "+file+".part; mv "+file+".part "+file)
	focused(t, d, "xterm")
	start := time.Now()
	do(t, d, desktop.Action{Kind: desktop.Type, Text: han()}, desktop.Action{Kind: desktop.Key, Keys: "ctrl+d"})
	expectFile(t, "xterm", file, han())
	t.Logf("xterm: there after %s", time.Since(start))
	_ = xterm.Wait()

	texts := chromium(t, s, page)
	w := focused(t, d, "chromium")
	do(t, d, desktop.Action{Kind: desktop.Click, Point: at((w.Bounds.X0+w.Bounds.X1)/2, (w.Bounds.Y0+w.Bounds.Y1)/2)})
	start = time.Now()
	do(t, d, desktop.Action{Kind: desktop.Type, Text: han()}, desktop.Action{Kind: desktop.Key, Keys: "F9"})
	expectText(t, "chromium", posted(t, texts), han())
	t.Logf("chromium: there after %s", time.Since(start))
	if text, err := d.Clipboard(t.Context()); err != nil || text != "before" {
		t.Errorf("the clipboard holds %q, %v", text, err)
	}
}

func TestTypingIntoMousepad(t *testing.T) {
	t.Parallel()
	s, d := desk(t)
	for i, l := range layouts {
		setLayout(t, s, l.name)
		file := filepath.Join(t.TempDir(), fmt.Sprintf("out%d.txt", i))
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		editor := program(t, s, "dbus-run-session", "mousepad", "--disable-server", file)
		focused(t, d, "mousepad")
		do(t, d, l.before...)
		start := time.Now()
		do(t, d, desktop.Action{Kind: desktop.Type, Text: mixed}, desktop.Action{Kind: desktop.Key, Keys: "ctrl+s"})
		expectFile(t, l.name, file, mixed)
		t.Logf("%s: there after %s", l.name, time.Since(start))
		do(t, d, desktop.Action{Kind: desktop.Key, Keys: "ctrl+q"})
		_ = editor.Wait()
	}
}

// page is a text area that fills the window and is posted on F9. It is ready
// when it has been painted.
const page = `<!doctype html><meta charset=utf-8><body style="margin:0">
<textarea id=t autofocus style="width:100vw;height:90vh"></textarea><b>Text</b>
<script>
addEventListener('keydown', e => {
  if (e.key === 'F9') { fetch('/text', {method: 'POST', body: t.value}); t.value = ''; e.preventDefault() }
})
// Until there is something to see Chromium throws input away.
const look = () => performance.getEntriesByName('first-contentful-paint').length ? fetch('/ready', {method: 'POST'}) : setTimeout(look, 10)
look()
</script>`

// chromium opens page and returns what is posted.
func chromium(t testing.TB, s *xvfb.Server, body string) (texts <-chan string) {
	t.Helper()
	posted, ready := make(chan string, 64), make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			io.WriteString(w, body)
		case "/ready":
			ready <- struct{}{}
		case "/text":
			raw, _ := io.ReadAll(r.Body)
			posted <- string(raw)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	program(t, s, "chromium", "--no-sandbox", "--disable-background-networking", "--disable-quic", "--no-first-run",
		"--no-default-browser-check", "--disable-gpu", "--disable-dev-shm-usage", "--password-store=basic",
		"--user-data-dir="+t.TempDir(), "--window-size=1000,700", server.URL)
	<-ready
	return posted
}

// posted returns the next text that the page posts.
func posted(t *testing.T, texts <-chan string) string {
	t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	select {
	case text := <-texts:
		return text
	case <-limit.C:
		t.Fatal("the page posted nothing within 20 s")
		return ""
	}
}

func TestTypingIntoChromium(t *testing.T) {
	t.Parallel()
	s, d := desk(t)
	texts := chromium(t, s, page)
	w := focused(t, d, "chromium")
	do(t, d, desktop.Action{Kind: desktop.Click, Point: at((w.Bounds.X0+w.Bounds.X1)/2, (w.Bounds.Y0+w.Bounds.Y1)/2)})
	for _, l := range layouts {
		setLayout(t, s, l.name)
		do(t, d, l.before...)
		start := time.Now()
		do(t, d, desktop.Action{Kind: desktop.Type, Text: strings.ReplaceAll(mixed, "\t", " ")}, desktop.Action{Kind: desktop.Key, Keys: "F9"})
		expectText(t, l.name, posted(t, texts), strings.ReplaceAll(mixed, "\t", " "))
		t.Logf("%s: there after %s", l.name, time.Since(start))
	}
}
