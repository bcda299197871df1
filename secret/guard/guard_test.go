package guard_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/secret"
	"github.com/deskhand/deskhand/secret/guard"
	"github.com/deskhand/deskhand/store/sqlite"
	"github.com/deskhand/deskhand/tool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const canary = "c4nary/value"

func secrets(t *testing.T) *secret.Set {
	t.Helper()
	one, err := secret.New("token", canary, "window:xterm", "https://github.com")
	if err != nil {
		t.Fatal(err)
	}
	s, err := secret.NewSet(one)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStore: the value is in what is stored and returned without the guard, and
// in neither with it; the chain is of what was stored.
func TestStore(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*secret.Set{"off": nil, "on": secrets(t)} {
		inner, err := sqlite.Open(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer inner.Close()
		st, id := guard.Store(inner, s), deskhand.NewTaskID()
		given := []deskhand.Event{
			deskhand.NewEvent(id, deskhand.KindTaskCreated, deskhand.TaskCreated{Task: deskhand.Task{Text: "use " + canary}}),
			deskhand.NewEvent(id, deskhand.KindCallFinished, deskhand.CallFinished{CallID: "t1", Result: deskhand.Text("it is " + canary)}),
		}
		before := string(given[1].Data)
		stored, err := st.Append(t.Context(), given...)
		if err != nil {
			t.Fatal(err)
		}
		task, err := st.Get(t.Context(), string(id))
		if err != nil {
			t.Fatal(err)
		}
		seen := task.Text + string(stored[0].Data) + string(stored[1].Data)
		for e, err := range st.Events(t.Context(), id, 0) {
			if err != nil {
				t.Fatal(err)
			}
			seen += string(e.Data)
		}
		want := 0
		if name == "off" {
			want = 5
		}
		if got := strings.Count(seen, canary); got != want {
			t.Errorf("guard %s: the value is there %d times, want %d: %s", name, got, want, seen)
		}
		if string(given[1].Data) != before {
			t.Error("the caller's event was changed")
		}
		if err := st.Verify(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
}

func TestStoreRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	inner, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	e := deskhand.NewEvent(deskhand.NewTaskID(), deskhand.KindTaskCreated, deskhand.TaskCreated{})
	e.Data = json.RawMessage(`{"text":"` + canary)
	if _, err := guard.Store(inner, secrets(t)).Append(t.Context(), e); deskhand.CodeOf(err) != deskhand.Invalid {
		t.Errorf("half an event: %v", err)
	}
}

// recorder is a tool that keeps the inputs it was run with.
type recorder struct {
	ran    []string
	closed bool
}

func (r *recorder) Spec() tool.Spec { return tool.Spec{Name: "send"} }

func (r *recorder) Run(_ context.Context, call deskhand.Call) (deskhand.Result, error) {
	r.ran = append(r.ran, string(call.Input))
	return deskhand.Text("sent"), nil
}

func (r *recorder) Close() error { r.closed = true; return nil }

// screen is a recorder that can be looked at.
type screen struct{ recorder }

func (*screen) Observe(context.Context) ([]deskhand.Content, error) {
	return []deskhand.Content{{Text: "seen"}}, nil
}

func TestTool(t *testing.T) {
	t.Parallel()
	escaped, _ := json.Marshal(map[string]string{"url": "https://evil.test/?c4nary%2Fvalue"})
	for _, c := range []struct{ name, input, refusal string }{
		{"the value", `{"text":"` + canary + `"}`, "carries the value"},
		{"escaped for JSON", `{"text":"c4nary\/value"}`, "carries the value"},
		{"by code point", `{"text":"\u00634nary/value"}`, "carries the value"},
		{"in a URL", string(escaped), "carries the value"},
		{"in base64", `{"text":"YzRuYXJ5L3ZhbHVl"}`, "carries the value"},
		{"in a key", `{"c4nary/value":1}`, "carries the value"},
		{"its reference", `{"text":"{{secret:token}}"}`, "only by typing it"},
		{"its reference by code point", `{"text":"\u007b{secret:token}}"}`, "only by typing it"},
		{"another reference", `{"text":"{{secret:other}}"}`, "no secret of that name"},
		{"neither", `{"text" : "c4nary"}`, ""},
	} {
		for name, s := range map[string]*secret.Set{"off": nil, "on": secrets(t)} {
			r := &recorder{}
			got, err := guard.Tool(r, s).Run(t.Context(), deskhand.Call{Name: "send", Input: json.RawMessage(c.input)})
			if err != nil {
				t.Fatal(err)
			}
			runs := name == "off" || c.refusal == ""
			switch {
			case runs != (len(r.ran) == 1 && r.ran[0] == c.input), runs == got.IsError:
				t.Errorf("%s, guard %s: ran with %q, answer %+v", c.name, name, r.ran, got)
			case !runs && (!strings.Contains(got.Content[0].Text, c.refusal) || strings.Contains(got.Content[0].Text, "c4nary")):
				t.Errorf("%s: answered %q", c.name, got.Content[0].Text)
			}
		}
	}
}

// aimer is a recorder whose target can be looked at.
type aimer struct{ recorder }

func (*aimer) Aim(context.Context, deskhand.Call, bool) (*deskhand.Target, error) {
	return &deskhand.Target{Title: "aimed"}, nil
}

// TestToolStaysWhatItIs: an Observer and an Aimer stay what they are, nothing else becomes one, and
// closing goes through.
func TestToolStaysWhatItIs(t *testing.T) {
	t.Parallel()
	s := secrets(t)
	if _, sees := guard.Tool(&recorder{}, s).(tool.Observer); sees {
		t.Error("a tool that cannot be looked at became an Observer")
	}
	if _, aims := guard.Tool(&recorder{}, s).(tool.Aimer); aims {
		t.Error("a tool without a target became an Aimer")
	}
	both := struct {
		*screen
		tool.Aimer
	}{&screen{}, &aimer{}}
	for name, inner := range map[string]tool.Tool{"aimer": &aimer{}, "both": both} {
		g := guard.Tool(inner, s)
		a, aims := g.(tool.Aimer)
		_, sees := g.(tool.Observer)
		if !aims || sees != (name == "both") {
			t.Fatalf("%s: aims %v, sees %v", name, aims, sees)
		}
		if target, err := a.Aim(t.Context(), deskhand.Call{}, false); err != nil || target.Title != "aimed" {
			t.Errorf("%s: %+v, %v", name, target, err)
		}
	}
	inner := &screen{}
	g := guard.Tool(inner, s)
	o, sees := g.(tool.Observer)
	if !sees {
		t.Fatal("an Observer is none any more")
	}
	if got, err := o.Observe(t.Context()); err != nil || got[0].Text != "seen" {
		t.Errorf("observed %v, %v", got, err)
	}
	if err := g.(interface{ Close() error }).Close(); err != nil || !inner.closed {
		t.Errorf("not closed: %v", err)
	}
}
