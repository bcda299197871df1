package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
)

// reply sends the next request of the conversation. What streams in is handed
// out as it comes, with its attempt. A conversation that the endpoint finds too
// large is sent once more, shortened.
func (a *Agent) reply(ctx context.Context, st *State, turn int) (model.Reply, error) {
	delta := func(d model.Delta, attempt int) {
		if a.Delta != nil {
			a.Delta(a.event(st, deskhand.KindModelDelta, deskhand.ModelDelta{Text: d.Text, Thinking: d.Thinking, Attempt: attempt}))
		}
	}
	reply, attempts, err := a.attempts(ctx, st, turn, 0, a.request(st), delta)
	var failed *model.Error
	if errors.As(err, &failed) && failed.TooLarge && unrecorded(err) == nil {
		reply, _, err = a.attempts(ctx, st, turn, attempts, a.request(st), delta)
	}
	return reply, err
}

// send sends one request, as often as Retry says, and records each attempt that
// failed.
func (a *Agent) send(ctx context.Context, st *State, turn int, req model.Request, delta func(model.Delta, int)) (model.Reply, error) {
	reply, _, err := a.attempts(ctx, st, turn, 0, req, delta)
	return reply, err
}

// attempts is send after so many attempts before. It returns how many failed.
func (a *Agent) attempts(ctx context.Context, st *State, turn, before int, req model.Request, delta func(model.Delta, int)) (model.Reply, int, error) {
	failed := 0
	var lost error
	retry := a.Retry
	retry.OnFailure = func(n int, err *model.Error, wait time.Duration) {
		failed = n
		lost = errors.Join(lost, a.append(ctx, st, deskhand.KindModelFailed, deskhand.ModelFailed{
			Turn: turn, Attempt: before + n, Code: err.Code, Status: err.Status, Message: err.Message, RetryMS: wait.Milliseconds(),
			TooLarge: err.TooLarge,
		}))
	}
	on := func(d model.Delta) {
		if delta != nil {
			delta(d, before+failed+1)
		}
	}
	reply, err := model.Retry(readable{a.Model}, retry).Reply(ctx, req, on)
	if lost != nil {
		return reply, failed, &journalError{lost}
	}
	return reply, failed, err
}

// promptLife is how long a prompt stays cached, and maxLapses how often it may
// be lost before a longer life is worth its price.
const (
	promptLife = 5 * time.Minute
	maxLapses  = 1
)

func (a *Agent) request(st *State) model.Request {
	entries, betas := a.Tools.Entries()
	return model.Request{
		Model: st.Task.Model, System: st.System, Tools: entries, Betas: betas,
		Messages: st.Messages(), Effort: st.Task.Effort, Image: a.Blobs.Blob,
		Cleared: st.cleared, Slow: st.lapses > maxLapses, Tight: st.tight,
	}
}

// readable is a model whose replies can be read: what is not a list of content
// blocks counts as a failed attempt and never becomes part of the journal.
type readable struct{ model.Model }

func (m readable) Reply(ctx context.Context, req model.Request, on func(model.Delta)) (model.Reply, error) {
	reply, err := m.Model.Reply(ctx, req, on)
	if err != nil {
		return reply, err
	}
	if _, err := parseReply(reply.Content); err != nil {
		return model.Reply{}, &model.Error{Code: deskhand.Unavailable, Message: "The model's reply cannot be read.", Retry: true, Err: err}
	}
	return reply, nil
}

// journalError is a failure to keep the journal while a request was under way.
type journalError struct{ error }

func (e *journalError) Unwrap() error { return e.error }

// unrecorded returns err when it is about the journal, and nil when the journal
// already tells it.
func unrecorded(err error) error {
	var j *journalError
	if errors.As(err, &j) {
		return j.error
	}
	return nil
}

func malformedInputs(calls []deskhand.Call) map[string]string {
	var out map[string]string
	for _, c := range calls {
		if raw, invalid := model.InvalidInput(c.Input); invalid {
			if out == nil {
				out = map[string]string{}
			}
			out[c.ID] = raw
		}
	}
	return out
}

// reply is what the loop reads in an assistant's content.
type reply struct {
	calls []deskhand.Call
	text  string
	empty bool // no block but blank texts, which the API would refuse
}

type contentBlock struct {
	Type    string          `json:"type"`
	Text    string          `json:"text"`
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	Toolset string          `json:"toolset_name"`
	Input   json.RawMessage `json:"input"`
}

func parseReply(content json.RawMessage) (reply, error) {
	var blocks []contentBlock
	if err := json.Unmarshal(content, &blocks); err != nil {
		return reply{}, fmt.Errorf("the reply is not a list of content blocks: %w", err)
	}
	r := reply{empty: true}
	var texts []string
	for _, b := range blocks {
		blank := b.Type == "text" && strings.TrimSpace(b.Text) == ""
		r.empty = r.empty && blank
		switch b.Type {
		case "text":
			if !blank {
				texts = append(texts, b.Text)
			}
		case "tool_use":
			r.calls = append(r.calls, deskhand.Call{ID: b.ID, Toolset: b.Toolset, Name: b.Name, Input: b.Input})
		}
	}
	r.text = strings.Join(texts, "\n")
	return r, nil
}

// unusable says why the reply's calls cannot be answered one by one, as the API
// demands of a message that is sent back to it; empty when they can.
func (r reply) unusable(seen map[string]bool) string {
	ids := map[string]bool{}
	for _, c := range r.calls {
		switch {
		case c.ID == "":
			return noID
		case ids[c.ID] || seen[c.ID]:
			return sameID
		}
		ids[c.ID] = true
	}
	return ""
}
