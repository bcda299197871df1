package local

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/agent"
)

// errShutdown is why drives end when the engine is closed.
var errShutdown = errors.New("deskhand was shut down.")

// Stop implements engine.Engine.
func (e *Engine) Stop(ctx context.Context, id deskhand.TaskID, reason string) error {
	const op = "engine: stop"
	t, err := e.cfg.Store.Get(ctx, string(id))
	if err != nil {
		return err
	}
	if d := e.driving(t.ID); d != nil {
		d.cancel(stopError(reason))
		select {
		case <-d.done:
		case <-ctx.Done():
			return deskhand.Errorf(op, deskhand.Unavailable, "task %s has not stopped yet: %w", t.ID, context.Cause(ctx))
		}
	}
	ask := e.request(t.ID, deskhand.HumanAsked{For: deskhand.AskStop, Reason: reason})
	return e.settled(ctx, op, t.ID, func(t deskhand.Task, release func()) (bool, error) {
		switch {
		case release != nil:
			defer release()
			if t.Status.Ended() {
				return true, nil
			}
			return true, e.close(ctx, t.ID, stopError(reason))
		case t.Status.Ended():
			return true, nil
		}
		return false, ask(ctx)
	})
}

// Resume implements engine.Engine.
func (e *Engine) Resume(ctx context.Context, id deskhand.TaskID) error {
	const op = "engine: resume"
	t, err := e.cfg.Store.Get(ctx, string(id))
	if err != nil {
		return err
	}
	ask := e.request(t.ID, deskhand.HumanAsked{For: deskhand.AskResume})
	asked := int64(0) // seq of the last event before that
	return e.settled(ctx, op, t.ID, func(t deskhand.Task, release func()) (bool, error) {
		if asked > 0 {
			if went, err := e.wentOn(ctx, t.ID, asked); went || err != nil {
				if release != nil {
					release()
				}
				return true, err
			}
		}
		switch {
		case release != nil:
			return true, e.takeUp(ctx, op, t, release)
		case asked > 0:
			return false, nil
		case t.Status == deskhand.Running || t.Status == deskhand.Queued:
			return false, deskhand.Errorf(op, deskhand.Conflict, "task %s is running", t.ID)
		}
		st, err := agent.Fold(e.cfg.Store.Events(ctx, t.ID, 0))
		if err == nil {
			err = deskhand.E(op, "", resumable(t.Status, st))
		}
		if err == nil {
			asked, err = st.Seq, ask(ctx)
		}
		return false, err
	})
}

// wentOn reports whether a task began to run after event seq.
func (e *Engine) wentOn(ctx context.Context, id deskhand.TaskID, seq int64) (bool, error) {
	for ev, err := range e.cfg.Store.Events(ctx, id, seq) {
		if err != nil {
			return false, err
		}
		var d deskhand.TaskStatus
		if ev.Kind == deskhand.KindTaskStatus && json.Unmarshal(ev.Data, &d) == nil && d.To == deskhand.Running {
			return true, nil
		}
	}
	return false, nil
}

// Say implements engine.Engine.
func (e *Engine) Say(ctx context.Context, id deskhand.TaskID, text string) error {
	const op = "engine: say"
	if strings.TrimSpace(text) == "" {
		return deskhand.Errorf(op, deskhand.Invalid, "the message is empty; say something in a few words")
	}
	t, err := e.cfg.Store.Get(ctx, string(id))
	if err == nil {
		_, err = e.journal().Append(ctx, e.event(t.ID, deskhand.KindHumanMessage, deskhand.HumanMessage{Text: text}))
	}
	if err != nil {
		return err
	}
	return e.driven(ctx, op, t.ID)
}

