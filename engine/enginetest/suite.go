package enginetest

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/store"
)

// Open returns a fresh engine in a fresh state directory or in w.Dir, closed at
// the end of the test, and its store.
type Open func(t *testing.T, w World) (engine.Engine, store.Store)

const (
	patience   = time.Minute // for what must happen
	stopWithin = time.Second // for Stop, whatever hangs
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
		"stop storm":      stopStorm,
		"stop unknown":    stopUnknown,
		"close":           closing,
		"close on reader": closeOnReader,
		"many":            many,
		"late watchers":   lateWatchers,
		"slow watcher":    slowWatcher,
		"watcher leaves":  watcherLeaves,
		"watch foreign":   watchForeign,
		"watch orphan":    watchOrphan,
		"watch unknown":   watchUnknown,
		"deltas in order": deltasInOrder,

		"resume":           resume,
		"resume refused":   resumeRefused,
		"resume elsewhere": resumeElsewhere,
		"computer lost":    computerLost,
		"lost for good":    lostForGood,
		"same computer":    sameComputer,
		"say":              say,
		"say at the end":   sayAtTheEnd,
		"follow-up":        followUp,
		"lost way":         lostWay,
		"answer":           answer,
		"answer once":      answerOnce,
		"answer elsewhere": answerElsewhere,
		"interrupt":        interrupt,
		"nothing runs":     nothingRuns,
		"unknown":          unknown,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open)
		})
	}
	// By themselves, because they measure time.
	t.Run("stop", func(t *testing.T) { stop(t, open) })
	t.Run("stop elsewhere", func(t *testing.T) { stopElsewhere(t, open) })
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
