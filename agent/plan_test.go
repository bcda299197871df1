package agent

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/deskhand/deskhand"
)

// TestAcceptedPlan: a plan counts when a person accepted it, as the person
// changed it; it adds to what is checked and never loosens a bound.
func TestAcceptedPlan(t *testing.T) {
	t.Parallel()
	proposed := json.RawMessage(`{"steps":["tidy"],"success":["file:/tmp/a","the desk is tidy"],"max_turns":9,"max_cost_usd":2}`)
	changed := &deskhand.Plan{Steps: []string{"tidy a little"}, MaxTurns: 3}
	for _, c := range []struct {
		name     string
		decision deskhand.Decision
		steps    string
		turns    int
		criteria []deskhand.Criterion
	}{
		{"accepted", deskhand.Decision{Approve: true}, "tidy", 5, []deskhand.Criterion{{Kind: "file", Want: "/tmp/a"}, {Kind: "look", Want: "the desk is tidy"}}},
		{"changed", deskhand.Decision{Approve: true, Plan: changed}, "tidy a little", 3, nil},
		{"refused", deskhand.Decision{}, "", 5, nil},
		{"refused, with a plan", deskhand.Decision{Plan: changed}, "", 5, nil},
	} {
		st := &State{ids: map[string]bool{}, Task: deskhand.Task{Budget: deskhand.Budget{MaxTurns: 5, MaxCostUSD: 1}}}
		st.calls = []call{{Call: deskhand.Call{ID: "t1", Name: deskhand.PlanTool, Input: proposed}, question: &deskhand.ApprovalAsked{}}}
		d := c.decision
		d.CallID = "t1"
		if err := st.decided(deskhand.Event{}, d); err != nil {
			t.Fatal(err)
		}
		if d.Approve {
			if err := st.started(deskhand.Event{}, deskhand.CallStarted{Call: st.calls[0].edited()}); err != nil {
				t.Fatal(err)
			}
		}
		p := st.Plan()
		if (p != nil) != (c.steps != "") || p != nil && p.Steps[0] != c.steps {
			t.Errorf("%s: the plan is %+v", c.name, p)
		}
		if b := st.Task.Budget; b.MaxTurns != c.turns || b.MaxCostUSD != 1 {
			t.Errorf("%s: the budget is %+v", c.name, b)
		}
		if !slices.Equal(st.Task.Criteria, c.criteria) {
			t.Errorf("%s: the criteria are %v", c.name, st.Task.Criteria)
		}
	}
}
