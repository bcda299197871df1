package local

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/agent"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/store"
	"github.com/deskhand/deskhand/tool"
)

// drive is one task being driven.
type drive struct {
	e       *Engine
	id      deskhand.TaskID
	cancel  context.CancelCauseFunc // of the context of run, with the reason to stop as its cause
	release func()                  // of the lease
	done    chan struct{}
}

func newDrive(e *Engine, id deskhand.TaskID, release func()) (*drive, context.Context) {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &drive{e: e, id: id, cancel: cancel, release: release, done: make(chan struct{})}, ctx
}

// run drives the task until it ends or parks.
func (d *drive) run(ctx context.Context, t deskhand.Task) {
	defer d.cancel(nil)
	var kept *computer
	defer func() { d.e.end(d, kept) }()

	out, c := d.work(ctx, t)
	parked := out.Status == deskhand.Waiting || out.Status == deskhand.Exhausted
	if c != nil && (parked || d.e.cfg.Keep) {
		kept = c
	} else if c != nil {
		if err := c.close(); err != nil {
			d.e.cfg.Log.Error("computer not closed", "task", d.id, "err", err)
		}
	}
	ending, done := context.WithTimeout(context.WithoutCancel(ctx), endingLimit)
	defer done()
	if err := d.finish(ending, out); err != nil {
		d.e.cfg.Log.Error("task not ended", "task", d.id, "err", err)
	}
}

func (d *drive) finish(ctx context.Context, out agent.Outcome) error {
	t, err := d.e.cfg.Store.Get(ctx, string(d.id))
	if err != nil {
		return err
	}
	return d.e.status(ctx, d.id, t.Status, out)
}

// work brings the computer up and takes turns. The computer is returned open.
func (d *drive) work(ctx context.Context, t deskhand.Task) (agent.Outcome, *computer) {
	m, cost, err := d.e.cfg.Model(ctx, t)
	if err != nil {
		return d.failed(ctx, err), nil
	}
	if err := d.e.status(ctx, t.ID, t.Status, agent.Outcome{Status: deskhand.Running}); err != nil {
		return d.failed(ctx, err), nil
	}
	c, err := d.up(ctx, t)
	if err != nil {
		return d.failed(ctx, err), nil
	}
	defer c.closeWhenStuck(ctx)()
	defer d.recordNetwork(ctx, c)()
	a := d.e.agent(t, m, cost, c.Tools())
	if check := d.e.cfg.Check; check != nil {
		a.Check = func(ctx context.Context, t deskhand.Task, ask agent.Ask) ([]deskhand.Checked, error) {
			return check(ctx, c.Computer, t, ask)
		}
	}
	out, err := d.turns(ctx, a, c)
	if err != nil {
		return d.failed(ctx, err), c
	}
	return out, c
}

func (d *drive) up(ctx context.Context, t deskhand.Task) (*computer, error) {
	begun := d.e.cfg.Now()
	if err := d.note(ctx, "Starting the desktop…", false); err != nil {
		return nil, err
	}
	c, err := d.e.cfg.Computers.Up(ctx, t)
	if err != nil {
		return nil, err
	}
	own := &computer{Computer: c, close: sync.OnceValue(c.Close)}
	took := d.e.cfg.Now().Sub(begun).Round(time.Millisecond)
	if err := d.note(ctx, fmt.Sprintf("The desktop is ready after %s.", took), false); err != nil {
		return nil, errors.Join(err, own.close())
	}
	return own, nil
}

// recordNetwork appends what the computer's way out judges as it happens. The
// function that it returns records what is left and ends that.
func (d *drive) recordNetwork(ctx context.Context, c *computer) (end func()) {
	n, ok := c.Computer.(engine.Networked)
	if !ok {
		return func() {}
	}
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var recording sync.WaitGroup
	recording.Go(func() {
		for {
			all, err := n.Judged(watching)
			for _, j := range all {
				if err := d.append(ctx, deskhand.KindNetworkJudged, j); err != nil {
					d.e.cfg.Log.Error("network not recorded", "task", d.id, "err", err)
				}
			}
			if err != nil {
				return
			}
		}
	})
	return func() {
		cancel()
		recording.Wait()
	}
}

