// Package keysym knows the names and characters of X11 keysyms, the numbers
// that say what is on a key.
package keysym

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

//go:generate go run generate.go
//go:embed names.txt
var names string

// Sym is a keysym. Zero is none.
type Sym uint32

// unicodeBase marks keysyms that are a code point.
const unicodeBase Sym = 0x01000000

// tables are the embedded names made searchable, on first use.
type tables struct {
	exact map[string]Sym
	lower map[string]Sym // names in lower case
	runes map[Sym]rune   // of the keysyms older than Unicode
}

var load = sync.OnceValue(func() tables {
	t := tables{make(map[string]Sym, 2600), make(map[string]Sym, 2600), make(map[Sym]rune, 1000)}
	for line := range strings.Lines(names) {
		f := strings.Fields(line)
		value, _ := strconv.ParseUint(f[1], 16, 32) // the generator wrote it
		s := Sym(value)
		t.exact[f[0]] = s
		// Where names differ by case only (aacute, Aacute), the one written in
		// lower case is what a name in any other case means.
		if low := strings.ToLower(f[0]); t.lower[low] == 0 || low == f[0] {
			t.lower[low] = s
		}
		if len(f) == 3 && t.runes[s] == 0 {
			r, _ := strconv.ParseUint(f[2], 16, 32)
			t.runes[s] = rune(r)
		}
	}
	return t
})

// Named returns the keysym of an X11 name without its XK_ ("Return", "EuroSign",
// "XF86Back") or of a code point ("U20AC"). The exact name wins over one that
// differs by case.
func Named(name string) (Sym, bool) {
	t := load()
	if s, ok := t.exact[name]; ok {
		return s, true
	}
	if s, ok := t.lower[strings.ToLower(name)]; ok {
		return s, true
	}
	return codePoint(name)
}

// codePoint reads U20AC and U+20AC, four to six digits.
func codePoint(name string) (Sym, bool) {
	if len(name) < 5 || name[0] != 'U' && name[0] != 'u' {
		return 0, false
	}
	digits := strings.TrimPrefix(name[1:], "+")
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || len(digits) < 4 || len(digits) > 6 || !utf8.ValidRune(rune(n)) || n < ' ' || n >= 0x7f && n < 0xa0 {
		return 0, false
	}
	return Of(rune(n)), true
}

// Of returns the keysym that every program reads as the character r.
func Of(r rune) Sym {
	if r >= ' ' && r < 0x7f || r >= 0xa0 && r <= 0xff {
		return Sym(r) // Latin-1 is the same in both
	}
	return unicodeBase | Sym(r)
}

// Rune returns the character that s puts into a text, 0 when it is none, as of
// function keys, modifiers and accents that wait for another key.
func (s Sym) Rune() rune {
	switch {
	case s >= ' ' && s < 0x7f || s >= 0xa0 && s <= 0xff:
		return rune(s)
	case s&0xff000000 == unicodeBase:
		if r := rune(s &^ unicodeBase); utf8.ValidRune(r) {
			return r
		}
		return 0
	}
	return load().runes[s]
}
