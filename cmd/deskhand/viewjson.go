package main

import (
	"encoding/json"
	"io"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/transcript"
)

// eventVersion is the version of the public form of events.
const eventVersion = 1

// publicEvent is the public form of an event, one line of --output stream-json.
type publicEvent struct {
	V int `json:"v"`
	deskhand.Event
}

// streamView prints each event as one line of JSON.
type streamView struct{ enc *json.Encoder }

func newStreamView(out io.Writer) *streamView {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return &streamView{enc}
}

func (v *streamView) event(e deskhand.Event) error {
	return deskhand.E("output", deskhand.Unavailable, v.enc.Encode(publicEvent{eventVersion, e}))
}

func (v *streamView) end(deskhand.Task) {}

func (v *streamView) close() {}

// outcomeView prints nothing but one object at the end.
type outcomeView struct {
	out   io.Writer
	story *transcript.Story
}

// summary is the object of --output json. It is stable.
type summary struct {
	Task       deskhand.TaskID `json:"task"`
	Status     deskhand.Status `json:"status"`
	Result     string          `json:"result"`
	Turns      int             `json:"turns"`
	Calls      int             `json:"calls"`
	Usage      deskhand.Usage  `json:"usage"`
	CostUSD    float64         `json:"cost_usd"`
	DurationMS int64           `json:"duration_ms"`

	Finding  deskhand.Finding   `json:"finding"`            // of the outcome: verified, not_verified or failed
	Evidence []deskhand.Checked `json:"evidence,omitempty"` // what was looked at

	Approval *deskhand.ApprovalAsked `json:"approval,omitempty"` // what it waits for: deskhand task answer
}

func summaryOf(t deskhand.Task) summary {
	return summary{
		Task: t.ID, Status: t.Status, Result: t.Result, Turns: t.Turns, Calls: t.Calls, Usage: t.Usage, CostUSD: t.CostUSD,
		DurationMS: t.Updated.Sub(t.Created).Milliseconds(), Finding: transcript.Found(t),
	}
}

func (v outcomeView) event(e deskhand.Event) error { return v.story.Add(e) }

func (v outcomeView) end(t deskhand.Task) {
	s := summaryOf(t)
	s.Evidence = v.story.Checks
	if t.Status == deskhand.Waiting {
		s.Approval = v.story.Asked
	}
	printJSON(v.out, s)
}

func (v outcomeView) close() {}

// printJSON prints v as one line. A reader that is gone is nobody's error.
func printJSON(out io.Writer, v any) {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.Encode(v)
}
