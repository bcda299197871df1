package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/demo"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/secret/guard"
	"github.com/deskhand/deskhand/store"
	"github.com/deskhand/deskhand/tool/skill"
)

// steering opens a task that exists already, wherever it is driven. What
// answers requests, should they have to be sent from here, is chosen as for a
// run: a script, or the API and the model that the task was started with.
func (a *app) steering(ctx context.Context, id, by string, keep bool) (*session, deskhand.Task, error) {
	st, task, err := a.task(ctx, id)
	if err != nil {
		return nil, task, err
	}
	p := plan{task: task, keep: keep, parks: true}
	if p.models, err = a.models(); err != nil {
		return nil, task, err
	}
	if p.info, err = p.models.Lookup(task.Model); err != nil {
		return nil, task, err
	}
	if p.skills, err = skill.LoadAll(task.Skills); err != nil {
		return nil, task, err
	}
	provider := cmp.Or(model.Provider(task.Provider), model.Anthropic)
	p.info = p.info.At(provider)
	file, isScript := strings.CutPrefix(by, scriptPrefix)
	switch {
	case isScript:
		if p.script, err = loadScript(file); err != nil {
			return nil, task, err
		}
	case by != "":
		return nil, task, usage("--model %s: a task goes on with the model it was started with (%s); only script:FILE can take its place", by, task.Model)
	case p.reach(a, provider):
	case strings.TrimSpace(task.Text) == strings.TrimSpace(demo.Task):
		p.script = &scriptFile{"demonstration", demo.Script}
	default:
		p.noModel = deskhand.Errorf("", deskhand.Unauthenticated, "there is no key to go on with task %s: set ANTHROPIC_API_KEY, or what its provider needs", task.ID)
	}
	if p.secrets, err = a.secrets(ctx, task.Secrets); err != nil {
		p.noModel = err // it can be stopped, but not gone on with
		p.blind = usage("task %s keeps secrets that are not known here, so what you say cannot be searched for them: say it where the task runs, or give them here as well (%s)", task.ID, err)
	}
	s, err := newSession(ctx, a, p, guard.Store(st, p.secrets))
	return s, task, err
}

// driver is what a command needs that may have to drive a task.
type driver struct {
	ID     string `arg:"" help:"Task id, or its beginning."`
	Model  string `placeholder:"script:FILE" help:"Play a script instead of asking the model that the task was started with."`
	Output string `default:"text" enum:"text,json,stream-json" placeholder:"FORM" help:"text, json (one object at the end) or stream-json (one event per line)."`
	Keep   bool   `help:"Keep the desktop up after the end; see deskhand desktop."`
}

// drive does what is asked and, when this process drives the task then, shows
// it to its end.
func (c *driver) drive(ctx context.Context, a *app, s *session, id deskhand.TaskID, ask func() error, asked string) error {
	v := a.view(c.Output)
	defer v.close()
	seq, err := recall(ctx, s.store, id, v)
	if err != nil {
		return err
	}
	if err := ask(); err != nil {
		return err
	}
	if !s.engine.Drives(id) {
		fmt.Fprintln(a.stdout, asked)
		return nil
	}
	return s.follow(ctx, a, v, id, seq)
}

// recall tells a view for people what happened so far, and returns the number
// of the last event.
func recall(ctx context.Context, j store.Journal, id deskhand.TaskID, v view) (seq int64, err error) {
	for e, err := range j.Events(ctx, id, 0) {
		if text, ok := v.(*textView); ok && err == nil {
			err = text.past(e)
		}
		if err != nil {
			return 0, err
		}
		seq = e.Seq
	}
	return seq, nil
}

type taskResumeCmd struct {
	driver
	MaxTurns  int           `placeholder:"N" help:"A new limit of replies in all."`
	MaxTokens int64         `placeholder:"N" help:"A new limit of tokens in all."`
	MaxCost   float64       `placeholder:"USD" help:"A new limit of what is spent in all."`
	MaxTime   time.Duration `placeholder:"D" help:"A new limit of time in all."`
}

// budget returns the task's budget with the limits that were given in place of
// the ones before, and whether any was.
func (c *taskResumeCmd) budget(old deskhand.Budget) (deskhand.Budget, bool) {
	b := deskhand.Budget{
		MaxTurns: cmp.Or(c.MaxTurns, old.MaxTurns), MaxTokens: cmp.Or(c.MaxTokens, old.MaxTokens),
		MaxCostUSD: cmp.Or(c.MaxCost, old.MaxCostUSD), MaxTime: cmp.Or(c.MaxTime, old.MaxTime),
	}
	return b, b != old
}

