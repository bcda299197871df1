package local

import (
	"context"
	"iter"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/agent"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/store"
	"github.com/deskhand/deskhand/tool"
)

// journal is the store with watchers woken after each append.
type journal struct {
	store store.Store
	hub   *hub
}

func (e *Engine) journal() journal { return journal{e.cfg.Store, e.hub} }

func (j journal) Append(ctx context.Context, events ...deskhand.Event) ([]deskhand.Event, error) {
	out, err := j.store.Append(ctx, events...)
	if err == nil && len(out) > 0 {
		j.hub.notify(out)
	}
	return out, err
}

func (j journal) Events(ctx context.Context, task deskhand.TaskID, after int64) iter.Seq2[deskhand.Event, error] {
	return j.store.Events(ctx, task, after)
}

// status records that a task goes from one status to another.
func (e *Engine) status(ctx context.Context, id deskhand.TaskID, from deskhand.Status, out agent.Outcome) error {
	_, err := e.record(ctx, id, from, out)
	return err
}

// record is status that returns the event's number.
func (e *Engine) record(ctx context.Context, id deskhand.TaskID, from deskhand.Status, out agent.Outcome) (int64, error) {
	stored, err := e.journal().Append(ctx, e.event(id, deskhand.KindTaskStatus, deskhand.TaskStatus{From: from, To: out.Status, Reason: out.Reason, Result: out.Result}))
	if err != nil {
		return 0, err
	}
	return stored[0].Seq, nil
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
		Model: m, Tools: tools, Gate: e.cfg.Gate(t), Before: e.cfg.Before, Journal: e.journal(), Blobs: e.cfg.Store,
		Retry: e.cfg.Retry, Cost: cost, Delta: e.hub.delta, Now: e.cfg.Now,
	}
}
