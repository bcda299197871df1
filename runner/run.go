package runner

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
)

// stopLimit bounds the orderly end of a task whose caller has given up.
const stopLimit = 30 * time.Second

// Run runs a task to its end and returns it as it then stands: Status, Result,
// Usage and CostUSD are filled in. Of t only Text is needed; the model, the
// version of the computer tool and the screen have defaults.
//
// A task that failed, was stopped, reached its budget or waits for a person is
// no error. When ctx ends the task is stopped in order, and the cause of ctx is
// returned beside it. Invalid: the task makes no sense. NotFound: no such model.
func (r *Runner) Run(ctx context.Context, t deskhand.Task) (deskhand.Task, error) {
	t, err := r.complete(t)
	if err != nil {
		return t, err
	}
	if t, err = r.engine.Start(ctx, t); err != nil {
		return t, err
	}
	for seq := int64(0); ; {
		open, err := r.follow(ctx, t.ID, &seq)
		if ctx.Err() != nil {
			err = errors.Join(context.Cause(ctx), r.stop(ctx, t.ID))
		}
		now, missing := r.store.Get(context.WithoutCancel(ctx), string(t.ID))
		if missing != nil {
			return t, errors.Join(err, missing)
		}
		if err != nil || now.Status != deskhand.Waiting || open == nil {
			return now, err
		}
		d, err := r.cfg.Approve(ctx, now, *open)
		if err != nil {
			return now, err
		}
		d.CallID, d.Nonce = open.Call.ID, open.Nonce
		if err := r.engine.Answer(ctx, t.ID, d); err != nil {
			return now, err
		}
	}
}

// complete fills in what a task was not given.
func (r *Runner) complete(t deskhand.Task) (deskhand.Task, error) {
	if t.Model == "" {
		t.Model = model.Default
	}
	info, err := r.cfg.Models.Lookup(t.Model)
	if err != nil {
		return t, err
	}
	if t.Toolset == "" {
		t.Toolset = info.Computer[0]
	}
	if t.Screen == (deskhand.Size{}) {
		t.Screen = deskhand.Size{W: 1280, H: 800}
	}
	if t.Permission == "" {
		t.Permission = "trust"
	}
	if t.Sandbox == "" {
		t.Sandbox = "bwrap"
	}
	return t, nil
}

// follow hands out the events of a task after seq until it has ended or is
// parked, and returns the question that it was parked with.
func (r *Runner) follow(ctx context.Context, id deskhand.TaskID, seq *int64) (open *deskhand.ApprovalAsked, err error) {
	events, err := r.engine.Watch(ctx, id, *seq)
	if err != nil {
		return nil, err
	}
	for e := range events {
		*seq = max(*seq, e.Seq)
		r.cfg.Event(e)
		switch e.Kind {
		case deskhand.KindApprovalAsked:
			open = new(deskhand.ApprovalAsked)
			err = errors.Join(err, json.Unmarshal(e.Data, open))
		case deskhand.KindApprovalDecided:
			open = nil
		}
	}
	return open, err
}

func (r *Runner) stop(ctx context.Context, id deskhand.TaskID) error {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), stopLimit, errors.New("the task did not stop within "+stopLimit.String()))
	defer cancel()
	return r.engine.Stop(ctx, id, "The program that ran this task gave up.")
}

// Close stops what runs and closes the journal. A temporary state directory is
// removed. It may be called twice.
func (r *Runner) Close() error {
	var errs []error
	if r.engine != nil {
		errs = append(errs, r.engine.Close())
	}
	if r.store != nil {
		errs = append(errs, r.store.Close())
	}
	r.engine, r.store = nil, nil
	if r.remove != "" {
		errs = append(errs, os.RemoveAll(r.remove))
	}
	return errors.Join(errs...)
}

// model is what the engine asks: who answers requests, and what a reply costs.
func (r *Runner) model(_ context.Context, t deskhand.Task) (model.Model, func(deskhand.Usage) float64, error) {
	info, err := r.cfg.Models.Lookup(t.Model)
	return r.cfg.Model, info.Cost, err
}
