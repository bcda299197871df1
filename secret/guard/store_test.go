package guard_test

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/secret"
	"github.com/deskhand/deskhand/secret/guard"
	"github.com/deskhand/deskhand/store"
	"github.com/deskhand/deskhand/store/sqlite"
)

func open(t *testing.T) store.Store {
	t.Helper()
	st, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

// created returns a task in st.
func created(t *testing.T, st store.Store) deskhand.TaskID {
	t.Helper()
	id := deskhand.NewTaskID()
	if _, err := st.Append(t.Context(), deskhand.NewEvent(id, deskhand.KindTaskCreated, deskhand.TaskCreated{Task: deskhand.Task{Text: "x"}})); err != nil {
		t.Fatal(err)
	}
	return id
}

func data[T any](t *testing.T, e deskhand.Event) (d T) {
	t.Helper()
	if err := json.Unmarshal(e.Data, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestReplies: a reply in which a value stands is marked with the secret, one
// that only refers to it is kept byte for byte.
func TestReplies(t *testing.T) {
	t.Parallel()
	st := guard.Store(open(t), secrets(t))
	id := created(t, st)
	for content, names := range map[string][]string{
		`[{"type":"text","text":"it is c4nary/value"}]`:                                                            nil,
		`[{"type":"thinking","thinking":"c4nary/value","signature":"c4nary/value"}]`:                               nil,
		`[{"type":"tool_use","id":"t1","name":"type","input":{"c4nary\/value":1}}]`:                                nil,
		`[{"type":"tool_use","id":"t1","name":"type","input":{"text" : "{{secret:token}}","id":"\u00e9"}}]`:        {"kept"},
		`[{"type":"tool_use","id":"t1","name":"type","input":{"id":"c4nary/value","text":"{{secret:unknown}}"}}]`:  nil,
		`[{"type":"text","text":"{{secret:token}}"},{"type":"redacted_thinking","data":"not free: c4nary/value"}]`: {"kept"},
	} {
		stored, err := st.Append(t.Context(), deskhand.NewEvent(id, deskhand.KindModelReplied, deskhand.ModelReplied{Turn: 3, Content: json.RawMessage(content), StopReason: "tool_use", CostUSD: 0.5}))
		if err != nil {
			t.Fatal(err)
		}
		d := data[deskhand.ModelReplied](t, stored[0])
		kept, marked := len(names) > 0, slices.Equal(d.Secrets, []string{"token"})
		if kept == marked || d.Turn != 3 || d.StopReason != "tool_use" || d.CostUSD != 0.5 {
			t.Errorf("%s: %s", content, stored[0].Data)
		}
		if kept && string(d.Content) != strings.ReplaceAll(content, `"text" : `, `"text":`) {
			t.Errorf("%s became %s", content, d.Content)
		}
		if !kept && strings.Contains(strings.ReplaceAll(string(d.Content), `"signature":"c4nary/value"`, ""), "c4nary") {
			t.Errorf("%s became %s", content, d.Content)
		}
	}
}

// TestStructureStays: a value that is part of what the runtime writes itself
// changes nothing of it.
func TestStructureStays(t *testing.T) {
	t.Parallel()
	id := deskhand.NewTaskID()
	img := deskhand.NewImage("image/png", deskhand.Size{W: 1, H: 1}, []byte("x"))
	var all []secret.Secret
	for i, v := range []string{"toolu_", string(img.Hash[8:20]), "claude-opus"} {
		one, err := secret.New(string(rune('a'+i)), v)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	s, err := secret.NewSet(all...)
	if err != nil {
		t.Fatal(err)
	}
	st := guard.Store(open(t), s)
	given := []deskhand.Event{
		deskhand.NewEvent(id, deskhand.KindTaskCreated, deskhand.TaskCreated{Task: deskhand.Task{Model: "claude-opus-5-5", Text: "claude-opus"}}),
		deskhand.NewEvent(id, deskhand.KindCallStarted, deskhand.CallStarted{Call: deskhand.Call{ID: "toolu_01", Name: "bash", Input: json.RawMessage(`{"id":"toolu_01"}`)}}),
		deskhand.NewEvent(id, deskhand.KindCallFinished, deskhand.CallFinished{CallID: "toolu_01", Result: deskhand.Result{Content: []deskhand.Content{{Text: "toolu_01"}, {Image: img}}}}),
	}
	stored, err := st.Append(t.Context(), given...)
	if err != nil {
		t.Fatal(err)
	}
	task := data[deskhand.TaskCreated](t, stored[0]).Task
	started, finished := data[deskhand.CallStarted](t, stored[1]), data[deskhand.CallFinished](t, stored[2])
	if task.Model != "claude-opus-5-5" || task.Text != "{{secret:c}}" || started.Call.ID != "toolu_01" || string(started.Call.Input) != `{"id":"{{secret:a}}01"}` ||
		finished.CallID != "toolu_01" || finished.Result.Content[0].Text != "{{secret:a}}01" || finished.Result.Content[1].Image.Hash != img.Hash {
		t.Errorf("%s\n%s\n%s", stored[0].Data, stored[1].Data, stored[2].Data)
	}
	if err := guard.Fits(deskhand.Task{Model: "claude-opus-5-5"}, s); deskhand.CodeOf(err) != deskhand.Invalid {
		t.Errorf("a value in the name of the model: %v", err)
	}
	for _, folder := range []string{"/home/me/toolu_x", "/home/me/toolu"} {
		err := guard.Fits(deskhand.Task{Text: "toolu_", Folders: []deskhand.Folder{{Path: folder}}, Secrets: []string{"a=window:toolu_"}}, s)
		if bad := strings.HasSuffix(folder, "x"); bad != (err != nil) {
			t.Errorf("folder %s: %v", folder, err)
		}
	}
}

// TestReadMasked: what another process stored without the values is masked for
// whoever has them.
func TestReadMasked(t *testing.T) {
	t.Parallel()
	inner := open(t)
	id := created(t, inner)
	if _, err := inner.Append(t.Context(), deskhand.NewEvent(id, deskhand.KindHumanMessage, deskhand.HumanMessage{Text: "use " + canary})); err != nil {
		t.Fatal(err)
	}
	read := func(st store.Store) (all string) {
		for e, err := range st.Events(t.Context(), id, 0) {
			if err != nil {
				t.Fatal(err)
			}
			all += string(e.Data)
		}
		return all
	}
	if got := read(inner); !strings.Contains(got, canary) {
		t.Errorf("guard off: %s", got)
	}
	if got := read(guard.Store(inner, secrets(t))); strings.Contains(got, canary) || !strings.Contains(got, "use {{secret:token}}") {
		t.Errorf("guard on: %s", got)
	}
}

// TestWordsOfTheJournal: no name of a member that an event has can be the value
// of a secret.
func TestWordsOfTheJournal(t *testing.T) {
	t.Parallel()
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(typ.Elem())
		case reflect.Struct:
			if seen[typ] || typ.PkgPath() == "time" {
				return
			}
			seen[typ] = true
			for i := range typ.NumField() {
				f := typ.Field(i)
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if len(name) >= 6 {
					if _, err := secret.New("a", name); err == nil {
						t.Errorf("%s.%s: %q can be the value of a secret", typ, f.Name, name)
					}
				}
				walk(f.Type)
			}
		}
	}
	for _, d := range []any{
		deskhand.Event{}, deskhand.TaskCreated{}, deskhand.TaskStatus{}, deskhand.TurnStarted{}, deskhand.ModelReplied{}, deskhand.ModelFailed{}, deskhand.CallJudged{},
		deskhand.CallStarted{}, deskhand.CallFinished{}, deskhand.ApprovalAsked{}, deskhand.Decision{}, deskhand.HumanMessage{}, deskhand.HumanAsked{}, deskhand.ComputerReady{},
		deskhand.ModelConsulted{}, deskhand.BudgetNear{}, deskhand.BudgetReached{}, deskhand.BudgetRaised{}, deskhand.StuckNoticed{}, deskhand.OutcomeChecked{},
		deskhand.NetworkJudged{}, deskhand.JournalCut{}, deskhand.FileChanged{}, deskhand.FileReviewed{}, deskhand.Note{},
	} {
		walk(reflect.TypeOf(d))
	}
	for _, value := range []deskhand.Status{deskhand.Queued, deskhand.Running, deskhand.Waiting, deskhand.Exhausted, deskhand.Failed, deskhand.Stopped} {
		if _, err := secret.New("a", string(value)); err == nil {
			t.Errorf("the status %q can be the value of a secret", value)
		}
	}
}

// talker is a model that streams pieces and replies with something else.
type talker struct {
	pieces []model.Delta
	err    error
}

func (m talker) Reply(_ context.Context, _ model.Request, on func(model.Delta)) (model.Reply, error) {
	for _, p := range m.pieces {
		on(p)
	}
	return model.Reply{Text: canary}, m.err
}

// TestModel: a value that comes in pieces is shown without the guard, and not
// with it; nothing is lost when a reply breaks off.
func TestModel(t *testing.T) {
	t.Parallel()
	m := talker{pieces: []model.Delta{{Text: "It is c4na"}, {Thinking: "c4nary/"}, {Text: "ry/va"}, {Thinking: "value."}, {Text: "lue. c4n"}}, err: context.Canceled}
	for name, s := range map[string]*secret.Set{"off": nil, "on": secrets(t)} {
		var text, thinking string
		reply, err := guard.Model(m, s).Reply(t.Context(), model.Request{}, func(d model.Delta) { text, thinking = text+d.Text, thinking+d.Thinking })
		if reply.Text != canary || err == nil {
			t.Errorf("guard %s: the reply is %q, %v", name, reply.Text, err)
		}
		want, wantThought := "It is c4nary/value. c4n", "c4nary/value."
		if name == "on" {
			want, wantThought = "It is {{secret:token}}. c4n", "{{secret:token}}."
		}
		if text != want || thinking != wantThought {
			t.Errorf("guard %s: streamed %q, thought %q", name, text, thinking)
		}
	}
}
