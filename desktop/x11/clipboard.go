package x11

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/xwire"
)

// Limits of the clipboard.
const (
	MaxClipboard = 8 << 20 // bytes of text

	ownerLimit = 3 * time.Second // for the owner of a selection to answer, and for each piece of a long one
)

// clipboard owns and reads selections. One goroutine serves what it owns for
// as long as the connection lives.
type clipboard struct {
	conn  *xwire.Conn
	ext   extensions
	atoms atoms
	owner uint32 // window that owns selections and receives them
	done  chan struct{}

	turn     chan struct{} // holds one token: the right to read or own
	incoming chan []byte   // events about what was asked for
	round    int           // which property the next answer goes to

	mu        sync.Mutex        // guards what is below
	owned     map[uint32]string // selection → text
	since     map[uint32]uint32 // selection → server time of owning it
	transfers map[transferKey]*transfer

	pong    chan uint32 // answers to pings
	fetches chan uint32 // windows whose programs have fetched a text of ours
}

func newClipboard(ctx context.Context, c *xwire.Conn, ext extensions, a atoms, q *eventQueue) (*clipboard, error) {
	b := &clipboard{
		conn: c, ext: ext, atoms: a, owner: c.NewID(), done: make(chan struct{}),
		turn: make(chan struct{}, 1), incoming: make(chan []byte, 64), pong: make(chan uint32, 4), fetches: make(chan uint32, 16),
		owned: map[uint32]string{}, since: map[uint32]uint32{}, transfers: map[transferKey]*transfer{},
	}
	b.turn <- struct{}{}
	go b.serve(q)
	const inputOnly, eventMask, propertyChange = 2, 1 << 11, 1 << 22
	var batch xwire.Batch
	batch.Req(opCreateWindow, 0).U32(b.owner, c.Setup.Root).U16(0, 0, 1, 1, 0, inputOnly).U32(0, eventMask, propertyChange)
	if err := c.Round(ctx, &batch); err != nil {
		return b, err
	}
	return b, nil
}

// wait returns when the serving goroutine has ended, after the connection.
func (c *clipboard) wait() { <-c.done }

func (c *clipboard) acquire(ctx context.Context) (giveBack func(), err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case <-c.turn:
		return func() { c.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-c.conn.Done():
		return nil, xwire.ErrClosed
	}
}

// SetClipboard implements desktop.Desktop. The text stays there while d lives.
func (d *Desktop) SetClipboard(ctx context.Context, text string) error {
	switch {
	case len(text) > MaxClipboard:
		return invalid("The clipboard holds up to %d bytes.", MaxClipboard)
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return invalid("The text is not valid UTF-8 without NUL.")
	}
	return failure(ctx, "x11: set clipboard", d.clip.own(ctx, text, d.atoms["CLIPBOARD"]))
}

// own makes text the content of selections.
func (c *clipboard) own(ctx context.Context, text string, selections ...uint32) error {
	giveBack, err := c.acquire(ctx)
	if err != nil {
		return err
	}
	defer giveBack()
	now, err := c.serverTime(ctx)
	if err != nil {
		return err
	}
	for _, s := range selections {
		c.mu.Lock()
		c.owned[s], c.since[s] = text, now
		c.mu.Unlock()
		var b xwire.Batch
		b.Req(opSetSelectionOwner, 0).U32(c.owner, s, now)
		r, err := ask(ctx, c.conn, &b, b.Req(opGetSelectionOwner, 0).U32(s).Want())
		if err != nil {
			return err
		}
		if le.Uint32(r[8:]) != c.owner {
			return deskhand.Errorf("", deskhand.Unavailable, "another program took the clipboard at the same moment")
		}
	}
	return nil
}

// serverTime returns the X server's clock, which selections are dated by. The
// server tells it when a property of ours changes.
func (c *clipboard) serverTime(ctx context.Context) (uint32, error) {
	c.drain()
	var b xwire.Batch
	const appendMode = 2
	name := c.atoms["TIMESTAMP"]
	b.Req(opChangeProperty, appendMode).U32(c.owner, name, atomString).U8(8, 0, 0, 0).U32(0)
	if err := c.conn.Send(ctx, &b); err != nil {
		return 0, err
	}
	e, err := c.await(ctx, func(e []byte) bool { return e[0]&0x7f == evPropertyNotify && le.Uint32(e[8:]) == name })
	if err != nil {
		return 0, err
	}
	return le.Uint32(e[12:]), nil
}

func (c *clipboard) drain() {
	for {
		select {
		case <-c.incoming:
		default:
			return
		}
	}
}

