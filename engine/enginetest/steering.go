package enginetest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/store"
)

// reader is a model that keeps what it was sent and answers as Turns does.
type reader struct {
	mu       sync.Mutex
	requests []string
	replies  []model.Reply
	before   func(n int) // called before the nth reply, from 0
}

func (r *reader) Reply(ctx context.Context, req model.Request, on func(model.Delta)) (model.Reply, error) {
	var text strings.Builder
	for _, m := range req.Messages {
		fmt.Fprintf(&text, "%s %s\n", m.Role, m.Raw)
		for _, b := range m.Blocks {
			switch {
			case b.CallID != "":
				fmt.Fprintf(&text, "result %v %v\n", b.Result.IsError, b.Result.Content)
			case b.Image != nil:
				fmt.Fprintf(&text, "image %s\n", b.Image.Hash)
			default:
				fmt.Fprintf(&text, "text %s\n", b.Text)
			}
		}
	}
	r.mu.Lock()
	r.requests = append(r.requests, text.String())
	n := len(r.requests) - 1
	r.mu.Unlock()
	if r.before != nil {
		r.before(n)
	}
	return Turns(r.replies...)(ctx, req, on)
}

// sent returns the nth request, from 0.
func (r *reader) sent(t *testing.T, n int) string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.requests) <= n {
		t.Fatalf("there were only %d requests", len(r.requests))
	}
	return r.requests[n]
}

// two opens two engines on one state directory, as two processes would.
func two(t *testing.T, open Open, w World) (driver, other engine.Engine, st store.Store) {
	t.Helper()
	w.Dir = t.TempDir()
	driver, st = open(t, w)
	other, _ = open(t, World{Dir: w.Dir, Model: w.Model, Computers: w.Computers, Gate: w.Gate})
	return driver, other, st
}

