package x11

import (
	"context"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/xwire"
)

// Buttons of the X protocol.
var buttons = map[desktop.Button]byte{desktop.ButtonLeft: 1, desktop.ButtonMiddle: 2, desktop.ButtonRight: 3}

var wheel = map[desktop.Direction]byte{desktop.Up: 4, desktop.Down: 5, desktop.Left: 6, desktop.Right: 7}

// Deliberate times, kept by the X server between events of one write.
const (
	clickGap = 12 // ms between the clicks of a double click: Chromium takes two presses of the same millisecond for one
)

func (h *hands) doMove(ctx context.Context, j *job) error {
	var b xwire.Batch
	h.motion(&b, *j.Point, 0)
	return h.land(ctx, &b, j.Point)
}

func (h *hands) doClick(ctx context.Context, j *job) error {
	return h.withModifiers(ctx, j, func(b *xwire.Batch) {
		for i := range j.Count {
			delay := uint32(0)
			if i > 0 {
				delay = clickGap
			}
			h.press(b, buttons[j.Button], delay, false)
			h.release(b, buttons[j.Button], 0)
		}
	})
}

func (h *hands) doPress(ctx context.Context, j *job) error {
	var b xwire.Batch
	h.press(&b, buttons[j.Button], 0, true)
	return h.round(ctx, &b)
}

func (h *hands) doRelease(ctx context.Context, j *job) error {
	var b xwire.Batch
	h.release(&b, buttons[j.Button], 0)
	return h.round(ctx, &b)
}

func (h *hands) doScroll(ctx context.Context, j *job) error {
	return h.withModifiers(ctx, j, func(b *xwire.Batch) {
		for range j.Count {
			h.press(b, wheel[j.Direction], 0, false)
			h.release(b, wheel[j.Direction], 0)
		}
	})
}

// withModifiers moves to the job's point, if any, and does what add adds
// between the press and the release of the job's modifiers.
func (h *hands) withModifiers(ctx context.Context, j *job, add func(*xwire.Batch)) error {
	return h.withModifiersAt(ctx, j, j.Point, add)
}

// withModifiersAt is withModifiers that expects the pointer at end afterwards.
func (h *hands) withModifiersAt(ctx context.Context, j *job, end *deskhand.ScreenPoint, add func(*xwire.Batch)) error {
	codes, err := h.modifierCodes(ctx, j)
	if err != nil {
		return err
	}
	var b xwire.Batch
	if j.Point != nil {
		h.motion(&b, *j.Point, 0)
	}
	for _, code := range codes {
		h.key(&b, code, true)
	}
	add(&b)
	for i := range codes {
		h.key(&b, codes[len(codes)-1-i], false)
	}
	return h.land(ctx, &b, end)
}

// land sends the batch, waits until it is processed, and checks that the
// pointer is at the expected point. nil expects nothing.
func (h *hands) land(ctx context.Context, b *xwire.Batch, want *deskhand.ScreenPoint) error {
	r, err := ask(ctx, h.conn, b, askPointer(b, h.conn.Setup.Root))
	if err != nil {
		return err
	}
	h.held.settle()
	if p := readPointer(r); want != nil && p.at != *want {
		return deskhand.Errorf("x11: input", deskhand.Unavailable, "the pointer is at (%d, %d) and not at (%d, %d): a program confines it, or somebody moved it",
			p.at.X, p.at.Y, want.X, want.Y)
	}
	return nil
}
