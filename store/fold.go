package store

import (
	"encoding/json"

	"github.com/deskhand/deskhand"
)

// Fold returns what is known of a task after event e. It is the only place
// where a Task changes. Conflict: the change of status is not legal.
func Fold(t deskhand.Task, e deskhand.Event) (deskhand.Task, error) {
	var err error
	decode := func(into any) { err = json.Unmarshal(e.Data, into) }
	switch e.Kind {
	case deskhand.KindTaskCreated:
		var d deskhand.TaskCreated
		decode(&d)
		t = d.Task
		t.ID, t.Status, t.Created = e.Task, deskhand.Queued, e.Time
	case deskhand.KindTaskStatus:
		var d deskhand.TaskStatus
		decode(&d)
		if err == nil && !t.Status.To(d.To) {
			return t, deskhand.Errorf("store: append", deskhand.Conflict, "a task that is %s cannot become %s", t.Status, d.To)
		}
		t.Status = d.To
		if d.Result != "" {
			t.Result = d.Result
		}
		if d.To == deskhand.Running {
			t.Finding = "" // what was found holds for what was done before
		}
	case deskhand.KindTurnStarted:
		var d deskhand.TurnStarted
		decode(&d)
		t.Turns = d.Turn
	case deskhand.KindModelReplied:
		var d deskhand.ModelReplied
		decode(&d)
		t.Usage = t.Usage.Add(d.Usage)
		t.CostUSD += d.CostUSD
	case deskhand.KindModelConsulted:
		var d deskhand.ModelConsulted
		decode(&d)
		t.Usage = t.Usage.Add(d.Usage)
		t.CostUSD += d.CostUSD
	case deskhand.KindCallStarted:
		t.Calls++
	case deskhand.KindBudgetRaised:
		var d deskhand.BudgetRaised
		decode(&d)
		t.Budget = d.Budget
	case deskhand.KindOutcomeChecked:
		var d deskhand.OutcomeChecked
		decode(&d)
		t.Finding = d.Finding
	}
	t.Updated = e.Time
	return t, deskhand.E("store: append", deskhand.Invalid, err)
}
