package x11

import (
	"context"
	"errors"
	"slices"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/procfs"
	"github.com/deskhand/deskhand/internal/xwire"
)

// Requests of X-Resource, and what is asked of a client.
const (
	resQueryClientIDs = 4
	resLocalPID       = 2
)

// maxDepth bounds how deep in the tree of windows the focus can be.
const maxDepth = 64

// askOwner asks for the process that made a window. The server knows it from the
// kernel, as the other end of the client's connection; _NET_WM_PID is only what
// the client says.
func (d *Desktop) askOwner(b *xwire.Batch, window uint32) *xwire.Reply {
	return b.Req(d.ext.res.op, resQueryClientIDs).U32(1, window, resLocalPID).Want()
}

// readOwner returns the process, 0 when the server does not know.
func readOwner(r []byte) int {
	if le.Uint32(r[8:]) != 1 || len(r) < 32+16 || le.Uint32(r[32+8:]) != 4 {
		return 0
	}
	return int(le.Uint32(r[32+12:]))
}

// program returns the path of the installed program that has a window, "" when
// it is not known.
func (d *Desktop) program(ctx context.Context, window uint32) (string, error) {
	if d.ext.res.op == 0 {
		return "", nil
	}
	var b xwire.Batch
	r, err := ask(ctx, d.conn, &b, d.askOwner(&b, window))
	if err != nil {
		if isRefusal(err) {
			return "", nil // the window is gone
		}
		return "", err
	}
	path, ok := procfs.Program(readOwner(r))
	if !ok {
		return "", nil
	}
	return path, nil
}

// errElsewhere is why a text was not typed.
var errElsewhere = errors.New("no window that the text may go into has the focus")

// roundInto is round for input that may go only into a window of places. While
// it looks where the focus is, and until the input is processed, the server
// listens to nobody else, so that the focus cannot go elsewhere in between.
func (h *hands) roundInto(ctx context.Context, b *xwire.Batch, places []desktop.Place) error {
	if len(places) == 0 {
		return h.round(ctx, b)
	}
	defer h.ungrab(ctx)
	var grab xwire.Batch
	grab.Req(opGrabServer, 0)
	keyboard := grab.Req(opGrabKeyboard, 0).U32(h.conn.Setup.Root, 0).U8(1, 1).Want()
	grab.Req(opUngrabKeyboard, 0).U32(0)
	if err := h.conn.Send(ctx, &grab); err != nil {
		return err
	}
	r, err := keyboard.Wait(ctx)
	if err != nil {
		return err
	}
	ok := r[1] == 0 // else a program has the keyboard to itself, wherever the focus is
	if ok {
		ok, err = h.focusIn(ctx, places)
	}
	switch {
	case err != nil:
		return err
	case !ok:
		return deskhand.E("", deskhand.Denied, errElsewhere)
	}
	return h.round(ctx, b)
}

// ungrab lets the server listen to everybody again, also when ctx has ended.
func (h *hands) ungrab(ctx context.Context) {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), releaseLimit, errReleaseLimit)
	defer cancel()
	var b xwire.Batch
	b.Req(opUngrabServer, 0)
	_ = h.conn.Send(ctx, &b) // it fails with the connection, and with that the grab ends
}

// focusIn reports whether a window of places has the focus.
func (d *Desktop) focusIn(ctx context.Context, places []desktop.Place) (bool, error) {
	line, err := d.focusLine(ctx)
	if err != nil || len(line) == 0 {
		return false, err
	}
	path, err := d.program(ctx, line[0])
	if err != nil {
		return false, err
	}
	top, found, err := d.topOf(ctx, line)
	return found && desktop.Fits(places, path, top.Title), err
}

// focusLine returns the window that has the focus and those it is in, up to
// below the root. It is empty when none has it.
func (d *Desktop) focusLine(ctx context.Context) ([]uint32, error) {
	var b xwire.Batch
	r, err := ask(ctx, d.conn, &b, b.Req(opGetInputFocus, 0).Want())
	if err != nil {
		return nil, err
	}
	const pointerRoot = 1
	window := le.Uint32(r[8:])
	var line []uint32
	for window > pointerRoot && window != d.conn.Setup.Root && len(line) < maxDepth {
		line = append(line, window)
		var b xwire.Batch
		r, err := ask(ctx, d.conn, &b, b.Req(opQueryTree, 0).U32(window).Want())
		switch {
		case isRefusal(err):
			return nil, nil // it is gone
		case err != nil:
			return nil, err
		}
		window = le.Uint32(r[12:])
	}
	return line, nil
}

// topOf returns the visible top-level window among line.
func (d *Desktop) topOf(ctx context.Context, line []uint32) (desktop.Window, bool, error) {
	all, err := d.windows(ctx)
	if err != nil {
		return desktop.Window{}, false, err
	}
	i := slices.IndexFunc(all, func(w desktop.Window) bool { return slices.Contains(line, w.ID) })
	if i < 0 {
		return desktop.Window{}, false, nil
	}
	return all[i], true, nil
}

// typeInto types the text while a window of its places has the focus, without
// the clipboard, and covers what it draws.
func (h *hands) typeInto(ctx context.Context, j *job) (typed int, err error) {
	if ok, err := h.focusIn(ctx, j.Into); err != nil {
		return 0, err
	} else if !ok { // before anything is covered for it
		return 0, deskhand.E("", deskhand.Denied, errElsewhere)
	}
	uncovered := func() {}
	if j.Covered {
		if uncovered, err = h.cover(ctx); err != nil {
			return 0, err
		}
	}
	defer uncovered()
	for rest := j.text; len(rest) > 0; rest = j.text[typed:] {
		kb, err := h.keyboard(ctx)
		if err != nil {
			return typed, err
		}
		n, err := h.typeBatch(ctx, kb, rest[:h.spares.fitting(kb, rest)], j.Into)
		typed += n
		if err != nil {
			return typed, err
		}
	}
	return typed, nil
}
