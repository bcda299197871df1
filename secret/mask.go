package secret

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode/utf16"
)

// form is one way to write the value of a secret.
type form struct {
	of   int // index of the secret
	text string
}

// formsOf returns the ways to write value that Mask knows, each once.
func formsOf(of int, value string) []form {
	texts := []string{value, reversed(value), jsonText(value, true), jsonText(value, false), asciiJSON(value), html.EscapeString(value)}
	for _, escaped := range []string{url.QueryEscape(value), url.PathEscape(value), component(value), everyByte(value)} {
		texts = append(texts, escaped, lowerPercent(escaped))
	}
	lower := hex.EncodeToString([]byte(value))
	texts = append(texts, lower, strings.ToUpper(lower))
	for shift := range 3 {
		texts = append(texts, aligned(base64.RawStdEncoding, value, shift), aligned(base64.RawURLEncoding, value, shift))
	}
	slices.Sort(texts)
	var forms []form
	for _, text := range slices.Compact(texts) {
		forms = append(forms, form{of, text})
	}
	return forms
}

func reversed(value string) string {
	runes := []rune(value)
	slices.Reverse(runes)
	return string(runes)
}

// jsonText is value inside a JSON string.
func jsonText(value string, escapeHTML bool) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(escapeHTML)
	if err := enc.Encode(value); err != nil {
		return value // unreachable: a string can be encoded
	}
	text := strings.TrimSuffix(b.String(), "\n")
	return text[1 : len(text)-1]
}

// asciiJSON is value inside a JSON string as those write it who escape all but ASCII.
func asciiJSON(value string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(jsonText(value, false))) {
		if unit < 0x80 {
			b.WriteByte(byte(unit))
		} else {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// component escapes as JavaScript's encodeURIComponent does.
func component(value string) string {
	return strings.NewReplacer("+", "%20", "%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*").Replace(url.QueryEscape(value))
}

func everyByte(value string) string {
	var b strings.Builder
	for i := range len(value) {
		fmt.Fprintf(&b, "%%%02X", value[i])
	}
	return b.String()
}

// lowerPercent writes the digits of an escaped text in lower case.
func lowerPercent(escaped string) string {
	b := []byte(escaped)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], strings.ToLower(string(b[i+1:i+3])))
		}
	}
	return string(b)
}

// aligned is what of the base64 of a longer text depends on value alone, when
// value begins shift bytes after a group of three.
func aligned(enc *base64.Encoding, value string, shift int) string {
	text := enc.EncodeToString(append(make([]byte, shift), value...))
	first := (8*shift + 5) / 6
	return text[first : 8*(shift+len(value))/6]
}

// span is a part of a text that shows a secret.
type span struct{ from, to, of int }

// spans returns every place of text that shows a value in some form, in order.
func (s *Set) spans(text string) []span {
	var all []span
	for _, f := range s.forms {
		for from := 0; ; {
			i := strings.Index(text[from:], f.text)
			if i < 0 {
				break
			}
			all = append(all, span{from + i, from + i + len(f.text), f.of})
			from += i + 1
		}
	}
	slices.SortFunc(all, func(x, y span) int { return cmp.Or(cmp.Compare(x.from, y.from), cmp.Compare(y.to, x.to)) })
	return all
}

// shows returns the secret that text shows first, or -1.
func (s *Set) shows(text string) int {
	best := span{from: len(text) + 1, of: -1}
	for _, f := range s.forms {
		if i := strings.Index(text, f.text); i >= 0 && i < best.from {
			best = span{from: i, of: f.of}
		}
	}
	return best.of
}

// Mask returns text with {{secret:NAME}} in the place of every value it shows:
// as it is, reversed, in hexadecimal, in base64 at any alignment, escaped for a
// URL, for JSON or for HTML. Where values overlap, all of what they cover goes.
// A text without any is returned as it is.
func (s *Set) Mask(text string) string {
	if s == nil {
		return text
	}
	all := s.spans(text)
	if len(all) == 0 {
		return text
	}
	var b strings.Builder
	done := 0 // end of what was covered last
	for i, sp := range all {
		if i == 0 || sp.from >= done {
			b.WriteString(text[done:sp.from])
			b.WriteString(s.secrets[sp.of].String())
		}
		done = max(done, sp.to)
	}
	b.WriteString(text[done:])
	return b.String()
}

// Leaks reports whether args, or a text in it when it is JSON, shows a value in
// a form that Mask knows, and of which secret.
func (s *Set) Leaks(args []byte) (name string, leaks bool) {
	if s == nil {
		return "", false
	}
	found := s.shows(string(args))
	if found < 0 {
		_, _ = eachString(args, func(text string, _ Spot) string {
			if found < 0 {
				found = s.shows(text)
			}
			return text
		})
	}
	if found < 0 {
		return "", false
	}
	return s.secrets[found].name, true
}
