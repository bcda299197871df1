package agent

import (
	"context"
	"errors"
	"time"

	"github.com/deskhand/deskhand"
)

// sync folds in what the journal holds beyond st.
func (a *Agent) sync(ctx context.Context, st *State) error {
	ctx, cancel := detach(ctx)
	defer cancel()
	for e, err := range a.Journal.Events(ctx, st.Task.ID, st.Seq) {
		if err != nil {
			return err
		}
		if err := st.apply(e); err != nil {
			return err
		}
	}
	return nil
}

// append makes one event durable and folds it in.
func (a *Agent) append(ctx context.Context, st *State, kind deskhand.Kind, data any) error {
	return a.record(ctx, st, a.event(st, kind, data))
}

// record makes events durable, all or none, and folds them in, with whatever
// others appended in between. A fact is recorded also when the task is being
// stopped.
func (a *Agent) record(ctx context.Context, st *State, events ...deskhand.Event) error {
	if len(events) == 0 {
		return nil
	}
	writing, cancel := detach(ctx)
	defer cancel()
	stored, err := a.Journal.Append(writing, events...)
	if err != nil {
		return err
	}
	if stored[0].Seq != st.Seq+1 {
		return a.sync(ctx, st)
	}
	for _, e := range stored {
		if err := st.apply(e); err != nil {
			return err
		}
	}
	return nil
}

func detach(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(context.WithoutCancel(ctx), journalTimeout, errors.New("the journal did not answer within "+journalTimeout.String()))
}

func (a *Agent) event(st *State, kind deskhand.Kind, data any) deskhand.Event {
	e := deskhand.NewEvent(st.Task.ID, kind, data)
	e.Time = a.now().UTC()
	return e
}

func (a *Agent) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

func (a *Agent) cost(u deskhand.Usage) float64 {
	if a.Cost != nil {
		return a.Cost(u)
	}
	return 0
}
