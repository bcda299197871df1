package plaintext_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/deskhand/deskhand/internal/plaintext"
)

func TestOutput(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain\ttext\n":                            "plain\ttext\n",
		"é 世界 😀 \u200d":                            "é 世界 😀 \u200d",
		"a\r\nb\r\n":                               "a\nb\n",
		"10%\r20%\r\n":                             "10%\n20%\n",
		"\x1b[1;31mred\x1b[0m":                     "red",
		"\x1b[?25lhidden\x1b[?25h":                 "hidden",
		"\x1b]0;title\x07x":                        "x",
		"\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\": "link",
		"\x1b]52;c;ZXZpbA==\x07x":                  "x",
		"\x1bP+q544e\x1b\\x":                       "x",
		"\x1b(Bx\x1b=y\x1bM":                       "xy",
		"\x1b[":                                    `\x1b[`,
		"\x1b[31":                                  `\x1b[31`,
		"\x1b[\x1b[31mx":                           `\x1b[x`,
		"\x1b":                                     `\x1b`,
		"\x1b]0;never ended":                       `\x1b]0;never ended`,
		"\x00\x07\x08\x7f":                         `\x00\x07\x08\x7f`,
		"\xff\xfe\xc3":                             `\xff\xfe\xc3`,
		"\u0085\u009b31m":                          `\u0085\u009b31m`,
		"abc\u202exyz\u2066\u200f\u2028":           `abc\u202exyz\u2066\u200f\u2028`,
	} {
		if got := plaintext.Output([]byte(in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain": "plain", "a\nb\tc": "a b c", "a\x1b[31m": "a [31m", "x\u202ey": "x y", "b\xffd": "b\ufffdd", "éééééééééééé": "éééééééééé…",
	} {
		if got := plaintext.Short(in, 10); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzOutput(f *testing.F) {
	for _, s := range []string{"a\x1b[31mb", "\x1b]0;t\x07", "\xff\x1b", "\r\n", "\x1bP\x1b\\", "\x1b[\x1b["} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, got := range []string{plaintext.Output(in), plaintext.Short(string(in), 100)} {
			if !utf8.ValidString(got) || strings.IndexFunc(got, plaintext.Steers) >= 0 {
				t.Fatalf("%q became %q", in, got)
			}
		}
	})
}

func BenchmarkOutput(b *testing.B) {
	in := []byte(strings.Repeat("an ordinary line of output, with é in it\n", 800))
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		plaintext.Output(in)
	}
}
