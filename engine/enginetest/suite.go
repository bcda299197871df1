package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/store"
)

// Open returns a fresh engine in a fresh state directory, closed at the end of
// the test, and its store.
type Open func(t *testing.T, w World) (engine.Engine, store.Store)

const (
	patience   = 20 * time.Second // for what must happen
	stopWithin = time.Second      // for Stop, whatever hangs
)

// Run checks that an engine does what engine.Engine says.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"done":            done,
		"endings":         endings,
		"no text":         noText,
		"notices":         notices,
		"check":           check,
		"keep":            keep,
		"park":            park,
		"stop":            stop,
		"stop storm":      stopStorm,
		"stop unknown":    stopUnknown,
		"close":           closing,
		"many":            many,
		"late watchers":   lateWatchers,
		"slow watcher":    slowWatcher,
		"watcher leaves":  watcherLeaves,
		"watch foreign":   watchForeign,
		"watch unknown":   watchUnknown,
		"deltas in order": deltasInOrder,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open)
		})
	}
}

func newWorld(m model.Model) World { return World{Model: m, Computers: new(Computers)} }

func newTask() deskhand.Task {
	return deskhand.Task{Text: "do it", Model: "fake", Permission: "trust", Screen: deskhand.Size{W: 1280, H: 800}}
}

func start(t *testing.T, e engine.Engine) deskhand.Task {
	t.Helper()
	task, err := e.Start(t.Context(), newTask())
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// watch reads a task's events after seq until the channel is closed.
func watch(t *testing.T, e engine.Engine, id deskhand.TaskID, after int64) []deskhand.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := e.Watch(ctx, id, after)
	if err != nil {
		t.Fatal(err)
	}
	var out []deskhand.Event
	for ev := range c {
		out = append(out, ev)
	}
	if ctx.Err() != nil {
		t.Errorf("the watch of %s did not end", id)
	}
	return out
}

// until reads from c until an event of kind, and returns it.
func until(t *testing.T, c <-chan deskhand.Event, kind deskhand.Kind) deskhand.Event {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case ev, ok := <-c:
			if !ok {
				t.Fatalf("the watch ended before %s", kind)
			}
			if ev.Kind == kind {
				return ev
			}
		case <-limit:
			t.Fatalf("no %s within %s", kind, patience)
		}
	}
}

