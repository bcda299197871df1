// Package xwire is one connection to an X server: the handshake, requests in
// batches, replies with a limit, events.
//
// It knows the framing of the X11 protocol and no request of it. A batch is one
// write to the socket, and its requests are processed in order; waiting for a
// reply ends with the context, with the connection, or after ReplyLimit,
// whichever is first.
//
// Trust: the X server is trusted to frame its answers; sizes are bounded all
// the same. What other clients put into properties and events is theirs to
// choose, so whoever reads those bytes must treat them as hostile.
package xwire

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Named limits.
const (
	DialLimit  = 10 * time.Second // connecting and the handshake
	ReplyLimit = 5 * time.Second  // from a request to its reply
	WriteLimit = 5 * time.Second  // for the server to take one batch

	maxReply = 1 << 28 // bytes; the picture of a 8192x8192 display
)

// Errors of a connection. ErrClosed is final; after ErrTimeout the connection
// can still be used.
var (
	ErrClosed  = errors.New("the connection to the display is closed")
	ErrTimeout = fmt.Errorf("the display did not answer within %s", ReplyLimit)
)

// Error is an error answer of the X server.
type Error struct {
	Code  byte // 1 BadRequest, 2 BadValue, 3 BadWindow, …
	Major byte // opcode of the request
	Minor uint16
	Value uint32 // the offending value or resource
}

func (e *Error) Error() string {
	return fmt.Sprintf("the X server refused request %d.%d: error %d (value %#x)", e.Major, e.Minor, e.Code, e.Value)
}

// Config says where to connect.
type Config struct {
	Display   string // ":0", ":0.1", "host:0"
	Authority string // Xauthority file; default none

	// Event is called with every event, in order with replies, on the reading
	// goroutine: it must not block, and must copy what it keeps. Default none.
	Event func(event []byte)
}

// Conn is a connection. Its methods may be called concurrently.
type Conn struct {
	Setup Setup

	sock net.Conn
	read *bufio.Reader
	on   func([]byte)
	done chan struct{} // closed when the reader has ended
	turn chan struct{} // holds one token: the right to write

	mu      sync.Mutex // guards what is below
	sent    uint64     // requests sent so far; the number of the last one
	pending []*Reply   // in order of their numbers
	closed  bool
	nextID  uint32
}

// Dial connects and starts the reading goroutine, which ends with Close.
func Dial(ctx context.Context, c Config) (*Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, DialLimit, fmt.Errorf("no connection within %s", DialLimit))
	defer cancel()
	addr, err := parseDisplay(c.Display)
	if err != nil {
		return nil, err
	}
	sock, err := (&net.Dialer{}).DialContext(ctx, addr.network, addr.address)
	if err != nil {
		return nil, cmpCause(ctx, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = sock.SetDeadline(time.Unix(1, 0)) })
	setup, err := handshake(sock, addr, c.Authority)
	if !stop() || err != nil {
		sock.Close()
		return nil, cmpCause(ctx, err)
	}
	return newConn(sock, setup, c.Event), nil
}

func newConn(sock net.Conn, setup Setup, event func([]byte)) *Conn {
	conn := &Conn{
		Setup: setup, sock: sock, read: bufio.NewReaderSize(sock, 16<<10), on: event,
		done: make(chan struct{}), turn: make(chan struct{}, 1),
	}
	conn.turn <- struct{}{}
	go conn.receive()
	return conn
}

// cmpCause returns the reason why ctx ended, or err when it did not.
func cmpCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// Close closes the connection and returns when the reader has ended. Every
// wait ends with ErrClosed.
func (c *Conn) Close() {
	c.sock.Close()
	<-c.done
}

// Done is closed when the connection has ended, by Close or by the server.
func (c *Conn) Done() <-chan struct{} { return c.done }

// NewID returns a fresh resource id. Ids are not recycled, so allocate few.
func (c *Conn) NewID() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	step := c.Setup.idMask & -c.Setup.idMask
	c.nextID += step
	return c.Setup.idBase | c.nextID&c.Setup.idMask
}

