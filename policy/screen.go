package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deskhand/deskhand/internal/plaintext"
)

// click judges acting on what the pointer is at.
func click(at Context, w *Words) (Class, string) {
	if class, what := w.Label(at.Element.Role, at.Element.Name); class != Looks && class != Changes {
		return class, fmt.Sprintf("%s %q", what, plaintext.Short(at.Element.Name, 80))
	}
	if at.payment() {
		return Pays, "this is a page where money is spent"
	}
	return Changes, ""
}

// typed judges typing a text at the focus.
func typed(p Part, text string, at Context, w *Words) deed {
	p.Class = Changes
	switch {
	case w.secret(at.Element):
		p.Class, p.Why = Secret, "a field for a secret has the focus"
	case at.Window.runsTyped():
		p.Class, p.Why = Runs, "what is typed here runs as a command"
		p.global = true
		inner := readShell(text)
		for i := range inner.parts { // only to make it worse: what stood on the line before is not known
			p.Class = p.Class.Worse(inner.parts[i].Class)
		}
		if p.Class != Runs {
			p.Why = "what is typed here runs as a command: " + plaintext.Short(text, 80)
		}
		return deed{append([]Part{p}, inner.parts...), false}
	case at.payment():
		p.Class, p.Why = Pays, "this is a page where money is spent"
	case strings.ContainsFunc(strings.ReplaceAll(text, "\r", "\n"), unseen):
		p.Class, p.Why = Unknown, "the text holds characters that cannot be seen"
	case address(at) && script(text):
		p.Class, p.Why = Runs, "the text is an address that runs a script or opens a file"
	}
	return one(p)
}

func address(at Context) bool { return at.Window.is(browsers) || at.URL != "" }

func script(text string) bool {
	lower := strings.ToLower(strings.TrimSpace(text))
	for _, scheme := range []string{"javascript:", "data:", "file:", "view-source:", "chrome:", "about:config"} {
		if strings.HasPrefix(lower, scheme) {
			return true
		}
	}
	return false
}

// chord is one combination of keys.
type chord struct {
	mods []string // sorted
	key  string
}

var modifiers = map[string]string{
	"ctrl": "ctrl", "control": "ctrl", "control_l": "ctrl", "control_r": "ctrl", "shift": "shift", "shift_l": "shift", "shift_r": "shift",
	"alt": "alt", "alt_l": "alt", "option": "alt", "super": "super", "super_l": "super", "super_r": "super", "cmd": "super", "command": "super",
	"meta": "super", "win": "super", "windows": "super",
}

var keyNames = map[string]string{"return": "enter", "kp_enter": "enter", "linefeed": "enter", "del": "delete", "kp_delete": "delete", "spacebar": "space", " ": "space", "esc": "escape"}

// chords reads keys as models write them.
func chords(text string) (out []chord) {
	for combination := range strings.FieldsSeq(strings.ToLower(text)) {
		var c chord
		for part := range strings.SplitSeq(combination, "+") {
			if mod, ok := modifiers[part]; ok {
				c.mods = append(c.mods, mod)
				continue
			}
			c.key = part
			if name, ok := keyNames[part]; ok {
				c.key = name
			}
		}
		slices.Sort(c.mods)
		c.mods = slices.Compact(c.mods)
		out = append(out, c)
	}
	return out
}

func (c chord) String() string { return strings.Join(append(slices.Clone(c.mods), c.key), "+") }

// shortcut is what a combination of keys does in some kind of program.
type shortcut struct {
	in   map[string]bool // window classes; nil: any
	keys map[string]bool
	does Class
	why  string
}

func shortcuts() []shortcut {
	return []shortcut{
		{managers, words("shift+delete"), Purges, "it deletes files for good"},
		{nil, words("shift+delete"), Deletes, "it may delete for good"},
		{managers, words("delete ctrl+delete"), Deletes, "it deletes files"},
		{mailers, words("ctrl+enter ctrl+shift+enter alt+s"), Sends, "it sends the message"},
		{browsers, words("f12 ctrl+shift+i ctrl+shift+j ctrl+shift+k ctrl+shift+c"), Runs, "it opens a console that runs scripts"},
		{browsers, words("ctrl+shift+delete"), Deletes, "it deletes browsing data"},
		{nil, words("ctrl+alt+delete ctrl+alt+backspace"), Unknown, "it may end the session"},
		{nil, words("alt+f2 ctrl+alt+t super+r super+enter super+t"), Runs, "it opens a place where typed text runs as a command"},
		{nil, words("ctrl+enter"), Sends, "it is the usual way to send"},
	}
}

// pressed judges keys at the focus.
func pressed(text string, at Context, w *Words) (Class, string) {
	class, why := Changes, ""
	worse := func(c Class, reason string) {
		if class.Worse(c) != class {
			class, why = c, reason
		}
	}
	if at.Window.runsTyped() {
		worse(Runs, "keys pressed here may run a command")
	}
	if w.secret(at.Element) && text != "" {
		for _, c := range chords(text) {
			if len([]rune(c.key)) == 1 {
				worse(Secret, "a field for a secret has the focus")
			}
		}
	}
	for _, c := range chords(text) {
		for _, s := range shortcuts() {
			if s.keys[c.String()] && (s.in == nil || at.Window.is(s.in)) {
				worse(s.does, s.why)
			}
		}
		if (c.key == "enter" || c.key == "space") && len(c.mods) == 0 {
			worse(click(at, w))
		}
	}
	return class, why
}

// leaves reports whether keys act beyond the app in front.
func leaves(text string) bool {
	for _, c := range chords(text) {
		if slices.Contains(c.mods, "super") || c.key == "super" || c.key == "" || slices.Contains(c.mods, "alt") && (c.key == "tab" || strings.HasPrefix(c.key, "f")) ||
			slices.Contains(c.mods, "alt") && slices.Contains(c.mods, "ctrl") || c.key == "print" {
			return true
		}
	}
	return false
}
