package x11

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/deskhand/deskhand/internal/xwire"
)

// heard is the keymap that a window's program is known to have heard of.
type heard struct {
	window uint32
	raw    []byte
}

// hear waits until the program with the focus has heard of the keymap on every
// connection that it has.
//
// On one connection a new map and the keys after it come in order. But Chromium
// reads keys on a connection of its own and has GTK say, which has another, what
// is on them: GTK may not have come to the new map when the first keys are
// looked up, and these are lost. A ping to a window of that other connection is
// answered after what came before it, and so after the map.
func (h *hands) hear(ctx context.Context, kb *keyboard) error {
	window, _, err := h.focused(ctx)
	if err != nil || window == 0 {
		return err
	}
	if h.heard.window == window && bytes.Equal(h.heard.raw, kb.raw) {
		return nil
	}
	others, err := h.otherConnections(ctx, window)
	if err != nil {
		return err
	}
	until := time.Now().Add(heardLimit)
	for _, other := range others {
		if _, err := h.ping(ctx, other, time.Until(until)); err != nil { // no answer: it hangs, and takes no keys either
			return err
		}
	}
	h.heard = heard{window, kb.raw}
	return nil
}

// maxChildren bounds the windows that are asked whose they are.
const maxChildren = 1024

// otherConnections returns for every further connection of the program that
// window belongs to one window that answers pings.
func (h *hands) otherConnections(ctx context.Context, window uint32) (others []uint32, err error) {
	var b xwire.Batch
	tree := b.Req(opQueryTree, 0).U32(h.conn.Setup.Root).Want()
	whose := askProperty(&b, window, h.atoms["_NET_WM_PID"], 4)
	if err := h.conn.Send(ctx, &b); err != nil {
		return nil, err
	}
	children, err := tree.Wait(ctx)
	if err != nil {
		return nil, err
	}
	pid, err := numbersOf(ctx, whose)
	if err != nil || len(pid) == 0 {
		return nil, err
	}
	ids := property{format: 32, value: children[32:]}.numbers()
	ids = slices.DeleteFunc(ids[:min(len(ids), maxChildren)], func(id uint32) bool { return h.conn.Setup.SameClient(id, window) })
	var q xwire.Batch
	pids, protocols := make([]*xwire.Reply, len(ids)), make([]*xwire.Reply, len(ids))
	for i, id := range ids {
		pids[i] = askProperty(&q, id, h.atoms["_NET_WM_PID"], 4)
		protocols[i] = askProperty(&q, id, h.atoms["WM_PROTOCOLS"], maxStates)
	}
	if err := h.conn.Send(ctx, &q); err != nil {
		return nil, err
	}
	for i, id := range ids {
		p, err := numbersOf(ctx, pids[i])
		if err != nil {
			return nil, err
		}
		does, err := numbersOf(ctx, protocols[i])
		if err != nil {
			return nil, err
		}
		known := slices.ContainsFunc(others, func(o uint32) bool { return h.conn.Setup.SameClient(o, id) })
		if !known && slices.Equal(p, pid) && slices.Contains(does, h.atoms["_NET_WM_PING"]) {
			others = append(others, id)
		}
	}
	return others, nil
}

// numbersOf waits for a property of numbers; that of a window that is gone has
// none.
func numbersOf(ctx context.Context, r *xwire.Reply) ([]uint32, error) {
	raw, err := r.Wait(ctx)
	if isRefusal(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return readProperty(raw).numbers(), nil
}
