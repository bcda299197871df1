package policy

import (
	"strings"

	"github.com/deskhand/deskhand"
)

// maxSuggested is how many rules one answer may save.
const maxSuggested = 5

// Suggest returns the rules that "always" would save for a call: together they
// allow this call and, of commands and files, nothing else. It returns none
// where no rule says just that, and never one for what deletes for good, pays,
// gives access, makes an account or enters a secret.
func Suggest(call deskhand.Call, at Context) []Rule {
	var out []Rule
	seen := map[string]bool{}
	for _, p := range read(call, at, (Rules{}).words()).parts {
		if p.Class == Looks {
			continue
		}
		text := p.pattern(at)
		if text == "" || at.Reshaped {
			return nil
		}
		rule, err := ParseRule(allow, text)
		if err != nil || !rule.permits(&p, at) {
			return nil
		}
		if !seen[text] {
			seen[text] = true
			out = append(out, rule)
		}
	}
	if len(out) > maxSuggested {
		return nil
	}
	return out
}

// savable are the never-automatic classes that a rule naming the very command
// may allow.
var savable = map[Class]bool{Sends: true, Installs: true}

// pattern returns the narrowest pattern that covers p, or "".
func (p Part) pattern(at Context) string {
	if p.Class.Never() && !(p.tool == "bash" && savable[p.Class]) {
		return ""
	}
	switch p.tool {
	case "bash":
		return p.commandPattern()
	case "files":
		return p.filePattern(at)
	case "computer":
		return wrap("computer(app:", strings.ToLower(p.app), p.Class == Changes && !p.global)
	case "browser":
		return wrap("browser(domain:", p.host, p.Class == Changes || p.Class == Reaches)
	}
	return wrap(p.tool+"(", p.name, true)
}

// wrap makes a pattern of what names the thing exactly.
func wrap(before, name string, fit bool) string {
	if !fit || name == "" || strings.ContainsAny(name, "*?[\\ ()") {
		return ""
	}
	return before + name + ")"
}

func (p Part) filePattern(at Context) string {
	full, ok := absolute(p.path, at)
	if !ok || !p.strict || strings.ContainsAny(full, "*?[\\()") {
		return ""
	}
	return "files(" + p.op + ":" + full + ")"
}

func (p Part) commandPattern() string {
	if p.veiled || len(p.words) == 0 {
		return ""
	}
	out := make([]string, len(p.words))
	for i, w := range p.words {
		if w.text == "" || strings.ContainsAny(w.text, "*?[\\'\"\n") {
			return ""
		}
		out[i] = w.text
		if strings.ContainsAny(w.text, " \t()") {
			out[i] = `"` + w.text + `"`
		}
	}
	return "bash(" + strings.Join(out, " ") + ")"
}
