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

// Judgement is a Verdict with what a person needs to know to answer it.
type Judgement struct {
	Verdict
	Class  string   // what kind of thing the call does; see package policy
	Does   []string // what it does, a line each; of a shell line, its commands
	Always []string // rules that would allow exactly this from now on; none: no rule can be offered

	// Reshapes: after this call the commands of the shell may mean something else.
	Reshapes bool
}

// Gate says what becomes of a call, just before it runs. It must not wait.
type Gate func(Call, Moment) Judgement

// Moment is what is known when a call is judged. What is not known is empty.
type Moment struct {
	Target   *Target  // what the call acts on; nil: nothing on the screen
	Unseen   bool     // it acts on something, and that could not be looked at
	Plan     *Plan    // that a person accepted; nil: none
	Granted  []string // rules that a person granted for this task
	Reshaped bool     // a call of this shell session had Judgement.Reshapes
}

// Target is what a call on the screen acts on, as it was when somebody looked.
// Its texts come from whoever made the window or the page.
type Target struct {
	App   string `json:"app,omitempty"`   // class of the window
	Title string `json:"title,omitempty"` // of the window
	Role  string `json:"role,omitempty"`  // of the element in it, as the accessibility tree or the page calls it
	Name  string `json:"name,omitempty"`
	URL   string `json:"url,omitempty"` // of the page in front

	// State stands for all that must not change between a question and its
	// answer: the pixels around the point, and the windows.
	State Hash `json:"state,omitempty"`

	// Picture shows the target, marked. It is there in questions only.
	Picture *Image `json:"picture,omitempty"`
}

// Scope is how far a person's yes reaches.
type Scope string

// The scopes. An unknown one is Once.
const (
	Once    Scope = ""       // this call
	ForTask Scope = "task"   // and what ApprovalAsked.Always allows, in this task
	Always  Scope = "always" // as ForTask; whoever answers has saved the rules, too
)

// Decision is a person's answer to a question of the gate.
type Decision struct {
	CallID  string    `json:"call_id"`
	Nonce   Hash      `json:"nonce"` // of the question that was answered
	Approve bool      `json:"approve"`
	Scope   Scope     `json:"scope,omitempty"` // with Approve
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Comment string    `json:"comment,omitempty"` // goes to the model
	Plan    *Plan     `json:"plan,omitempty"`    // of an approved plan: as the person changed it
}
