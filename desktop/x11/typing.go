package x11

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/keysym"
	"github.com/deskhand/deskhand/internal/xwire"
)

// typeChunk is how many characters go out before the server's answer is waited
// for, so that a long text can be canceled.
const typeChunk = 250

func control(r rune) bool { return unicode.IsControl(r) }

// readText returns the symbols to type for a text, one a character. A Windows
// line end is one Return.
func readText(text string) ([]keysym.Sym, error) {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	syms := make([]keysym.Sym, 0, len(text))
	for _, r := range text {
		switch {
		case r == '\n':
			syms = append(syms, keyReturn)
		case r == '\t':
			syms = append(syms, keyTab)
		case control(r):
			return nil, invalid("The text contains the control character U+%04X; only newline and tab can be typed.", r)
		default:
			syms = append(syms, keysym.Of(r))
		}
	}
	return syms, nil
}

// doType types the text in batches, each of which fits on the keys that the
// layout has and the spare ones. A text that fits altogether is one batch.
func (h *hands) doType(ctx context.Context, j *job) (typed int, err error) {
	if len(j.Into) > 0 {
		return h.typeInto(ctx, j)
	}
	paste := &paster{hands: h}
	for rest := j.text; len(rest) > 0; rest = j.text[typed:] {
		n, err := h.typeSome(ctx, paste, rest)
		typed += n
		if err != nil {
			ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), releaseLimit, errReleaseLimit)
			defer cancel()
			_ = paste.restore(ctx) // the failure that led here is the one to tell
			return typed, err
		}
	}
	return typed, paste.restore(ctx)
}

// typeSome types some of the leading symbols and returns how many.
func (h *hands) typeSome(ctx context.Context, paste *paster, syms []keysym.Sym) (int, error) {
	kb, err := h.keyboard(ctx)
	if err != nil {
		return 0, err
	}
	syms = syms[:h.spares.fitting(kb, syms)]
	if !h.spares.crowded(kb, syms) {
		return h.typeBatch(ctx, kb, syms, nil)
	}
	// Keys with symbols that may not have been read yet must take others.
	if syms[0] == keyReturn || syms[0] == keyTab {
		return h.typeBatch(ctx, kb, syms[:1], nil)
	}
	window, sure, err := h.answers(ctx)
	if err != nil {
		return 0, err
	}
	if sure {
		h.spares.read()
		return h.typeBatch(ctx, kb, syms, nil)
	}
	if n, err := paste.some(ctx, window, syms); n > 0 || err != nil {
		return n, err
	}
	return h.typeBatch(ctx, kb, syms, nil) // which waits for quiet before it takes a key back
}

// typeBatch types symbols that can all be on the keyboard at once. Before each
// part it looks whether a window of into has the focus, when there are any.
func (h *hands) typeBatch(ctx context.Context, kb *keyboard, syms []keysym.Sym, into []desktop.Place) (typed int, err error) {
	strokes, err := h.strokes(ctx, kb, syms)
	if err != nil {
		return 0, err
	}
	var first xwire.Batch
	before := slices.Clone(h.held.keys)
	undo := h.neutral(&first, kb, nil)
	b := &first
	w := &writer{hands: h, kb: kb, group: int(kb.state.lockedGroup)}
	for len(strokes) > 0 {
		n := min(len(strokes), typeChunk)
		for _, s := range strokes[:n] {
			w.stroke(b, s)
		}
		strokes = strokes[n:]
		if len(strokes) == 0 {
			w.hold(b, 0)
			undo(b)
		}
		if err := h.stopped(ctx); err != nil {
			return typed, err
		}
		if err := h.roundInto(ctx, b, into); err != nil {
			if deskhand.CodeOf(err) == deskhand.Denied {
				h.held.keys = before // none of it was sent; a release would tell which keys
			}
			return typed, err
		}
		typed += n
		before = slices.Clone(h.held.keys)
		b = &xwire.Batch{}
	}
	return typed, nil
}

// writer turns strokes into key events. Modifiers and group stay as they are
// from one stroke to the next when both want the same.
type writer struct {
	*hands
	kb    *keyboard
	mods  byte
	group int
}

func (w *writer) stroke(b *xwire.Batch, s stroke) {
	if s.group >= 0 && s.group != w.group {
		lockState(b, w.ext.xkb.op, 0, 0, s.group)
		w.group = s.group
	} else if home := int(w.kb.state.lockedGroup); s.group < 0 && w.group != home {
		lockState(b, w.ext.xkb.op, 0, 0, home)
		w.group = home
	}
	w.hold(b, s.mods)
	w.key(b, s.code, true)
	w.key(b, s.code, false)
}

// hold makes mods the modifiers that are held.
func (w *writer) hold(b *xwire.Batch, mods byte) {
	for _, code := range w.kb.codes(w.mods &^ mods) {
		w.key(b, code, false)
	}
	for _, code := range w.kb.codes(mods &^ w.mods) {
		w.key(b, code, true)
	}
	w.mods = mods
}
