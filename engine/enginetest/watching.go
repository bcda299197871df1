package enginetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/store"
)

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
	for ev, err := range st.Events(t.Context(), task.ID, 0) {
		if err != nil {
			t.Fatal(err)
		}
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

// foreign begins a task in the place of another process: it has the task's lease
// until release, and writes its events with put.
func foreign(t *testing.T, st store.Store) (id deskhand.TaskID, put func(deskhand.Kind, any), release func()) {
	t.Helper()
	id = deskhand.NewTaskID()
	release, err := st.Lease(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	put = func(kind deskhand.Kind, d any) {
		t.Helper()
		if _, err := st.Append(t.Context(), deskhand.NewEvent(id, kind, d)); err != nil {
			t.Fatal(err)
		}
	}
	put(deskhand.KindTaskCreated, deskhand.TaskCreated{Task: newTask()})
	return id, put, release
}

// watchForeign watches a task that somebody else drives in the same store.
func watchForeign(t *testing.T, open Open) {
	e, st := open(t, newWorld(Turns()))
	id, put, release := foreign(t, st)
	defer release()
	put(deskhand.KindTaskStatus, deskhand.TaskStatus{From: deskhand.Queued, To: deskhand.Running})
	c := follow(t, e, id)
	until(t, c, deskhand.KindTaskStatus)
	put(deskhand.KindNote, deskhand.Note{Text: "from afar"})
	until(t, c, deskhand.KindNote)
	if err := e.Resume(t.Context(), id); deskhand.CodeOf(err) != deskhand.Conflict {
		t.Errorf("resuming a task that somebody else drives: %v", err)
	}
	put(deskhand.KindTaskStatus, deskhand.TaskStatus{From: deskhand.Running, To: deskhand.Done})
	until(t, c, deskhand.KindTaskStatus)
	if ev, more := <-c; more {
		t.Errorf("after the end came %s", ev.Kind)
	}
}

// watchOrphan watches a task whose driver dies without a word.
func watchOrphan(t *testing.T, open Open) {
	e, st := open(t, newWorld(Turns()))
	id, _, release := foreign(t, st)
	c := follow(t, e, id)
	until(t, c, deskhand.KindTaskCreated)
	release()
	until(t, c, deskhand.KindTaskStatus)
	if ev, more := <-c; more {
		t.Errorf("after the end came %s", ev.Kind)
	}
	if got, err := st.Get(t.Context(), string(id)); err != nil || got.Status != deskhand.Failed {
		t.Errorf("the task is %s, %v", got.Status, err)
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
