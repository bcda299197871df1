package local_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/engine/enginetest"
	"github.com/deskhand/deskhand/engine/local"
	"github.com/deskhand/deskhand/store"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	if _, err := local.New(t.Context(), local.Config{}); deskhand.CodeOf(err) != deskhand.Invalid {
		t.Errorf("an engine of nothing: %v", err)
	}
}

func create(t *testing.T, st store.Store, statuses ...deskhand.Status) deskhand.TaskID {
	t.Helper()
	id := deskhand.NewTaskID()
	events := []deskhand.Event{deskhand.NewEvent(id, deskhand.KindTaskCreated, deskhand.TaskCreated{})}
	for _, s := range statuses {
		events = append(events, deskhand.NewEvent(id, deskhand.KindTaskStatus, deskhand.TaskStatus{To: s}))
	}
	if _, err := st.Append(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
	return id
}

func statusOf(t testing.TB, st store.Store, id deskhand.TaskID) deskhand.Status {
	t.Helper()
	got, err := st.Get(t.Context(), string(id))
	if err != nil {
		t.Fatal(err)
	}
	return got.Status
}

// TestRecover checks that tasks of dead processes are recorded as failed, and
// that those of living ones are left alone.
func TestRecover(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	st := openStore(t, dir)
	running, queued := create(t, st, deskhand.Running), create(t, st)
	held := create(t, st, deskhand.Running)
	waiting, done := create(t, st, deskhand.Running, deskhand.Waiting), create(t, st, deskhand.Running, deskhand.Done)
	release, err := openStore(t, dir).Lease(t.Context(), held) // as another process would
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	w := enginetest.World{Computers: new(enginetest.Computers), Model: enginetest.Turns()}
	e := newEngine(t, st, w)
	for id, want := range map[deskhand.TaskID]deskhand.Status{
		running: deskhand.Failed, queued: deskhand.Failed, held: deskhand.Running, waiting: deskhand.Waiting, done: deskhand.Done,
	} {
		if got := statusOf(t, st, id); got != want {
			t.Errorf("a task is %s, want %s", got, want)
		}
	}
	for _, id := range []deskhand.TaskID{running, queued, waiting, done} {
		if err := st.Verify(t.Context(), id); err != nil {
			t.Error(err)
		}
		if err := e.Stop(t.Context(), id, "enough"); err != nil {
			t.Error(err)
		}
	}
	if got := statusOf(t, st, waiting); got != deskhand.Stopped {
		t.Errorf("the one that waited is %s", got)
	}
}

// TestStopAfterCrash stops a task whose process died after this engine began.
func TestStopAfterCrash(t *testing.T) {
	t.Parallel()
	st := openStore(t, t.TempDir())
	e := newEngine(t, st, enginetest.World{Computers: new(enginetest.Computers), Model: enginetest.Turns()})
	id := create(t, st, deskhand.Running)
	for _, ev := range []deskhand.Event{
		deskhand.NewEvent(id, deskhand.KindTurnStarted, deskhand.TurnStarted{Turn: 1}),
		deskhand.NewEvent(id, deskhand.KindModelReplied, deskhand.ModelReplied{Turn: 1, StopReason: "tool_use", Content: enginetest.Ask("act").Content}),
	} {
		if _, err := st.Append(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Stop(t.Context(), id, "enough"); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for ev, err := range st.Events(t.Context(), id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, string(ev.Kind))
	}
	if got := strings.Join(kinds[4:], " "); got != "call.finished task.status" || statusOf(t, st, id) != deskhand.Stopped {
		t.Errorf("after Stop: %s, %s", got, statusOf(t, st, id))
	}
}

// faulty is a store whose appends of one kind, or all after some, fail.
type faulty struct {
	store.Store
	kind  deskhand.Kind
	after atomic.Int64 // appends that still succeed, when kind is empty
}

func (f *faulty) Append(ctx context.Context, events ...deskhand.Event) ([]deskhand.Event, error) {
	for _, e := range events {
		if e.Kind == f.kind || f.kind == "" && f.after.Add(-1) < 0 {
			return nil, deskhand.E("store: append", deskhand.Unavailable, errors.New("the disk is full"))
		}
	}
	return f.Store.Append(ctx, events...)
}

// TestJournalLost checks that a task whose journal cannot be kept ends, that
// its computer goes, and that nobody watches for ever.
func TestJournalLost(t *testing.T) {
	t.Parallel()
	for _, kind := range []deskhand.Kind{deskhand.KindTurnStarted, deskhand.KindNote, deskhand.KindModelReplied, deskhand.KindCallStarted, deskhand.KindCallFinished} {
		st := openStore(t, t.TempDir())
		w := enginetest.World{Computers: new(enginetest.Computers), Model: enginetest.Turns(enginetest.Ask("act"), enginetest.Say("done"))}
		e := newEngine(t, &faulty{Store: st, kind: kind}, w)
		id := runToEnd(t, e)
		if got := statusOf(t, st, id); got != deskhand.Failed || w.Computers.Open.Load() != 0 {
			t.Errorf("%s: the task is %s, %d computers are up", kind, got, w.Computers.Open.Load())
		}
	}
	for n := range int64(9) {
		st := openStore(t, t.TempDir())
		w := enginetest.World{Computers: new(enginetest.Computers), Model: enginetest.Turns(enginetest.Ask("act"), enginetest.Say("done"))}
		f := &faulty{Store: st}
		f.after.Store(3 + n) // creation, and n more
		runToEnd(t, newEngine(t, f, w))
		if got := w.Computers.Open.Load(); got != 0 {
			t.Errorf("after %d events %d computers are up", n, got)
		}
	}
}

// runToEnd starts a task and watches it until the watch ends.
func runToEnd(t *testing.T, e *local.Engine) deskhand.TaskID {
	t.Helper()
	task, err := e.Start(t.Context(), deskhand.Task{Text: "do it", Permission: "trust"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	events, err := e.Watch(ctx, task.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range events {
	}
	if ctx.Err() != nil {
		t.Error("the watch did not end")
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	return task.ID
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	st := openStore(t, t.TempDir())
	e := newEngine(t, &faulty{Store: st, kind: deskhand.KindTaskCreated}, enginetest.World{Computers: new(enginetest.Computers), Model: enginetest.Turns()})
	if _, err := e.Start(t.Context(), deskhand.Task{Text: "do it"}); deskhand.CodeOf(err) != deskhand.Unavailable {
		t.Errorf("Start: %v", err)
	}
	if list, err := st.List(t.Context(), 0); err != nil || len(list) != 0 {
		t.Errorf("it left %v, %v", list, err)
	}
}
