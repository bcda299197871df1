package x11

import (
	"context"
	"errors"
	"time"

	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/keysym"
	"github.com/deskhand/deskhand/internal/xwire"
)

// releaseLimit bounds letting go after a failure, when the caller's context
// may have ended already.
const releaseLimit = 2 * time.Second

// hands apply input. The turn makes a list of actions one unit.
type hands struct {
	*Desktop
	turn   chan struct{} // holds one token
	held   ledger        // guarded by turn
	spares spares        // guarded by turn
	heard  heard         // guarded by turn
	pings  uint32        // sent so far; guarded by turn
}

func newHands(d *Desktop) *hands {
	h := &hands{Desktop: d, turn: make(chan struct{}, 1)}
	h.turn <- struct{}{}
	return h
}

// acquire takes the turn. The caller gives it back by calling what it returns.
func (h *hands) acquire(ctx context.Context) (giveBack func(), err error) {
	if err := h.stopped(ctx); err != nil {
		return nil, err
	}
	select {
	case <-h.turn:
		return func() { h.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-h.closing:
		return nil, xwire.ErrClosed
	case <-h.conn.Done():
		return nil, xwire.ErrClosed
	}
}

// stopped says why no more input is to be applied, nil when it is.
func (h *hands) stopped(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-h.closing:
		return xwire.ErrClosed
	default:
		return nil
	}
}

// job is one validated action.
type job struct {
	desktop.Action
	chord []keysym.Sym // of Keys
	mods  []keysym.Sym // of Modifiers
	text  []keysym.Sym // of Text, one a character
}

// kinds says for each kind of action how it is done. It returns how many
// characters were typed.
var kinds = map[desktop.Kind]func(*hands, context.Context, *job) (int, error){
	desktop.Move:    pointing((*hands).doMove),
	desktop.Click:   pointing((*hands).doClick),
	desktop.Press:   pointing((*hands).doPress),
	desktop.Release: pointing((*hands).doRelease),
	desktop.Drag:    pointing((*hands).doDrag),
	desktop.Scroll:  pointing((*hands).doScroll),
	desktop.Type:    (*hands).doType,
	desktop.Key:     pointing((*hands).doKey),
	desktop.Hold:    pointing((*hands).doHold),
}

// pointing adapts an action that types nothing.
func pointing(do func(*hands, context.Context, *job) error) func(*hands, context.Context, *job) (int, error) {
	return func(h *hands, ctx context.Context, j *job) (int, error) { return 0, do(h, ctx, j) }
}

// Input implements desktop.Desktop.
func (d *Desktop) Input(ctx context.Context, actions ...desktop.Action) error {
	const op = "x11: input"
	h := d.input
	jobs := make([]job, len(actions))
	if err := desktop.ValidateInput(d.size, actions); err != nil {
		return err
	}
	for i, a := range actions {
		jobs[i].Action = a.Fill()
		if err := jobs[i].read(); err != nil {
			return &desktop.InputError{Action: i, Err: err}
		}
	}
	giveBack, err := h.acquire(ctx)
	if err != nil {
		return failure(ctx, op, err)
	}
	defer giveBack()
	finished := false
	defer func() { // also when something below panics
		if !finished {
			h.letGo(ctx)
		}
	}()
	for i := range jobs {
		typed, err := h.do(ctx, &jobs[i])
		if err != nil {
			return &desktop.InputError{Action: i, Typed: typed, Err: failure(ctx, op, err)}
		}
	}
	finished = true
	return nil
}

// read turns the job's names and text into symbols, and finds what this driver
// cannot do.
func (j *job) read() (err error) {
	if j.mods, err = parseModifiers(j.Modifiers); err != nil {
		return err
	}
	if j.Keys != "" {
		if j.chord, err = parseChord(j.Keys); err != nil {
			return err
		}
	}
	j.text, err = readText(j.Text)
	return err
}

func (h *hands) do(ctx context.Context, j *job) (int, error) {
	if err := h.stopped(ctx); err != nil {
		return 0, err
	}
	return kinds[j.Kind](h, ctx, j)
}

// Release implements desktop.Desktop.
func (d *Desktop) Release(ctx context.Context) error {
	const op = "x11: release"
	giveBack, err := d.input.acquire(ctx)
	if err != nil {
		return failure(ctx, op, err)
	}
	defer giveBack()
	return failure(ctx, op, d.input.releaseAll(ctx))
}

// letGo releases what the failed list pressed, on time of its own.
func (h *hands) letGo(ctx context.Context) {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), releaseLimit, errReleaseLimit)
	defer cancel()
	var b xwire.Batch
	h.releaseHeld(&b, false)
	_ = h.round(ctx, &b) // the failure that led here is the one to tell
}

var errReleaseLimit = errors.New("letting go of the input took longer than " + releaseLimit.String())

// close lets go of everything and puts the keyboard back.
func (h *hands) close(ctx context.Context) {
	select {
	case <-h.turn:
		defer func() { h.turn <- struct{}{} }()
	case <-ctx.Done(): // a list that ignores that the driver is closing has the turn
		return
	}
	if h.releaseAll(ctx) == nil {
		_ = h.spares.restore(ctx, h) // nobody is left to hear of it
	}
}
