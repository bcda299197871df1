package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/tool"
)

// aimed is a tool whose calls act on something.
type aimed struct {
	*recorder
	state deskhand.Hash
	gone  bool
	files deskhand.Hash
	lost  bool
}

func (a *aimed) Pin(context.Context, deskhand.Call) (deskhand.Hash, error) {
	if a.lost {
		return "", errors.New("the shell is gone")
	}
	return a.files, nil
}

func (a *aimed) Aim(_ context.Context, _ deskhand.Call, picture bool) (*deskhand.Target, error) {
	if a.gone {
		return nil, errors.New("the display is frozen")
	}
	t := &deskhand.Target{App: "Mousepad", State: a.state}
	if picture {
		t.Picture = deskhand.NewImage("image/png", deskhand.Size{W: 1, H: 1}, []byte("what it looks like"))
	}
	return t, nil
}

// asking is a task whose calls are all asked about, each of a reply of its own.
type asking struct {
	t      *testing.T
	agent  *Agent
	state  *State
	script *script
	tool   *aimed
	judged []deskhand.Moment
	always []string
}

func newAsking(t *testing.T) *asking {
	t.Helper()
	a := &asking{t: t, script: &script{t: t, journal: &journal{}, blobs: blobs{}, answers: map[string]string{}, clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}}
	a.tool = &aimed{recorder: &recorder{s: a.script, spec: tool.Spec{Name: "bash", Entry: json.RawMessage("{}")}}, state: deskhand.HashOf([]byte("as it was"))}
	set, err := tool.NewSet(a.tool)
	a.script.must(err)
	n := 0
	a.agent = &Agent{
		Tools: set, Journal: a.script.journal, Blobs: a.script.blobs, Now: func() time.Time { return a.script.clock },
		Gate: func(_ deskhand.Call, m deskhand.Moment) deskhand.Judgement {
			a.judged = append(a.judged, m)
			return deskhand.Judgement{Verdict: deskhand.Verdict{Outcome: deskhand.Ask, Rule: "test", Reason: "It deletes."}, Does: []string{"rm x"}, Always: a.always, Reshapes: true}
		},
		Model: modelFunc(func(context.Context, model.Request, func(model.Delta)) (model.Reply, error) {
			n++
			return model.Reply{StopReason: "tool_use", Content: json.RawMessage(fmt.Sprintf(`[{"type":"text","text":"I tidy up."},{"type":"tool_use","id":"t%d","name":"bash","input":{"command":"rm x"}}]`, n))}, nil
		}),
	}
	a.script.task.ID = "abcdefgh"
	a.script.put(deskhand.KindTaskCreated, deskhand.TaskCreated{Task: a.script.task})
	a.script.put(deskhand.KindHumanMessage, deskhand.HumanMessage{Text: "Tidy up."})
	a.state, err = Fold(a.script.journal.Events(t.Context(), "abcdefgh", 0))
	a.script.must(err)
	return a
}

// turn takes a turn and returns the question that it stands at, if it does.
func (a *asking) turn() (Outcome, deskhand.ApprovalAsked) {
	a.t.Helper()
	out, err := a.agent.Turn(a.t.Context(), a.state)
	a.script.must(err)
	q, _ := a.state.Question()
	return out, q
}

// said returns what the model was told about the newest call.
func (a *asking) said() string {
	for _, e := range slices.Backward(a.script.journal.events) {
		if e.Kind == deskhand.KindCallFinished {
			var d deskhand.CallFinished
			a.script.must(json.Unmarshal(e.Data, &d))
			return d.Result.Content[0].Text
		}
	}
	return ""
}

