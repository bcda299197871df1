package local_test

import (
	"context"
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/engine/enginetest"
	"github.com/deskhand/deskhand/engine/local"
	"github.com/deskhand/deskhand/machine"
	"github.com/deskhand/deskhand/model"
)

// goneOnLimit is for a new computer and the rest of the task; the call would last for 100 s.
const goneOnLimit = 60 * time.Second

// noticeLimit is for a machine with much else to do. The promise is two seconds.
const noticeLimit = 10 * time.Second

// TestGuestKilled kills everything of a task's computer under a call, and sees
// that this is noticed, that the task goes on with a new computer, and that the
// model is told and shown its screen.
func TestGuestKilled(t *testing.T) { // not parallel: it looks at what runs below this process
	st := openStore(t, t.TempDir())
	var told []model.Block
	e, err := local.New(t.Context(), local.Config{
		Store: st, Computers: realComputers{machine.Bwrap, ""},
		Model: func(context.Context, deskhand.Task) (model.Model, func(deskhand.Usage) float64, error) {
			return modelFunc(func(_ context.Context, req model.Request, _ func(model.Delta)) (model.Reply, error) {
				if len(req.Messages) > 1 {
					told = req.Messages[len(req.Messages)-1].Blocks
					return enginetest.Say("done"), nil
				}
				content, err := json.Marshal([]json.RawMessage{use("computer", "wait", `{"duration": 100}`), use("", "bash", `{"command": "echo never"}`)})
				return model.Reply{Content: content, StopReason: "tool_use"}, err
			}), nil, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	task, err := e.Start(t.Context(), deskhand.Task{Text: "wait", Permission: "trust", Screen: small})
	if err != nil {
		t.Fatal(err)
	}
	events, err := e.Watch(t.Context(), task.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	var killed time.Time
	var all []deskhand.Event
	for ev := range events {
		all = append(all, ev)
		switch ev.Kind {
		case deskhand.KindCallStarted:
			if killed.IsZero() {
				killed = time.Now()
				signal(t, "guest", syscall.SIGKILL)
			}
		case deskhand.KindNote:
			if dataOf[deskhand.Note](t, ev).Text == "The computer is gone." {
				took := ev.Time.Sub(killed)
				t.Logf("noticed after %s", took)
				if took > noticeLimit {
					t.Errorf("noticed after %s", took)
				}
			}
		}
	}
	count := map[deskhand.Kind]int{}
	for _, ev := range all {
		count[ev.Kind]++
	}
	if count[deskhand.KindComputerReady] != 2 || count[deskhand.KindCallFinished] != 2 {
		t.Errorf("%d computers, %d answers", count[deskhand.KindComputerReady], count[deskhand.KindCallFinished])
	}
	if took := all[len(all)-1].Time.Sub(killed); took > goneOnLimit {
		t.Errorf("the task ended only after %s: the call went on", took)
	}
	if end := dataOf[deskhand.TaskStatus](t, all[len(all)-1]); end.To != deskhand.Done {
		t.Errorf("ended as %+v", end)
	}
	words, pictures := "", 0
	for _, b := range told {
		if words += b.Text; b.Image != nil {
			pictures++
		}
	}
	if !strings.Contains(words, "The computer you worked on is gone") || pictures != 1 {
		t.Errorf("the model was told %q and shown %d pictures", words, pictures)
	}
}
