package agent_test

import (
	"encoding/json"
	"iter"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/agent"
	"github.com/deskhand/deskhand/model"
)

// TestTakenOut: a reply that held the value of a secret is not sent back, the
// model is told instead, and the task is not at its end, whatever the reply said.
func TestTakenOut(t *testing.T) {
	t.Parallel()
	for content, call := range map[string]bool{
		`[{"type":"text","text":"It is {{secret:mail}}."}]`:                                                                         false,
		`[{"type":"thinking","thinking":"{{secret:mail}}","signature":"x"},{"type":"tool_use","id":"t1","name":"bash","input":{}}]`: true,
	} {
		id := deskhand.NewTaskID()
		events := []deskhand.Event{
			deskhand.NewEvent(id, deskhand.KindTaskCreated, deskhand.TaskCreated{}),
			deskhand.NewEvent(id, deskhand.KindHumanMessage, deskhand.HumanMessage{Text: "go"}),
			deskhand.NewEvent(id, deskhand.KindTurnStarted, deskhand.TurnStarted{Turn: 1}),
			deskhand.NewEvent(id, deskhand.KindModelReplied, deskhand.ModelReplied{Turn: 1, Content: json.RawMessage(content), StopReason: "end_turn", Secrets: []string{"mail", "pin"}}),
		}
		if call {
			events = append(events, deskhand.NewEvent(id, deskhand.KindCallFinished, deskhand.CallFinished{CallID: "t1", Result: deskhand.Failure("Not executed.")}))
		}
		events = append(events, deskhand.NewEvent(id, deskhand.KindTurnStarted, deskhand.TurnStarted{Turn: 2}))
		st, err := agent.Fold(numbered(events))
		if err != nil {
			t.Fatal(err)
		}
		if st.Final() {
			t.Errorf("%s ends the task", content)
		}
		var told []string
		for _, m := range st.Messages() {
			if m.Role != model.User || m.Raw != nil {
				t.Errorf("%s: a message of the assistant is sent: %s", content, m.Raw)
			}
			for _, b := range m.Blocks {
				if b.CallID != "" {
					t.Errorf("%s: a result without its call is sent", content)
				}
				told = append(told, b.Text)
			}
		}
		all := strings.Join(told, "\n")
		if !strings.Contains(all, "held the value of a secret (mail, pin)") || !strings.Contains(all, "{{secret:mail}} or {{secret:pin}}") || call != strings.Contains(all, "Call 1 of your last reply") {
			t.Errorf("%s: told %q", content, told)
		}
	}
}

func numbered(events []deskhand.Event) iter.Seq2[deskhand.Event, error] {
	return func(yield func(deskhand.Event, error) bool) {
		for i, e := range events {
			e.Seq = int64(i) + 1
			if !yield(e, nil) {
				return
			}
		}
	}
}
