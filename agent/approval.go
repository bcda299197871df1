package agent

import (
	"github.com/deskhand/deskhand"
)

func (st *State) judged(_ deskhand.Event, d deskhand.CallJudged) error {
	c := st.find(d.CallID)
	c.verdict, c.reshapes = &d.Verdict, c.reshapes || d.Reshapes
	return nil
}

func (st *State) asked(_ deskhand.Event, d deskhand.ApprovalAsked) error {
	st.find(d.Call.ID).question = &d
	return nil
}

// decided keeps the first answer to the question that was asked, but any denial
// vetoes: of two people who answer at the same moment, the careful one is heard.
// An answer to another question says nothing.
func (st *State) decided(_ deskhand.Event, d deskhand.Decision) error {
	c := st.find(d.CallID)
	if c.question == nil || c.question.Nonce != d.Nonce || c.decision != nil && !c.decision.Approve {
		return nil
	}
	c.decision = &d
	return nil
}

// Question returns what a person is asked about a call, if that is so.
func (st *State) Question() (q deskhand.ApprovalAsked, waits bool) {
	for _, c := range st.calls {
		if c.result == nil && c.question != nil && c.decision == nil {
			return *c.question, true
		}
	}
	return q, false
}

// Plan returns the plan that a person accepted last; nil: none.
func (st *State) Plan() *deskhand.Plan { return st.plan }

// Asks reports whether a person is asked something and has not answered: about a
// call, or how to go on.
func (st *State) Asks() bool {
	_, question := st.Question()
	return question || st.lostWay > st.spoken
}
