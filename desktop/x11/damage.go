package x11

import (
	"sync"
	"time"
)

// tracker knows whether something was drawn. The server reports the first
// drawing after each subtraction, so an idle driver costs nothing however much
// is drawn; whoever wants to hear of the next one subtracts again.
type tracker struct {
	mu          sync.Mutex // guards all below
	damageEvent byte       // kinds of events; 0 until known
	cursorEvent byte
	dirty       bool          // drawn since the last capture began
	cursor      bool          // the pointer's shape changed since the last look
	last        time.Time     // of the last event
	next        chan struct{} // closed at the next event
}

func newTracker() *tracker { return &tracker{next: make(chan struct{})} }

// event takes note of e and reports whether it was the tracker's. It is called
// by the connection's reader.
func (t *tracker) event(e []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch kind := e[0] & 0x7f; {
	case kind == t.damageEvent && t.damageEvent != 0:
		t.dirty, t.last = true, time.Now()
		close(t.next)
		t.next = make(chan struct{})
	case kind == t.cursorEvent && t.cursorEvent != 0:
		t.cursor = true
	default:
		return false
	}
	return true
}

func (t *tracker) know(damage, cursor byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.damageEvent, t.cursorEvent = damage, cursor
}

// isDirty reports whether something was drawn since the last clean.
func (t *tracker) isDirty() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dirty
}

// clean starts a new period. It is called before the server is asked to
// subtract, so that no drawing can fall in between.
func (t *tracker) clean() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dirty = false
}

func (t *tracker) soil() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dirty = true
}

// takeCursor reports whether the pointer's shape changed since the last call.
func (t *tracker) takeCursor() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.cursor
	t.cursor = false
	return was
}

// upcoming returns a channel that is closed at the next drawing, and when the
// last one was.
func (t *tracker) upcoming() (<-chan struct{}, time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next, t.last
}
