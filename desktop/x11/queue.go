package x11

import "sync"

// maxQueued bounds events that wait to be handled. Other programs can send any
// number; those beyond are dropped, and their senders time out.
const maxQueued = 1024

// eventQueue hands events from the connection's reader, which must not block,
// to the goroutine that serves the clipboard.
type eventQueue struct {
	mu     sync.Mutex
	events [][]byte
	ready  chan struct{} // has a token when there are events
}

func newEventQueue() *eventQueue { return &eventQueue{ready: make(chan struct{}, 1)} }

func (q *eventQueue) put(e []byte) {
	switch e[0] & 0x7f {
	case evPropertyNotify, evSelectionClear, evSelectionRequest, evSelectionNotify, evClientMessage, evDestroyNotify:
	default:
		return // keyboard map changes and the like
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.events) >= maxQueued {
		return
	}
	q.events = append(q.events, append([]byte(nil), e...))
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

func (q *eventQueue) take() [][]byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	events := q.events
	q.events = nil
	return events
}
