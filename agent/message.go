package agent

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
)

// Messages returns the conversation as the turn under way sends it: everything
// up to the last reply, then the message that answers it. Images are named by
// their hash.
func (st *State) Messages() []model.Message {
	if m := st.next(); len(m.Blocks) > 0 {
		return append(slices.Clone(st.messages), m)
	}
	return slices.Clone(st.messages)
}

// next returns the message that follows the last reply: an answer to each call
// in order, then what the runtime and people have to say.
func (st *State) next() model.Message {
	m := model.Message{Role: model.User}
	last := lastGood(st.calls)
	for i, c := range st.calls {
		switch {
		case c.result == nil: // unreachable unless a turn was started with a call open
		case st.unusable != "":
			m.Blocks = append(m.Blocks, model.Block{Text: fmt.Sprintf("Call %d of your last reply (%.100q): %s", i+1, c.Name, textOf(*c.result))})
		default:
			res := *c.result
			res.Content = slices.Concat(res.Content, last[i])
			m.Blocks = append(m.Blocks, model.Block{CallID: c.ID, Toolset: c.Toolset, Result: res})
		}
	}
	for _, text := range st.texts[:st.sealed] {
		m.Blocks = append(m.Blocks, model.Block{Text: text})
	}
	return m
}

// lastGood says which results what was observed after a failed batch is told
// with: the last of the same toolset that is not an error.
func lastGood(calls []call) map[int][]deskhand.Content {
	out := map[int][]deskhand.Content{}
	for i, c := range calls {
		if len(c.observed) == 0 {
			continue
		}
		for j := i; j >= 0; j-- {
			if calls[j].Toolset == c.Toolset && calls[j].result != nil && !calls[j].result.IsError {
				out[j] = append(out[j], c.observed...)
				break
			}
		}
	}
	return out
}

func textOf(r deskhand.Result) string {
	var parts []string
	for _, c := range r.Content {
		if c.Text != "" {
			parts = append(parts, c.Text)
		}
	}
	return strings.Join(parts, "\n")
}

// reply is what the loop reads in an assistant's content.
type reply struct {
	calls []deskhand.Call
	text  string
	empty bool
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
	r := reply{empty: len(blocks) == 0}
	var texts []string
	for _, b := range blocks {
		switch b.Type {
		case "text":
			if strings.TrimSpace(b.Text) != "" {
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