// errOwner says that another program does not do its part.
var errOwner = fmt.Errorf("the program that owns the clipboard did not answer within %s", ownerLimit)

// await returns the next event that want accepts.
func (c *clipboard) await(ctx context.Context, want func([]byte) bool) ([]byte, error) {
	limit := time.NewTimer(ownerLimit)
	defer limit.Stop()
	for {
		select {
		case e := <-c.incoming:
			if want(e) {
				return e, nil
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-limit.C:
			return nil, errOwner
		case <-c.conn.Done():
			return nil, xwire.ErrClosed
		}
	}
}

// Clipboard implements desktop.Desktop.
func (d *Desktop) Clipboard(ctx context.Context) (string, error) {
	text, err := d.clip.text(ctx, d.atoms["CLIPBOARD"])
	if errors.Is(err, errOwner) {
		return "", deskhand.E("x11: clipboard", deskhand.Unavailable, err)
	}
	return text, failure(ctx, "x11: clipboard", err)
}

// text reads a selection.
func (c *clipboard) text(ctx context.Context, selection uint32) (string, error) {
	giveBack, err := c.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer giveBack()
	var b xwire.Batch
	r, err := ask(ctx, c.conn, &b, b.Req(opGetSelectionOwner, 0).U32(selection).Want())
	if err != nil {
		return "", err
	}
	switch le.Uint32(r[8:]) {
	case 0:
		return "", nil
	case c.owner:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.owned[selection], nil
	}
	for _, target := range []uint32{c.atoms["UTF8_STRING"], atomString} {
		raw, ok, err := c.convert(ctx, selection, target)
		if err != nil {
			return "", err
		}
		if ok {
			return property{kind: target, format: 8, value: raw}.text(c.atoms["UTF8_STRING"]), nil
		}
	}
	return "", nil // it holds no text
}

// convert asks the owner for the selection as target; ok is false when it has
// no such form.
func (c *clipboard) convert(ctx context.Context, selection, target uint32) (raw []byte, ok bool, err error) {
	c.drain()
	c.round++ // an answer to an earlier, abandoned question goes elsewhere
	name := c.atoms[fmt.Sprintf("_DESKHAND_%d", c.round%4)]
	now := uint32(0)
	var b xwire.Batch
	b.Req(opDeleteProperty, 0).U32(c.owner, name)
	b.Req(opConvertSelection, 0).U32(c.owner, selection, target, name, now)
	if err := c.conn.Send(ctx, &b); err != nil {
		return nil, false, err
	}
	e, err := c.await(ctx, func(e []byte) bool {
		p := le.Uint32(e[20:])
		return e[0]&0x7f == evSelectionNotify && le.Uint32(e[12:]) == selection && le.Uint32(e[16:]) == target && (p == 0 || p == name)
	})
	if err != nil || le.Uint32(e[20:]) == 0 {
		return nil, false, err
	}
	p, err := c.takeProperty(ctx, name)
	if err != nil {
		return nil, false, err
	}
	if p.kind == c.atoms["INCR"] {
		raw, err = c.pieces(ctx, name)
		return raw, err == nil, err
	}
	return p.value, p.format == 8, nil
}

// takeProperty reads a property of our window and deletes it.
func (c *clipboard) takeProperty(ctx context.Context, name uint32) (property, error) {
	var b xwire.Batch
	const deleteIt = 1
	r, err := ask(ctx, c.conn, &b, b.Req(opGetProperty, deleteIt).U32(c.owner, name, 0, 0, MaxClipboard/4).Want())
	if err != nil {
		return property{}, err
	}
	p := readProperty(r)
	if p.after > 0 {
		return property{}, errTooLong
	}
	return p, nil
}

var errTooLong = deskhand.Errorf("x11: clipboard", deskhand.OverLimit, "the clipboard holds more than %d bytes", MaxClipboard)

// pieces reads a selection that comes in pieces: each is put into the property
// after the one before has been taken; an empty one is the end.
func (c *clipboard) pieces(ctx context.Context, name uint32) (all []byte, err error) {
	for {
		_, err := c.await(ctx, func(e []byte) bool {
			const newValue = 0
			return e[0]&0x7f == evPropertyNotify && le.Uint32(e[8:]) == name && e[16] == newValue
		})
		if err != nil {
			return nil, err
		}
		p, err := c.takeProperty(ctx, name)
		if err != nil {
			return nil, err
		}
		if len(p.value) == 0 {
			return all, nil
		}
		if len(all)+len(p.value) > MaxClipboard {
			return nil, errTooLong
		}
		all = append(all, p.value...)
	}
}