// TestAnApprovalIsExact: a yes lets run what was asked about, as it was, once.
// The first case shows that without a change it does.
func TestAnApprovalIsExact(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		between func(a *asking, d *deskhand.Decision)
		says    string // what the model reads; "ok" is the call's own answer
		waits   bool   // the answer does not count, and the question stays open
	}{
		{"as it was", func(*asking, *deskhand.Decision) {}, "ok", false},
		{"what it acts on has changed", func(a *asking, _ *deskhand.Decision) { a.tool.state = deskhand.HashOf([]byte("another")) }, drift, false},
		{"what it acts on cannot be seen any more", func(a *asking, _ *deskhand.Decision) { a.tool.gone = true }, drift, false},
		{"a file that it names has changed", func(a *asking, _ *deskhand.Decision) { a.tool.files = deskhand.HashOf([]byte("another script")) }, drift, false},
		{"its files cannot be read any more", func(a *asking, _ *deskhand.Decision) { a.tool.lost = true }, drift, false},
		{"too late", func(a *asking, _ *deskhand.Decision) { a.script.clock = a.script.clock.Add(questionLife + time.Second) }, late, false},
		{"no", func(_ *asking, d *deskhand.Decision) { d.Approve, d.Comment = false, "Keep x." }, "The user says: Keep x.", false},
		{"of another question", func(_ *asking, d *deskhand.Decision) { d.Nonce = deskhand.HashOf([]byte("another")) }, "", true},
		{"without a nonce", func(_ *asking, d *deskhand.Decision) { d.Nonce = "" }, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newAsking(t)
			out, q := a.turn()
			if out.Status != deskhand.Waiting || q.Said != "I tidy up." || !slices.Equal(q.Does, []string{"rm x"}) || q.Target == nil || !q.Nonce.Valid() {
				t.Fatalf("%+v: it asks %+v", out, q)
			}
			if data, err := a.script.blobs.Blob(t.Context(), q.Target.Picture.Hash); err != nil || string(data) != "what it looks like" {
				t.Errorf("the picture is %q, %v", data, err)
			}
			d := deskhand.Decision{CallID: q.Call.ID, Nonce: q.Nonce, Approve: true, By: "ann", At: a.script.clock}
			c.between(a, &d)
			a.script.put(deskhand.KindApprovalDecided, d)
			out, _ = a.turn()
			if waits := out.Status == deskhand.Waiting; waits != c.waits || !strings.Contains(a.said(), c.says) {
				t.Errorf("%+v: the model is told %q", out, a.said())
			}
			if ran := len(a.script.ran) > 0; ran != (c.says == "ok") {
				t.Errorf("ran %q", a.script.ran)
			}
			again, err := Fold(a.script.journal.Events(t.Context(), "abcdefgh", 0))
			a.script.must(err)
			if again.open() != a.state.open() {
				t.Error("the journal says something else than the loop")
			}
		})
	}
}

// TestAnAnswerIsUsedOnce: the nonce of a call that ran opens no later one, also
// when that call is the same word for word.
func TestAnAnswerIsUsedOnce(t *testing.T) {
	t.Parallel()
	a := newAsking(t)
	_, first := a.turn()
	a.script.put(deskhand.KindApprovalDecided, deskhand.Decision{CallID: first.Call.ID, Nonce: first.Nonce, Approve: true})
	a.turn()
	out, second := a.turn()
	if out.Status != deskhand.Waiting || second.Nonce == first.Nonce {
		t.Fatalf("%+v: the second question is %+v", out, second)
	}
	a.script.put(deskhand.KindApprovalDecided, deskhand.Decision{CallID: second.Call.ID, Nonce: first.Nonce, Approve: true})
	if out, _ = a.turn(); out.Status != deskhand.Waiting || len(a.script.ran) != 1 {
		t.Errorf("%+v: ran %q", out, a.script.ran)
	}
}

// TestGranted: what a yes for the task allows reaches the gate from then on,
// from the question and not from the answer; a yes for once grants nothing.
func TestGranted(t *testing.T) {
	t.Parallel()
	a := newAsking(t)
	a.always = []string{"bash(rm x)"}
	for _, scope := range []deskhand.Scope{deskhand.Once, deskhand.ForTask, "unheard of"} {
		_, q := a.turn()
		a.script.put(deskhand.KindApprovalDecided, deskhand.Decision{CallID: q.Call.ID, Nonce: q.Nonce, Approve: true, Scope: scope})
		a.turn()
	}
	a.turn()
	for i, want := range []int{0, 0, 1, 1} {
		if got := a.judged[i].Granted; len(got) != want {
			t.Errorf("call %d was judged with %q granted", i+1, got)
		}
	}
	if a.judged[0].Reshaped || !a.judged[1].Reshaped {
		t.Error("that a call reshaped the shell does not reach the gate")
	}
}
