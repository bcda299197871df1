package local

import (
	"encoding/json"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/policy"
)

// home is what ~ stands for inside a sandbox.
const home = "/home/user"

// gate judges one call of a task by package policy.
func gate(t deskhand.Task, rulesOf func(deskhand.Task) (policy.Rules, error), call deskhand.Call, m deskhand.Moment) deskhand.Judgement {
	switch steps, ok := proposed(call); {
	case ok && len(steps) == 0: // the tool says what is wrong with it, and does nothing
		return deskhand.Judgement{Verdict: deskhand.Verdict{Outcome: deskhand.Allow, Rule: "plan:empty"}}
	case ok:
		return deskhand.Judgement{Verdict: deskhand.Verdict{Outcome: deskhand.Ask, Rule: "plan:proposed", Reason: "It proposes a plan."}, Class: "plan", Does: steps}
	}
	rules, err := rulesOf(t)
	if err != nil {
		return deskhand.Judgement{Verdict: deskhand.Verdict{Outcome: deskhand.Deny, Rule: "policy:unreadable", Reason: err.Error()}}
	}
	rules.Mode = policy.Mode(t.Permission)
	for _, text := range m.Granted {
		if rule, err := policy.ParseRule(deskhand.Allow, text); err == nil { // it was one when it was shown
			rule.Source = "granted for this task"
			rules.Rules = append(rules.Rules[:len(rules.Rules):len(rules.Rules)], rule)
		}
	}
	at := moment(t, m)
	x := policy.Explain(call, rules, at)
	j := deskhand.Judgement{Verdict: x.Verdict, Class: string(x.Class), Reshapes: x.Reshapes}
	if m.Unseen && j.Outcome == deskhand.Allow && x.Class != policy.Looks && rules.Mode != policy.Trust {
		j.Verdict = deskhand.Verdict{Outcome: deskhand.Ask, Rule: "screen:unseen", Reason: "It could not be seen what it acts on."}
	}
	if j.Outcome != deskhand.Ask {
		return j
	}
	for _, p := range x.Parts {
		j.Does = append(j.Does, p.Text)
	}
	for _, rule := range policy.Suggest(call, at) {
		j.Always = append(j.Always, rule.Pattern())
	}
	return j
}

// proposed returns the steps of a plan, and whether the call proposes one. One
// that cannot be read has none.
func proposed(call deskhand.Call) (steps []string, ok bool) {
	if call.Name != deskhand.PlanTool || call.Toolset != "" {
		return nil, false
	}
	var p deskhand.Plan
	if json.Unmarshal(call.Input, &p) != nil {
		return nil, true
	}
	return p.Steps, true
}

// moment says what is known as package policy takes it.
func moment(t deskhand.Task, m deskhand.Moment) policy.Context {
	at := policy.Context{Sandboxed: t.Sandbox != "none", Reshaped: m.Reshaped}
	if at.Sandboxed {
		at.Home = home
	}
	if p := m.Plan; p != nil {
		at.Bounds = &policy.Bounds{Folders: p.Folders, Deletions: p.Deletions, Sites: p.Sites, Programs: p.Programs, Connectors: p.Connectors}
		for _, f := range t.Folders {
			at.Bounds.Shared = append(at.Bounds.Shared, f.Path)
		}
	}
	if m.Target != nil {
		at.Window = policy.Window{Class: m.Target.App, Title: m.Target.Title}
		at.Element = policy.Element{Role: m.Target.Role, Name: m.Target.Name}
		at.URL = m.Target.URL
	}
	return at
}
