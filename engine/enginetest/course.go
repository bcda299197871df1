package enginetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/agent"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/model"
)

func done(t *testing.T, open Open) {
	w := newWorld(Turns(Ask("act", "act"), Say("all done")))
	e, st := open(t, w)
	task := start(t, e)
	events := watch(t, e, task.ID, 0)
	if d := last(t, events); d.To != deskhand.Done || d.Result != "all done" {
		t.Errorf("ended as %+v", d)
	}
	if n := w.Computers.Acts.Load(); n != 2 {
		t.Errorf("%d effects, want 2", n)
	}
	if n := w.Computers.Open.Load(); n != 0 {
		t.Errorf("%d computers are still up at the end", n)
	}
	got, err := st.Get(t.Context(), string(task.ID))
	if err != nil || got.Status != deskhand.Done || got.Turns != 2 || got.Calls != 2 || got.Usage.Input != 20 {
		t.Errorf("at a glance %+v, %v", got, err)
	}
	if err := st.Verify(t.Context(), task.ID); err != nil {
		t.Error(err)
	}
	if err := e.Stop(t.Context(), task.ID, "too late"); err != nil {
		t.Errorf("stopping an ended task: %v", err)
	}
}

func endings(t *testing.T, open Open) {
	denying := func(w World) World {
		w.Gate = func(deskhand.Task) deskhand.Gate {
			return func(deskhand.Call, deskhand.Moment) deskhand.Judgement {
				return deskhand.Judgement{Verdict: deskhand.Verdict{Outcome: deskhand.Deny, Rule: "none", Reason: "no"}}
			}
		}
		return w
	}
	for name, c := range map[string]struct {
		world  World
		status deskhand.Status
		reason string
	}{
		"no key":        {World{ModelErr: deskhand.Errorf("model", deskhand.Unauthenticated, "there is no API key"), Computers: new(Computers)}, deskhand.Failed, "there is no API key"},
		"no sandbox":    {World{Model: Turns(), Computers: &Computers{UpErr: deskhand.Errorf("sandbox: start", deskhand.Unavailable, "bubblewrap is not installed")}}, deskhand.Failed, "bubblewrap is not installed"},
		"sandbox lost":  {newWorld(Turns(Ask("die"))), deskhand.Failed, "the sandbox is gone"},
		"defect":        {newWorld(Turns(Ask("panic"))), deskhand.Failed, "defect"},
		"refused by us": {denying(newWorld(Turns(Ask("act"), Say("I may not")))), deskhand.Done, ""},
		"api": {newWorld(Model(func(context.Context, model.Request, func(model.Delta)) (model.Reply, error) {
			return model.Reply{}, &model.Error{Code: deskhand.Unauthenticated, Status: 401, Message: "The API key is not valid."}
		})), deskhand.Failed, "The API key is not valid."},
	} {
		t.Run(name, func(t *testing.T) {
			e, st := open(t, c.world)
			task := start(t, e)
			d := last(t, watch(t, e, task.ID, 0))
			if d.To != c.status || !strings.Contains(d.Reason, c.reason) {
				t.Errorf("ended as %+v", d)
			}
			if n := c.world.Computers.Open.Load(); n != 0 {
				t.Errorf("%d computers are still up", n)
			}
			if n := c.world.Computers.Acts.Load(); n != 0 {
				t.Errorf("%d effects", n)
			}
			if err := st.Verify(t.Context(), task.ID); err != nil {
				t.Error(err)
			}
		})
	}
}

func noText(t *testing.T, open Open) {
	e, st := open(t, newWorld(Turns()))
	if _, err := e.Start(t.Context(), deskhand.Task{Text: " \n"}); deskhand.CodeOf(err) != deskhand.Invalid {
		t.Errorf("a task without text: %v", err)
	}
	if list, err := st.List(t.Context(), 0); err != nil || len(list) != 0 {
		t.Errorf("it left %v, %v", list, err)
	}
}

func notices(t *testing.T, open Open) {
	var mu sync.Mutex
	var seen string
	w := newWorld(Model(func(_ context.Context, req model.Request, _ func(model.Delta)) (model.Reply, error) {
		mu.Lock()
		defer mu.Unlock()
		for _, m := range req.Messages {
			for _, b := range m.Blocks {
				seen += b.Text + "\n"
			}
		}
		return Say("ok"), nil
	}))
	w.Computers.Notices = []string{"The panel died and was started again."}
	e, _ := open(t, w)
	watch(t, e, start(t, e).ID, 0)
	mu.Lock()
	defer mu.Unlock()
	if seen != "do it\nThe panel died and was started again.\n" {
		t.Errorf("the model read %q", seen)
	}
}

