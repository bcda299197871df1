package local

import (
	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/policy"
)

// gate judges a task's calls in its permission mode.
//
// Nobody can be asked yet, and trust is what tasks run with: what this mode
// would ask about is allowed, and the verdict says so in the journal.
func gate(t deskhand.Task) func(deskhand.Call) deskhand.Verdict {
	rules := policy.Rules{Mode: policy.Mode(t.Permission)}
	at := policy.Context{Sandboxed: t.Sandbox != "none"}
	return func(call deskhand.Call) deskhand.Verdict {
		v := policy.Explain(call, rules, at).Verdict
		if rules.Mode == policy.Trust && v.Outcome == deskhand.Ask {
			v = deskhand.Verdict{Outcome: deskhand.Allow, Rule: "mode:trust", Reason: "Nobody can be asked yet. " + v.Reason}
		}
		return v
	}
}
