// Package policy is the one gate every call passes, just before it runs.
//
// It is pure: the call, the rules and what is known of the moment go in, a
// verdict with its reason comes out. It never waits, asks or remembers; waiting
// for a person is a state of the task, kept by agent and store.
package policy

import "github.com/deskhand/deskhand"

// Rules is what a person has allowed.
type Rules struct {
	Mode Mode
}

// Mode is a permission mode.
type Mode string

// Trust allows everything inside the sandbox. It is the only mode so far.
const Trust Mode = "trust"

// Judge returns the verdict on call. An unknown mode denies.
func Judge(call deskhand.Call, rules Rules) deskhand.Verdict {
	if rules.Mode == Trust {
		return deskhand.Verdict{Outcome: deskhand.Allow, Rule: "mode:trust"}
	}
	return deskhand.Verdict{Outcome: deskhand.Deny, Rule: "mode:unknown", Reason: "The permission mode is not known."}
}
