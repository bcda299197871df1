package agent

import (
	"context"
	"encoding/json"
	"math"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
)

// replies is a model that gives them in order.
type replies []model.Reply

func (r *replies) Reply(context.Context, model.Request, func(model.Delta)) (model.Reply, error) {
	next := (*r)[0]
	*r = (*r)[1:]
	return next, nil
}

// TestCostIsTheTables checks what a task records as its cost against sums made
// by hand from the prices of the model: $0.10 and $0.50 for a million tokens in
// and out, five times that for a prompt above 100,000 tokens.
func TestCostIsTheTables(t *testing.T) {
	t.Parallel()
	info, err := model.Lookup("claude-haiku-5-5")
	if err != nil {
		t.Fatal(err)
	}
	long, short := deskhand.Usage{CacheRead: 120_000, Output: 1000}, deskhand.Usage{Input: 2000, CacheWrite: 8000, Output: 100}
	twice := model.Reply{Content: json.RawMessage(`[{"type":"text","text":"Done."}]`), StopReason: "end_turn", Usage: long.Add(short), Passes: []deskhand.Usage{long, short}}
	s, a, st := newScript(t)
	a.Cost = info.Cost
	a.Model = &replies{
		{
			Content: json.RawMessage(`[{"type":"tool_use","id":"t1","name":"bash","input":{}}]`), StopReason: "tool_use",
			Usage: deskhand.Usage{Input: 1000, CacheWrite: 40_000, CacheWrite1h: 10_000, Output: 500},
		}, twice, twice,
	}
	const first, both = 0.0061, 0.0085 + 0.00125
	want := 0.0
	costs := func(after string, more float64) {
		t.Helper()
		want += more
		again, err := Fold(s.journal.Events(t.Context(), s.task.ID, 0))
		s.must(err)
		if math.Abs(st.Task.CostUSD-want) > 1e-9 || math.Abs(again.Task.CostUSD-want) > 1e-9 {
			t.Errorf("after %s the task cost %v, by its journal %v, want %v", after, st.Task.CostUSD, again.Task.CostUSD, want)
		}
	}
	for _, turn := range []struct {
		name string
		usd  float64
	}{{"a reply", first}, {"a reply of two passes", both}} {
		_, err := a.Turn(t.Context(), st)
		s.must(err)
		costs(turn.name, turn.usd)
	}
	_, err = a.beside(st)(t.Context(), "a look", model.Request{})
	s.must(err)
	costs("a look beside the conversation", both)
}