// Answer implements engine.Engine.
func (e *Engine) Answer(ctx context.Context, id deskhand.TaskID, d deskhand.Decision) error {
	const op = "engine: answer"
	t, err := e.cfg.Store.Get(ctx, string(id))
	if err != nil {
		return err
	}
	st, err := agent.Fold(e.cfg.Store.Events(ctx, t.ID, 0))
	if err != nil {
		return err
	}
	q, waits := st.Question()
	if !waits || d.CallID != "" && d.CallID != q.Call.ID || d.Nonce != "" && d.Nonce != q.Nonce {
		return deskhand.Errorf(op, deskhand.Conflict, "task %s does not wait for this answer: nothing is asked, or it was answered already", t.ID)
	}
	d.CallID, d.Nonce = q.Call.ID, q.Nonce
	if d.At.IsZero() {
		d.At = e.cfg.Now().UTC()
	}
	stored, err := e.journal().Append(ctx, e.event(t.ID, deskhand.KindApprovalDecided, d))
	if err != nil {
		return err
	}
	// Somebody may have answered between the look and the answer: whose event
	// comes first counts.
	for ev, err := range e.cfg.Store.Events(ctx, t.ID, st.Seq) {
		if err != nil {
			return err
		}
		if ev.Seq == stored[0].Seq {
			break
		}
		if ev.Kind == deskhand.KindApprovalDecided {
			return deskhand.Errorf(op, deskhand.Conflict, "task %s was answered by somebody else a moment before", t.ID)
		}
	}
	return e.driven(ctx, op, t.ID)
}

// Raise implements engine.Engine.
func (e *Engine) Raise(ctx context.Context, id deskhand.TaskID, b deskhand.Budget, by string) error {
	t, err := e.cfg.Store.Get(ctx, string(id))
	if err == nil {
		_, err = e.journal().Append(ctx, e.event(t.ID, deskhand.KindBudgetRaised, deskhand.BudgetRaised{Budget: b, By: by}))
	}
	return err
}

// Interrupt implements engine.Engine.
func (e *Engine) Interrupt(ctx context.Context, id deskhand.TaskID) error {
	const op = "engine: interrupt"
	t, err := e.cfg.Store.Get(ctx, string(id))
	if err != nil {
		return err
	}
	st, err := agent.Fold(e.cfg.Store.Events(ctx, t.ID, 0))
	if err != nil {
		return err
	}
	call, running := st.Underway()
	if !running || t.Status != deskhand.Running {
		return deskhand.Errorf(op, deskhand.Conflict, "no call of task %s is running", t.ID)
	}
	ask := e.request(t.ID, deskhand.HumanAsked{For: deskhand.AskInterrupt, CallID: call.ID})
	return e.settled(ctx, op, t.ID, func(_ deskhand.Task, release func()) (bool, error) {
		if release != nil {
			defer release()
		}
		st, err := agent.Fold(e.cfg.Store.Events(ctx, t.ID, 0))
		if err != nil {
			return false, err
		}
		switch now, running := st.Underway(); {
		case !running || now.ID != call.ID:
			return true, nil
		case release != nil:
			return false, deskhand.Errorf(op, deskhand.Conflict, "no call of task %s is running: nobody drives it", t.ID)
		}
		return false, ask(ctx)
	})
}

// request returns a function that appends a request, once.
func (e *Engine) request(id deskhand.TaskID, ask deskhand.HumanAsked) func(context.Context) error {
	done := false
	return func(ctx context.Context) error {
		if done {
			return nil
		}
		done = true
		_, err := e.journal().Append(ctx, e.event(id, deskhand.KindHumanAsked, ask))
		return err
	}
}

// settled calls try until it reports that what was asked for is so. It is given
// the lease when nobody drives the task, and then releases it or passes it on.
func (e *Engine) settled(ctx context.Context, op string, id deskhand.TaskID, try func(t deskhand.Task, release func()) (bool, error)) error {
	limit := time.NewTimer(requestLimit)
	defer limit.Stop()
	poll := time.NewTicker(settlePoll)
	defer poll.Stop()
	for {
		release, held := e.cfg.Store.Lease(ctx, id)
		if held != nil && deskhand.CodeOf(held) != deskhand.Conflict {
			return held
		}
		t, err := e.cfg.Store.Get(ctx, string(id)) // after the lease: nobody else changes it now
		if err != nil {
			if release != nil {
				release()
			}
			return err
		}
		if over, err := try(t, release); over || err != nil {
			return err
		}
		select {
		case <-poll.C:
		case <-limit.C:
			return deskhand.Errorf(op, deskhand.Unavailable, "it was asked for, but nothing came of it within %s: %w; end that process and try again", requestLimit, held)
		case <-ctx.Done():
			return deskhand.Errorf(op, deskhand.Unavailable, "it was asked for, but has not happened yet: %w", context.Cause(ctx))
		}
	}
}

