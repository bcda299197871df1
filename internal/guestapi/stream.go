package guestapi

import (
	"errors"
	"io"
	"sync"
)

// ErrWindow says that a peer sent more than it had credit for.
var ErrWindow = errors.New("the peer sent more than its window")

// Credit is how many bytes may still be sent on one stream. Methods may be
// called concurrently.
type Credit struct {
	mu   sync.Mutex
	cond sync.Cond
	n    int
	done bool
}

// NewCredit returns a Credit of Window bytes.
func NewCredit() *Credit {
	c := &Credit{n: Window}
	c.cond.L = &c.mu
	return c
}

// Take waits for credit and takes up to most bytes of it. It returns 0 once
// the credit is closed.
func (c *Credit) Take(most int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.n == 0 && !c.done {
		c.cond.Wait()
	}
	if c.done {
		return 0
	}
	n := min(most, c.n)
	c.n -= n
	return n
}

// Give adds n bytes. A peer that gives more than a Window altogether is wrong.
func (c *Credit) Give(n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n+n > Window {
		return ErrWindow
	}
	c.n += n
	c.cond.Broadcast()
	return nil
}

// Close ends every Take, now and later.
func (c *Credit) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = true
	c.cond.Broadcast()
}

// Queue holds what arrived on one stream until it is read: at most Window
// bytes. Push and End are for the receiver, Read for the consumer.
type Queue struct {
	grant func(n int) // tells the peer that n more bytes fit

	mu    sync.Mutex
	cond  sync.Cond
	buf   []byte // unread
	eaten int    // read and not yet granted
	end   error
}

// NewQueue returns an empty queue. grant is called from Read, without locks.
func NewQueue(grant func(n int)) *Queue {
	q := &Queue{grant: grant}
	q.cond.L = &q.mu
	return q
}

// Push adds a copy of p. It never waits; beyond the window it is ErrWindow.
func (q *Queue) Push(p []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.end != nil {
		return nil
	}
	if len(q.buf)+q.eaten+len(p) > Window {
		return ErrWindow
	}
	q.buf = append(q.buf, p...)
	q.cond.Broadcast()
	return nil
}

// End makes Read return err after what is queued. The first End counts.
func (q *Queue) End(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.end == nil {
		q.end = err
	}
	q.cond.Broadcast()
}

// Discard drops what is queued and what still comes, and grants it, so that
// the peer is not held up by a stream that nobody reads.
func (q *Queue) Discard() { _, _ = io.Copy(io.Discard, q) }

// Read waits for bytes or the end.
func (q *Queue) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, grant, err := q.take(p)
	if grant > 0 {
		q.grant(grant)
	}
	return n, err
}

func (q *Queue) take(p []byte) (n, grant int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.buf) == 0 && q.end == nil {
		q.cond.Wait()
	}
	if len(q.buf) == 0 {
		return 0, 0, q.end
	}
	n = copy(p, q.buf)
	if q.buf = q.buf[n:]; len(q.buf) == 0 {
		q.buf = nil
	}
	q.eaten += n
	// A grant for every read would be a frame for every read.
	if q.end == nil && q.eaten >= Window/4 {
		grant, q.eaten = q.eaten, 0
	}
	return n, grant, nil
}

var _ io.Reader = (*Queue)(nil)
