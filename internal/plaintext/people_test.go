package plaintext

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestLineAndBlock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, line, block string }{
		{"Grüße 明日 🙂", "Grüße 明日 🙂", "Grüße 明日 🙂"},
		{"a\nb", `a\nb`, "a\nb"},
		{"a\r\nb\rc", `a\r\nb\rc`, "a\nb\\rc"},
		{"\x1b[31mred\x1b]0;title\a", `\x1b[31mred\x1b]0;title\x07`, `\x1b[31mred\x1b]0;title\x07`},
		{"\u202egnp.exe", `\u202egnp.exe`, `\u202egnp.exe`},
		{"a\u200bb\u2066c\ufeff", `a\u200bb\u2066c\ufeff`, `a\u200bb\u2066c\ufeff`},
		{"tag\U000E0041", `tag\U000e0041`, `tag\U000e0041`},
		{"\x9b31m\xff", `\x9b31m\xff`, `\x9b31m\xff`},
		{"\u009b31m", `\u009b31m`, `\u009b31m`},
		{"👩\u200d💻", "👩\u200d💻", "👩\u200d💻"},
		{"\uFFFD", "\uFFFD", "\uFFFD"},
		{"a\tb", `a\tb`, "a    b"},
		{"x\u2028y", `x\u2028y`, `x\u2028y`},
	} {
		if got := Line(c.in); got != c.line {
			t.Errorf("Line(%q) = %q, want %q", c.in, got, c.line)
		}
		if got := Block(c.in); got != c.block {
			t.Errorf("Block(%q) = %q, want %q", c.in, got, c.block)
		}
	}
}

func TestASCIIAndWidth(t *testing.T) {
	t.Parallel()
	if got := ASCII("ü → “x” …"); got != `\u00fc -> "x" ...` {
		t.Error(got)
	}
	for s, want := range map[string]int{"abc": 3, "明日": 4, "e\u0301": 1, "🙂": 2, "": 0} {
		if got := Width(s); got != want {
			t.Errorf("Width(%q) = %d, want %d", s, got, want)
		}
	}
	for _, c := range []struct {
		s    string
		n    int
		want string
	}{{"hello", 5, "hello"}, {"hello", 4, "hel…"}, {"明日は", 5, "明日…"}, {"明日は", 4, "明…"}, {"x", 0, "…"}} {
		if got := Clip(c.s, c.n); got != c.want {
			t.Errorf("Clip(%q, %d) = %q, want %q", c.s, c.n, got, c.want)
		}
	}
}

func FuzzBlock(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b[2J\u202e\xff\u0085")
	f.Fuzz(func(t *testing.T, s string) {
		for _, out := range []string{Line(s), Block(s)} {
			if !utf8.ValidString(out) {
				t.Fatalf("%q is not UTF-8", out)
			}
			for _, r := range out {
				if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
					t.Fatalf("%q holds %U", out, r)
				}
			}
		}
		if strings.Contains(Line(s), "\n") {
			t.Fatal("a line with a line feed")
		}
		for _, r := range ASCII(Line(s)) {
			if r < ' ' || r > '~' {
				t.Fatalf("%U is not ASCII", r)
			}
		}
	})
}
