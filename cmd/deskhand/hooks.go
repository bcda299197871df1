package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/hook"
	"github.com/deskhand/deskhand/store"
	"github.com/deskhand/deskhand/transcript"
)

// hooksFile is in the state directory; docs/hooks.md has its form.
const hooksFile = "hooks.toml"

// hooksEnd bounds how long the end of the program waits for hooks that are
// still to be told.
const hooksEnd = 30 * time.Second

// hooks reads the state directory's file of hooks; nil: there is none.
func (a *app) hooks() (*hook.Hooks, error) {
	dir, err := a.homePath()
	if err != nil {
		return nil, err
	}
	data, err := optional(filepath.Join(dir, hooksFile))
	if err != nil || data == nil {
		return nil, err
	}
	place, err := thisMachine(dir)
	if err != nil {
		return nil, err
	}
	h, err := hook.Parse(hooksFile, data, hook.Config{
		Place: place, Env: a.env, Failed: func(err error) { a.say("WARNING: %s", err) },
	})
	if err != nil {
		return nil, usage("%s", told(err))
	}
	return h, nil
}

// hooked returns st with the hooks told of what is appended through it, until
// the app closes. The process that appends tells, so that nothing is told twice.
func (a *app) hooked(st store.Store, h *hook.Hooks) store.Store {
	if h == nil {
		return st
	}
	n := &notifier{hooks: h, store: st, stories: map[deskhand.TaskID]*recalled{}, more: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	n.working.Go(func() { n.work(ctx, a.say) })
	a.onClose(func() error {
		defer cancel()
		limit := time.AfterFunc(hooksEnd, cancel)
		defer limit.Stop()
		n.end()
		return h.Close()
	})
	return hookedStore{st, n}
}

// hookedStore is a store whose appended events hooks hear of.
type hookedStore struct {
	store.Store
	notifier *notifier
}

// Append implements store.Journal.
func (s hookedStore) Append(ctx context.Context, events ...deskhand.Event) ([]deskhand.Event, error) {
	out, err := s.Store.Append(ctx, events...)
	if err == nil {
		s.notifier.hear(out)
	}
	return out, err
}

// notifier tells hooks of events, one after the other, so that whoever appends
// never waits for a hook.
type notifier struct {
	hooks   *hook.Hooks
	store   store.Store
	stories map[deskhand.TaskID]*recalled // used by work alone
	working sync.WaitGroup

	mu    sync.Mutex
	queue []deskhand.Event
	ended bool
	more  chan struct{} // holds one: the queue has grown, or has come to its end
}

// recalled is a task's story as far as it was read.
type recalled struct {
	*transcript.Story
	seq int64
}

// hear takes the events that hooks are told of.
func (n *notifier) hear(events []deskhand.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range events {
		if tells[e.Kind] != nil {
			n.queue = append(n.queue, e)
		}
	}
	n.poke()
}

func (n *notifier) poke() {
	select {
	case n.more <- struct{}{}:
	default:
	}
}

// end waits until everything that was heard has been told.
func (n *notifier) end() {
	n.mu.Lock()
	n.ended = true
	n.poke()
	n.mu.Unlock()
	n.working.Wait()
}

// take returns what was heard and not told, and whether more may come.
func (n *notifier) take() (events []deskhand.Event, goesOn bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	events, n.queue = n.queue, nil
	return events, !n.ended
}

// work tells hooks until the end, or until ctx ends.
func (n *notifier) work(ctx context.Context, say func(format string, args ...any)) {
	for goesOn := true; goesOn; {
		<-n.more
		var events []deskhand.Event
		events, goesOn = n.take()
		for i, e := range events {
			if ctx.Err() != nil {
				say("WARNING: The hooks took longer than %s at the end and were not told of %s.", hooksEnd, plural(len(events)-i, "event"))
				return
			}
			if err := n.tell(ctx, e); err != nil && ctx.Err() == nil {
				say("WARNING: The hooks were not told of event %d of task %s: %s", e.Seq, e.Task, err)
			}
		}
	}
}

// tell tells hooks of one event.
func (n *notifier) tell(ctx context.Context, e deskhand.Event) error {
	task, err := n.store.Get(ctx, string(e.Task))
	if err != nil {
		return err
	}
	s := n.stories[e.Task]
	if s == nil {
		s = &recalled{Story: transcript.New()}
		n.stories[e.Task] = s
	}
	if s.seq < e.Seq { // with what others appended in between
		for one, err := range n.store.Events(ctx, e.Task, s.seq) {
			if err == nil {
				err = s.Add(one)
			}
			if err != nil {
				return err
			}
			if s.seq = one.Seq; s.seq == e.Seq {
				break
			}
		}
	}
	return tells[e.Kind](ctx, n.hooks, occurrence{task, s.Story, e})
}

// occurrence is an event with what is known of its task.
type occurrence struct {
	task  deskhand.Task
	story *transcript.Story // to the event
	event deskhand.Event
}

// tells is what hooks are told of, and how.
var tells = map[deskhand.Kind]func(context.Context, *hook.Hooks, occurrence) error{
	deskhand.KindCallFinished: teller(func(ctx context.Context, h *hook.Hooks, o occurrence, d deskhand.CallFinished) {
		if c := o.story.Call(d.CallID); c != nil {
			h.After(ctx, o.task, c.Call, c.Verdict, d.Result)
		}
	}),
	deskhand.KindApprovalAsked: teller(func(ctx context.Context, h *hook.Hooks, o occurrence, d deskhand.ApprovalAsked) {
		h.Question(ctx, o.task, hook.Asked{About: "call", Text: d.Verdict.Reason, Call: &d.Call, Verdict: &d.Verdict})
	}),
	deskhand.KindStuckNoticed: teller(func(ctx context.Context, h *hook.Hooks, o occurrence, d deskhand.StuckNoticed) {
		if d.Step == deskhand.StepAsk {
			h.Question(ctx, o.task, hook.Asked{About: "stuck", Text: d.Text})
		}
	}),
	deskhand.KindBudgetReached: teller(func(ctx context.Context, h *hook.Hooks, o occurrence, d deskhand.BudgetReached) {
		h.Question(ctx, o.task, hook.Asked{About: "budget", Text: d.Text})
	}),
	deskhand.KindTaskStatus: teller(func(ctx context.Context, h *hook.Hooks, o occurrence, d deskhand.TaskStatus) {
		if d.To.Ended() {
			h.End(ctx, o.task, hook.Ended{Status: d.To, Reason: d.Reason, Result: d.Result, Events: o.event.Seq, Head: o.event.Hash()})
		}
	}),
}

// teller decodes an event's data before f sees it.
func teller[D any](f func(context.Context, *hook.Hooks, occurrence, D)) func(context.Context, *hook.Hooks, occurrence) error {
	return func(ctx context.Context, h *hook.Hooks, o occurrence) error {
		var d D
		if err := json.Unmarshal(o.event.Data, &d); err != nil {
			return err
		}
		f(ctx, h, o, d)
		return nil
	}
}
