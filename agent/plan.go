package agent

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/deskhand/deskhand"
)

// edited returns the call that runs after a person's answer: the one that was
// asked about, or the plan as the person changed it.
func (c *call) edited() deskhand.Call {
	if c.Name != deskhand.PlanTool || c.decision == nil || c.decision.Plan == nil {
		return c.Call
	}
	out := c.Call
	if raw, err := json.Marshal(c.decision.Plan); err == nil {
		out.Input = raw
	}
	return out
}

// accept takes in a plan that a person accepted: the newest holds. What it says
// of success and spending binds the task from then on, and never loosens a bound
// that the person has set.
func (st *State) accept(c deskhand.Call) {
	p := new(deskhand.Plan)
	if json.Unmarshal(c.Input, p) != nil {
		return // the tool will say so
	}
	st.plan = p
	for _, text := range p.Success {
		if w := criterion(text); !slices.Contains(st.Task.Criteria, w) {
			st.Task.Criteria = append(slices.Clip(st.Task.Criteria), w)
		}
	}
	b := &st.Task.Budget
	if p.MaxTurns > 0 && (b.MaxTurns == 0 || p.MaxTurns < b.MaxTurns) {
		b.MaxTurns = p.MaxTurns
	}
	if p.MaxCostUSD > 0 && (b.MaxCostUSD == 0 || p.MaxCostUSD < b.MaxCostUSD) {
		b.MaxCostUSD = p.MaxCostUSD
	}
}

// criterion reads what is to be so. What has no known kind is a statement about the screen.
func criterion(text string) deskhand.Criterion {
	kind, want, _ := strings.Cut(text, ":")
	if slices.Contains([]string{"file", "command", "text", "window", "url", "look"}, kind) {
		return deskhand.Criterion{Kind: kind, Want: want}
	}
	return deskhand.Criterion{Kind: "look", Want: text}
}
