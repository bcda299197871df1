package stack

import (
	"slices"
	"sync"
	"time"

	"github.com/deskhand/deskhand/internal/guestapi"
)

// State of a program, as guestapi.Program.State.
const (
	starting = "starting"
	ready    = "ready"
	backoff  = "backoff"
	failed   = "failed"
)

// maxNotices bounds what is remembered. The oldest go first; a reader that is
// that far behind has missed nothing but repetitions.
const maxNotices = 1000

// board is where the supervisors write how things stand and everybody else
// reads it. Methods may be called concurrently.
type board struct {
	mu       sync.Mutex
	programs []guestapi.Program
	notices  []guestapi.Notice
	last     int64
	failed   string
	changed  chan struct{} // closed and replaced at every change
}

func newBoard(names ...string) *board {
	b := &board{changed: make(chan struct{})}
	for _, name := range names {
		b.programs = append(b.programs, guestapi.Program{Name: name, State: starting, Restarts: -1})
	}
	return b
}

// change applies f under the lock and wakes who waits.
func (b *board) change(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
	close(b.changed)
	b.changed = make(chan struct{})
}

// row applies f to the program of that name.
func (b *board) row(name string, f func(*guestapi.Program)) {
	b.change(func() {
		for i := range b.programs {
			if b.programs[i].Name == name {
				f(&b.programs[i])
			}
		}
	})
}

func (b *board) starting(name string) {
	b.row(name, func(p *guestapi.Program) { p.State, p.PID = starting, 0; p.Restarts++ })
}

func (b *board) ready(name string, pid int) {
	b.row(name, func(p *guestapi.Program) { p.State, p.PID = ready, pid })
}

func (b *board) down(name, state string) {
	b.row(name, func(p *guestapi.Program) { p.State, p.PID = state, 0 })
}

// notice records one sentence in fixed words.
func (b *board) notice(text string) {
	b.change(func() {
		b.last++
		b.notices = append(b.notices, guestapi.Notice{N: b.last, Time: time.Now().UTC(), Text: text})
		if len(b.notices) > maxNotices {
			b.notices = slices.Delete(b.notices, 0, len(b.notices)-maxNotices)
		}
	})
}

// fail records why the stack will never be ready. The first reason stays.
func (b *board) fail(reason string) {
	b.change(func() {
		if b.failed == "" {
			b.failed = reason
		}
	})
}

// health returns copies of everything.
func (b *board) health() (programs []guestapi.Program, notices []guestapi.Notice, isReady bool, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	isReady = b.failed == ""
	programs = slices.Clone(b.programs)
	for i := range programs {
		isReady = isReady && programs[i].State == ready
		programs[i].Restarts = max(programs[i].Restarts, 0)
	}
	return programs, slices.Clone(b.notices), isReady, b.failed
}

// news returns a channel that is closed at the next change.
func (b *board) news() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}
