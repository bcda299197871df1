package deskhand

// Criterion is one thing that must be so at the end of a task. It is looked at
// from outside the model: what the model claims is never evidence.
type Criterion struct {
	Kind string `json:"kind"` // "file", "command", "text", "window", "url" or "look"
	Want string `json:"want"` // what is to be so, in the kind's own form
}

// String returns the criterion as it is written on a command line: KIND:WANT.
func (c Criterion) String() string { return c.Kind + ":" + c.Want }

// Finding is what looking at a criterion, or at all of a task's, came to.
type Finding string

// The findings. A task without criteria is NotVerified.
const (
	Verified    Finding = "verified"     // it is so
	NotVerified Finding = "not_verified" // it could not be told
	Refuted     Finding = "failed"       // it is not so
)

// Checked is a criterion that was looked at.
type Checked struct {
	Criterion Criterion `json:"criterion"`
	Finding   Finding   `json:"finding"`
	Evidence  string    `json:"evidence"`        // what was seen, in a sentence or two; may quote hostile text
	Image     *Image    `json:"image,omitempty"` // the screen that was looked at
}

// FindingOf sums up: one refuted criterion refutes, and all must be verified.
func FindingOf(items []Checked) Finding {
	all := Verified
	for _, i := range items {
		switch i.Finding {
		case Refuted:
			return Refuted
		case Verified:
		default:
			all = NotVerified
		}
	}
	if len(items) == 0 {
		return NotVerified
	}
	return all
}
