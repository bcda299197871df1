package x11

import (
	"context"
	"slices"
	"time"

	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/xwire"
)

// Limits of waiting for programs to read what was typed.
const (
	pongLimit   = 2 * time.Second        // for a program that answers pings
	heardLimit  = 8 * time.Second        // for one to hear of a new keymap on all its other connections
	quietTyping = 400 * time.Millisecond // of no drawing, for one that does not
	busyTyping  = 3 * time.Second        // at most, when it draws all the time
)

// caughtUp waits until the program with the focus has read the keys typed so
// far. Programs answer a _NET_WM_PING in order with their other events, so its
// answer says just that. One that does not take pings (xterm) shows what it
// reads: it is given time until nothing is drawn any more.
func (h *hands) caughtUp(ctx context.Context) error {
	_, sure, err := h.answers(ctx)
	if sure || err != nil {
		return err
	}
	_, err = h.screen.watch(ctx, desktop.Wait{Quiet: quietTyping, Limit: busyTyping}, time.Now(), true)
	return err
}

// answers returns the window with the focus, and whether its program has told
// that it has read all keys typed so far.
func (h *hands) answers(ctx context.Context) (window uint32, sure bool, err error) {
	window, pings, err := h.focused(ctx)
	if err == nil && pings {
		sure, err = h.ping(ctx, window, pongLimit)
	}
	return window, sure, err
}

// focused returns the active window and whether it takes pings.
func (h *hands) focused(ctx context.Context) (window uint32, pings bool, err error) {
	var b xwire.Batch
	r, err := ask(ctx, h.conn, &b, askProperty(&b, h.conn.Setup.Root, h.atoms["_NET_ACTIVE_WINDOW"], 4))
	if err != nil {
		return 0, false, err
	}
	if window = readProperty(r).number(); window == 0 {
		return 0, false, nil
	}
	var p xwire.Batch
	r, err = ask(ctx, h.conn, &p, askProperty(&p, window, h.atoms["WM_PROTOCOLS"], maxStates))
	if isRefusal(err) {
		return 0, false, nil // it closed meanwhile
	}
	if err != nil {
		return 0, false, err
	}
	return window, slices.Contains(readProperty(r).numbers(), h.atoms["_NET_WM_PING"]), nil
}

// ping asks the program whether it is alive, and waits for the answer, which
// goes to the root window, within a limit. The time in it is a number of ours, so that the
// window manager does not take it for an answer to its own.
func (h *hands) ping(ctx context.Context, window uint32, within time.Duration) (ok bool, err error) {
	const eventMask, substructureNotify = 1 << 11, 1 << 19
	root := h.conn.Setup.Root
	listen := func(mask uint32) error {
		var b xwire.Batch
		b.Req(opChangeWindowAttrs, 0).U32(root, eventMask, mask)
		return h.conn.Round(ctx, &b)
	}
	if err := listen(substructureNotify); err != nil {
		return false, err
	}
	h.pings++
	id := pingBase + h.pings
	var b xwire.Batch
	b.Req(opSendEvent, 0).U32(window, 0).U8(evClientMessage, 32, 0, 0).
		U32(window, h.atoms["WM_PROTOCOLS"], h.atoms["_NET_WM_PING"], id, window, 0, 0)
	if err := h.conn.Send(ctx, &b); err != nil {
		return false, err
	}
	limit := time.NewTimer(within)
	defer limit.Stop()
	for !ok && err == nil {
		select {
		case got := <-h.clip.pong:
			ok = got == id
		case <-limit.C:
			return false, listen(0)
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-h.conn.Done():
			err = xwire.ErrClosed
		}
	}
	if err != nil {
		return false, err
	}
	return true, listen(0)
}

// pingBase is far from the server's clock of any display that is younger than
// 40 days.
const pingBase = 0xd0000000