func check(t *testing.T, open Open) {
	criteria := []deskhand.Criterion{{Kind: "file", Want: "/a"}}
	for name, c := range map[string]struct {
		finding deskhand.Finding
		err     error
		status  deskhand.Status
		reason  string
	}{
		"right":   {deskhand.Verified, nil, deskhand.Done, ""},
		"unclear": {deskhand.NotVerified, nil, deskhand.Done, ""},
		"wrong":   {deskhand.Refuted, nil, deskhand.Failed, "the file is empty"},
		"cannot":  {"", errors.New("the disk is gone"), deskhand.Failed, "the disk is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(Turns(Say("all done")))
			w.Check = func(_ context.Context, _ engine.Computer, task deskhand.Task, _ agent.Ask) ([]deskhand.Checked, error) {
				if n := w.Computers.Open.Load(); n != 1 || !slices.Equal(task.Criteria, criteria) {
					t.Errorf("checked %v with %d computers up", task.Criteria, n)
				}
				return []deskhand.Checked{{Criterion: criteria[0], Finding: c.finding, Evidence: "the file is empty"}}, c.err
			}
			e, st := open(t, w)
			task := newTask()
			task.Criteria, task.Guard.Rechecks = criteria, -1
			task, err := e.Start(t.Context(), task)
			if err != nil {
				t.Fatal(err)
			}
			events := watch(t, e, task.ID, 0)
			if d := last(t, events); d.To != c.status || !strings.Contains(d.Reason, c.reason) || d.Result != "all done" && c.err == nil {
				t.Errorf("ended as %+v", d)
			}
			if n := len(texts(t, events, deskhand.KindOutcomeChecked)); (n == 1) != (c.err == nil) {
				t.Errorf("%d checks are in the journal", n)
			}
			if got, err := st.Get(t.Context(), string(task.ID)); err != nil || got.Finding != c.finding {
				t.Errorf("at a glance it is %q, %v", got.Finding, err)
			}
		})
	}
}

func keep(t *testing.T, open Open) {
	w := newWorld(Turns(Say("done")))
	w.Keep = true
	e, _ := open(t, w)
	first, second := start(t, e), start(t, e)
	for _, task := range []deskhand.Task{first, second} {
		if d := last(t, watch(t, e, task.ID, 0)); d.To != deskhand.Done {
			t.Errorf("ended as %+v", d)
		}
	}
	if err := e.Stop(t.Context(), first.ID, "enough"); err != nil || w.Computers.Open.Load() != 1 {
		t.Errorf("after Stop %d computers are up, want 1 (%v)", w.Computers.Open.Load(), err)
	}
	if err := e.Close(); err != nil || w.Computers.Open.Load() != 0 {
		t.Errorf("after Close %d computers are up (%v)", w.Computers.Open.Load(), err)
	}
}

func park(t *testing.T, open Open) {
	w := newWorld(Turns(Ask("act", "act")))
	w.Gate = func(deskhand.Task) deskhand.Gate {
		return func(deskhand.Call, deskhand.Moment) deskhand.Judgement {
			return deskhand.Judgement{Verdict: deskhand.Verdict{Outcome: deskhand.Ask, Rule: "careful", Reason: "This cannot be undone."}}
		}
	}
	e, st := open(t, w)
	task := start(t, e)
	events := watch(t, e, task.ID, 0)
	if d := last(t, events); d.To != deskhand.Waiting || d.Reason != "This cannot be undone." {
		t.Errorf("parked as %+v", d)
	}
	if n := len(texts(t, events, deskhand.KindApprovalAsked)); n != 1 || w.Computers.Acts.Load() != 0 {
		t.Errorf("%d questions, %d effects", n, w.Computers.Acts.Load())
	}
	if n := w.Computers.Open.Load(); n != 1 {
		t.Errorf("%d computers are up while the task waits, want 1", n)
	}
	if err := e.Stop(t.Context(), task.ID, "never mind"); err != nil {
		t.Fatal(err)
	}
	events = watch(t, e, task.ID, events[len(events)-1].Seq)
	if d := last(t, events); d.To != deskhand.Stopped || d.Reason != "never mind" {
		t.Errorf("ended as %+v", d)
	}
	if n := len(texts(t, events, deskhand.KindCallFinished)); n != 2 || w.Computers.Open.Load() != 0 {
		t.Errorf("%d calls answered, want 2; %d computers up", n, w.Computers.Open.Load())
	}
	if err := st.Verify(t.Context(), task.ID); err != nil {
		t.Error(err)
	}
}