func (d *drive) turns(ctx context.Context, a *agent.Agent, c *computer) (agent.Outcome, error) {
	st, err := agent.Fold(d.e.cfg.Store.Events(context.WithoutCancel(ctx), d.id, 0))
	if err != nil {
		return agent.Outcome{}, err
	}
	for {
		for _, text := range c.Notices() {
			if err := d.note(ctx, text, true); err != nil {
				return agent.Outcome{}, err
			}
		}
		out, err := a.Turn(ctx, st)
		if err != nil || out.Status != deskhand.Running {
			return out, err
		}
	}
}

// failed is how a task ends that cannot go on: as stopped when that is why.
func (d *drive) failed(ctx context.Context, err error) agent.Outcome {
	if ctx.Err() != nil {
		return agent.Outcome{Status: deskhand.Stopped, Reason: context.Cause(ctx).Error()}
	}
	d.e.cfg.Log.Error("task failed", "task", d.id, "err", err)
	return agent.Outcome{Status: deskhand.Failed, Reason: err.Error()}
}

func (d *drive) note(ctx context.Context, text string, toModel bool) error {
	return d.append(ctx, deskhand.KindNote, deskhand.Note{Text: text, ToModel: toModel})
}

// append records a fact, also when the task is being stopped.
func (d *drive) append(ctx context.Context, kind deskhand.Kind, data any) error {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), endingLimit)
	defer done()
	_, err := d.e.journal().Append(ctx, d.e.event(d.id, kind, data))
	return err
}

// status records that a task goes from one status to another.
func (e *Engine) status(ctx context.Context, id deskhand.TaskID, from deskhand.Status, out agent.Outcome) error {
	_, err := e.journal().Append(ctx, e.event(id, deskhand.KindTaskStatus, deskhand.TaskStatus{From: from, To: out.Status, Reason: out.Reason, Result: out.Result}))
	return err
}

func (e *Engine) event(id deskhand.TaskID, kind deskhand.Kind, data any) deskhand.Event {
	ev := deskhand.NewEvent(id, kind, data)
	ev.Time = e.cfg.Now().UTC()
	return ev
}

func (e *Engine) agent(t deskhand.Task, m model.Model, cost func(deskhand.Usage) float64, tools *tool.Set) *agent.Agent {
	if tools == nil {
		tools = new(tool.Set)
	}
	return &agent.Agent{
		Model: m, Tools: tools, Gate: e.cfg.Gate(t), Journal: e.journal(), Blobs: e.cfg.Store,
		Retry: e.cfg.Retry, Cost: cost, Delta: e.hub.delta, Now: e.cfg.Now,
	}
}

// computer is a Computer that may be closed any number of times, by anybody.
type computer struct {
	engine.Computer
	close func() error
}

// closeWhenStuck closes the computer when ctx has ended and what was under way
// does not end by itself: nothing can hang on a computer that is gone. The
// function that it returns ends the watch and waits for it.
func (c *computer) closeWhenStuck(ctx context.Context) (end func()) {
	over, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-over:
			return
		case <-ctx.Done():
		}
		grace := time.NewTimer(stopGrace)
		defer grace.Stop()
		select {
		case <-over:
		case <-grace.C:
			_ = c.close() // whoever closes it properly gets the error
		}
	}()
	return func() {
		close(over)
		<-gone
	}
}

// journal is the store with watchers woken after each append.
type journal struct {
	store store.Store
	hub   *hub
}

func (e *Engine) journal() journal { return journal{e.cfg.Store, e.hub} }

func (j journal) Append(ctx context.Context, events ...deskhand.Event) ([]deskhand.Event, error) {
	out, err := j.store.Append(ctx, events...)
	if n := len(out); err == nil && n > 0 {
		j.hub.notify(out[n-1].Task, out[n-1].Seq)
	}
	return out, err
}

func (j journal) Events(ctx context.Context, task deskhand.TaskID, after int64) iter.Seq2[deskhand.Event, error] {
	return j.store.Events(ctx, task, after)
}