func follow(t *testing.T, e engine.Engine, id deskhand.TaskID) <-chan deskhand.Event {
	t.Helper()
	c, err := e.Watch(t.Context(), id, 0)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func data[T any](t *testing.T, ev deskhand.Event) T {
	t.Helper()
	var d T
	if err := json.Unmarshal(ev.Data, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// last returns how the task ended, as its last event says.
func last(t *testing.T, events []deskhand.Event) deskhand.TaskStatus {
	t.Helper()
	if len(events) == 0 || events[len(events)-1].Kind != deskhand.KindTaskStatus {
		t.Fatalf("the last of %d events is not a change of status", len(events))
	}
	return data[deskhand.TaskStatus](t, events[len(events)-1])
}

func texts(t *testing.T, events []deskhand.Event, kind deskhand.Kind) (out []string) {
	t.Helper()
	for _, ev := range events {
		if ev.Kind == kind {
			out = append(out, string(ev.Data))
		}
	}
	return out
}

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
		w.Gate = func(deskhand.Task) func(deskhand.Call) deskhand.Verdict {
			return func(deskhand.Call) deskhand.Verdict {
				return deskhand.Verdict{Outcome: deskhand.Deny, Rule: "none", Reason: "no"}
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
	for name, c := range map[string]struct {
		ok     bool
		err    error
		status deskhand.Status
		reason string
	}{
		"right":  {true, nil, deskhand.Done, ""},
		"wrong":  {false, nil, deskhand.Failed, "the file is empty"},
		"cannot": {false, errors.New("the disk is gone"), deskhand.Failed, "the disk is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(Turns(Say("all done")))
			w.Check = func(_ context.Context, _ engine.Computer, result string) (bool, string, error) {
				if n := w.Computers.Open.Load(); n != 1 || result != "all done" {
					t.Errorf("checked %q with %d computers up", result, n)
				}
				return c.ok, "the file is empty", c.err
			}
			e, _ := open(t, w)
			events := watch(t, e, start(t, e).ID, 0)
			if d := last(t, events); d.To != c.status || !strings.Contains(d.Reason, c.reason) {
				t.Errorf("ended as %+v", d)
			}
			notes := strings.Join(texts(t, events, deskhand.KindNote), "")
			if strings.Contains(notes, "the file is empty") != (c.err == nil) {
				t.Errorf("notes: %s", notes)
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
	w.Gate = func(deskhand.Task) func(deskhand.Call) deskhand.Verdict {
		return func(deskhand.Call) deskhand.Verdict {
			return deskhand.Verdict{Outcome: deskhand.Ask, Rule: "careful", Reason: "This cannot be undone."}
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

// streaming is a model that says one word and then nothing until it is told to stop.
func streaming(ctx context.Context, _ model.Request, on func(model.Delta)) (model.Reply, error) {
	on(model.Delta{Text: "well"})
	<-ctx.Done()
	return model.Reply{}, ctx.Err()
}

func stop(t *testing.T, open Open) {
	for name, c := range map[string]struct {
		model model.Model
		at    deskhand.Kind // stop when this was seen
		calls int           // answered
	}{
		"call hangs":      {Turns(Ask("act", "hang", "act")), deskhand.KindCallStarted, 3},
		"call is stuck":   {Turns(Ask("stuck", "act")), deskhand.KindCallStarted, 2},
		"model streams":   {Model(streaming), deskhand.KindModelDelta, 0},
		"desktop starts":  {Model(streaming), deskhand.KindNote, 0},
		"not yet running": {Model(streaming), deskhand.KindTaskCreated, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(c.model)
			e, st := open(t, w)
			task := start(t, e)
			until(t, follow(t, e, task.ID), c.at)
			begun := time.Now()
			if err := e.Stop(t.Context(), task.ID, "Enough."); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begun); took > stopWithin {
				t.Errorf("Stop took %s", took)
			}
			if n := w.Computers.Open.Load(); n != 0 {
				t.Errorf("%d computers are up after Stop", n)
			}
			events := watch(t, e, task.ID, 0)
			if d := last(t, events); d.To != deskhand.Stopped || d.Reason != "Enough." {
				t.Errorf("ended as %+v", d)
			}
			if n := len(texts(t, events, deskhand.KindCallFinished)); n != c.calls {
				t.Errorf("%d calls answered, want %d", n, c.calls)
			}
			if err := st.Verify(t.Context(), task.ID); err != nil {
				t.Error(err)
			}
		})
	}
}

// stopStorm has everybody stop everything at once.
func stopStorm(t *testing.T, open Open) {
	w := newWorld(Turns(Ask("hang")))
	e, _ := open(t, w)
	var tasks []deskhand.Task
	for range 5 {
		tasks = append(tasks, start(t, e))
	}
	var wg sync.WaitGroup
	for range 10 {
		for _, task := range tasks {
			wg.Go(func() {
				if err := e.Stop(t.Context(), task.ID, "storm"); err != nil && deskhand.CodeOf(err) != deskhand.Conflict {
					t.Error(err)
				}
			})
		}
	}
	wg.Go(func() { e.Close() })
	wg.Wait()
	if n := w.Computers.Open.Load(); n != 0 {
		t.Errorf("%d computers are up after the storm", n)
	}
}

func stopUnknown(t *testing.T, open Open) {
	e, _ := open(t, newWorld(Turns()))
	if err := e.Stop(t.Context(), deskhand.NewTaskID(), ""); deskhand.CodeOf(err) != deskhand.NotFound {
		t.Errorf("stopping what is not there: %v", err)
	}
}

func closing(t *testing.T, open Open) {
	w := newWorld(Turns(Ask("hang")))
	e, st := open(t, w)
	task := start(t, e)
	events := follow(t, e, task.ID)
	until(t, events, deskhand.KindCallStarted)
	var got []deskhand.Event
	read := make(chan struct{})
	go func() {
		defer close(read)
		for ev := range events {
			got = append(got, ev)
		}
	}()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	<-read
	if d := last(t, got); d.To != deskhand.Stopped {
		t.Errorf("the watcher saw %+v last", d)
	}
	if got, err := st.Get(t.Context(), string(task.ID)); err != nil || got.Status != deskhand.Stopped {
		t.Errorf("left as %s, %v", got.Status, err)
	}
	if _, err := e.Start(t.Context(), newTask()); deskhand.CodeOf(err) != deskhand.Unavailable {
		t.Errorf("Start after Close: %v", err)
	}
	if _, err := e.Watch(t.Context(), task.ID, 0); deskhand.CodeOf(err) != deskhand.Unavailable {
		t.Errorf("Watch after Close: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

func many(t *testing.T, open Open) {
	w := newWorld(Turns(Ask("act", "act", "act"), Ask("act"), Say("done")))
	e, st := open(t, w)
	const tasks = 20
	var wg sync.WaitGroup
	for range tasks {
		wg.Go(func() {
			task, err := e.Start(t.Context(), newTask())
			if err != nil {
				t.Error(err)
				return
			}
			events := watch(t, e, task.ID, 0)
			if d := last(t, events); d.To != deskhand.Done {
				t.Errorf("%s ended as %+v", task.ID, d)
			}
			gapless(t, events, 0)
			if err := st.Verify(t.Context(), task.ID); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.Computers.Acts.Load(); n != 4*tasks {
		t.Errorf("%d effects, want %d", n, 4*tasks)
	}
}

// gapless checks that the stored events follow on from after, each once.
func gapless(t *testing.T, events []deskhand.Event, after int64) {
	t.Helper()
	for _, ev := range events {
		if ev.Kind == deskhand.KindModelDelta {
			continue
		}
		if after++; ev.Seq != after {
			t.Fatalf("event %d where %d was due", ev.Seq, after)
		}
	}
}

func lateWatchers(t *testing.T, open Open) {
	w := newWorld(Turns(Ask("act", "act", "act"), Ask("act", "act"), Ask("act"), Say("done")))
	e, st := open(t, w)
	task := start(t, e)
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			after := int64(i)
			events := watch(t, e, task.ID, after)
			gapless(t, events, after)
			if d := last(t, events); d.To != deskhand.Done {
				t.Errorf("watcher %d saw %+v last", i, d)
			}
		})
	}
	wg.Wait()
	var total int64
	for ev := range st.Events(t.Context(), task.ID, 0) {
		total = ev.Seq
	}
	if events := watch(t, e, task.ID, total); len(events) != 0 {
		t.Errorf("after the end there were %d events more", len(events))
	}
}

func slowWatcher(t *testing.T, open Open) {
	const pieces = 5000
	w := newWorld(Model(func(_ context.Context, _ model.Request, on func(model.Delta)) (model.Reply, error) {
		for i := range pieces {
			on(model.Delta{Text: fmt.Sprint(i)})
		}
		return Say("done"), nil
	}))
	e, st := open(t, w)
	task := start(t, e)
	c := follow(t, e, task.ID)
	first := <-c // and then nothing until the task is over
	for {
		got, err := st.Get(t.Context(), string(task.ID))
		if err != nil {
			t.Fatal(err)
		}
		if got.Status.Ended() {
			break
		}
		if err := pause(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	events := []deskhand.Event{first}
	for ev := range c {
		events = append(events, ev)
	}
	gapless(t, events, 0)
	if n := len(texts(t, events, deskhand.KindModelDelta)); n > pieces/2 {
		t.Errorf("a reader that slept was kept %d deltas", n)
	}
	if d := last(t, events); d.To != deskhand.Done {
		t.Errorf("ended as %+v", d)
	}
}

// pause waits a little between two looks at something that has no signal.
func pause(ctx context.Context) error {
	timer := time.NewTimer(time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func watcherLeaves(t *testing.T, open Open) {
	e, _ := open(t, newWorld(Model(streaming)))
	task := start(t, e)
	ctx, cancel := context.WithCancel(t.Context())
	c, err := e.Watch(ctx, task.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	until(t, c, deskhand.KindModelDelta)
	cancel()
	for range c {
	}
}

// watchForeign watches a task that somebody else drives in the same store.
func watchForeign(t *testing.T, open Open) {
	e, st := open(t, newWorld(Turns()))
	id := deskhand.NewTaskID()
	release, err := st.Lease(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	put := func(kind deskhand.Kind, d any) {
		t.Helper()
		if _, err := st.Append(t.Context(), deskhand.NewEvent(id, kind, d)); err != nil {
			t.Fatal(err)
		}
	}
	put(deskhand.KindTaskCreated, deskhand.TaskCreated{Task: newTask()})
	put(deskhand.KindTaskStatus, deskhand.TaskStatus{From: deskhand.Queued, To: deskhand.Running})
	c := follow(t, e, id)
	until(t, c, deskhand.KindTaskStatus)
	put(deskhand.KindNote, deskhand.Note{Text: "from afar"})
	until(t, c, deskhand.KindNote)
	if err := e.Stop(t.Context(), id, ""); deskhand.CodeOf(err) != deskhand.Conflict {
		t.Errorf("stopping a task that somebody else drives: %v", err)
	}
	put(deskhand.KindTaskStatus, deskhand.TaskStatus{From: deskhand.Running, To: deskhand.Done})
	until(t, c, deskhand.KindTaskStatus)
	if ev, more := <-c; more {
		t.Errorf("after the end came %s", ev.Kind)
	}
}

func watchUnknown(t *testing.T, open Open) {
	e, _ := open(t, newWorld(Turns()))
	if _, err := e.Watch(t.Context(), deskhand.NewTaskID(), 0); deskhand.CodeOf(err) != deskhand.NotFound {
		t.Errorf("watching what is not there: %v", err)
	}
}

// deltasInOrder checks that no delta comes after the reply that it was part of.
func deltasInOrder(t *testing.T, open Open) {
	const turns = 10
	var mu sync.Mutex
	n := 0
	e, _ := open(t, newWorld(Model(func(_ context.Context, _ model.Request, on func(model.Delta)) (model.Reply, error) {
		mu.Lock()
		n++
		turn := n
		mu.Unlock()
		for range 20 {
			on(model.Delta{Text: fmt.Sprint(turn)})
		}
		if turn == turns {
			return Say("done"), nil
		}
		return Ask("act"), nil
	})))
	turn := 0
	for _, ev := range watch(t, e, start(t, e).ID, 0) {
		switch ev.Kind {
		case deskhand.KindTurnStarted:
			turn = data[deskhand.TurnStarted](t, ev).Turn
		case deskhand.KindModelReplied:
			turn = 0
		case deskhand.KindModelDelta:
			if d := data[deskhand.ModelDelta](t, ev); d.Text != fmt.Sprint(turn) {
				t.Errorf("a delta of turn %s came in turn %d", d.Text, turn)
			}
		}
	}
}
