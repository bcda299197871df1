package x11

import (
	"context"
	"time"

	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/xwire"
)

// Settle implements desktop.Desktop. It wakes when something is drawn, never
// to look whether something was.
func (d *Desktop) Settle(ctx context.Context, wait desktop.Wait) (desktop.Settled, error) {
	const op = "x11: settle"
	wait = wait.Fill()
	start := time.Now()
	before, drawn, err := d.screen.glance(ctx)
	if err != nil {
		return desktop.Settled{}, failure(ctx, op, err)
	}
	if wait.Since != 0 {
		before = wait.Since
	}
	quiet, err := d.screen.watch(ctx, wait, start, drawn > before)
	if err != nil {
		return desktop.Settled{}, failure(ctx, op, err)
	}
	after, drawn, err := d.screen.glance(ctx)
	if err != nil {
		return desktop.Settled{}, failure(ctx, op, err)
	}
	return desktop.Settled{Frame: after, Changed: drawn > before, Quiet: quiet, Waited: time.Since(start)}, nil
}

// glance returns the number of the content now, and the number at which pixels
// changed last.
func (e *eyes) glance(ctx context.Context) (now, drawn uint64, err error) {
	giveBack, err := e.acquire(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer giveBack()
	err = e.look(ctx)
	return e.frame, e.drawn, err
}

// watch waits until nothing was drawn for wait.Quiet, and reports whether that
// came before the limit. seen says that a first change has been seen already.
func (e *eyes) watch(ctx context.Context, wait desktop.Wait, start time.Time, seen bool) (quiet bool, err error) {
	deadline := start.Add(wait.Limit)
	timer := time.NewTimer(0)
	defer timer.Stop()
	last := start // when something was drawn last, or the start
	for {
		next, _ := e.tracker.upcoming()
		var b xwire.Batch
		e.subtract(&b)
		if err := e.conn.Send(ctx, &b); err != nil {
			return false, err
		}
		until := last.Add(wait.Quiet)
		if !seen && wait.First > wait.Quiet {
			until = start.Add(wait.First)
		}
		if until.After(deadline) {
			until = deadline
		}
		timer.Reset(time.Until(until))
		select {
		case <-next:
			_, last = e.tracker.upcoming()
			seen = true
			if last.After(deadline) {
				return false, nil
			}
		case <-timer.C:
			return !until.Equal(deadline) || last.Add(wait.Quiet).Equal(deadline), nil
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-e.conn.Done():
			return false, xwire.ErrClosed
		}
	}
}