// Send writes the batch, with one write.
func (c *Conn) Send(ctx context.Context, b *Batch) error {
	b.end()
	if ctx.Err() != nil { // the choice below is by chance when several are ready
		return context.Cause(ctx)
	}
	select {
	case <-c.turn:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.done:
		return ErrClosed
	}
	defer func() { c.turn <- struct{}{} }()
	if err := c.register(b); err != nil {
		return err
	}
	_ = c.sock.SetWriteDeadline(time.Now().Add(WriteLimit)) // fails only on a closed socket, as Write will
	if _, err := c.sock.Write(b.buf); err != nil {
		c.sock.Close() // a batch written by half cannot be mended
		return ErrClosed
	}
	return nil
}

// register numbers the batch's requests and queues its replies.
func (c *Conn) register(b *Batch) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	first := c.sent + 1
	c.sent += uint64(b.n)
	for _, r := range b.replies {
		r.conn, r.first, r.number = c, first, first+r.number
		c.pending = append(c.pending, r)
	}
	return nil
}

// Round sends the batch and waits until the server has processed all of it.
// The error may be that of any request in it.
func (c *Conn) Round(ctx context.Context, b *Batch) error {
	const getInputFocus = 43 // the smallest request that is answered
	r := b.Req(getInputFocus, 0).Want()
	if err := c.Send(ctx, b); err != nil {
		return err
	}
	_, err := r.Wait(ctx)
	return err
}

// receive reads until the connection ends.
func (c *Conn) receive() {
	defer close(c.done)
	defer c.sock.Close()
	head := make([]byte, 32)
	last := uint64(0)
	for {
		if _, err := io.ReadFull(c.read, head); err != nil {
			break
		}
		last = widen(last, binary.LittleEndian.Uint16(head[2:]), head[0] == keymapNotify)
		body := head
		if extra := extraLength(head); extra > maxReply {
			break
		} else if extra > 0 {
			body = make([]byte, 32+extra)
			copy(body, head)
			if _, err := io.ReadFull(c.read, body[32:]); err != nil {
				break
			}
		}
		c.deliver(body, last)
	}
	c.mu.Lock()
	c.closed, c.pending = true, nil // whoever waits sees done
	c.mu.Unlock()
}

// Kinds of what the server sends, its first byte.
const (
	answerError  = 0
	answerReply  = 1
	keymapNotify = 11 // the only event without a sequence number
	genericEvent = 35
)

func extraLength(head []byte) int64 {
	if k := head[0] & 0x7f; k == answerReply || k == genericEvent {
		return 4 * int64(binary.LittleEndian.Uint32(head[4:]))
	}
	return 0
}

// widen returns the whole number of which low is the lower half, the first
// that is not before last.
func widen(last uint64, low uint16, none bool) uint64 {
	if none {
		return last
	}
	full := last&^0xffff | uint64(low)
	if full < last {
		full += 1 << 16
	}
	return full
}

func (c *Conn) deliver(body []byte, number uint64) {
	switch body[0] {
	case answerReply:
		if r := c.take(number); r != nil {
			if len(body) == 32 {
				body = append([]byte(nil), body...) // the head is used again
			}
			r.ch <- answer{body, r.early}
		}
	case answerError:
		c.fail(number, &Error{
			Code: body[1], Major: body[10],
			Minor: binary.LittleEndian.Uint16(body[8:]), Value: binary.LittleEndian.Uint32(body[4:]),
		})
	default:
		if c.on != nil {
			c.on(body)
		}
	}
}

// take removes and returns the reply that number answers.
func (c *Conn) take(number uint64) *Reply {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.pending) > 0 && c.pending[0].number <= number {
		r := c.pending[0]
		c.pending = c.pending[1:]
		if r.number == number {
			return r
		}
	}
	return nil
}

// fail gives an error to the request it answers, or, when that expects no
// reply, to the next reply of the same batch.
func (c *Conn) fail(number uint64, err *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, r := range c.pending {
		if r.number == number {
			c.pending = append(c.pending[:i:i], c.pending[i+1:]...)
			r.ch <- answer{nil, err}
			return
		}
		if r.number > number {
			if r.first <= number && r.early == nil {
				r.early = err
			}
			return
		}
	}
}
