package x11

import (
	"context"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/xwire"
)

// How a drag is made. Waits grow with the time that the program takes: one that
// is slow to begin a drag is slow to find out what its target says.
const (
	dragSteps = 10
	dragPause = 8 // ms between steps, kept by the X server, so that programs see a path and not a jump

	beginLeast   = 100 * time.Millisecond  // for a program to begin a drag and drop after the path, at least
	beginMost    = 1500 * time.Millisecond // at most
	beginFactor  = 10                      // times what it took at most to answer a ping
	answerLeast  = 250 * time.Millisecond  // that the target's answer must stand, at least
	answerFactor = 3                       // times what the program took to begin
	answerMost   = 3 * time.Second         // at most, and for all answers together
	nudgePause   = 30 * time.Millisecond   // between moves over the target
)

// doDrag goes through points in between: toolkits begin a drag only after a few
// pixels of motion, and look for a target at each motion. When a program has
// made it a drag and drop, the button comes up only after the target had time
// to answer.
func (h *hands) doDrag(ctx context.Context, j *job) error {
	from, to := *j.From, *j.Point
	codes, err := h.modifierCodes(ctx, j)
	if err != nil {
		return err
	}
	before, pressed := h.signs.read(), time.Now()
	var b xwire.Batch
	h.motion(&b, from, 0)
	for _, code := range codes {
		h.key(&b, code, true)
	}
	h.press(&b, buttons[j.Button], 0, false)
	if err := h.land(ctx, &b, &from); err != nil {
		return err
	}
	follows := pace{pings: true}
	for i := 1; i <= dragSteps; i++ {
		at := deskhand.ScreenPoint{X: from.X + (to.X-from.X)*i/dragSteps, Y: from.Y + (to.Y-from.Y)*i/dragSteps}
		if err := h.step(ctx, at, &follows); err != nil {
			return err
		}
	}
	if err := h.hover(ctx, before, pressed, from, to, &follows); err != nil {
		return err
	}
	var end xwire.Batch
	h.release(&end, buttons[j.Button], dragPause)
	for i := range codes {
		h.key(&end, codes[len(codes)-1-i], false)
	}
	return h.land(ctx, &end, &to)
}

// pace is how quickly the program under the pointer follows.
type pace struct {
	pings   bool          // it answers pings
	slowest time.Duration // of its answers
}

// step moves on and waits until the program has read it, where it says so:
// moves that it finds together are one to it, and a path that is read so
// becomes a jump.
func (h *hands) step(ctx context.Context, to deskhand.ScreenPoint, p *pace) error {
	var b xwire.Batch
	h.motion(&b, to, dragPause)
	if err := h.land(ctx, &b, &to); err != nil {
		return err
	}
	return h.follow(ctx, p)
}

// follow waits for the answer to a ping.
func (h *hands) follow(ctx context.Context, p *pace) (err error) {
	if !p.pings {
		return nil
	}
	asked := time.Now()
	if _, p.pings, err = h.answers(ctx); err == nil && p.pings {
		p.slowest = max(p.slowest, time.Since(asked))
	}
	return err
}

// hover stays over the target of a drag and drop until it has answered. A drag
// that no program takes for one is at its end when they had time to.
func (h *hands) hover(ctx context.Context, before sign, pressed time.Time, from, to deskhand.ScreenPoint, p *pace) error {
	begun, err := h.begins(ctx, before, p)
	if err != nil || !begun {
		return err
	}
	return h.nudge(ctx, from, to, max(answerLeast, min(answerMost, answerFactor*h.signs.read().begun.Sub(pressed))))
}

// begins waits until a program has made the drag a drag and drop. How long that
// may take is told by how long its answers to pings take: the part of a browser
// that begins a drag is another than the one that answers, but waits for the
// same processors.
func (h *hands) begins(ctx context.Context, before sign, p *pace) (bool, error) {
	for start := time.Now(); h.signs.read().drags == before.drags; {
		left := time.Until(start.Add(min(beginMost, max(beginLeast, beginFactor*p.slowest))))
		if left <= 0 {
			return false, nil
		}
		if _, err := h.signs.wait(ctx, h.conn, min(left, nudgePause)); err != nil {
			return false, err
		}
		if err := h.follow(ctx, p); err != nil {
			return false, err
		}
	}
	return true, nil
}

// nudge moves by a pixel and back until the pointer has kept its shape for a
// while. What the target says, programs look up at each move: Chromium asks the
// page then, and goes by the answer at the next.
func (h *hands) nudge(ctx context.Context, from, to deskhand.ScreenPoint, while time.Duration) error {
	beside := to
	beside.X += towards(to.X, from.X)
	if beside == to {
		beside.Y += towards(to.Y, from.Y)
	}
	start, last := time.Now(), h.signs.read().shapes
	deadline := start.Add(while)
	for i := 0; time.Now().Before(deadline); i++ {
		at := to
		if i%2 == 0 {
			at = beside
		}
		var b xwire.Batch
		h.motion(&b, at, 0)
		if err := h.land(ctx, &b, &at); err != nil {
			return err
		}
		if _, err := h.signs.wait(ctx, h.conn, nudgePause); err != nil {
			return err
		}
		if now := h.signs.read().shapes; now != last {
			last, deadline = now, earlier(time.Now().Add(while), start.Add(answerMost))
		}
	}
	var b xwire.Batch
	h.motion(&b, to, 0)
	return h.land(ctx, &b, &to)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// towards is the step from a to b.
func towards(a, b int) int { return max(-1, min(1, b-a)) }

// signs are what the display tells of a drag and drop: that a program has made
// what is dragged the selection of drags, and changes of the pointer's shape,
// by which programs show whether a drop would be taken.
type signs struct {
	mu   sync.Mutex // guards all below
	base byte       // first event of XFIXES; 0 until known
	xdnd uint32     // the selection of drags
	now  sign
	next chan struct{} // closed at the next sign
}

// sign is what was seen so far.
type sign struct {
	drags  int       // times that a program took the selection
	begun  time.Time // the last of them
	shapes int       // changes of the pointer's shape
}

func newSigns() *signs { return &signs{next: make(chan struct{})} }

const xfixesSelectSelectionInput = 2

// watch asks the server for the signs; those of the shape the eyes ask for.
func (s *signs) watch(ctx context.Context, c *xwire.Conn, ext extensions, xdnd uint32) error {
	s.mu.Lock()
	s.base, s.xdnd = ext.xfixes.event, xdnd
	s.mu.Unlock()
	const newOwner = 1
	var b xwire.Batch
	b.Req(ext.xfixes.op, xfixesSelectSelectionInput).U32(c.Setup.Root, xdnd, newOwner)
	return c.Round(ctx, &b)
}

// event takes note of e. It is called by the connection's reader.
func (s *signs) event(e []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch kind := e[0] & 0x7f; {
	case s.base == 0:
		return
	case kind == s.base && le.Uint32(e[8:]) != 0 && le.Uint32(e[12:]) == s.xdnd:
		s.now.drags++
		s.now.begun = time.Now()
	case kind == s.base+1:
		s.now.shapes++
	default:
		return
	}
	close(s.next)
	s.next = make(chan struct{})
}

func (s *signs) read() sign {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// wait waits for a sign, and reports whether one came before the limit.
func (s *signs) wait(ctx context.Context, c *xwire.Conn, limit time.Duration) (bool, error) {
	s.mu.Lock()
	next := s.next
	s.mu.Unlock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-next:
		return true, nil
	case <-timer.C:
		return false, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case <-c.Done():
		return false, xwire.ErrClosed
	}
}