// driven sees to it that a task that can go on is driven: by whoever has its
// lease, and otherwise here.
func (e *Engine) driven(ctx context.Context, op string, id deskhand.TaskID) error {
	return e.settled(ctx, op, id, func(t deskhand.Task, release func()) (bool, error) {
		st, err := agent.Fold(e.cfg.Store.Events(ctx, t.ID, 0))
		goesOn := err == nil && runnable(t.Status, st)
		switch {
		case goesOn && release != nil:
			return true, e.takeUp(ctx, op, t, release)
		case release != nil:
			release()
		}
		return !goesOn, err
	})
}

// takeUp drives a task that nobody drives. The lease is released when it cannot.
func (e *Engine) takeUp(ctx context.Context, op string, t deskhand.Task, release func()) error {
	d, driving := newDrive(e, t.ID, release)
	err := e.begin(d)
	if err != nil {
		release()
		return err
	}
	var seq int64
	if t.Status == deskhand.Running || t.Status == deskhand.Queued {
		if err = e.bury(ctx, t); err == nil {
			t, err = e.cfg.Store.Get(ctx, string(t.ID))
		}
	}
	st := new(agent.State)
	if err == nil {
		st, err = agent.Fold(e.cfg.Store.Events(ctx, t.ID, 0))
	}
	if err == nil {
		err = deskhand.E(op, "", resumable(t.Status, st))
	}
	if err == nil {
		seq, err = e.record(ctx, t.ID, t.Status, agent.Outcome{Status: deskhand.Running})
	}
	if err != nil {
		d.cancel(err)
		e.end(d)
		return err
	}
	go d.run(driving, seq)
	return nil
}

// runnable reports whether a task at rest goes on by itself: it was answered, or
// is done and a person says more.
func runnable(s deskhand.Status, st *agent.State) bool {
	return s == deskhand.Waiting && !st.Asks() || s == deskhand.Done && st.Unread()
}

// resumable says why a task that nobody drives cannot go on; nil when it can.
func resumable(s deskhand.Status, st *agent.State) error {
	switch _, question := st.Question(); {
	case s == deskhand.Done && !st.Unread():
		return deskhand.Errorf("", deskhand.Conflict, "task %s is done; send it a message to go on", st.Task.ID)
	case s == deskhand.Waiting && question:
		return deskhand.Errorf("", deskhand.Conflict, "task %s waits for an answer", st.Task.ID)
	case s == deskhand.Waiting && st.Asks():
		return deskhand.Errorf("", deskhand.Conflict, "task %s asks how to go on; send it a message", st.Task.ID)
	}
	return nil
}

// close ends a task that nobody drives but the caller, who has its lease:
// what is open is answered and nothing else done.
func (e *Engine) close(ctx context.Context, id deskhand.TaskID, why error) error {
	t, err := e.cfg.Store.Get(ctx, string(id))
	if err != nil {
		return err
	}
	st, err := agent.Fold(e.cfg.Store.Events(ctx, id, 0))
	if err != nil {
		return err
	}
	over, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	cancel(why)
	out, err := e.agent(t, nil, nil, nil).Turn(over, st)
	if err != nil {
		return err
	}
	defer e.hub.forget(id)
	return e.status(ctx, id, t.Status, out)
}

func stopError(reason string) error {
	if reason == "" {
		reason = "The task was stopped."
	}
	return errors.New(reason)
}
