// Package plaintext makes text from anywhere fit to be shown: nothing in it can
// move a cursor, change a colour or reverse the reading order.
//
// For people (Line, Block, ASCII) nothing may hide either: what is not plainly
// visible is escaped. A model must be able to repeat what it reads to the
// byte, so what it is shown (Short, Output) keeps invisible characters that
// merely join or separate, and loses or escapes only what steers.
//
// Trust: the input is hostile (a model, a screen, a file, a server wrote it).
package plaintext

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns s as one line: line breaks and everything else that is not
// plainly visible become escapes such as \n, \x1b and \u202e.
func Line(s string) string { return escape(s, false) }

// Block returns s with its line feeds kept, a carriage return before one
// dropped and tabs as four spaces; everything else is escaped as in Line.
func Block(s string) string {
	return escape(strings.ReplaceAll(s, "\r\n", "\n"), true)
}

// ASCII returns s, which came from Line or Block, with every character beyond
// ASCII as an escape, for terminals that show nothing else. A few common signs become
// their plain counterparts.
func ASCII(s string) string {
	var b strings.Builder
	for _, r := range s {
		if plain, ok := plainer(r); ok {
			b.WriteString(plain)
		} else if r < utf8.RuneSelf { // line feeds too
			b.WriteRune(r)
		} else {
			writeEscape(&b, r)
		}
	}
	return b.String()
}

func plainer(r rune) (string, bool) {
	switch r {
	case '“', '”':
		return `"`, true
	case '‘', '’':
		return "'", true
	case '–', '—', '─':
		return "-", true
	case '…':
		return "...", true
	case '·':
		return "|", true
	case '→':
		return "->", true
	case '✓':
		return "ok", true
	case '✗', '×':
		return "x", true
	}
	return "", false
}

func escape(s string, block bool) string {
	if clean(s, block) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case block && r == '\n':
			b.WriteByte('\n')
		case block && r == '\t':
			b.WriteString("    ")
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i]) // a byte that is not UTF-8
		case visible(r):
			b.WriteRune(r)
		default:
			writeEscape(&b, r)
		}
	}
	return b.String()
}

func clean(s string, block bool) bool {
	for _, r := range s {
		if r == utf8.RuneError || !visible(r) && !(block && r == '\n') {
			return false
		}
	}
	return true
}

// visible reports whether r may be shown as it is. The joiner and the variation
// selectors stay: emoji and several scripts need them.
func visible(r rune) bool {
	switch {
	case r == 0x200D || r >= 0xFE00 && r <= 0xFE0F:
		return true
	case r == 0x3164 || r == 0xFFA0 || r == 0x115F || r == 0x1160 || r == 0x2800: // blank, though letters or symbols
		return false
	}
	return r == ' ' || r == 0x3000 || r == 0xA0 || unicode.IsPrint(r)
}

func writeEscape(b *strings.Builder, r rune) {
	switch {
	case r == '\n':
		b.WriteString(`\n`)
	case r == '\t':
		b.WriteString(`\t`)
	case r == '\r':
		b.WriteString(`\r`)
	case r < 0x80:
		fmt.Fprintf(b, `\x%02x`, r)
	case r < 0x10000:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		fmt.Fprintf(b, `\U%08x`, r)
	}
}

// Width returns how many columns s takes on a terminal.
func Width(s string) int {
	w := 0
	for _, r := range s {
		w += width(r)
	}
	return w
}

// Clip returns s cut to at most columns, with an ellipsis where something is missing.
func Clip(s string, columns int) string {
	if Width(s) <= columns {
		return s
	}
	w := 0
	for i, r := range s {
		if w+width(r) > columns-1 {
			return s[:i] + "…"
		}
		w += width(r)
	}
	return s
}

func width(r rune) int {
	switch {
	case r == 0x200D || r >= 0xFE00 && r <= 0xFE0F || unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r < 0x1100:
		return 1
	}
	for _, span := range wide {
		if r >= span[0] && r <= span[1] {
			return 2
		}
	}
	return 1
}

// wide is the East Asian wide ranges of Unicode, joined where gaps are unassigned.
var wide = [...][2]rune{
	{0x1100, 0x115F}, {0x231A, 0x231B}, {0x23E9, 0x23EC}, {0x25FD, 0x25FE}, {0x2614, 0x2615}, {0x26A1, 0x26A1},
	{0x2705, 0x2705}, {0x270A, 0x270B}, {0x2728, 0x2728}, {0x274C, 0x274C}, {0x2753, 0x2755}, {0x2757, 0x2757},
	{0x2E80, 0x303E}, {0x3041, 0x33FF}, {0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xA000, 0xA4CF}, {0xAC00, 0xD7A3},
	{0xF900, 0xFAFF}, {0xFE30, 0xFE6F}, {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6}, {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF},
	{0x1F7E0, 0x1F7EB}, {0x1F900, 0x1F9FF}, {0x1FA70, 0x1FAFF}, {0x20000, 0x3FFFD},
}
