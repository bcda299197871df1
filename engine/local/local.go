// Package local drives tasks in this process, a goroutine each.
//
// Whoever drives a task holds its lease in the store, so that several
// processes may share a state directory. Everything that happens is an event;
// watchers are fed from the store, and are woken when there is more.
//
// Trust: this is the host's side. The computers that it is given are the
// hostile part; nothing here reads what is on them.
package local

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/agent"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/policy"
	"github.com/deskhand/deskhand/store"
)

// Check looks at a task's criteria on its computer, from outside the model's
// claim, and answers each. Where it wants a model's opinion it asks for one,
// which counts to the task's budget.
type Check func(ctx context.Context, c engine.Computer, t deskhand.Task, ask agent.Ask) ([]deskhand.Checked, error)

// Config is what an Engine is made of.
type Config struct {
	Store     store.Store      // required; stays open after Close
	Computers engine.Computers // required

	// Model returns the model that works on a task, and what a reply of it
	// costs in US dollars (nil: nothing). Required.
	Model func(ctx context.Context, t deskhand.Task) (model.Model, func(deskhand.Usage) float64, error)

	// Rules returns a person's rules as they are now, for calls of the task; their
	// mode is the task's. Default: there are none. An error denies.
	Rules func(t deskhand.Task) (policy.Rules, error)
	// Gate returns the gate for a task's calls. Default: package policy with Rules.
	Gate func(t deskhand.Task) deskhand.Gate

	// Before makes the gate's verdicts stricter; see agent.Agent.Before. Default:
	// they stay as they are.
	Before func(ctx context.Context, t deskhand.Task, call deskhand.Call, v deskhand.Verdict) deskhand.Verdict

	// Check looks at a task's criteria on its computer; see agent.Agent.Check.
	// Default: nothing can look.
	Check Check

	Retry model.RetryConfig // how failed requests are repeated. Default: model.RetryConfig's
	Keep  bool              // leave the computers of ended tasks up until Stop or Close. Default: false
	Now   func() time.Time  // default: time.Now
	Log   *slog.Logger      // default: nothing is logged
}

