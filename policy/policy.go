// Package policy is the one gate every call passes, just before it runs.
//
// It is pure: the call, the rules and what is known of the moment go in, a
// verdict with its reason comes out. It never waits, asks, reads or remembers;
// waiting for a person is a state of the task, kept by agent and store. It must
// never answer milder because it did not understand: what it cannot read asks.
//
// Trust: a call is written by a model that may have been misled, and names on
// the screen by whoever made the page. The shell parser and the table of words
// only choose whether to ask; what a call can reach is decided by the sandbox's
// walls. Rules are a person's. All values are safe for concurrent use.
package policy

import (
	"strings"

	"github.com/deskhand/deskhand"
)

// Rules is what a person has allowed.
type Rules struct {
	Mode  Mode
	Rules []Rule // in any order: deny beats ask beats allow
	Words *Words // words of consequence; nil: the built-in ones
}

// Explanation is a verdict with what led to it.
type Explanation struct {
	Verdict  deskhand.Verdict
	Class    Class  // the heaviest of the parts
	Parts    []Part // what was judged; at least one
	Reshapes bool   // after this the shell's commands may mean something else: set Context.Reshaped
	Mend     string // what would have to change for another verdict; empty when it is allowed
}

// Part is one of the things a call does: a command of a shell line, a file that
// it writes, a click.
type Part struct {
	Text    string           // what it is, for a person
	Class   Class            // what it does
	Why     string           // why it has that class; may be empty
	Outcome deskhand.Outcome // of this part alone
	Rule    string           // what gave the outcome

	target
}

// Judge returns the verdict on call where nothing is known of the moment. An
// unknown mode denies.
func Judge(call deskhand.Call, rules Rules) deskhand.Verdict {
	return Explain(call, rules, Context{}).Verdict
}

// Explain judges call and says how it came to its verdict.
func Explain(call deskhand.Call, rules Rules, at Context) Explanation {
	d := read(call, at, rules.words())
	x := Explanation{Parts: d.parts, Reshapes: d.reshapes, Class: Looks}
	worst := 0
	for i := range x.Parts {
		p := &x.Parts[i]
		at := at
		if at.Plan = at.standing(p); at.Plan == Outside && p.Class != Looks {
			p.Class, p.Why = p.Class.Worse(Leaves), "the accepted plan does not cover it"
		}
		p.Outcome, p.Rule = rules.judge(p, at)
		x.Class = x.Class.Worse(p.Class)
		if w := &x.Parts[worst]; weight[p.Outcome] > weight[w.Outcome] || weight[p.Outcome] == weight[w.Outcome] && rank(p.Class) > rank(w.Class) {
			worst = i
		}
	}
	p := x.Parts[worst]
	x.Verdict = deskhand.Verdict{Outcome: p.Outcome, Rule: p.Rule}
	if p.Outcome != allow {
		x.Verdict.Reason = p.reason()
		x.Mend = mend(p, rules.Mode, Suggest(call, at))
	}
	return x
}

var weight = map[deskhand.Outcome]int{allow: 0, ask: 1, deny: 2}

// judge returns the outcome for one part: deny over ask over allow, then the mode.
func (r Rules) judge(p *Part, at Context) (deskhand.Outcome, string) {
	for _, kind := range []deskhand.Outcome{deny, ask} {
		for _, rule := range r.Rules {
			if rule.Outcome == kind && rule.catches(p, at) {
				return kind, rule.String()
			}
		}
	}
	veiled := r.veiled(p)
	if veiled == "" && p.Class != Leaves && r.Mode.known() {
		if name := r.allows(p, at); name != "" {
			return allow, name
		}
	}
	outcome, name := r.Mode.outcome(p.Class, at)
	if veiled != "" && outcome == allow && p.Class != Looks {
		return ask, veiled + " may apply: not all of the command can be read"
	}
	return outcome, name
}

// veiled returns a rule that denies or asks and may concern what cannot be read
// of a part, or "".
func (r Rules) veiled(p *Part) string {
	for _, rule := range r.Rules {
		if p.veiled && rule.Outcome != allow && rule.concerns(p) {
			return rule.String()
		}
	}
	return ""
}

// allows returns the rule that allows a part, or "".
func (r Rules) allows(p *Part, at Context) string {
	for _, rule := range r.Rules {
		if rule.Outcome == allow && rule.permits(p, at) {
			return rule.String()
		}
	}
	return r.piecewise(p, at)
}

func (m Mode) known() bool { _, err := ParseMode(string(m)); return err == nil }

func (p Part) reason() string {
	if strings.HasPrefix(p.Rule, "mode:unknown") {
		return "The permission mode is not known."
	}
	text := "It " + p.Class.row().does
	if p.Why != "" {
		text += ": " + p.Why
	}
	if p.Outcome == deny && strings.HasPrefix(p.Rule, "mode:plan") {
		text += ", and no plan has been accepted yet"
	}
	return text + "."
}

// mend says what would have to change for a call to be allowed.
func mend(p Part, m Mode, suggested []Rule) string {
	switch {
	case strings.HasPrefix(p.Rule, "deny ") || strings.HasPrefix(p.Rule, "ask "):
		return "Take back the rule " + p.Rule + "."
	case strings.HasPrefix(p.Rule, "mode:unknown"):
		return "Choose a permission mode: ask, plan, auto or trust."
	case p.Class == Leaves:
		return "A plan that covers it has to be accepted."
	case len(suggested) > 0:
		texts := make([]string, len(suggested))
		for i, rule := range suggested {
			texts[i] = rule.String()
		}
		return "It would be allowed with " + strings.Join(texts, " and ") + "."
	case p.Class.Never():
		return "It asks in every mode, and no rule can be offered that allows only this."
	case m == Plan:
		return "A plan that covers it has to be accepted."
	}
	return "No rule can be offered that allows only this; a milder mode would not ask."
}
