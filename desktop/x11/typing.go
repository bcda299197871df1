package x11

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/keysym"
	"github.com/deskhand/deskhand/internal/xwire"
)

// typeChunk is how many characters go out before the server's answer is waited
// for, so that a long text can be canceled.
const typeChunk = 250

func control(r rune) bool { return unicode.IsControl(r) }

func (h *hands) checkType(j *job) error {
	switch {
	case len(j.Text) > desktop.MaxText:
		return invalid("The text is longer than %d bytes.", desktop.MaxText)
	case !utf8.ValidString(j.Text):
		return invalid("The text is not valid UTF-8.")
	}
	text := strings.ReplaceAll(j.Text, "\r\n", "\n")
	j.text = make([]keysym.Sym, 0, len(text))
	for _, r := range text {
		switch {
		case r == '\n':
			j.text = append(j.text, keyReturn)
		case r == '\t':
			j.text = append(j.text, keyTab)
		case control(r):
			return invalid("The text contains the control character U+%04X; only newline and tab can be typed.", r)
		default:
			j.text = append(j.text, keysym.Of(r))
		}
	}
	return nil
}

// doType types the text in batches, each of which fits on the keys that the
// layout has and the spare ones.
func (h *hands) doType(ctx context.Context, j *job) (typed int, err error) {
	for rest := j.text; len(rest) > 0; {
		kb, err := h.keyboard(ctx)
		if err != nil {
			return typed, err
		}
		batch := h.spares.fitting(kb, rest)
		n, err := h.typeBatch(ctx, kb, rest[:batch])
		typed += n
		if err != nil {
			return typed, err
		}
		rest = rest[batch:]
	}
	return typed, nil
}

// typeBatch types symbols that can all be on the keyboard at once.
func (h *hands) typeBatch(ctx context.Context, kb *keyboard, syms []keysym.Sym) (typed int, err error) {
	strokes, err := h.strokes(ctx, kb, syms)
	if err != nil {
		return 0, err
	}
	var first xwire.Batch
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
		if err := h.round(ctx, b); err != nil {
			return typed, err
		}
		typed += n
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
