package store

import (
	"bytes"
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

// BlobsIn returns the names of the blobs that an event's data names, in order.
// Text that a model or a program wrote has its quotes escaped and cannot look
// like one.
func BlobsIn(data []byte) []deskhand.Hash {
	const key, size = `"hash":"`, 64
	var out []deskhand.Hash
	for {
		i := bytes.Index(data, []byte(key))
		if i < 0 {
			return out
		}
		data = data[i+len(key):]
		if len(data) > size && data[size] == '"' && deskhand.Hash(data[:size]).Valid() {
			out = append(out, deskhand.Hash(data[:size]))
		}
	}
}