func wantCode(t *testing.T, what string, err error, code deskhand.Code) {
	t.Helper()
	if deskhand.CodeOf(err) != code {
		t.Errorf("%s: %v, want code %q", what, err, code)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantEffects(t *testing.T, w World, acts, made int64) {
	t.Helper()
	if n, m := w.Computers.Acts.Load(), w.Computers.Made.Load(); n != acts || m != made {
		t.Errorf("%d effects on %d computers, want %d on %d", n, m, acts, made)
	}
}

// resume stops a task in the middle of a batch and goes on with it: nothing is
// repeated, what was not reached is not run on another computer, the history
// only grows, and the model sees where it is.
func resume(t *testing.T, open Open) {
	m := &reader{replies: []model.Reply{Ask("act"), Ask("act", "hang", "act"), Ask("act"), Say("all done")}}
	w := newWorld(m)
	e, st := open(t, w)
	task := start(t, e)
	c := follow(t, e, task.ID)
	for range 3 {
		until(t, c, deskhand.KindCallStarted)
	}
	must(t, e.Stop(t.Context(), task.ID, "Enough."))
	before := watch(t, e, task.ID, 0)
	must(t, e.Resume(t.Context(), task.ID))
	events := watch(t, e, task.ID, before[len(before)-1].Seq)
	if d := last(t, events); d.To != deskhand.Done || d.Result != "all done" {
		t.Errorf("ended as %+v", d)
	}
	wantEffects(t, w, 3, 2)
	got := m.sent(t, 2)
	if !strings.HasPrefix(got, m.sent(t, 1)) {
		t.Errorf("the history was changed:\n%s\n---\n%s", m.sent(t, 1), got)
	}
	for _, want := range []string{"Interrupted: the task was stopped", "Not executed: the task was stopped", "The computer you worked on is gone", "image " + string(deskhand.HashOf(picture))} {
		if !strings.Contains(got, want) {
			t.Errorf("the model was not told %q: %s", want, got)
		}
	}
	must(t, st.Verify(t.Context(), task.ID))
}

func resumeRefused(t *testing.T, open Open) {
	e, _ := open(t, newWorld(Turns(Say("done"))))
	task := start(t, e)
	watch(t, e, task.ID, 0)
	wantCode(t, "resuming what is done", e.Resume(t.Context(), task.ID), deskhand.Conflict)

	e, _ = open(t, newWorld(Model(streaming)))
	task = start(t, e)
	until(t, follow(t, e, task.ID), deskhand.KindModelDelta)
	wantCode(t, "resuming what runs", e.Resume(t.Context(), task.ID), deskhand.Conflict)
}

// resumeElsewhere goes on with a task that was stopped in another process, and
// has the one that drives it go on with one that is parked there.
func resumeElsewhere(t *testing.T, open Open) {
	w := newWorld(Turns(Ask("act", "hang"), Say("all done")))
	first, other, _ := two(t, open, w)
	task := start(t, first)
	c := follow(t, first, task.ID)
	until(t, c, deskhand.KindCallStarted)
	until(t, c, deskhand.KindCallStarted)
	must(t, first.Stop(t.Context(), task.ID, ""))
	must(t, other.Resume(t.Context(), task.ID))
	if d := last(t, watch(t, other, task.ID, 0)); d.To != deskhand.Done {
		t.Errorf("ended as %+v", d)
	}
	wantEffects(t, w, 1, 2)

	w = newWorld(Turns(Ask("act"), Say("all done")))
	first, other, _ = two(t, open, w)
	poor := newTask()
	poor.Budget.MaxTurns = 1
	task, err := first.Start(t.Context(), poor)
	must(t, err)
	if d := last(t, watch(t, first, task.ID, 0)); d.To != deskhand.Exhausted {
		t.Errorf("ended as %+v", d)
	}
	must(t, other.Raise(t.Context(), task.ID, deskhand.Budget{}, "ann"))
	must(t, other.Resume(t.Context(), task.ID))
	if d := last(t, watch(t, first, task.ID, 0)); d.To != deskhand.Done {
		t.Errorf("ended as %+v", d)
	}
	wantEffects(t, w, 1, 1) // on the computer that was
}

// lostWay has a task go in circles until it asks how to go on, and be told.
func lostWay(t *testing.T, open Open) {
	w := newWorld(nil)
	w.Model = Model(func(_ context.Context, req model.Request, _ func(model.Delta)) (model.Reply, error) {
		blocks := req.Messages[len(req.Messages)-1].Blocks
		if blocks[len(blocks)-1].Text == "Use the blue one." {
			return Say("all done"), nil
		}
		return Ask("act"), nil
	})
	e, other, _ := two(t, open, w)
	task := newTask()
	task.Guard.Identical = 2
	task, err := e.Start(t.Context(), task)
	must(t, err)
	events := watch(t, e, task.ID, 0)
	if d := last(t, events); d.To != deskhand.Waiting {
		t.Fatalf("parked as %+v", d)
	}
	wantCode(t, "resuming what asks", e.Resume(t.Context(), task.ID), deskhand.Conflict)
	must(t, other.Say(t.Context(), task.ID, "Use the blue one."))
	if d := last(t, watch(t, e, task.ID, events[len(events)-1].Seq)); d.To != deskhand.Done {
		t.Errorf("ended as %+v", d)
	}
	if n := w.Computers.Made.Load(); n != 1 {
		t.Errorf("%d computers were made", n)
	}
}

// computerLost loses the computer under a call, and goes on with another one.
func computerLost(t *testing.T, open Open) {
	m := &reader{replies: []model.Reply{Ask("act"), Ask("crash", "act"), Ask("act"), Say("all done")}}
	w := newWorld(m)
	e, st := open(t, w)
	task := start(t, e)
	events := watch(t, e, task.ID, 0)
	if d := last(t, events); d.To != deskhand.Done {
		t.Errorf("ended as %+v", d)
	}
	wantEffects(t, w, 2, 2)
	if n := w.Computers.Open.Load(); n != 0 {
		t.Errorf("%d computers are still up", n)
	}
	if got := m.sent(t, 2); !strings.Contains(got, "The computer you worked on is gone") || !strings.Contains(got, "image ") {
		t.Errorf("the model was told %s", got)
	}
	must(t, st.Verify(t.Context(), task.ID))
}

func lostForGood(t *testing.T, open Open) {
	w := newWorld(Turns(Say("never")))
	w.Computers.Stillborn = true
	e, _ := open(t, w)
	if d := last(t, watch(t, e, start(t, e).ID, 0)); d.To != deskhand.Failed || !strings.Contains(d.Reason, "was lost") {
		t.Errorf("ended as %+v", d)
	}
	if n := w.Computers.Open.Load(); n != 0 || w.Computers.Made.Load() > 5 {
		t.Errorf("%d computers are up, %d were made", n, w.Computers.Made.Load())
	}
}

// sameComputer goes on with a computer that outlived the interruption: what was
// not reached of a batch without an open call still runs.
func sameComputer(t *testing.T, open Open) {
	m := &reader{replies: []model.Reply{Ask("hang", "act"), Ask("act"), Say("all done")}}
	w := newWorld(m)
	w.Computers.Same = true
	e, _ := open(t, w)
	task := start(t, e)
	until(t, follow(t, e, task.ID), deskhand.KindCallStarted)
	must(t, e.Stop(t.Context(), task.ID, ""))
	must(t, e.Resume(t.Context(), task.ID))
	watch(t, e, task.ID, 0)
	wantEffects(t, w, 1, 2)
	if got := m.sent(t, 1); !strings.Contains(got, "on the same computer") || strings.Contains(got, "is gone") {
		t.Errorf("the model was told %s", got)
	}
}

// say adds a message while a call runs, from another process.
func say(t *testing.T, open Open) {
	m := &reader{replies: []model.Reply{Ask("gate"), Say("all done")}}
	w := newWorld(m)
	w.Computers.Gate = make(chan struct{})
	e, other, _ := two(t, open, w)
	task := start(t, e)
	until(t, follow(t, e, task.ID), deskhand.KindCallStarted)
	wantCode(t, "saying nothing", other.Say(t.Context(), task.ID, " \n"), deskhand.Invalid)
	must(t, other.Say(t.Context(), task.ID, "Use the blue one."))
	close(w.Computers.Gate)
	watch(t, e, task.ID, 0)
	if got := m.sent(t, 1); !strings.HasPrefix(got, m.sent(t, 0)) || !strings.Contains(got, "text Use the blue one.") {
		t.Errorf("the model was sent %s", got)
	}
	wantEffects(t, w, 0, 1)
}

// sayAtTheEnd says something while the model says its last word.
func sayAtTheEnd(t *testing.T, open Open) {
	m := &reader{replies: []model.Reply{Say("done"), Say("done twice")}}
	e, _ := open(t, newWorld(m))
	id := make(chan deskhand.TaskID, 1)
	m.before = func(n int) {
		if n == 0 {
			if err := e.Say(t.Context(), <-id, "And the other one."); err != nil {
				t.Error(err)
			}
		}
	}
	task := start(t, e)
	id <- task.ID
	if d := last(t, watch(t, e, task.ID, 0)); d.Result != "done twice" {
		t.Errorf("ended as %+v", d)
	}
}

// followUp goes on with a task that is done, here or where its computer is.
func followUp(t *testing.T, open Open) {
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprint(keep), func(t *testing.T) {
			w := newWorld(Turns(Ask("act"), Say("done"), Ask("act"), Say("done twice")))
			w.Keep = keep
			e, other, st := two(t, open, w)
			task := start(t, e)
			events := watch(t, e, task.ID, 0)
			must(t, other.Say(t.Context(), task.ID, "And the other one."))
			if d := last(t, watch(t, other, task.ID, events[len(events)-1].Seq)); d.To != deskhand.Done || d.Result != "done twice" {
				t.Errorf("ended as %+v", d)
			}
			wantEffects(t, w, 2, map[bool]int64{false: 2, true: 1}[keep])
			must(t, st.Verify(t.Context(), task.ID))
		})
	}
}

