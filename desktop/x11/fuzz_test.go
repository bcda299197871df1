package x11

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/keysym"
	"github.com/deskhand/deskhand/internal/xwire"
)

// realMap is the keyboard map of a real server, as a seed.
func realMap(f *testing.F) []byte {
	f.Helper()
	d := open(f, display(f, small))
	var b xwire.Batch
	r, err := ask(f.Context(), d.conn, &b, askMap(&b, d.ext.xkb.op))
	if err != nil {
		f.Fatal(err)
	}
	return r
}

func FuzzKeymap(f *testing.F) {
	seed := realMap(f)
	f.Add(seed)
	f.Add(seed[:200])
	f.Add(make([]byte, 40))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := readMap(raw)
		if err != nil {
			return
		}
		for group := range 4 {
			l := newLayout(m, group)
			l.spareType()
			for _, s := range []keysym.Sym{'a', 'A', keyReturn, keyShift} {
				if st, ok := l.find(s); ok && l.key(st.code) == nil {
					t.Errorf("%#x is on the key %d, which there is not", s, st.code)
				}
			}
		}
	})
}

func FuzzChord(f *testing.F) {
	for _, s := range []string{"ctrl+s", "+", "++", "ctrl++", "ctrl+", "", "+a", "\xff", "U20AC", "Ctrl+Shift+Page_Up", "日本", "a+b+c+d+e+f+g+h+i+j+k"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		syms, err := parseChord(text)
		if err != nil {
			if deskhand.CodeOf(err) != deskhand.Invalid || !utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\x00\x1b\n") || len(err.Error()) > 300 {
				t.Errorf("%q: %q", text, err)
			}
			return
		}
		if len(syms) == 0 || len(syms) > maxChord {
			t.Errorf("%q is %d keys", text, len(syms))
		}
	})
}

func TestChordNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]keysym.Sym{
		"+": {'+'}, "ctrl++": {0xffe3, '+'}, "+++": {'+', '+'}, "ctrl+plus": {0xffe3, '+'}, "CTRL+ALT+DEL": {0xffe3, 0xffe9, 0xffff},
		"Ctrl+C": {0xffe3, 'c'}, "shift+A": {0xffe1, 'A'}, "A": {'A'}, "ctrl+?": {0xffe3, '?'}, "é": {0xe9}, "€": {0x010020ac},
		"windows+r": {0xffeb, 'r'}, "arrowup": {0xff52}, "pgdn": {0xff56}, "U20AC": {0x010020ac}, "ctrl + s": {0xffe3, 's'}, "f12": {0xffc9},
		"KP_Enter": {0xff8d}, "XF86Back": {0x1008ff26}, "altgr+q": {0xfe03, 'q'}, "ctrl+Ä": {0xffe3, 0xc4}, "\n": {keyReturn},
	} {
		got, err := parseChord(text)
		if err != nil || len(got) != len(want) {
			t.Errorf("%q: %x, %v", text, got, err)
			continue
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%q: %x, want %x", text, got, want)
			}
		}
	}
}