// Run goes on with a task and watches it.
func (c *taskResumeCmd) Run(ctx context.Context, a *app) error {
	s, t, err := a.steering(ctx, c.ID, c.Model, c.Keep)
	if err != nil {
		return err
	}
	if s.plan.noModel != nil {
		return s.plan.noModel
	}
	if c.MaxTurns < 0 || c.MaxTokens < 0 || c.MaxTime < 0 || !(c.MaxCost >= 0) {
		return usage("a limit is negative: give more than the task has used so far")
	}
	resume := func() error {
		if b, raised := c.budget(t.Budget); raised {
			if err := s.engine.Raise(ctx, t.ID, b, whoami()); err != nil {
				return err
			}
		}
		return s.engine.Resume(ctx, t.ID)
	}
	return c.drive(ctx, a, s, t.ID, resume,
		fmt.Sprintf("Task %s goes on where its desktop is; deskhand task watch %s shows it.", t.ID, t.ID))
}

type taskMessageCmd struct {
	driver
	Text []string `arg:"" help:"What to say."`
}

// Run says something to a task.
func (c *taskMessageCmd) Run(ctx context.Context, a *app) error {
	s, t, err := a.steering(ctx, c.ID, c.Model, c.Keep)
	if err != nil {
		return err
	}
	if s.plan.blind != nil {
		return s.plan.blind
	}
	if t.Status == deskhand.Done && s.plan.noModel != nil {
		return s.plan.noModel
	}
	said := fmt.Sprintf("Said to task %s; it reaches the model with the next turn.", t.ID)
	if t, err = s.store.Get(ctx, string(t.ID)); err != nil {
		return err
	}
	if t.Status == deskhand.Failed || t.Status == deskhand.Stopped || t.Status == deskhand.Exhausted {
		said = fmt.Sprintf("Kept for task %s, which is %s: deskhand task resume %s goes on with it.", t.ID, t.Status, t.ID)
	}
	return c.drive(ctx, a, s, t.ID, func() error { return s.engine.Say(ctx, t.ID, strings.Join(c.Text, " ")) }, said)
}

type taskInterruptCmd struct {
	ID string `arg:"" help:"Task id, or its beginning."`
}

// Run ends the call that is running.
func (c *taskInterruptCmd) Run(ctx context.Context, a *app) error {
	s, t, err := a.steering(ctx, c.ID, "", false)
	if err != nil {
		return err
	}
	if err := s.engine.Interrupt(ctx, t.ID); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "Interrupted; task %s goes on.\n", t.ID)
	return nil
}

type taskStopCmd struct {
	IDs    []string `arg:"" name:"id" help:"Task ids, or their beginnings."`
	Reason string   `placeholder:"TEXT" help:"Why, for the record."`
}

// Run stops tasks. One that cannot be stopped does not keep the others from it.
func (c *taskStopCmd) Run(ctx context.Context, a *app) error {
	var errs []error
	for _, id := range c.IDs {
		errs = append(errs, c.stop(ctx, a, id))
	}
	return errors.Join(errs...)
}

func (c *taskStopCmd) stop(ctx context.Context, a *app, id string) error {
	s, t, err := a.steering(ctx, id, "", false)
	if err != nil {
		return err
	}
	reason := c.Reason
	if reason != "" && s.plan.blind != nil {
		reason = ""
		a.say("deskhand: the reason is not recorded: task %s keeps secrets that are not known here", t.ID)
	}
	if err := s.engine.Stop(ctx, t.ID, reason); err != nil {
		return err
	}
	if t, err = s.store.Get(ctx, string(t.ID)); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "Task %s is %s.\n", t.ID, t.Status)
	return a.letGo(t)
}

type taskWatchCmd struct {
	ID     string `arg:"" help:"Task id, or its beginning."`
	Output string `default:"text" enum:"text,json,stream-json" placeholder:"FORM" help:"text, json (one object at the end) or stream-json (one event per line)."`
}

// Run shows a task while another process drives it, until it has ended or is
// parked. A signal ends the watch, not the task.
func (c *taskWatchCmd) Run(ctx context.Context, a *app) error {
	s, t, err := a.steering(ctx, c.ID, "", false)
	if err != nil {
		return err
	}
	v := a.view(c.Output)
	defer v.close()
	if text, ok := v.(*textView); ok {
		text.live = false
	}
	events, err := s.engine.Watch(ctx, t.ID, 0)
	if err != nil {
		return err
	}
	for {
		select {
		case <-s.signals:
			return &outcome{exitInterrupted}
		case e, more := <-events:
			if !more {
				if t, err = s.store.Get(ctx, string(t.ID)); err != nil {
					return err
				}
				v.end(t)
				return ended(t.Status)
			}
			if err := v.event(e); err != nil {
				return err
			}
		}
	}
}
