package stack

import (
	"context"
	"sync"
	"time"
)

// Bounds of restarting.
const (
	firstDelay   = 100 * time.Millisecond
	longestDelay = 10 * time.Second
	restartSpan  = time.Minute
	maxRestarts  = 8 // within restartSpan
	maxAttempts  = 3 // of a program that has never been ready: it never will be
)

// running is a program that became ready.
type running interface {
	pid() int
	done() <-chan struct{} // closed when it has ended
	stop()                 // ends it and waits
}

// service is one program to keep running.
type service struct {
	name  string // of the program, "mutter"
	title string // "The window manager"
	lost  string // what its restart costs, added to the notice; may be empty
	// start starts the program and returns when it is ready. Its error is one
	// clause that says what is wrong.
	start func(ctx context.Context) (running, error)
	// with runs while the program does, for what depends on it: its ctx ends
	// with the program. May be nil.
	with func(ctx context.Context, r running)
}

// supervise keeps v running until ctx ends or its budget is used up, and
// returns when nothing of it, nor of what depends on it, runs any more.
func (s *Stack) supervise(ctx context.Context, v service) {
	var (
		b     budget
		times int // it was ready
	)
	for {
		s.board.starting(v.name)
		r, err := v.start(ctx)
		if err == nil {
			times++
			s.log.Debug("program is ready", "program", v.name, "pid", r.pid())
			s.board.ready(v.name, r.pid())
			if times > 1 {
				s.board.notice(v.title + " stopped and was started again." + v.lost)
			}
			attend(ctx, v, r)
		}
		if ctx.Err() != nil {
			s.board.down(v.name, starting)
			return
		}
		delay, ok := b.next(time.Now(), times > 0)
		if !ok {
			s.board.down(v.name, failed)
			s.board.fail(sentence(v, err))
			return
		}
		s.log.Warn("program ended", "program", v.name, "err", err, "delay", delay)
		s.board.down(v.name, backoff)
		if !pause(ctx, delay) {
			return
		}
	}
}

// attend returns when r has ended, by itself or because ctx did, and what
// depends on it has too.
func attend(ctx context.Context, v service, r running) {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	var dependents sync.WaitGroup
	if v.with != nil {
		dependents.Go(func() { v.with(inner, r) })
	}
	select {
	case <-r.done():
	case <-ctx.Done():
	}
	cancel()
	dependents.Wait() // what stands on it goes first
	r.stop()
}

func sentence(v service, err error) string {
	if err != nil {
		return v.title + " (" + v.name + ") could not be started: " + err.Error() + "."
	}
	return v.title + " (" + v.name + ") keeps stopping; it was not started again."
}

// budget says when a program may be started again. The zero value is full.
type budget struct {
	deaths []time.Time
	delay  time.Duration
}

// next takes one restart from the budget and returns how long to wait first. A
// program that stays up for restartSpan starts over with a full budget.
func (b *budget) next(now time.Time, everReady bool) (time.Duration, bool) {
	if n := len(b.deaths); n == 0 || now.Sub(b.deaths[n-1]) > restartSpan {
		b.deaths, b.delay = nil, firstDelay
	} else {
		b.delay = min(2*b.delay, longestDelay)
	}
	b.deaths = append(b.deaths, now)
	recent := 0
	for _, t := range b.deaths {
		if now.Sub(t) <= restartSpan {
			recent++
		}
	}
	if !everReady && recent >= maxAttempts {
		return 0, false
	}
	return b.delay, recent <= maxRestarts
}

// pause waits for d and reports whether ctx still goes on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
