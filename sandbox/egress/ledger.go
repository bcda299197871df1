package egress

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
)

const (
	// quiet is how long equal refusals are counted before they are told again.
	quiet = 30 * time.Second
	// mostKinds bounds what a ledger tells apart: a program can invent hosts
	// without end.
	mostKinds = 500
)

// ledger holds what was judged until somebody takes it. The first of a kind is
// there at once; equal refusals after it are counted and told together.
type ledger struct {
	mu     sync.Mutex
	kinds  map[deskhand.NetworkJudged]*tally // with Count 0 as the key
	order  []*tally                          // those with something to tell, oldest first
	wake   chan struct{}                     // holds one
	closed bool
	now    func() time.Time
}

type tally struct {
	judged deskhand.NetworkJudged // with the count that was not told
	told   time.Time
}

func newLedger() *ledger {
	return &ledger{kinds: map[deskhand.NetworkJudged]*tally{}, wake: make(chan struct{}, 1), now: time.Now}
}

func (l *ledger) note(j deskhand.NetworkJudged) {
	l.mu.Lock()
	defer l.mu.Unlock()
	j.Count = 0
	t := l.kinds[j]
	if t == nil && len(l.kinds) >= mostKinds {
		if j.Allowed {
			return
		}
		j = deskhand.NetworkJudged{Rule: j.Rule, Reason: reasonOthers}
		t = l.kinds[j]
	}
	switch {
	case t == nil:
		t = &tally{judged: j}
		l.kinds[j] = t
	case j.Allowed:
		return // once is enough
	}
	if t.judged.Count++; t.judged.Count == 1 {
		l.order = append(l.order, t)
	}
	l.poke()
}

func (l *ledger) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// close makes take return what is left, and then io.EOF.
func (l *ledger) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.poke()
}

// take waits until there is something to tell and returns it. When ctx has
// ended it returns all that is left, at once, and after that the error of ctx.
func (l *ledger) take(ctx context.Context) ([]deskhand.NetworkJudged, error) {
	for {
		out, next, closed := l.due(ctx.Err() != nil)
		switch {
		case len(out) > 0:
			return out, nil
		case closed:
			return nil, io.EOF
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
		timer := time.NewTimer(next)
		select {
		case <-l.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// due returns what may be told now, all of it or what has waited long enough,
// and how long the next will wait.
func (l *ledger) due(all bool) (out []deskhand.NetworkJudged, next time.Duration, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	next = time.Hour
	var left []*tally
	for _, t := range l.order {
		wait := t.told.Add(quiet).Sub(now)
		if !all && !l.closed && wait > 0 {
			left, next = append(left, t), min(next, wait)
			continue
		}
		out = append(out, t.judged)
		t.judged.Count, t.told = 0, now
	}
	l.order = left
	if l.closed {
		l.poke() // for whoever else waits
	}
	return out, next, l.closed
}
