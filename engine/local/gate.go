package local

import (
	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/policy"
)

// home is what ~ stands for inside a sandbox.
const home = "/home/user"

// gate judges one call of a task by package policy.
func gate(t deskhand.Task, rulesOf func(deskhand.Task) (policy.Rules, error), call deskhand.Call, m deskhand.Moment) deskhand.Judgement {
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

// moment says what is known as package policy takes it.
func moment(t deskhand.Task, m deskhand.Moment) policy.Context {
	at := policy.Context{Sandboxed: t.Sandbox != "none", Reshaped: m.Reshaped}
	if at.Sandboxed {
		at.Home = home
	}
	if m.Target != nil {
		at.Window = policy.Window{Class: m.Target.App, Title: m.Target.Title}
		at.Element = policy.Element{Role: m.Target.Role, Name: m.Target.Name}
		at.URL = m.Target.URL
	}
	return at
}
