package local_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/engine/enginetest"
	"github.com/deskhand/deskhand/engine/local"
	"github.com/deskhand/deskhand/model"
)

// networked makes computers whose way out judges something at once, and
// something that is only told when the task ends.
type networked struct{ enginetest.Computers }

type networkedComputer struct {
	engine.Computer
	first chan deskhand.NetworkJudged
}

func (n *networked) Up(ctx context.Context, t deskhand.Task) (engine.Computer, error) {
	c, err := n.Computers.Up(ctx, t)
	if err != nil {
		return nil, err
	}
	first := make(chan deskhand.NetworkJudged, 1)
	first <- deskhand.NetworkJudged{Host: "allowed.test", Port: 443, Allowed: true, Rule: "allowed.test", Count: 1}
	return &networkedComputer{c, first}, nil
}

// Judged implements engine.Networked.
func (c *networkedComputer) Judged(ctx context.Context) ([]deskhand.NetworkJudged, error) {
	select {
	case j := <-c.first:
		return []deskhand.NetworkJudged{j}, nil
	default:
	}
	<-ctx.Done()
	return []deskhand.NetworkJudged{{Host: "evil.test", Port: 80, Rule: "list", Reason: "not listed", Count: 3}}, ctx.Err()
}

// TestNetworkRecorded checks that what the way out judged is in the journal,
// also what came last, before the task has ended.
func TestNetworkRecorded(t *testing.T) {
	t.Parallel()
	st := openStore(t, t.TempDir())
	e, err := local.New(t.Context(), local.Config{
		Store: st, Computers: new(networked),
		Model: func(context.Context, deskhand.Task) (model.Model, func(deskhand.Usage) float64, error) {
			return enginetest.Turns(enginetest.Ask("act"), enginetest.Say("done")), nil, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	task, err := e.Start(t.Context(), deskhand.Task{Text: "x", Permission: "trust", Allow: []string{"allowed.test"}})
	if err != nil {
		t.Fatal(err)
	}
	events, err := e.Watch(t.Context(), task.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []deskhand.NetworkJudged
	for ev := range events {
		if ev.Kind == deskhand.KindNetworkJudged {
			var j deskhand.NetworkJudged
			if err := json.Unmarshal(ev.Data, &j); err != nil {
				t.Fatal(err)
			}
			got = append(got, j)
		}
	}
	if len(got) != 2 || got[0].Host != "allowed.test" || got[1].Host != "evil.test" || got[1].Count != 3 {
		t.Errorf("recorded before the end: %+v", got)
	}
	if task, err = st.Get(t.Context(), string(task.ID)); err != nil || task.Status != deskhand.Done || len(task.Allow) != 1 {
		t.Errorf("%+v, %v", task, err)
	}
}
