package local

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/policy"
)

func bash(command string) deskhand.Call {
	in, _ := json.Marshal(map[string]string{"command": command})
	return deskhand.Call{Name: "bash", Input: in}
}

func noRules(deskhand.Task) (policy.Rules, error) { return policy.Rules{}, nil }

// TestGate: a task's calls are judged in its mode, inside its walls; an unknown
// mode denies.
func TestGate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode, sandbox, command string
		want                   deskhand.Outcome
		says                   string
	}{
		{"trust", "bwrap", "rm x", deskhand.Allow, ""},
		{"trust", "bwrap", "rm -rf /", deskhand.Ask, "It deletes for good"},
		{"trust", "none", "make", deskhand.Ask, "It runs code"},
		{"ask", "bwrap", "touch x", deskhand.Ask, "It changes something"},
		{"ask", "bwrap", "ls", deskhand.Allow, ""},
		{"auto", "bwrap", "touch x", deskhand.Allow, ""},
		{"plan", "bwrap", "touch x", deskhand.Deny, "no plan"},
		{"", "bwrap", "ls", deskhand.Deny, "not known"},
	} {
		v := gate(deskhand.Task{Permission: c.mode, Sandbox: c.sandbox}, noRules, bash(c.command), deskhand.Moment{})
		if v.Outcome != c.want || !strings.Contains(v.Reason, c.says) || v.Rule == "" || c.says == "" && v.Reason != "" {
			t.Errorf("%s %q: %+v", c.mode, c.command, v)
		}
	}
}

// TestGateMoment: what is known of the moment counts, and what could not be
// looked at asks.
func TestGateMoment(t *testing.T) {
	t.Parallel()
	auto := deskhand.Task{Permission: "auto", Sandbox: "bwrap"}
	click := deskhand.Call{Toolset: "computer", Name: "left_click", Input: json.RawMessage(`{"coordinate":[1,1]}`)}
	for _, c := range []struct {
		name string
		task deskhand.Task
		call deskhand.Call
		at   deskhand.Moment
		want deskhand.Outcome
	}{
		{"a button", auto, click, deskhand.Moment{Target: &deskhand.Target{Role: "push button", Name: "Apply"}}, deskhand.Allow},
		{"a button of consequence", auto, click, deskhand.Moment{Target: &deskhand.Target{Role: "push button", Name: "Pay now"}}, deskhand.Ask},
		{"nobody could look", auto, click, deskhand.Moment{Unseen: true}, deskhand.Ask},
		{"a look", auto, deskhand.Call{Toolset: "computer", Name: "screenshot", Input: json.RawMessage(`{}`)}, deskhand.Moment{Unseen: true}, deskhand.Allow},
		{"typing into a terminal", auto, deskhand.Call{Toolset: "computer", Name: "type", Input: json.RawMessage(`{"text":"make"}`)},
			deskhand.Moment{Target: &deskhand.Target{App: "XTerm"}}, deskhand.Ask},
		{"granted", deskhand.Task{Permission: "ask", Sandbox: "bwrap"}, bash("touch /tmp/x"), deskhand.Moment{Granted: []string{"bash(touch /tmp/x)"}}, deskhand.Allow},
		{"granted, of another file", deskhand.Task{Permission: "ask", Sandbox: "bwrap"}, bash("touch /tmp/y"), deskhand.Moment{Granted: []string{"bash(touch /tmp/x)"}}, deskhand.Ask},
		{"granted, in a shell that was reshaped", deskhand.Task{Permission: "ask", Sandbox: "bwrap"}, bash("touch /tmp/x"),
			deskhand.Moment{Granted: []string{"bash(touch /tmp/x)"}, Reshaped: true}, deskhand.Ask},
	} {
		if v := gate(c.task, noRules, c.call, c.at); v.Outcome != c.want {
			t.Errorf("%s: %+v", c.name, v)
		}
	}
}

// TestGateRules: a person's rules count, files that cannot be read deny, and
// what is asked comes with the rules that would allow just that.
func TestGateRules(t *testing.T) {
	t.Parallel()
	ask := deskhand.Task{Permission: "ask", Sandbox: "bwrap"}
	v := gate(ask, noRules, bash("touch /tmp/x && mkdir /tmp/d"), deskhand.Moment{})
	if !slices.Equal(v.Always, []string{"bash(touch /tmp/x)", "bash(mkdir /tmp/d)"}) || len(v.Does) != 2 {
		t.Errorf("it asks %+v", v)
	}
	rules := func(deskhand.Task) (policy.Rules, error) {
		r, err := policy.Parse("policy.toml", []byte(`deny = ["bash(touch *)"]`))
		return policy.Rules{Rules: r}, err
	}
	if v := gate(ask, rules, bash("touch /tmp/x"), deskhand.Moment{Granted: []string{"bash(touch /tmp/x)"}}); v.Outcome != deskhand.Deny {
		t.Errorf("denied by a rule, granted for the task: %+v", v)
	}
	broken := func(deskhand.Task) (policy.Rules, error) { return policy.Rules{}, errors.New("line 1 cannot be read") }
	if v := gate(ask, broken, bash("ls"), deskhand.Moment{}); v.Outcome != deskhand.Deny || !strings.Contains(v.Reason, "line 1") {
		t.Errorf("with unreadable rules: %+v", v)
	}
}
