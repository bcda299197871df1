package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/engine/local"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/model/claude"
	"github.com/deskhand/deskhand/secret/guard"
	"github.com/deskhand/deskhand/store"
	"github.com/deskhand/deskhand/store/sqlite"
)

// session is one task being driven by this process.
type session struct {
	app     *app
	plan    plan
	store   store.Store
	engine  *local.Engine
	signals chan os.Signal
}

// newSession opens what a run needs; st may be open already. The app closes it.
func newSession(ctx context.Context, a *app, p plan, st store.Store) (*session, error) {
	hooks, err := a.hooks()
	if err != nil { // nothing is driven past hooks that cannot be used, but a task can be stopped
		p.noModel = err
	}
	s := &session{app: a, plan: p, store: st, signals: make(chan os.Signal, 2)}
	notifySignals(s.signals)
	a.onClose(func() error { signal.Stop(s.signals); return nil })
	var m model.Model
	if p.noModel == nil {
		if m, err = openModel(ctx, a, p); err != nil {
			return nil, err
		}
		m = guard.Model(m, p.secrets)
	}
	if s.store == nil {
		if s.store, err = a.openStore(ctx); err != nil {
			return nil, err
		}
	}
	// After the engine has let go of the task, before the store is closed.
	a.onClose(func() error { return a.sweep(context.WithoutCancel(ctx), s.store) })
	cfg := local.Config{
		Store: a.hooked(s.store, hooks), Computers: a.computers(p), Check: checker(p.info), Rules: a.rulesFor, Before: hooks.Before,
		Model: func(context.Context, deskhand.Task) (model.Model, func(deskhand.Usage) float64, error) {
			return m, p.info.Cost, p.noModel
		},
	}
	if s.engine, err = local.New(ctx, cfg); err != nil {
		return nil, err
	}
	a.onClose(s.engine.Close)
	return s, nil
}

// notifySignals asks for the signals that end a run in order. A hang-up stays
// ignored when whoever started us ignores it (nohup).
func notifySignals(c chan<- os.Signal) {
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(c, syscall.SIGHUP)
	}
}

// openStore opens the journal in the state directory.
func (a *app) openStore(ctx context.Context) (store.Store, error) {
	dir, err := a.home()
	if err != nil {
		return nil, err
	}
	st, err := sqlite.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	a.onClose(st.Close)
	for _, text := range st.Damage() {
		a.say("WARNING: %s", text)
	}
	return st, a.sweep(ctx, st)
}

// openModel returns what answers requests: the API, or a script behind the same
// client, which is served on this machine's loopback for as long as the app runs.
func openModel(ctx context.Context, a *app, p plan) (model.Model, error) {
	api := p.api
	if p.script != nil {
		var err error
		if api, err = serveScript(a, *p.script, p.models); err != nil {
			return nil, err
		}
	}
	return claude.Open(ctx, api)
}

// drive starts the task, shows it and returns how it ended.
func (s *session) drive(ctx context.Context, a *app, v view) error {
	task, err := s.engine.Start(ctx, s.plan.task)
	if err != nil {
		return err
	}
	return s.follow(ctx, a, v, task.ID, 0)
}

// follow shows what happens in a task that is driven here, after event seq, and
// returns how it ended. The first signal stops the task in order, the second
// ends the program at once: everything it started dies with it.
func (s *session) follow(ctx context.Context, a *app, v view, id deskhand.TaskID, seq int64) error {
	f := &following{session: s, view: v, id: id, seq: seq, typed: make(chan string, maxUnread)}
	defer f.stopping.Wait()
	if text, ok := v.(*textView); ok {
		text.hear(a.stdin, f.hear)
	}
	for {
		if err := f.watch(ctx); err != nil {
			return err
		}
		task, err := s.store.Get(ctx, string(id))
		if err != nil {
			return err
		}
		goesOn := task.Status == deskhand.Running && s.engine.Drives(id) // a last word of the person came just in time
		if !goesOn {
			if goesOn, err = f.ask(ctx, task); err != nil {
				return err
			}
		}
		if goesOn {
			continue
		}
		f.stopping.Wait()
		if task, err = s.store.Get(ctx, string(id)); err != nil {
			return err
		}
		return s.report(task, v, f.interrupted, f.broken)
	}
}

