package plaintext

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Short returns s as one line of at most limit characters: what steers becomes
// a space, broken UTF-8 becomes U+FFFD.
func Short(s string, limit int) string {
	var b strings.Builder
	for _, r := range s {
		if limit--; limit < 0 {
			b.WriteString("…")
			break
		}
		if Steers(r) || r == '\n' || r == '\t' {
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Cut returns the first limit characters of s, with an ellipsis where there are
// more.
func Cut(s string, limit int) string {
	if first := Prefix(s, limit); len(first) < len(s) {
		return first + "…"
	}
	return s
}

// Prefix returns the first n characters of s.
func Prefix(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// Output returns what a program printed as text of many lines: terminal
// sequences are left out, CR LF becomes LF, and what steers, and bytes that are
// not UTF-8, are escaped. Line feeds and tabs stay.
func Output(b []byte) string {
	var out strings.Builder
	out.Grow(len(b))
	for len(b) > 0 {
		if n := sequence(b); n > 0 {
			b = b[n:]
			continue
		}
		r, size := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, b[0])
		case r == '\r' && len(b) > 1 && b[1] == '\n':
		case r == '\r':
			out.WriteByte('\n') // a progress bar that draws over itself
		case Steers(r):
			writeEscape(&out, r)
		default:
			out.WriteRune(r)
		}
		b = b[size:]
	}
	return out.String()
}

// Steers reports whether r is a control other than line feed and tab, or a
// character that reorders, hides or breaks a line.
func Steers(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case unicode.IsControl(r):
		return true
	}
	return r == 0x061C || r == 0x200E || r == 0x200F || r >= 0x202A && r <= 0x202E ||
		r >= 0x2066 && r <= 0x2069 || r == 0x2028 || r == 0x2029
}

// maxSequence bounds a terminal sequence; a longer one is shown escaped rather
// than swallowing what a person should see.
const maxSequence = 4096

// sequence returns the length of the terminal sequence b starts with, or 0.
func sequence(b []byte) int {
	if len(b) < 2 || b[0] != 0x1b {
		return 0
	}
	switch c := b[1]; {
	case c == '[':
		return control(b)
	case strings.IndexByte("]PX^_", c) >= 0: // OSC, DCS, SOS, PM, APC
		return terminated(b)
	case c >= 0x20 && c <= 0x2f: // intermediate, then one final byte
		if len(b) > 2 && b[2] >= 0x30 && b[2] <= 0x7e {
			return 3
		}
		return 0
	case c >= 0x30 && c <= 0x7e:
		return 2
	}
	return 0
}

// control measures ESC [ parameters final.
func control(b []byte) int {
	for i := 2; i < len(b) && i < maxSequence; i++ {
		if b[i] >= 0x40 && b[i] <= 0x7e {
			return i + 1
		}
		if b[i] < 0x20 || b[i] > 0x3f {
			return 0
		}
	}
	return 0
}

// terminated measures a string that ends in BEL or ESC \.
func terminated(b []byte) int {
	for i := 2; i < len(b) && i < maxSequence; i++ {
		if b[i] == 0x07 {
			return i + 1
		}
		if b[i] == 0x1b && i+1 < len(b) && b[i+1] == '\\' {
			return i + 2
		}
	}
	return 0
}
