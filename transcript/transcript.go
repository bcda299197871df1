// Package transcript tells the story of a task: it folds the events of a
// journal into turns a person can read, puts calls into short words, and writes
// the whole as one HTML page.
//
// It reads events and nothing else, so that whatever shows a task shows the same.
//
// Trust: calls, results and what a model said are hostile text. What Human
// returns is one visible line; the page holds such text only escaped, runs no
// script and loads nothing.
package transcript

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/plaintext"
)

// Story is a task as far as its events tell.
type Story struct {
	Task   deskhand.Task // as created; status and sums are the caller's to look up
	System string        // the system prompt
	Status deskhand.Status
	Reason string // of the last change of status
	Result string
	Checks []deskhand.Checked      // of the last look at the task's criteria
	Turns  []*Turn                 // Turns[0] holds what happened before the first turn
	Asked  *deskhand.ApprovalAsked // what a person is asked; nil: nothing
	Ended  time.Time

	calls map[string]*Call
}

// Turn is one reply of the model and what came of its calls.
type Turn struct {
	N       int // 0 before the first turn
	Started time.Time
	Reply   *deskhand.ModelReplied // nil when there was none
	Items   []Item                 // in the order they happened
}

// Item is one thing that happened. Exactly one field is set.
type Item struct {
	Said     string
	Thinking string
	Message  string // of a person
	Note     string
	Failure  *deskhand.ModelFailed
	Checked  *deskhand.OutcomeChecked
	Asked    *deskhand.ApprovalAsked
	Call     *Call
}

// Call is one call and what came of it.
type Call struct {
	N        int // 1, 2, 3 … within the task
	Turn     int
	Call     deskhand.Call
	Verdict  deskhand.Verdict
	Started  time.Time
	Finished bool
	Result   deskhand.Result
	Duration time.Duration
}

// New returns the story before any event.
func New() *Story {
	return &Story{Turns: []*Turn{{}}, calls: map[string]*Call{}}
}

// Add takes the next event. Events must come in order, without gaps; what this
// version does not know is passed over. Invalid: the event's data is damaged.
func (s *Story) Add(e deskhand.Event) error {
	add, known := adders[e.Kind]
	if !known {
		return nil
	}
	s.Ended = e.Time
	return deskhand.E("transcript", deskhand.Invalid, add(s, e))
}

var adders = map[deskhand.Kind]func(*Story, deskhand.Event) error{
	deskhand.KindTaskCreated: adder(func(s *Story, _ deskhand.Event, d deskhand.TaskCreated) {
		s.Task, s.System = d.Task, d.System
	}),
	deskhand.KindTaskStatus: adder(func(s *Story, _ deskhand.Event, d deskhand.TaskStatus) {
		s.Status, s.Reason = d.To, d.Reason
		if d.Result != "" {
			s.Result = d.Result
		}
	}),
	deskhand.KindTurnStarted: adder(func(s *Story, e deskhand.Event, d deskhand.TurnStarted) {
		if last := s.last(); last.N != d.Turn || d.Turn == 0 {
			s.Turns = append(s.Turns, &Turn{N: d.Turn, Started: e.Time})
		}
	}),
	deskhand.KindModelReplied: adder((*Story).replied),
	deskhand.KindModelFailed: adder(func(s *Story, _ deskhand.Event, d deskhand.ModelFailed) {
		s.item(Item{Failure: &d})
	}),
	deskhand.KindCallJudged: adder(func(s *Story, _ deskhand.Event, d deskhand.CallJudged) {
		s.call(deskhand.Call{ID: d.CallID}).Verdict = d.Verdict
	}),
	deskhand.KindCallStarted: adder(func(s *Story, e deskhand.Event, d deskhand.CallStarted) {
		s.call(d.Call).Started = e.Time
	}),
	deskhand.KindCallFinished: adder(func(s *Story, _ deskhand.Event, d deskhand.CallFinished) {
		c := s.call(deskhand.Call{ID: d.CallID})
		if s.Asked != nil && s.Asked.Call.ID == d.CallID {
			s.Asked = nil // nobody will be asked any more
		}
		c.Finished, c.Result, c.Duration = true, d.Result, time.Duration(d.DurationMS)*time.Millisecond
		c.Result.Content = append(c.Result.Content, d.Observed...) // what was seen after a failure belongs to it
	}),
	deskhand.KindApprovalAsked: adder(func(s *Story, _ deskhand.Event, d deskhand.ApprovalAsked) {
		s.Asked = &d
		s.item(Item{Asked: &d})
	}),
	deskhand.KindApprovalDecided: adder(func(s *Story, _ deskhand.Event, d deskhand.Decision) {
		if s.Asked != nil && s.Asked.Nonce == d.Nonce {
			s.Asked = nil
		}
		s.item(Item{Note: DecisionText(d)})
	}),
	deskhand.KindHumanMessage: adder(func(s *Story, _ deskhand.Event, d deskhand.HumanMessage) {
		s.item(Item{Message: d.Text})
	}),
	deskhand.KindModelConsulted: adder(func(s *Story, _ deskhand.Event, d deskhand.ModelConsulted) {
		s.item(Item{Note: ConsultedText(d)})
	}),
	deskhand.KindBudgetNear: adder(func(s *Story, _ deskhand.Event, d deskhand.BudgetNear) {
		s.item(Item{Note: d.Text})
	}),
	deskhand.KindBudgetRaised: adder(func(s *Story, _ deskhand.Event, d deskhand.BudgetRaised) {
		s.item(Item{Note: RaisedText(d)})
	}),
	deskhand.KindBudgetReached: adder(func(s *Story, _ deskhand.Event, d deskhand.BudgetReached) {
		s.item(Item{Note: d.Text})
	}),
	deskhand.KindNetworkJudged: adder(func(s *Story, _ deskhand.Event, d deskhand.NetworkJudged) {
		if text := Network(d); text != "" {
			s.item(Item{Note: text})
		}
	}),
	deskhand.KindOutcomeChecked: adder(func(s *Story, _ deskhand.Event, d deskhand.OutcomeChecked) {
		s.Checks = d.Items
		s.item(Item{Checked: &d})
	}),
	deskhand.KindStuckNoticed: adder(func(s *Story, _ deskhand.Event, d deskhand.StuckNoticed) {
		s.item(Item{Note: d.Text})
	}),
	deskhand.KindFileChanged: adder(func(s *Story, _ deskhand.Event, d deskhand.FileChanged) {
		s.item(Item{Note: FilesChanged(d)})
	}),
	deskhand.KindFileReviewed: adder(func(s *Story, _ deskhand.Event, d deskhand.FileReviewed) {
		s.item(Item{Note: FilesReviewed(d)})
	}),
	deskhand.KindNote: adder(func(s *Story, _ deskhand.Event, d deskhand.Note) {
		s.item(Item{Note: d.Text})
	}),
}

