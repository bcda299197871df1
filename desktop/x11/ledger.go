package x11

import (
	"context"
	"slices"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/xwire"
)

// ledger is what this driver holds down. A press is written before it is sent,
// and a release is struck out only after the server has processed it, so that
// whatever happens in between, everything is let go.
type ledger struct {
	keys    []held
	buttons []held
}

// held is one key or button, in the order of pressing.
type held struct {
	code byte
	up   bool // its release is on its way
	stay bool // pressed by a Press, which outlives its list
}

func (l *ledger) down(list *[]held, code byte, stay bool) {
	i := slices.IndexFunc(*list, func(x held) bool { return x.code == code })
	if i < 0 {
		*list = append(*list, held{code: code, stay: stay})
		return
	}
	(*list)[i].up = false
	(*list)[i].stay = (*list)[i].stay || stay
}

func (l *ledger) up(list []held, code byte) {
	for i := range list {
		if list[i].code == code {
			list[i].up = true
		}
	}
}

// settle strikes out what the server has released.
func (l *ledger) settle() {
	gone := func(x held) bool { return x.up }
	l.keys = slices.DeleteFunc(l.keys, gone)
	l.buttons = slices.DeleteFunc(l.buttons, gone)
}

// round sends the batch, waits until it is processed, and settles the ledger.
func (h *hands) round(ctx context.Context, b *xwire.Batch) error {
	err := h.conn.Round(ctx, b)
	if err == nil {
		h.held.settle()
	}
	return err
}

// key adds the press or release of a key to the batch.
func (h *hands) key(b *xwire.Batch, code byte, down bool) {
	kind := byte(evKeyRelease)
	if down {
		kind = evKeyPress
		h.held.down(&h.held.keys, code, false)
	} else {
		h.held.up(h.held.keys, code)
	}
	fakeInput(b, h.ext.xtest.op, kind, code, 0, 0, deskhand.ScreenPoint{})
}

// press and release add a button. delay is in ms, before it.
func (h *hands) press(b *xwire.Batch, button byte, delay uint32, stay bool) {
	h.held.down(&h.held.buttons, button, stay)
	fakeInput(b, h.ext.xtest.op, evButtonPress, button, delay, 0, deskhand.ScreenPoint{})
}

func (h *hands) release(b *xwire.Batch, button byte, delay uint32) {
	h.held.up(h.held.buttons, button)
	fakeInput(b, h.ext.xtest.op, evButtonRelease, button, delay, 0, deskhand.ScreenPoint{})
}

func (h *hands) motion(b *xwire.Batch, at deskhand.ScreenPoint, delay uint32) {
	fakeInput(b, h.ext.xtest.op, evMotion, 0, delay, h.conn.Setup.Root, at)
}

// lift adds the release of the keys that are down, last pressed first.
func (h *hands) lift(b *xwire.Batch) {
	for _, x := range slices.Backward(h.held.keys) {
		if !x.up {
			h.key(b, x.code, false)
		}
	}
}

// releaseHeld adds the release of everything in the ledger, also of what may
// be up already; buttons of a Press only with all.
func (h *hands) releaseHeld(b *xwire.Batch, all bool) {
	for _, x := range slices.Backward(h.held.keys) {
		h.key(b, x.code, false)
	}
	for _, x := range slices.Backward(h.held.buttons) {
		if all || !x.stay || x.up {
			h.release(b, x.code, 0)
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
	h.held.settle()
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
	return h.round(ctx, &rest)
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
