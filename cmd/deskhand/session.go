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
	s := &session{app: a, plan: p, store: st, signals: make(chan os.Signal, 2)}
	notifySignals(s.signals)
	a.onClose(func() error { signal.Stop(s.signals); return nil })
	var m model.Model
	var err error
	if p.noModel == nil {
		if m, err = openModel(ctx, a, p); err != nil {
			return nil, err
		}
	}
	if s.store == nil {
		if s.store, err = a.openStore(ctx); err != nil {
			return nil, err
		}
	}
	cfg := local.Config{
		Store: s.store, Computers: a.computers(p), Check: checker(p.info),
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
	return st, nil
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
	var stopping sync.WaitGroup
	defer stopping.Wait()
	var interrupted, broken error
	stop := func(reason string) {
		stopping.Go(func() {
			if err := s.engine.Stop(ctx, id, reason); err != nil {
				a.say("deskhand: stopping the task: %s", err)
			}
		})
	}
	events, err := s.engine.Watch(ctx, id, seq)
	if err != nil {
		return err
	}
	if text, ok := v.(*textView); ok {
		text.hear(a.stdin, func(line string) error { return s.engine.Say(ctx, id, line) })
	}
	for open := true; open; {
		select {
		case e, more := <-events:
			if open = more; !more || broken != nil {
				continue
			}
			if broken = v.event(e); broken != nil {
				stop("The output could not be written.")
			}
		case <-s.signals:
			if interrupted != nil {
				v.close()
				a.exit(exitInterrupted)
			}
			interrupted = &outcome{exitInterrupted}
			stop("Interrupted from the keyboard or by a signal.")
		}
	}
	stopping.Wait()
	task, err := s.store.Get(ctx, string(id))
	if err != nil {
		return err
	}
	return s.report(task, v, interrupted, broken)
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
	v.end(task)
	switch {
	case interrupted != nil && task.Status == deskhand.Stopped:
		return interrupted
	case task.Status == deskhand.Failed:
		return deskhand.Errorf("", deskhand.Internal, "%s", s.reason(task))
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