// Network says in one sentence which host was reached, and nothing of what was
// refused: that is told to the model, and so is a note.
func Network(d deskhand.NetworkJudged) string {
	if !d.Allowed {
		return ""
	}
	return fmt.Sprintf("The desktop reached %s:%d (allowed by %s).", plaintext.Line(d.Host), d.Port, plaintext.Line(d.Rule))
}

// adder decodes an event's data before f sees it.
func adder[D any](f func(*Story, deskhand.Event, D)) func(*Story, deskhand.Event) error {
	return func(s *Story, e deskhand.Event) error {
		var d D
		if err := json.Unmarshal(e.Data, &d); err != nil {
			return err
		}
		f(s, e, d)
		return nil
	}
}

func (s *Story) last() *Turn { return s.Turns[len(s.Turns)-1] }

func (s *Story) item(i Item) { s.last().Items = append(s.last().Items, i) }

// replied adds the blocks of a reply in the order the model wrote them. A call
// stands in the story from here on, also when it never starts.
func (s *Story) replied(_ deskhand.Event, d deskhand.ModelReplied) {
	s.last().Reply = &d
	for _, b := range Blocks(d.Content) {
		switch {
		case b.Call != nil:
			s.call(*b.Call)
		case b.Thinking != "":
			s.item(Item{Thinking: b.Thinking})
		case strings.TrimSpace(b.Text) != "":
			s.item(Item{Said: b.Text})
		}
	}
}

// call returns the call with c's id, adding it when it is new in this turn.
func (s *Story) call(c deskhand.Call) *Call {
	if known := s.calls[c.ID]; known != nil && known.Turn == s.last().N {
		if known.Call.Name == "" {
			known.Call = c
		}
		return known
	}
	call := &Call{N: len(s.calls) + 1, Turn: s.last().N, Call: c}
	s.calls[c.ID] = call
	s.item(Item{Call: call})
	return call
}

// Call returns the newest call with that id, nil when there is none.
func (s *Story) Call(id string) *Call { return s.calls[id] }

// Block is one block of an assistant's content: a text, a thought or a call.
type Block struct {
	Text     string
	Thinking string
	Call     *deskhand.Call
}

// Blocks reads an assistant's content array. What it does not know it leaves out.
func Blocks(content json.RawMessage) []Block {
	var raw []struct {
		Type, Text, Thinking, ID, Name string
		Toolset                        string `json:"toolset_name"`
		Input                          json.RawMessage
	}
	if json.Unmarshal(content, &raw) != nil {
		return nil
	}
	var out []Block
	for _, b := range raw {
		switch b.Type {
		case "text":
			out = append(out, Block{Text: b.Text})
		case "thinking":
			out = append(out, Block{Thinking: b.Thinking})
		case "tool_use":
			out = append(out, Block{Call: &deskhand.Call{ID: b.ID, Toolset: b.Toolset, Name: b.Name, Input: b.Input}})
		}
	}
	return out
}

// Text returns the text blocks of an assistant's content, joined by line feeds.
func Text(content json.RawMessage) string {
	var texts []string
	for _, b := range Blocks(content) {
		if strings.TrimSpace(b.Text) != "" {
			texts = append(texts, b.Text)
		}
	}
	return strings.Join(texts, "\n")
}

// Images returns the hashes of every picture in the story, in order, each once.
func (s *Story) Images() []deskhand.Hash {
	var out []deskhand.Hash
	seen := map[deskhand.Hash]bool{}
	add := func(img *deskhand.Image) {
		if img != nil && !seen[img.Hash] {
			seen[img.Hash] = true
			out = append(out, img.Hash)
		}
	}
	for _, t := range s.Turns {
		for _, i := range t.Items {
			if i.Call != nil {
				for _, c := range i.Call.Result.Content {
					add(c.Image)
				}
			}
			if i.Asked != nil && i.Asked.Target != nil {
				add(i.Asked.Target.Picture)
			}
			if i.Checked != nil {
				for _, c := range i.Checked.Items {
					add(c.Image)
				}
			}
		}
	}
	return out
}
