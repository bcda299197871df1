package x11

import (
	"context"
	"time"

	"github.com/deskhand/deskhand/internal/xwire"
)

// Limits of serving selections to other programs.
const (
	serveLimit   = 5 * time.Second // for the server to take one answer
	transferIdle = 30 * time.Second
	maxTransfers = 16 // long texts on their way at once
	piece        = 64 << 10
)

// transfer is a long text on its way to one program, piece by piece: the next
// is put into the property when the program has deleted the one before.
type transfer struct {
	target uint32
	rest   string
	last   time.Time
}

type transferKey struct{ window, property uint32 }

// serve handles events until the connection ends.
func (c *clipboard) serve(q *eventQueue) {
	defer close(c.done)
	for {
		select {
		case <-q.ready:
			for _, e := range q.take() {
				c.handle(e)
			}
		case <-c.conn.Done():
			return
		}
	}
}

// handle must not wait for replies: they may be behind events that it has yet
// to handle.
func (c *clipboard) handle(e []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), serveLimit)
	defer cancel()
	switch e[0] & 0x7f {
	case evSelectionRequest:
		c.answer(ctx, e)
	case evSelectionClear:
		c.mu.Lock()
		if s := le.Uint32(e[12:]); le.Uint32(e[4:])-c.since[s] < 1<<31 { // not older than our owning it
			delete(c.owned, s)
		}
		c.mu.Unlock()
	case evDestroyNotify:
		c.forget(le.Uint32(e[8:]))
	case evPropertyNotify:
		if window := le.Uint32(e[4:]); window != c.owner {
			const deleted = 1
			if e[16] == deleted {
				c.next(ctx, transferKey{window, le.Uint32(e[8:])})
			}
			return
		}
		c.tell(e)
	case evSelectionNotify:
		c.tell(e)
	case evClientMessage:
		if le.Uint32(e[8:]) == c.atoms["WM_PROTOCOLS"] && le.Uint32(e[12:]) == c.atoms["_NET_WM_PING"] {
			select {
			case c.pong <- le.Uint32(e[16:]):
			default:
			}
		}
	}
}

// tell hands an event to whoever reads a selection; nobody may be.
func (c *clipboard) tell(e []byte) {
	select {
	case c.incoming <- e:
	default:
	}
}

func (c *clipboard) forget(window uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.transfers {
		if k.window == window {
			delete(c.transfers, k)
		}
	}
}

// answer serves one SelectionRequest.
func (c *clipboard) answer(ctx context.Context, e []byte) {
	at, requestor, selection := le.Uint32(e[4:]), le.Uint32(e[12:]), le.Uint32(e[16:])
	target, name := le.Uint32(e[20:]), le.Uint32(e[24:])
	if name == 0 {
		name = target // programs from before 1989 leave it out
	}
	c.mu.Lock()
	text, ok := c.owned[selection]
	since := c.since[selection]
	c.mu.Unlock()
	var b xwire.Batch
	if !ok || requestor == c.owner || !c.put(&b, requestor, name, target, text, since) {
		name = 0 // refused
	}
	b.Req(opSendEvent, 0).U32(requestor, 0).U8(evSelectionNotify, 0, 0, 0).U32(at, requestor, selection, target, name, 0, 0)
	if c.conn.Send(ctx, &b) != nil || name == 0 || !c.isText(target) {
		return // a failure ends the connection, which others notice
	}
	select {
	case c.fetches <- requestor:
	default:
	}
}

func (c *clipboard) isText(target uint32) bool {
	a := c.atoms
	switch target {
	case a["UTF8_STRING"], a["TEXT"], a["text/plain;charset=utf-8"], a["text/plain"], atomString:
		return true
	}
	return false
}

// put adds the writing of the text, or of facts about it, to a requestor's
// property. It reports whether there is such a form of it.
func (c *clipboard) put(b *xwire.Batch, window, name, target uint32, text string, since uint32) bool {
	a := c.atoms
	switch {
	case target == a["TARGETS"]:
		putNumbers(b, window, name, atomAtom, a["TARGETS"], a["TIMESTAMP"], a["UTF8_STRING"], a["text/plain;charset=utf-8"], a["text/plain"], a["TEXT"], atomString)
	case target == a["TIMESTAMP"]:
		putNumbers(b, window, name, atomInteger, since)
	case c.isText(target):
		kind := target
		if target == a["TEXT"] {
			kind = a["UTF8_STRING"]
		}
		if target == atomString {
			text = toLatin1(text)
		}
		if len(text) <= piece {
			putText(b, window, name, kind, text)
			return true
		}
		return c.begin(b, transferKey{window, name}, kind, text)
	default:
		return false
	}
	return true
}

// begin starts sending a long text in pieces.
func (c *clipboard) begin(b *xwire.Batch, key transferKey, kind uint32, text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, t := range c.transfers {
		if time.Since(t.last) > transferIdle {
			delete(c.transfers, k)
		}
	}
	if len(c.transfers) >= maxTransfers {
		return false
	}
	c.transfers[key] = &transfer{target: kind, rest: text, last: time.Now()}
	const eventMask, propertyChange, structure = 1 << 11, 1 << 22, 1 << 17
	b.Req(opChangeWindowAttrs, 0).U32(key.window, eventMask, propertyChange|structure)
	putNumbers(b, key.window, key.property, c.atoms["INCR"], uint32(len(text)))
	return true
}

// next sends the next piece of a transfer.
func (c *clipboard) next(ctx context.Context, key transferKey) {
	c.mu.Lock()
	t := c.transfers[key]
	if t == nil {
		c.mu.Unlock()
		return
	}
	n := min(len(t.rest), piece)
	part := t.rest[:n]
	t.rest, t.last = t.rest[n:], time.Now()
	var b xwire.Batch
	if n == 0 {
		delete(c.transfers, key)
		if !c.sendsTo(key.window) {
			const eventMask = 1 << 11
			defer func() {
				var off xwire.Batch
				off.Req(opChangeWindowAttrs, 0).U32(key.window, eventMask, 0)
				_ = c.conn.Send(ctx, &off)
			}()
		}
	}
	c.mu.Unlock()
	putText(&b, key.window, key.property, t.target, part)
	_ = c.conn.Send(ctx, &b)
}

// sendsTo reports whether a transfer to window is left. The caller holds mu.
func (c *clipboard) sendsTo(window uint32) bool {
	for k := range c.transfers {
		if k.window == window {
			return true
		}
	}
	return false
}

func putNumbers(b *xwire.Batch, window, name, kind uint32, v ...uint32) {
	b.Req(opChangeProperty, 0).U32(window, name, kind).U8(32, 0, 0, 0).U32(uint32(len(v))).U32(v...)
}

func putText(b *xwire.Batch, window, name, kind uint32, text string) {
	b.Req(opChangeProperty, 0).U32(window, name, kind).U8(8, 0, 0, 0).U32(uint32(len(text))).Text(text)
}

// toLatin1 writes what STRING cannot hold as a question mark.
func toLatin1(text string) string {
	out := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			r = '?'
		}
		out = append(out, byte(r))
	}
	return string(out)
}
