package xwire

import (
	"context"
	"encoding/binary"
	"time"
)

// Batch is requests that go out in one write. The zero value is empty. A batch
// is sent once and by one goroutine.
type Batch struct {
	buf     []byte
	start   int // of the request being built
	n       int // requests
	replies []*Reply
}

// Reply is an answer to come.
type Reply struct {
	conn   *Conn
	ch     chan answer
	first  uint64 // number of the batch's first request
	number uint64 // of the request; its index in the batch until sent
	early  *Error // of an unanswered request before this one in the batch
}

type answer struct {
	body []byte
	err  *Error
}

// Req begins a request. For one of an extension op is the extension's major
// opcode and data its minor one.
func (b *Batch) Req(op, data byte) *Batch {
	b.end()
	b.start = len(b.buf)
	b.buf = append(b.buf, op, data, 0, 0)
	b.n++
	return b
}

// U8 appends bytes to the request.
func (b *Batch) U8(v ...byte) *Batch {
	b.buf = append(b.buf, v...)
	return b
}

// U16 appends 16-bit numbers to the request.
func (b *Batch) U16(v ...uint16) *Batch {
	for _, x := range v {
		b.buf = binary.LittleEndian.AppendUint16(b.buf, x)
	}
	return b
}

// U32 appends 32-bit numbers to the request.
func (b *Batch) U32(v ...uint32) *Batch {
	for _, x := range v {
		b.buf = binary.LittleEndian.AppendUint32(b.buf, x)
	}
	return b
}

// Text appends bytes to the request.
func (b *Batch) Text(s string) *Batch {
	b.buf = append(b.buf, s...)
	return b
}

// Len returns the number of requests.
func (b *Batch) Len() int { return b.n }

// Want says that the request being built has a reply, and returns it.
func (b *Batch) Want() *Reply {
	r := &Reply{ch: make(chan answer, 1), number: uint64(b.n - 1)}
	b.replies = append(b.replies, r)
	return r
}

const maxWords = 0xffff // of one request

// end pads the request being built and fills in its length.
func (b *Batch) end() {
	if b.n == 0 {
		return
	}
	for (len(b.buf)-b.start)%4 != 0 {
		b.buf = append(b.buf, 0)
	}
	words := (len(b.buf) - b.start) / 4
	if words > maxWords {
		panic("xwire: a request of more than 262140 bytes") // unreachable unless a caller does not cut what it sends
	}
	binary.LittleEndian.PutUint16(b.buf[b.start+2:], uint16(words))
}

// Wait returns the reply, at least 32 bytes. An *Error is also that of a
// request before it in the same batch which has no reply of its own.
func (r *Reply) Wait(ctx context.Context) ([]byte, error) {
	select { // without a timer when it is there already
	case a := <-r.ch:
		return a.result()
	default:
	}
	limit := time.NewTimer(ReplyLimit)
	defer limit.Stop()
	select {
	case a := <-r.ch:
		return a.result()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-limit.C:
		return nil, ErrTimeout
	case <-r.conn.done:
		select { // it may have come with the connection's last words
		case a := <-r.ch:
			return a.result()
		default:
			return nil, ErrClosed
		}
	}
}

func (a answer) result() ([]byte, error) {
	if a.err != nil {
		return nil, a.err
	}
	return a.body, nil
}