func asking(m model.Model) World {
	w := newWorld(m)
	w.Gate = func(deskhand.Task) deskhand.Gate {
		return func(deskhand.Call, deskhand.Moment) deskhand.Judgement {
			return deskhand.Judgement{Verdict: deskhand.Verdict{Outcome: deskhand.Ask, Rule: "careful", Reason: "This cannot be undone."}}
		}
	}
	return w
}

// answer says yes to one call and no to the other, on the computer that waited.
func answer(t *testing.T, open Open) {
	m := &reader{replies: []model.Reply{Ask("act", "act"), Say("all done")}}
	w := asking(m)
	e, st := open(t, w)
	task := start(t, e)
	events := watch(t, e, task.ID, 0)
	wantCode(t, "resuming what waits", e.Resume(t.Context(), task.ID), deskhand.Conflict)
	wantCode(t, "answering another question", e.Answer(t.Context(), task.ID, deskhand.Decision{CallID: "toolu_other", Approve: true}), deskhand.Conflict)
	for _, d := range []deskhand.Decision{{Approve: true, By: "ann"}, {By: "ann", Comment: "Not twice."}} {
		must(t, e.Answer(t.Context(), task.ID, d))
		events = watch(t, e, task.ID, events[len(events)-1].Seq)
	}
	if d := last(t, events); d.To != deskhand.Done {
		t.Errorf("ended as %+v", d)
	}
	wantEffects(t, w, 1, 1)
	if got := m.sent(t, 1); !strings.Contains(got, "The user says: Not twice.") {
		t.Errorf("the model was told %s", got)
	}
	wantCode(t, "answering what nobody asked", e.Answer(t.Context(), task.ID, deskhand.Decision{Approve: true}), deskhand.Conflict)
	must(t, st.Verify(t.Context(), task.ID))
}

