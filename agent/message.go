package agent

import (
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
	m, n := st.next(), len(st.messages)
	switch {
	case len(m.Blocks) == 0:
		return slices.Clone(st.messages)
	case n > 0 && st.messages[n-1].Role == model.User:
		// The reply in between was left out. Two messages of a user in a row
		// count as one, so they are sent as one.
		m.Blocks = slices.Concat(st.messages[n-1].Blocks, m.Blocks)
		n--
	}
	return append(slices.Clip(st.messages[:n]), m)
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
	for _, c := range st.texts[:st.sealed] {
		m.Blocks = append(m.Blocks, model.Block{Text: c.Text, Image: c.Image})
	}
	return m
}

// lastGood says which results what was observed after a failed batch is told
// with: the last of the same tool or toolset that is not an error.
func lastGood(calls []call) map[int][]deskhand.Content {
	out := map[int][]deskhand.Content{}
	for i, c := range calls {
		if len(c.observed) == 0 {
			continue
		}
		for j := i; j >= 0; j-- {
			if calls[j].sameTool(c) && calls[j].result != nil && !calls[j].result.IsError {
				out[j] = append(out[j], c.observed...)
				break
			}
		}
	}
	return out
}

func (c call) sameTool(d call) bool {
	return c.Toolset == d.Toolset && (c.Toolset != "" || c.Name == d.Name)
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
