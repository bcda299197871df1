package x11

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/deskhand/deskhand"
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
	pings  uint32        // sent so far; guarded by turn
	closed atomic.Bool
}

func newHands(d *Desktop) *hands {
	h := &hands{Desktop: d, turn: make(chan struct{}, 1)}
	h.turn <- struct{}{}
	return h
}

// acquire takes the turn. The caller gives it back by calling what it returns.
func (h *hands) acquire(ctx context.Context) (giveBack func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case <-h.turn:
		return func() { h.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-h.conn.Done():
		return nil, xwire.ErrClosed
	}
}

// job is one validated action.
type job struct {
	desktop.Action
	chord  []keysym.Sym // of Keys
	mods   []keysym.Sym // of Modifiers
	text   []keysym.Sym // of Text, one a character
	button byte
	count  int
}

// kinds says for each kind of action how it is checked and done. do returns
// how many characters were typed.
var kinds = map[desktop.Kind]struct {
	check func(*hands, *job) error
	do    func(*hands, context.Context, *job) (int, error)
}{
	desktop.Move:    {(*hands).checkMove, pointing((*hands).doMove)},
	desktop.Click:   {(*hands).checkClick, pointing((*hands).doClick)},
	desktop.Press:   {(*hands).checkButton, pointing((*hands).doPress)},
	desktop.Release: {(*hands).checkButton, pointing((*hands).doRelease)},
	desktop.Drag:    {(*hands).checkDrag, pointing((*hands).doDrag)},
	desktop.Scroll:  {(*hands).checkScroll, pointing((*hands).doScroll)},
	desktop.Type:    {(*hands).checkType, (*hands).doType},
	desktop.Key:     {(*hands).checkKey, pointing((*hands).doKey)},
	desktop.Hold:    {(*hands).checkHold, pointing((*hands).doHold)},
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
	for i := range actions {
		jobs[i].Action = actions[i]
		if err := h.check(&jobs[i]); err != nil {
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

func (h *hands) check(j *job) error {
	k, ok := kinds[j.Kind]
	if !ok {
		return invalid("unknown action '%s'", printable(string(j.Kind)))
	}
	if j.Button == "" {
		j.Button = desktop.ButtonLeft
	}
	if j.button, ok = buttons[j.Button]; !ok {
		return invalid("unknown button '%s'; use left, middle or right", printable(string(j.Button)))
	}
	if j.count = j.Count; j.count == 0 {
		j.count = 1
	}
	for _, p := range []*deskhand.ScreenPoint{j.From, j.Point} {
		if p != nil && (p.X < 0 || p.Y < 0 || p.X >= h.size.W || p.Y >= h.size.H) {
			return invalid("Coordinates (%d, %d) are outside display bounds (%s).", p.X, p.Y, h.size)
		}
	}
	var err error
	if j.mods, err = parseModifiers(j.Modifiers); err != nil {
		return err
	}
	return k.check(h, j)
}

func (h *hands) do(ctx context.Context, j *job) (int, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return kinds[j.Kind].do(h, ctx, j)
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
	giveBack, err := h.acquire(ctx)
	if err != nil {
		return // the display is gone, or a list that ignores its context has the turn
	}
	defer giveBack()
	if h.releaseAll(ctx) == nil {
		_ = h.spares.restore(ctx, h) // nobody is left to hear of it
	}
}
