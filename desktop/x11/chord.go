package x11

import (
	"strings"
	"unicode/utf8"

	"github.com/deskhand/deskhand/internal/keysym"
)

// aliases are names that people and models use for keys beside X11's own.
var aliases = map[string]string{
	"enter": "Return", "return": "Return", "cr": "Return", "newline": "Return", "linefeed": "Return",
	"esc": "Escape", "escape": "Escape", "backspace": "BackSpace", "bksp": "BackSpace", "bs": "BackSpace",
	"del": "Delete", "delete": "Delete", "ins": "Insert", "insert": "Insert", "tab": "Tab", "backtab": "ISO_Left_Tab",
	"space": "space", "spacebar": "space", "home": "Home", "end": "End",
	"pgup": "Prior", "page_up": "Prior", "pageup": "Prior", "prior": "Prior",
	"pgdn": "Next", "pgdown": "Next", "page_down": "Next", "pagedown": "Next", "next": "Next",
	"up": "Up", "down": "Down", "left": "Left", "right": "Right",
	"arrowup": "Up", "arrowdown": "Down", "arrowleft": "Left", "arrowright": "Right",
	"arrow_up": "Up", "arrow_down": "Down", "arrow_left": "Left", "arrow_right": "Right",
	"uparrow": "Up", "downarrow": "Down", "leftarrow": "Left", "rightarrow": "Right",
	"ctrl": "Control_L", "control": "Control_L", "ctl": "Control_L", "lctrl": "Control_L", "rctrl": "Control_R",
	"alt": "Alt_L", "option": "Alt_L", "opt": "Alt_L", "lalt": "Alt_L", "ralt": "Alt_R",
	"shift": "Shift_L", "lshift": "Shift_L", "rshift": "Shift_R",
	"cmd": "Super_L", "command": "Super_L", "win": "Super_L", "windows": "Super_L", "meta": "Super_L", "super": "Super_L",
	"hyper": "Hyper_L", "altgr": "ISO_Level3_Shift", "alt_gr": "ISO_Level3_Shift",
	"plus": "plus", "minus": "minus", "dash": "minus", "hyphen": "minus", "dot": "period", "fullstop": "period",
	"tilde": "asciitilde", "caret": "asciicircum", "backtick": "grave", "exclamation": "exclam", "hash": "numbersign",
	"lparen": "parenleft", "rparen": "parenright", "lbracket": "bracketleft", "rbracket": "bracketright",
	"lbrace": "braceleft", "rbrace": "braceright", "pipe": "bar", "equals": "equal", "quote": "apostrophe",
	"singlequote": "apostrophe", "doublequote": "quotedbl", "forwardslash": "slash",
	"print": "Print", "printscreen": "Print", "print_screen": "Print", "prtsc": "Print", "prtscr": "Print", "sysrq": "Sys_Req",
	"menu": "Menu", "contextmenu": "Menu", "apps": "Menu",
	"capslock": "Caps_Lock", "caps": "Caps_Lock", "numlock": "Num_Lock", "scrolllock": "Scroll_Lock", "pause": "Pause", "break": "Break",
	"numpad0": "KP_0", "numpad1": "KP_1", "numpad2": "KP_2", "numpad3": "KP_3", "numpad4": "KP_4",
	"numpad5": "KP_5", "numpad6": "KP_6", "numpad7": "KP_7", "numpad8": "KP_8", "numpad9": "KP_9",
	"volumeup": "XF86AudioRaiseVolume", "volumedown": "XF86AudioLowerVolume", "mute": "XF86AudioMute",
}

// maxChord bounds a chord; nobody has more fingers.
const maxChord = 10

// parseChord reads "ctrl+shift+Page_Up", "ctrl++" and "+" into keysyms, in
// order. The error is Invalid and names the key that is not known.
func parseChord(text string) ([]keysym.Sym, error) {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return nil, invalid("The keys are not valid UTF-8 text without NUL.")
	}
	var names []string
	rest := text
	for {
		name, more := rest, false
		// A plus where a name should begin is the key itself.
		if i := strings.IndexByte(rest[min(1, len(rest)):], '+'); i >= 0 {
			name, rest, more = rest[:i+1], rest[i+2:], true
		}
		names = append(names, name)
		if !more {
			break
		}
	}
	if len(names) > maxChord {
		return nil, invalid("A chord may have up to %d keys.", maxChord)
	}
	syms := make([]keysym.Sym, len(names))
	for i, name := range names {
		s, ok := lookup(name)
		if !ok {
			return nil, invalid("unknown key '%s'; use a single character or a name such as Return, Page_Up or F5", printable(name))
		}
		syms[i] = s
	}
	return fold(syms), nil
}

// lookup finds a key by its single character, alias or name.
func lookup(name string) (keysym.Sym, bool) {
	if r, n := utf8.DecodeRuneInString(name); n == len(name) && n > 0 {
		switch {
		case r == '\n' || r == '\r':
			return keyReturn, true
		case r == '\t':
			return keyTab, true
		case control(r):
			return 0, false
		}
		return keysym.Of(r), true
	}
	name = strings.TrimSpace(name)
	if len(name) > 64 {
		return 0, false
	}
	if to, ok := aliases[strings.ToLower(name)]; ok {
		name = to
	}
	return named(name)
}

func named(name string) (keysym.Sym, bool) {
	s, ok := keysym.Named(name)
	return s, ok && s != 0 && s != 0xffffff // NoSymbol, VoidSymbol
}

// printable shortens a key's name for an error that a model reads.
func printable(name string) string {
	clean := strings.Map(func(r rune) rune {
		if control(r) || r == '\'' {
			return -1
		}
		return r
	}, name)
	if runes := []rune(clean); len(runes) > 32 {
		return string(runes[:32]) + "…"
	}
	return clean
}

// Keysyms that the code names.
const (
	keyReturn keysym.Sym = 0xff0d
	keyTab    keysym.Sym = 0xff09
	keyShift  keysym.Sym = 0xffe1
	keyInsert keysym.Sym = 0xff63
	keyLevel3 keysym.Sym = 0xfe03 // AltGr
)

// fold lowers the letters of a chord with a modifier that makes a command of
// it, so that "ctrl+S" is ctrl+s. People and models write it so, no matter that
// xdotool would add Shift; who means Shift names it. See docs/decisions.
func fold(syms []keysym.Sym) []keysym.Sym {
	command := false
	for _, s := range syms {
		command = command || holding[s] && s != keyShift && s != 0xffe2 && s != keyLevel3
	}
	if !command {
		return syms
	}
	for i, s := range syms {
		if s >= 'A' && s <= 'Z' {
			syms[i] = s + 'a' - 'A'
		}
	}
	return syms
}

// parseModifiers is parseChord for modifiers only. Empty is none.
func parseModifiers(text string) ([]keysym.Sym, error) {
	if text == "" {
		return nil, nil
	}
	syms, err := parseChord(text)
	if err != nil {
		return nil, err
	}
	for _, s := range syms {
		if !holding[s] {
			return nil, invalid("'%s' is not a list of modifiers; use shift, ctrl, alt or super, joined by +", printable(text))
		}
	}
	return syms, nil
}