func (c Config) withDefaults() Config {
	if c.Rules == nil {
		c.Rules = func(deskhand.Task) (policy.Rules, error) { return policy.Rules{}, nil }
	}
	if c.Gate == nil {
		c.Gate = func(t deskhand.Task) deskhand.Gate {
			return func(call deskhand.Call, m deskhand.Moment) deskhand.Judgement { return gate(t, c.Rules, call, m) }
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	if c.Store == nil || c.Computers == nil || c.Model == nil {
		return deskhand.Errorf("engine", deskhand.Invalid, "an engine needs a store, computers and a model")
	}
	return nil
}

const (
	stopGrace   = 300 * time.Millisecond // how long a stopped call may take before its computer is closed under it
	drainLimit  = time.Second            // how long Close lets watchers read what is left
	watchPoll   = 200 * time.Millisecond // how often a watcher looks for events of other processes
	maxDeltas   = 256                    // per watcher; older ones are dropped
	endingLimit = 30 * time.Second       // for one write while a task ends

	requestPoll  = 200 * time.Millisecond // how often a drive looks for requests of other processes
	settlePoll   = 20 * time.Millisecond  // how often who asked something looks whether it is so
	requestLimit = 15 * time.Second       // for what was asked of another process
	lookLimit    = 10 * time.Second       // for a look at a new computer's screen
	maxLost      = 3                      // computers lost in a row, without a turn in between, that end a task
)

// Engine drives tasks. See engine.Engine.
type Engine struct {
	cfg Config
	hub *hub

	watching sync.WaitGroup
	quit     chan struct{} // closed when watchers must end

	mu     sync.Mutex
	closed bool
	drives map[deskhand.TaskID]*drive
}

var _ engine.Engine = (*Engine)(nil)

// New returns an engine. Tasks that a dead process was driving are recorded as
// failed; Resume goes on with them.
func New(ctx context.Context, cfg Config) (*Engine, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	e := &Engine{
		cfg: cfg.withDefaults(), hub: newHub(), quit: make(chan struct{}),
		drives: map[deskhand.TaskID]*drive{},
	}
	return e, e.recover(ctx)
}

// recover closes the books of tasks whose process died.
func (e *Engine) recover(ctx context.Context) error {
	tasks, err := e.cfg.Store.List(ctx, 0)
	for _, t := range tasks {
		if t.Status == deskhand.Running || t.Status == deskhand.Queued {
			err = errors.Join(err, e.find(ctx, t.ID))
		}
	}
	return err
}

// find looks whether anybody drives the task, and buries it when nobody does.
func (e *Engine) find(ctx context.Context, id deskhand.TaskID) error {
	release, err := e.cfg.Store.Lease(ctx, id)
	if deskhand.CodeOf(err) == deskhand.Conflict {
		return nil // somebody is driving it
	} else if err != nil {
		return err
	}
	defer release()
	t, err := e.cfg.Store.Get(ctx, string(id)) // as it is now that nobody else can change it
	if err != nil || t.Status != deskhand.Running && t.Status != deskhand.Queued {
		return err
	}
	return e.bury(ctx, t)
}

// bury records how a task stands whose process has died. The caller has its
// lease. When the model had said its last word, the task is done.
func (e *Engine) bury(ctx context.Context, t deskhand.Task) error {
	st, err := agent.Fold(e.cfg.Store.Events(ctx, t.ID, 0))
	if err != nil {
		return err
	}
	if len(st.Task.Criteria) == 0 && st.Final() {
		return e.status(ctx, t.ID, t.Status, agent.Outcome{Status: deskhand.Done, Result: st.Result})
	}
	return e.status(ctx, t.ID, t.Status, agent.Outcome{
		Status: deskhand.Failed, Reason: "The program that drove this task ended before the task did. deskhand task resume " + string(t.ID) + " goes on with it.",
	})
}

// Start implements engine.Engine. ctx bounds the start only.
func (e *Engine) Start(ctx context.Context, t deskhand.Task) (deskhand.Task, error) {
	if strings.TrimSpace(t.Text) == "" {
		return t, deskhand.Errorf("engine: start", deskhand.Invalid, "the task has no text; say in a few words what is to be done")
	}
	t.ID, t.Status = deskhand.NewTaskID(), deskhand.Queued
	release, err := e.cfg.Store.Lease(ctx, t.ID)
	if err != nil {
		return t, err
	}
	d, driving := newDrive(e, t.ID, release)
	if err := e.begin(d); err != nil {
		release()
		return t, err
	}
	_, err = e.journal().Append(ctx,
		e.event(t.ID, deskhand.KindTaskCreated, deskhand.TaskCreated{Task: t, System: agent.System(t.System)}),
		e.event(t.ID, deskhand.KindHumanMessage, deskhand.HumanMessage{Text: t.Text}),
		e.event(t.ID, deskhand.KindTaskStatus, deskhand.TaskStatus{From: deskhand.Queued, To: deskhand.Running}))
	if err == nil {
		t, err = e.cfg.Store.Get(ctx, string(t.ID))
	}
	if err != nil {
		d.cancel(err)
		e.end(d)
		return t, err
	}
	go d.run(driving, 0)
	return t, nil
}

// begin makes room for a drive; end gives it back and says so to whoever waits.
func (e *Engine) begin(d *drive) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return deskhand.Errorf("engine: start", deskhand.Unavailable, "deskhand is shutting down")
	}
	e.drives[d.id] = d
	return nil
}

func (e *Engine) end(d *drive) {
	e.mu.Lock()
	delete(e.drives, d.id)
	e.mu.Unlock()
	d.release()
	close(d.done)
	e.hub.forget(d.id)
}

// Drives reports whether this engine drives the task, or rests with it.
func (e *Engine) Drives(id deskhand.TaskID) bool { return e.driving(id) != nil }

func (e *Engine) driving(id deskhand.TaskID) *drive {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.drives[id]
}

// Close implements engine.Engine.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closed = true
	var drives []*drive
	for _, d := range e.drives {
		drives = append(drives, d)
	}
	e.mu.Unlock()
	for _, d := range drives {
		d.cancel(errShutdown)
	}
	for _, d := range drives {
		<-d.done
	}
	e.drain()
	return nil
}

// drain lets watchers read what is left, for a while, and ends them.
func (e *Engine) drain() {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.quit:
		return // closed before
	default:
	}
	gone := make(chan struct{})
	go func() {
		e.watching.Wait()
		close(gone)
	}()
	limit := time.NewTimer(drainLimit)
	defer limit.Stop()
	select {
	case <-gone:
	case <-limit.C:
	}
	close(e.quit)
	<-gone
}
