package stack

import (
	"bytes"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
)

func TestBudget(t *testing.T) {
	t.Parallel()
	at := time.Unix(0, 0)
	var b budget
	var waited []time.Duration
	for {
		d, ok := b.next(at, true)
		if !ok {
			break
		}
		waited = append(waited, d)
		at = at.Add(d)
	}
	ms := time.Millisecond
	want := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, longestDelay}
	if len(waited) != len(want) {
		t.Fatalf("waits are %v, want %v", waited, want)
	}
	for i := range want {
		if waited[i] != want[i] {
			t.Errorf("wait %d is %v, want %v", i, waited[i], want[i])
		}
	}
	if d, ok := b.next(at.Add(2*restartSpan), true); !ok || d != firstDelay {
		t.Errorf("after a quiet time: %v, %v", d, ok)
	}
	var never budget
	for i := 1; i <= maxAttempts; i++ {
		if _, ok := never.next(at, false); ok != (i < maxAttempts) {
			t.Errorf("attempt %d of a program that was never ready: %v", i, ok)
		}
	}
}

func TestLogKeepsHeadAndTail(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "p.log")
	l, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	line := []byte(strings.Repeat("x", 99) + "\n")
	write := func(p []byte) {
		if _, err := l.input.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	write([]byte("first\n"))
	for range 3 << 20 / len(line) {
		write(line)
	}
	write([]byte("\n\x1b[31mlast w\x00ords\x1b[0m \xff\n\n"))
	if got := l.lastLine(); got != "[31mlast words[0m" {
		t.Errorf("last line is %q", got)
	}
	l.begin()
	if got := l.lastLine(); got != "" {
		t.Errorf("last line of a run that said nothing is %q", got)
	}
	l.close()
	head, err := os.ReadFile(path)
	if err != nil || len(head) != logHead || !bytes.HasPrefix(head, []byte("first\n")) {
		t.Errorf("head has %d bytes, %v", len(head), err)
	}
	tail, err := os.ReadFile(strings.TrimSuffix(path, ".log") + ".tail.log")
	if err != nil || len(tail) != logTail || !bytes.Contains(tail, []byte("last w")) {
		t.Errorf("tail has %d bytes, %v", len(tail), err)
	}
}

func TestIconsShowTheirColour(t *testing.T) {
	t.Parallel()
	seen := map[uint32]Kind{}
	for _, l := range Looks() {
		if other, ok := seen[l.Colour]; ok {
			t.Errorf("%s and %s have one colour", l.Kind, other)
		}
		seen[l.Colour] = l.Kind
		data, err := icon(l, 34)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		ground, white := 0, 0
		for y := range 34 {
			for x := range 34 {
				switch {
				case is(img.At(x, y), l.Colour):
					ground++
				case is(img.At(x, y), 0xFFFFFF):
					white++
				}
			}
		}
		if ground < 400 || white < 20 {
			t.Errorf("%s: %d pixels of its colour and %d white ones of %d", l.Kind, ground, white, 34*34)
		}
		if _, _, _, a := img.At(0, 0).RGBA(); a > 0x8000 {
			t.Errorf("%s: the corner is not rounded", l.Kind)
		}
	}
}

func TestQuoting(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string]string{
		"/usr/bin/xterm":  "/usr/bin/xterm",
		"about:blank":     "about:blank",
		"":                `""`,
		"two words":       `"two words"`,
		"100%":            "100%%",
		`say "$HOME" \ `:  `"say \\"\\$HOME\\" \\\\ "`,
		"a;rm -rf `date`": "\"a;rm -rf \\\\`date\\\\`\"",
	} {
		if got := quoteExec(arg); got != want {
			t.Errorf("%q in a desktop file is %s, want %s", arg, got, want)
		}
	}
	for _, word := range []string{"", "plain", "it's", "$HOME `id` \\ \" ; & | \n", "--features=A,B"} {
		out, err := exec.Command("sh", "-c", "printf %s "+quoteShell(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q through a shell is %q, %v", word, out, err)
		}
	}
}

func TestProgramsThatOnlyAskForSnapAreNotUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"chromium-browser": "#!/bin/sh\nexec /snap/bin/chromium \"$@\"\n",
		"firefox":          "#!/bin/sh\nexec /usr/lib/firefox/firefox \"$@\"\n",
		"mousepad":         "\x7fELF /snap/bin/",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "xterm"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c := Config{Home: "/home/user", RuntimeDir: "/run/user/1"}.withDefaults()
	found := findPrograms(c, []string{"/nonexistent", dir})
	names := map[string]bool{}
	for _, p := range found {
		names[p.name] = true
	}
	if len(found) != 2 || !names["firefox"] || !names["mousepad"] {
		t.Errorf("found %v", names)
	}
	if p, ok := first(found, Browser); !ok || p.name != "firefox" {
		t.Errorf("the browser is %q", p.name)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	good := Config{Home: "/h", RuntimeDir: "/r"}
	for name, change := range map[string]func(*Config){
		"size":    func(c *Config) { c.Size = deskhand.Size{W: 10, H: 10} },
		"scale":   func(c *Config) { c.Scale = 9 },
		"home":    func(c *Config) { c.Home = "h" },
		"runtime": func(c *Config) { c.RuntimeDir = "/" + strings.Repeat("r", maxPath) },
	} {
		c := good
		change(&c)
		if _, err := New(c); deskhand.CodeOf(err) != deskhand.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
	if _, err := Open([]byte(`{"size":"wide"}`), nil); deskhand.CodeOf(err) != deskhand.Invalid {
		t.Errorf("settings that are none: %v", err)
	}
}

func TestBrowserMounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		installed []string
		want      bool
	}{
		{nil, false},
		{[]string{"epiphany-browser"}, true},
		{[]string{"epiphany"}, true},
		{[]string{"chromium", "epiphany-browser"}, false},
		{[]string{"firefox-esr"}, false},
	} {
		dir := t.TempDir()
		for _, name := range c.installed {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if got := BrowserMounts([]string{"/nonexistent", dir}); got != c.want {
			t.Errorf("%q: %v, want %v", c.installed, got, c.want)
		}
	}
}
