package policy

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// look-alikes of Latin letters, each beside what it looks like. A letter is
// mapped both as written and in lower case, on both sides of a comparison, so
// that words of their own scripts still match themselves.
const (
	alike = "АВЕЅІЈКМНОРСТУХҮԚԜΑΒΕΖΗΙΚΜΝΟΡΤΥΧавеѕіјкмнорстухүԛԝԁһгпαεικνορτυχγηωɑɡıȷʀᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꜱᴛᴜᴠᴡʏᴢłøđħŧӏ"
	latin = "ABESIJKMHOPCTYXYQWABEZHIKMNOPTYXabesijkmhopctyxyqwdhrnaeikvoptuxynwagijrabcdefghijklmnopstuvwyzlodhtl"
)

var looksLike = func() map[rune]rune {
	m := map[rune]rune{}
	to := []rune(latin)
	for i, r := range []rune(alike) {
		m[r] = to[i]
	}
	return m
}()

// within are digits and signs that stand for letters inside a word.
var within = map[rune]rune{'0': 'o', '1': 'l', '3': 'e', '5': 's', '4': 'a', '7': 't', 'i': 'l', '|': 'l', '!': 'l', '@': 'a'}

// currencies are words that belong to an amount.
var currencies = words("usd eur gbp chf jpy cny rub brl cad aud kr zł zl руб py6 p sek nok dkk pln try inr euro euros dollar dollars")

// skeleton brings s to the form in which names are compared: width, case,
// accents, characters that cannot be seen and look-alikes fall away.
func skeleton(s string) string {
	s = norm.NFKC.String(strings.Map(visible, s))
	s = cases.Fold().String(strings.Map(similar, strings.Map(visible, s)))
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return similar(r)
	}, norm.NFKD.String(s))
}

func visible(r rune) rune {
	switch {
	case unicode.In(r, unicode.Zs, unicode.Zl, unicode.Zp) || r == '\t' || r == '\n' || r == '\r':
		return ' '
	case unseen(r):
		return -1
	}
	return r
}

func similar(r rune) rune {
	if to, ok := looksLike[r]; ok {
		return to
	}
	return r
}

// tokens cuts a name into the words that count: each ideograph by itself,
// numbers and amounts not at all.
func tokens(s string) []string { return cut(skeleton(s), false) }

// cut makes tokens. A mark such as _ or & stands before the letter that is a
// shortcut, inside a word, or between words: split says which.
func cut(s string, split bool) []string {
	var out []string
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			out = append(out, b.String())
			b.Reset()
		}
	}
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
			flush()
			out = append(out, string(r))
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '*':
			b.WriteRune(r)
		case (r == '_' || r == '&') && !split:
		case (r == '|' || r == '!' || r == '@') && b.Len() > 0:
			b.WriteRune(r)
		default:
			flush()
		}
	}
	flush()
	return tidy(out)
}

// tidy drops numbers and their currencies, and reads digits within words as letters.
func tidy(list []string) []string {
	number := slices.ContainsFunc(list, func(t string) bool { return strings.Trim(t, digits) == "" })
	var out []string
	letters := 0
	for _, t := range list {
		t = strings.TrimRight(t, "!|@")
		if amount(t, number) {
			continue
		}
		t = spelled(t)
		if len(t) == 1 && t != "*" {
			letters++
		}
		out = append(out, t)
	}
	if letters == len(out) && letters >= 3 { // P a y
		return []string{strings.Join(out, "")}
	}
	return out
}

const digits = "0123456789"

// amount reports whether t is a number, or the currency beside or before one.
func amount(t string, number bool) bool {
	bare := strings.Trim(t, digits)
	return bare == "" || currencies[bare] && (number || strings.HasPrefix(t, bare) && len(bare) < len(t))
}

// spelled reads what stands for letters.
func spelled(t string) string {
	t = strings.Map(func(r rune) rune {
		if to, ok := within[r]; ok {
			return to
		}
		return r
	}, t)
	return strings.ReplaceAll(strings.ReplaceAll(t, "rn", "m"), "vv", "w")
}

// reversed returns s from its end, for names that show the other way round.
func reversed(s string) string {
	r := []rune(s)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return string(r)
}
