package deskhand

import "time"

// Outcome is what the gate says of a call.
type Outcome string

// The three outcomes. Anything else is read as Deny.
const (
	Allow Outcome = "allow"
	Ask   Outcome = "ask"
	Deny  Outcome = "deny"
)

// Verdict is the gate's answer for one call, with the rule that gave it.
type Verdict struct {
	Outcome Outcome `json:"outcome"`
	Rule    string  `json:"rule"`             // name of the rule
	Reason  string  `json:"reason,omitempty"` // one sentence for a person
}

// Decision is a person's answer to a question of the gate.
type Decision struct {
	CallID  string    `json:"call_id"`
	Approve bool      `json:"approve"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Comment string    `json:"comment,omitempty"` // goes to the model
}
