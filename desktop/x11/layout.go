package x11

import (
	"math/bits"
	"slices"

	"github.com/deskhand/deskhand/internal/keysym"
)

// Modifier bits with a fixed meaning.
const (
	modShift byte = 1 << 0
	modLock  byte = 1 << 1
)

// stroke is one key with what must be in effect for it to mean the symbol.
type stroke struct {
	code  byte
	mods  byte // modifiers held
	group int  // -1: any
}

// layout finds the keys for symbols on one keymap. Not for concurrent use.
type layout struct {
	*keymap
	group   int           // in effect
	holders map[byte]byte // modifier bit → keycode that holds it while pressed
	bySym   map[keysym.Sym]stroke
	byRune  map[rune]stroke
}

// holding are the keysyms that hold a modifier while pressed; a key of any
// other kind may lock it or latch it.
var holding = map[keysym.Sym]bool{
	0xffe1: true, 0xffe2: true, // Shift
	0xffe3: true, 0xffe4: true, // Control
	0xffe7: true, 0xffe8: true, // Meta
	0xffe9: true, 0xffea: true, // Alt
	0xffeb: true, 0xffec: true, // Super
	0xffed: true, 0xffee: true, // Hyper
	0xfe03: true, 0xfe11: true, // ISO_Level3_Shift, ISO_Level5_Shift
	0xff7e: true, // Mode_switch
}

// symbols are the modifiers that select a level. Others (Control, Alt) do
// something else in programs, so a level that needs them is not used.
func (m *keymap) levelHolders() map[byte]byte {
	h := map[byte]byte{}
	for bit, codes := range m.mods {
		for _, code := range codes {
			switch s := m.key(code).sym(0, 0); s {
			case 0xffe1, 0xffe2, 0xfe03, 0xfe11:
				if old, ok := h[bit]; !ok || code < old {
					h[bit] = code
				}
			}
		}
	}
	return h
}

// newLayout indexes m for the group in effect.
func newLayout(m *keymap, group int) *layout {
	l := &layout{
		keymap: m, group: group, holders: m.levelHolders(),
		bySym: map[keysym.Sym]stroke{}, byRune: map[rune]stroke{},
	}
	for i := range m.keys {
		l.index(m.first+byte(i), &m.keys[i])
	}
	return l
}

func (l *layout) index(code byte, k *key) {
	for g := range k.groups() {
		mods := l.levelMods(k, g)
		for level := range k.width {
			s := k.sym(g, level)
			if s == 0 || level >= len(mods) || mods[level] == unreachable {
				continue
			}
			st := stroke{code: code, mods: byte(mods[level]), group: g}
			if k.groups() == 1 || k.group(l.group) == g {
				st.group = -1 // as things are
			}
			if old, ok := l.bySym[s]; !ok || l.better(st, old) {
				l.bySym[s] = st
			}
			r := s.Rune()
			if r == 0 || keypad(s) {
				continue
			}
			if old, ok := l.byRune[r]; !ok || l.better(st, old) {
				l.byRune[r] = st
			}
		}
	}
}

// keypad reports whether s is on the keypad, whose meaning hangs on Num Lock.
func keypad(s keysym.Sym) bool { return s >= 0xff80 && s <= 0xffbd }

// better reports whether a disturbs less than b: no change of group, then fewer
// modifiers, then the lower keycode.
func (l *layout) better(a, b stroke) bool {
	if (a.group < 0) != (b.group < 0) {
		return a.group < 0
	}
	if x, y := bits.OnesCount8(a.mods), bits.OnesCount8(b.mods); x != y {
		return x < y
	}
	return false
}

const unreachable = -1

// levelMods returns for each level of a group the modifiers that select it, or
// unreachable.
func (l *layout) levelMods(k *key, group int) []int {
	if int(k.types[group&3]) >= len(l.types) || k.width == 0 {
		return nil
	}
	t := l.types[k.types[group&3]]
	out := make([]int, k.width)
	for i := range out {
		out[i] = unreachable
	}
	out[0] = 0
	for _, e := range t.levels {
		if e.mods == 0 && e.level != 0 {
			out[0] = unreachable // without modifiers it is another level
		}
	}
	for _, e := range t.levels {
		if int(e.level) < len(out) && l.canHold(e.mods) && (out[e.level] == unreachable || bits.OnesCount8(e.mods) < bits.OnesCount8(byte(out[e.level]))) {
			out[e.level] = int(e.mods)
		}
	}
	return out
}

func (l *layout) canHold(mods byte) bool {
	for bit := byte(1); bit != 0; bit <<= 1 {
		if _, ok := l.holders[bit]; mods&bit != 0 && !ok {
			return false
		}
	}
	return true
}

// find returns the stroke for a symbol. A symbol that is a character is also
// found under another keysym of the same character.
func (l *layout) find(s keysym.Sym) (stroke, bool) {
	if r := s.Rune(); r != 0 && !keypad(s) {
		st, ok := l.byRune[r]
		return st, ok
	}
	st, ok := l.bySym[s]
	return st, ok
}

// spareType returns the key type for spare keys, and its number of levels: one
// whose four levels are chosen by Shift and AltGr and nothing else, or plain
// and Shift, which every keymap has.
func (l *layout) spareType() (kind byte, levels int) {
	if _, ok := l.holders[modShift]; !ok {
		return 0, 1
	}
	for i, t := range l.types {
		for bit, code := range l.holders {
			if l.key(code).sym(0, 0) == keyLevel3 && t.is(typeLevel{modShift, 1}, typeLevel{bit, 2}, typeLevel{modShift | bit, 3}) {
				return byte(i), spareLevels
			}
		}
	}
	const twoLevel = 1 // fixed by the XKB protocol
	return twoLevel, 2
}

// is reports whether exactly these modifiers choose levels.
func (t keyType) is(want ...typeLevel) bool {
	for _, e := range t.levels {
		if !slices.Contains(want, e) {
			return false
		}
	}
	return len(t.levels) == len(want)
}
