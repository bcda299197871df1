package x11

import (
	"context"
	"slices"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/xwire"
)

// ledger is what this driver holds down. It is written before the press is
// sent, so that whatever happens in between, the release follows.
type ledger struct {
	keys    []byte        // keycodes, in the order of pressing
	buttons map[byte]bool // true: by a Press, which outlives its list
}

// key adds the press or release of a key to the batch.
func (h *hands) key(b *xwire.Batch, code byte, down bool) {
	kind := byte(evKeyRelease)
	i := slices.Index(h.held.keys, code)
	switch {
	case down:
		kind = evKeyPress
		if i < 0 {
			h.held.keys = append(h.held.keys, code)
		}
	case i >= 0:
		h.held.keys = slices.Delete(h.held.keys, i, i+1)
	}
	fakeInput(b, h.ext.xtest.op, kind, code, 0, 0, deskhand.ScreenPoint{})
}

// press and release add a button. delay is in ms, before it.
func (h *hands) press(b *xwire.Batch, button byte, delay uint32, stay bool) {
	if h.held.buttons == nil {
		h.held.buttons = map[byte]bool{}
	}
	h.held.buttons[button] = h.held.buttons[button] || stay
	fakeInput(b, h.ext.xtest.op, evButtonPress, button, delay, 0, deskhand.ScreenPoint{})
}

func (h *hands) release(b *xwire.Batch, button byte, delay uint32) {
	delete(h.held.buttons, button)
	fakeInput(b, h.ext.xtest.op, evButtonRelease, button, delay, 0, deskhand.ScreenPoint{})
}

func (h *hands) motion(b *xwire.Batch, at deskhand.ScreenPoint, delay uint32) {
	fakeInput(b, h.ext.xtest.op, evMotion, 0, delay, h.conn.Setup.Root, at)
}

// releaseHeld adds the release of everything in the ledger, last pressed first;
// buttons of a Press only with all.
func (h *hands) releaseHeld(b *xwire.Batch, all bool) {
	for _, code := range slices.Backward(slices.Clone(h.held.keys)) {
		h.key(b, code, false)
	}
	for button, stay := range h.held.buttons {
		if all || !stay {
			h.release(b, button, 0)
		}
	}
}

// releaseAll lets go of the ledger and of what else the server says is down on
// the device of synthetic input, such as what a program that died left behind.
func (h *hands) releaseAll(ctx context.Context) error {
	var b xwire.Batch
	h.releaseHeld(&b, true)
	keys := b.Req(opQueryKeymap, 0).Want()
	at := askPointer(&b, h.conn.Setup.Root)
	if err := h.conn.Send(ctx, &b); err != nil {
		return err
	}
	down, err := keys.Wait(ctx)
	if err != nil {
		return err
	}
	p, err := at.Wait(ctx)
	if err != nil {
		return err
	}
	var rest xwire.Batch
	for _, code := range downKeys(down) {
		h.key(&rest, code, false)
	}
	for button := byte(1); button <= 5; button++ {
		if readPointer(p).mask&(1<<(7+button)) != 0 {
			h.release(&rest, button, 0)
		}
	}
	if rest.Len() == 0 {
		return nil
	}
	return h.conn.Round(ctx, &rest)
}

// downKeys lists the keycodes in a QueryKeymap reply.
func downKeys(r []byte) (codes []byte) {
	for i := range 256 {
		if r[8+i/8]&(1<<(i%8)) != 0 {
			codes = append(codes, byte(i))
		}
	}
	return codes
}
