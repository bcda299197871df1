package enginetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
)

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
	wg.Go(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
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

// closeOnReader closes an engine while somebody watches and does not read.
func closeOnReader(t *testing.T, open Open) {
	e, _ := open(t, newWorld(Turns(Say("done"))))
	c := follow(t, e, start(t, e).ID)
	closed := make(chan error, 1)
	go func() { closed <- e.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("Close waits for a reader that does not read")
	}
	for range c {
	}
}