// answerOnce has many people answer at the same moment, in two processes.
func answerOnce(t *testing.T, open Open) {
	w := asking(Turns(Ask("act"), Say("all done")))
	e, other, _ := two(t, open, w)
	task := start(t, e)
	events := watch(t, e, task.ID, 0)
	var first atomic.Int64
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			by := []engine.Engine{e, other}[i%2]
			switch err := by.Answer(t.Context(), task.ID, deskhand.Decision{Approve: true, By: fmt.Sprint(i)}); {
			case err == nil:
				first.Add(1)
			case deskhand.CodeOf(err) != deskhand.Conflict:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if first.Load() != 1 {
		t.Errorf("%d answers were the first", first.Load())
	}
	watch(t, e, task.ID, events[len(events)-1].Seq)
	wantEffects(t, w, 1, 1)
}

// answerElsewhere answers after the process that asked is gone: the call was
// meant for a computer that is gone too, and does not run.
func answerElsewhere(t *testing.T, open Open) {
	m := &reader{replies: []model.Reply{Ask("act"), Say("all done")}}
	w := asking(m)
	e, other, _ := two(t, open, w)
	task := start(t, e)
	events := watch(t, e, task.ID, 0)
	must(t, e.Close())
	must(t, other.Answer(t.Context(), task.ID, deskhand.Decision{Approve: true}))
	if d := last(t, watch(t, other, task.ID, events[len(events)-1].Seq)); d.To != deskhand.Done {
		t.Errorf("ended as %+v", d)
	}
	wantEffects(t, w, 0, 2)
	if got := m.sent(t, 1); !strings.Contains(got, "Not executed: the work was interrupted") {
		t.Errorf("the model was told %s", got)
	}
}

// interrupt ends a call from another process; the rest of its batch does not run.
func interrupt(t *testing.T, open Open) {
	m := &reader{replies: []model.Reply{Ask("act", "hang", "act"), Say("all done")}}
	w := newWorld(m)
	e, other, _ := two(t, open, w)
	task := start(t, e)
	c := follow(t, e, task.ID)
	until(t, c, deskhand.KindCallStarted)
	until(t, c, deskhand.KindCallStarted)
	must(t, other.Interrupt(t.Context(), task.ID))
	if d := last(t, watch(t, e, task.ID, 0)); d.To != deskhand.Done {
		t.Errorf("ended as %+v", d)
	}
	wantEffects(t, w, 1, 1)
	if got := m.sent(t, 1); !strings.Contains(got, "the user ended this call") || !strings.Contains(got, "the user interrupted an earlier call") {
		t.Errorf("the model was told %s", got)
	}
}

func nothingRuns(t *testing.T, open Open) {
	e, _ := open(t, newWorld(Model(streaming)))
	task := start(t, e)
	until(t, follow(t, e, task.ID), deskhand.KindModelDelta)
	wantCode(t, "interrupting nothing", e.Interrupt(t.Context(), task.ID), deskhand.Conflict)
}

func unknown(t *testing.T, open Open) {
	e, _ := open(t, newWorld(Turns()))
	id := deskhand.NewTaskID()
	wantCode(t, "Resume", e.Resume(t.Context(), id), deskhand.NotFound)
	wantCode(t, "Say", e.Say(t.Context(), id, "hello"), deskhand.NotFound)
	wantCode(t, "Answer", e.Answer(t.Context(), id, deskhand.Decision{}), deskhand.NotFound)
	wantCode(t, "Interrupt", e.Interrupt(t.Context(), id), deskhand.NotFound)
}

// stopElsewhere stops what another process drives, whatever it is doing.
func stopElsewhere(t *testing.T, open Open) {
	for name, c := range map[string]struct {
		world World
		at    deskhand.Kind
	}{
		"call hangs":    {newWorld(Turns(Ask("act", "hang", "act"))), deskhand.KindCallStarted},
		"call is stuck": {newWorld(Turns(Ask("stuck"))), deskhand.KindCallStarted},
		"model streams": {newWorld(Model(streaming)), deskhand.KindModelDelta},
		"waits":         {asking(Turns(Ask("act"))), deskhand.KindApprovalAsked},
	} {
		t.Run(name, func(t *testing.T) {
			e, other, st := two(t, open, c.world)
			task := start(t, e)
			until(t, follow(t, e, task.ID), c.at)
			begun := time.Now()
			must(t, other.Stop(t.Context(), task.ID, "Enough."))
			if took := time.Since(begun); took > stopWithin {
				t.Errorf("Stop took %s", took)
			}
			if n := c.world.Computers.Open.Load(); n != 0 {
				t.Errorf("%d computers are up after Stop", n)
			}
			if d := last(t, watch(t, other, task.ID, 0)); d.To != deskhand.Stopped || d.Reason != "Enough." {
				t.Errorf("ended as %+v", d)
			}
			must(t, st.Verify(t.Context(), task.ID))
		})
	}
}