// maxUnread is how many typed lines wait for the task to be looked after.
const maxUnread = 16

// following is a task that is driven here and shown to somebody.
type following struct {
	*session
	view  view
	id    deskhand.TaskID
	seq   int64       // of the last event shown
	typed chan string // lines of a person at the terminal

	reached *deskhand.BudgetReached // since it last began to run
	stuck   bool                    // likewise: a person was asked how to go on
	asked   *deskhand.ApprovalAsked // likewise: a person was asked about a call

	stopping            sync.WaitGroup
	interrupted, broken error
}

// watch shows the task until it stands still, and passes on what was typed until then.
func (f *following) watch(ctx context.Context) error {
	events, err := f.engine.Watch(ctx, f.id, f.seq)
	if err != nil {
		return err
	}
	for {
		typed := f.typed
		if f.pausing() {
			typed = nil // what is typed now is an answer: see ask
		}
		select {
		case e, more := <-events:
			if !more {
				f.unread(ctx)
				return nil
			}
			if f.broken != nil {
				continue
			}
			if f.broken = errors.Join(f.view.event(e), f.remember(e)); f.broken != nil {
				f.stop(ctx, "The output could not be written.")
			}
		case line := <-typed:
			f.say(ctx, line)
		case <-f.signals:
			f.signal(ctx)
		}
	}
}

// unread says what was typed and not said yet.
func (f *following) unread(ctx context.Context) {
	for !f.pausing() {
		select {
		case line := <-f.typed:
			f.say(ctx, line)
		default:
			return
		}
	}
}

func (f *following) say(ctx context.Context, line string) {
	if err := f.engine.Say(ctx, f.id, line); err != nil {
		f.view.(*textView).remark(err.Error())
	}
}

// hear takes a line that a person typed.
func (f *following) hear(line string) error {
	select {
	case f.typed <- line:
		return nil
	default:
		return deskhand.Errorf("", deskhand.Unavailable, "the lines before this one are not read yet; type it again in a moment")
	}
}

// signal stops the task, or ends the program when it was told to stop already.
func (f *following) signal(ctx context.Context) {
	if f.interrupted != nil {
		f.view.close()
		f.app.abandon(f.id)
		f.app.exit(exitInterrupted)
	}
	f.interrupted = &outcome{exitInterrupted}
	f.stop(ctx, "Interrupted from the keyboard or by a signal.")
}

func (f *following) stop(ctx context.Context, reason string) {
	f.stopping.Go(func() {
		if err := f.engine.Stop(ctx, f.id, reason); err != nil {
			f.app.say("deskhand: stopping the task: %s", err)
		}
	})
}

// report shows the end and returns what the exit status is made of.
func (s *session) report(task deskhand.Task, v view, interrupted, broken error) error {
	if broken != nil {
		return broken
	}
	changed, err := s.app.fileChanges(context.Background(), s.store, task)
	for _, e := range changed {
		err = errors.Join(err, v.event(e))
	}
	if err != nil {
		s.app.say("deskhand: what changed in your folders is not in the journal (%s); deskhand task review %s looks again", err, task.ID)
	}
	if err := s.app.letGo(task); err != nil {
		s.app.say("deskhand: the desktop of task %s is still up (%s); deskhand desktop rm %s ends it", task.ID, err, desktopOf(task.ID))
	}
	v.end(task)
	switch {
	case interrupted != nil && task.Status == deskhand.Stopped:
		return interrupted
	case task.Status == deskhand.Failed:
		return deskhand.Errorf("", deskhand.Internal, "%s", s.reason(task))
	case task.Status == deskhand.Running:
		return deskhand.Errorf("", deskhand.Unavailable, "how the task ended could not be recorded: see whether the disk of the state directory is full, then deskhand task resume %s goes on with it", task.ID)
	}
	return ended(task.Status)
}

// reason returns why a task failed, from its journal.
func (s *session) reason(task deskhand.Task) string {
	story, err := tell(context.Background(), s.store, task.ID)
	if err != nil || story.Reason == "" {
		return "the task failed; deskhand task show " + string(task.ID) + " says more"
	}
	return story.Reason
}
