package x11

import (
	"errors"

	"github.com/deskhand/deskhand/internal/keysym"
	"github.com/deskhand/deskhand/internal/xwire"
)

// Requests of XKEYBOARD.
const (
	xkbUseExtension   = 0
	xkbGetState       = 4
	xkbLatchLockState = 5
	xkbGetMap         = 8
	xkbSetMap         = 9

	xkbCoreKeyboard = 0x100 // the device that all programs listen to
)

// kbState is which modifiers and which group are in effect, and why.
type kbState struct {
	base, latched, locked byte // modifiers held, for the next key, switched on
	group, lockedGroup    byte
}

func askState(b *xwire.Batch, xkb byte) *xwire.Reply {
	return b.Req(xkb, xkbGetState).U16(xkbCoreKeyboard, 0).Want()
}

func readState(r []byte) kbState {
	return kbState{base: r[9], latched: r[10], locked: r[11], group: r[12], lockedGroup: r[13]}
}

// lockState sets locked modifiers (those in affect) and clears latched ones;
// with group it also locks that group and clears a latched one.
func lockState(b *xwire.Batch, xkb, affect, locked byte, group int) {
	lockGroup, g := byte(0), byte(0)
	if group >= 0 {
		lockGroup, g = 1, byte(group)
	}
	b.Req(xkb, xkbLatchLockState).U16(xkbCoreKeyboard).U8(affect, locked, lockGroup, g, 0xff, 0, 0, lockGroup).U16(0)
}

// setKeys puts symbols on neighbouring keys, of one group and a key type; nil
// makes a key blank.
func setKeys(b *xwire.Batch, setup *xwire.Setup, xkb, first, kind byte, keys [][]keysym.Sym) {
	total := 0
	for _, syms := range keys {
		total += len(syms)
	}
	const symsPresent = 1 << 1
	b.Req(xkb, xkbSetMap).U16(xkbCoreKeyboard, symsPresent, 0).
		U8(setup.MinKeycode, setup.MaxKeycode, 0, 0, first, byte(len(keys))).U16(uint16(total)).
		U32(0, 0, 0, 0).U16(0) // no actions, behaviours, explicit components, modifiers
	for _, syms := range keys {
		groups := byte(min(len(syms), 1))
		b.U8(kind*groups, 0, 0, 0, groups, byte(len(syms))).U16(uint16(len(syms)))
		for _, s := range syms {
			b.U32(uint32(s))
		}
	}
}

// keymap is what is on every key.
type keymap struct {
	first byte // lowest keycode
	keys  []key
	mods  map[byte][]byte // keycodes by modifier bit
	types []keyType
}

// key is one key: syms[group*width+level].
type key struct {
	types  [4]byte
	info   byte // number of groups, and what to do with a group beyond
	width  int
	syms   []keysym.Sym
	modmap byte
}

// keyType says which modifiers select which level.
type keyType struct {
	mask   byte
	levels []typeLevel
}

type typeLevel struct {
	mods  byte
	level byte
}

func (k *key) groups() int { return int(k.info & 0x0f) }

// group returns which of the key's groups is used when g is in effect.
func (k *key) group(g int) int {
	n := k.groups()
	if n == 0 || g < n {
		return g
	}
	const clamp, redirect = 0x40, 0x80
	switch k.info & 0xc0 {
	case clamp:
		return n - 1
	case redirect:
		if to := int(k.info >> 4 & 3); to < n {
			return to
		}
		return 0
	}
	return g % n
}

func (k *key) sym(group, level int) keysym.Sym {
	if i := group*k.width + level; group < k.groups() && level < k.width && i < len(k.syms) {
		return k.syms[i]
	}
	return 0
}

// blank reports whether nothing at all is on the key.
func (k *key) blank() bool {
	for _, s := range k.syms {
		if s != 0 {
			return false
		}
	}
	return k.modmap == 0
}

// askMap asks for types, symbols and modifiers of every key.
func askMap(b *xwire.Batch, xkb byte) *xwire.Reply {
	const full = 1<<0 | 1<<1 | 1<<2
	return b.Req(xkb, xkbGetMap).U16(xkbCoreKeyboard, full, 0).U32(0, 0, 0, 0).U16(0).Want()
}

var errShortMap = errors.New("the keyboard map is cut short")

// readMap decodes the reply of askMap.
func readMap(r []byte) (*keymap, error) {
	if len(r) < 40 {
		return nil, errShortMap
	}
	m := &keymap{first: r[17], mods: map[byte][]byte{}}
	rest, err := m.readTypes(r[40:], int(r[15]))
	if err != nil {
		return nil, err
	}
	if rest, err = m.readKeys(rest, int(r[20])); err != nil {
		return nil, err
	}
	for range int(r[33]) {
		if len(rest) < 2 {
			return nil, errShortMap
		}
		m.addModifier(rest[0], rest[1])
		rest = rest[2:]
	}
	return m, nil
}

func (m *keymap) readTypes(b []byte, n int) ([]byte, error) {
	for range n {
		if len(b) < 8 {
			return nil, errShortMap
		}
		t, entries, preserve := keyType{mask: b[0]}, int(b[5]), b[6] != 0
		b = b[8:]
		size := 8 * entries
		if preserve {
			size += 4 * entries
		}
		if len(b) < size {
			return nil, errShortMap
		}
		for i := range entries {
			if e := b[8*i:]; e[0] != 0 { // active
				t.levels = append(t.levels, typeLevel{e[1], e[2]})
			}
		}
		m.types, b = append(m.types, t), b[size:]
	}
	return b, nil
}

func (m *keymap) readKeys(b []byte, n int) ([]byte, error) {
	for range n {
		if len(b) < 8 {
			return nil, errShortMap
		}
		k := key{types: [4]byte(b[:4]), info: b[4], width: int(b[5])}
		count := int(le.Uint16(b[6:]))
		b = b[8:]
		if len(b) < 4*count {
			return nil, errShortMap
		}
		for i := range count {
			k.syms = append(k.syms, keysym.Sym(le.Uint32(b[4*i:])))
		}
		m.keys, b = append(m.keys, k), b[4*count:]
	}
	return b, nil
}

func (m *keymap) addModifier(code, mods byte) {
	k := m.key(code)
	if k == nil {
		return
	}
	k.modmap = mods
	for bit := byte(1); bit != 0; bit <<= 1 {
		if mods&bit != 0 {
			m.mods[bit] = append(m.mods[bit], code)
		}
	}
}

// key returns the key of a keycode, nil when there is none.
func (m *keymap) key(code byte) *key {
	if i := int(code) - int(m.first); i >= 0 && i < len(m.keys) {
		return &m.keys[i]
	}
	return nil
}
