package x11

import (
	"context"
	"time"

	"github.com/deskhand/deskhand/internal/keysym"
	"github.com/deskhand/deskhand/internal/xwire"
)

// keyboard is the keyboard at one moment: its map and what is in effect.
type keyboard struct {
	*layout
	state kbState
	down  []byte // keycodes held by anybody
	raw   []byte // the map as the server tells it
}

// keyboard asks for the keyboard as it is now. The map is not kept between
// actions: programs change it, and asking costs a tenth of a millisecond.
func (h *hands) keyboard(ctx context.Context) (*keyboard, error) {
	var b xwire.Batch
	m := askMap(&b, h.ext.xkb.op)
	s := askState(&b, h.ext.xkb.op)
	down := b.Req(opQueryKeymap, 0).Want()
	if err := h.conn.Send(ctx, &b); err != nil {
		return nil, err
	}
	mapped, err := m.Wait(ctx)
	if err != nil {
		return nil, err
	}
	km, err := readMap(mapped)
	if err != nil {
		return nil, err
	}
	raw, err := s.Wait(ctx)
	if err != nil {
		return nil, err
	}
	state := readState(raw)
	if raw, err = down.Wait(ctx); err != nil {
		return nil, err
	}
	return &keyboard{layout: newLayout(km, int(state.lockedGroup)), state: state, down: downKeys(raw), raw: mapped[replyHead:]}, nil
}

// modifierCodes returns the keycodes of the job's modifiers.
func (h *hands) modifierCodes(ctx context.Context, j *job) ([]byte, error) {
	if len(j.mods) == 0 {
		return nil, nil
	}
	kb, err := h.keyboard(ctx)
	if err != nil {
		return nil, err
	}
	strokes, err := h.strokes(ctx, kb, j.mods)
	if err != nil {
		return nil, err
	}
	codes := make([]byte, len(strokes))
	for i, s := range strokes {
		codes[i] = s.code
	}
	return codes, nil
}

// replyHead are the bytes of a reply before what it says: kind, device,
// sequence number, length.
const replyHead = 8

// strokes finds the keys for symbols, and puts those that the layout lacks on
// spare keys. The program with the focus has heard of the keymap by then.
func (h *hands) strokes(ctx context.Context, kb *keyboard, syms []keysym.Sym) ([]stroke, error) {
	if err := h.spares.place(ctx, h, kb, syms); err != nil {
		return nil, err
	}
	if err := h.hear(ctx, kb); err != nil {
		return nil, err
	}
	out := make([]stroke, len(syms))
	for i, s := range syms {
		out[i], _ = kb.find(s) // place has seen to it
	}
	return out, nil
}

func (h *hands) doKey(ctx context.Context, j *job) error {
	kb, strokes, err := h.chord(ctx, j)
	if err != nil {
		return err
	}
	var b xwire.Batch
	undo := h.neutral(&b, kb, j.chord)
	for range j.Count {
		h.chordDown(&b, kb, strokes)
		h.lift(&b)
	}
	undo(&b)
	return h.round(ctx, &b)
}

// doHold holds the chord for the duration. Keys repeat meanwhile, as they do
// under a finger.
func (h *hands) doHold(ctx context.Context, j *job) error {
	kb, strokes, err := h.chord(ctx, j)
	if err != nil {
		return err
	}
	var b, up xwire.Batch
	undo := h.neutral(&b, kb, j.chord)
	h.chordDown(&b, kb, strokes)
	if err := h.round(ctx, &b); err != nil {
		return err
	}
	timer := time.NewTimer(j.Duration)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return context.Cause(ctx) // Input lets go
	case <-h.closing:
		return xwire.ErrClosed
	case <-h.conn.Done():
		return xwire.ErrClosed
	}
	h.lift(&up)
	undo(&up)
	return h.round(ctx, &up)
}

func (h *hands) chord(ctx context.Context, j *job) (*keyboard, []stroke, error) {
	kb, err := h.keyboard(ctx)
	if err != nil {
		return nil, nil, err
	}
	strokes, err := h.strokes(ctx, kb, j.chord)
	return kb, strokes, err
}

// chordDown presses the keys in order, each after the modifiers it needs on
// this layout.
func (h *hands) chordDown(b *xwire.Batch, kb *keyboard, strokes []stroke) {
	have := byte(0)
	for _, s := range strokes {
		for _, code := range kb.codes(s.mods &^ have) {
			h.key(b, code, true)
		}
		if s.group >= 0 {
			lockState(b, h.ext.xkb.op, 0, 0, s.group)
		}
		h.key(b, s.code, true)
		have |= s.mods
		if k := kb.key(s.code); k != nil {
			have |= k.modmap
		}
	}
}

// codes returns the keys that hold the modifiers.
func (l *layout) codes(mods byte) (codes []byte) {
	for bit := byte(1); bit != 0; bit <<= 1 {
		if mods&bit != 0 {
			codes = append(codes, l.holders[bit])
		}
	}
	return codes
}

// neutral makes the modifiers in effect none, so that keys mean what the
// layout says: it lets go of modifiers that are held, clears latches (the next
// key would have used them up), and switches locks off until undo. Num Lock
// stays, as it matters to keypad keys only. A chord with a lock key is left to
// do its work.
func (h *hands) neutral(b *xwire.Batch, kb *keyboard, syms []keysym.Sym) (undo func(*xwire.Batch)) {
	for _, s := range syms {
		if locking(s) {
			return func(*xwire.Batch) {}
		}
	}
	if kb.state.base != 0 {
		for _, code := range kb.down {
			if k := kb.key(code); k != nil && k.modmap != 0 {
				h.key(b, code, false)
			}
		}
	}
	locks := kb.state.locked &^ kb.numLock()
	group := int(kb.state.lockedGroup)
	moves := group != int(kb.state.group)
	if locks != 0 || kb.state.latched != 0 || moves {
		lockState(b, h.ext.xkb.op, locks, 0, group)
	}
	return func(b *xwire.Batch) { lockState(b, h.ext.xkb.op, locks, locks, group) }
}

// locking reports whether s is a key that switches a lock or the group.
func locking(s keysym.Sym) bool {
	return s == 0xffe5 || s == 0xffe6 || s == 0xff7f || s == 0xff14 || s >= 0xfe01 && s <= 0xfe0f && s != 0xfe03
}

// numLock returns the modifier that Num Lock switches.
func (m *keymap) numLock() byte {
	const numLock = 0xff7f
	for bit, codes := range m.mods {
		for _, code := range codes {
			if m.key(code).sym(0, 0) == numLock {
				return bit
			}
		}
	}
	return 0
}
