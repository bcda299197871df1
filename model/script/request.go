package script

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/deskhand/deskhand/model"
)

// request is one request, read but not yet judged.
type request struct {
	Model        string            `json:"model"`
	MaxTokens    *int              `json:"max_tokens"`
	Stream       bool              `json:"stream"`
	System       json.RawMessage   `json:"system"`
	Tools        []json.RawMessage `json:"tools"`
	ToolChoice   json.RawMessage   `json:"tool_choice"`
	Thinking     *thinking         `json:"thinking"`
	OutputConfig *outputConfig     `json:"output_config"`
	Messages     []message         `json:"messages"`

	info    model.Info
	betas   []string
	version string
	entries []toolEntry
	turns   []*turn
	raw     map[string]json.RawMessage // every top-level field
	texts   map[string][]byte          // of images, by the names that stand for them

	edits          []edit
	shownFrom      int // first turn that the model sees
	total          int // tokens that it sees
	clearedResults int
	clearedTokens  int
	before         int // replies that came before the first one in it
}

type thinking struct {
	Type         string `json:"type"`
	Budget       int    `json:"budget_tokens"`
	Display      string `json:"display"`
	BlockBinding *struct {
		Mismatch string `json:"prefix_mismatch_behavior"`
	} `json:"block_binding"`
}

type outputConfig struct {
	Effort string `json:"effort"`
}

type message struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// turn is one message with its blocks.
type turn struct {
	role   string
	blocks []*content
}

// content is one block of a message or of a tool result.
type content struct {
	raw          json.RawMessage
	Type         string          `json:"type"`
	Text         string          `json:"text"`
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	ToolsetName  *string         `json:"toolset_name"`
	Input        json.RawMessage `json:"input"`
	ToolUseID    string          `json:"tool_use_id"`
	IsError      bool            `json:"is_error"`
	Content      json.RawMessage `json:"content"`
	Source       *source         `json:"source"`
	CacheControl *cacheControl   `json:"cache_control"`

	Encrypted string `json:"encrypted_content"`

	inner   []*content // of a tool_result, a lone string as one text
	cleared bool       // the model sees clearedText in place of a result
	facts   *imageFacts
	known   map[[32]byte]digested // of other requests; may be nil
	sum     string                // digest, once asked for
	length  int                   // bytes of what was digested
}

type source struct {
	Type      string `json:"type"`
	MediaType string `json:"media_type"`
	Data      string `json:"data"`
}

type cacheControl struct {
	Type string `json:"type"`
	TTL  string `json:"ttl"`
}

func (c *content) toolset() string {
	if c.ToolsetName == nil {
		return ""
	}
	return *c.ToolsetName
}

// readRequest decodes a body. What it returns may break every other rule.
func readRequest(body []byte) (*request, *refusal) {
	r := &request{}
	body, r.texts = lift(body)
	if err := json.Unmarshal(body, &r.raw); err != nil {
		return nil, invalid("The request body is not valid JSON: %v", err)
	}
	if err := json.Unmarshal(body, r); err != nil {
		return nil, invalid("%s", shapeFault(err))
	}
	for i, m := range r.Messages {
		blocks, err := readBlocks(m.Content)
		if err != nil {
			return nil, invalid("messages.%d.content: Input should be a valid list", i)
		}
		r.turns = append(r.turns, &turn{m.Role, blocks})
	}
	return r, nil
}

func shapeFault(err error) string {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return strings.TrimPrefix(e.Field, ".") + ": Input should not be of type " + e.Value
	}
	return err.Error()
}

// readBlocks reads a content: a list of blocks, or a string that stands for one text.
func readBlocks(raw json.RawMessage) ([]*content, error) {
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte(`"`)) {
		c := &content{Type: "text", raw: append(append([]byte(`{"type":"text","text":`), raw...), '}')}
		return []*content{c}, json.Unmarshal(raw, &c.Text)
	}
	var raws []json.RawMessage
	if err := json.Unmarshal(raw, &raws); err != nil {
		return nil, err
	}
	var blocks []*content
	for _, one := range raws {
		c := &content{raw: one}
		if err := json.Unmarshal(one, c); err != nil {
			return nil, err
		}
		if c.Type == "tool_result" && len(c.Content) > 0 && string(c.Content) != "null" {
			inner, err := readBlocks(c.Content)
			if err != nil {
				return nil, err
			}
			c.inner = inner
		}
		blocks = append(blocks, c)
	}
	return blocks, nil
}

// last returns the newest message.
func (r *request) last() *turn { return r.turns[len(r.turns)-1] }

func (t *turn) results() []*content {
	var results []*content
	for _, c := range t.blocks {
		if c.Type == "tool_result" {
			results = append(results, c)
		}
	}
	return results
}

func (t *turn) calls() []*content {
	var calls []*content
	for _, c := range t.blocks {
		if c.Type == "tool_use" {
			calls = append(calls, c)
		}
	}
	return calls
}

// contains reports whether a text of the message, or of its error results only, has sub in it.
func (t *turn) contains(sub string, errorsOnly bool) bool {
	for _, c := range t.blocks {
		if c.Type == "text" && !errorsOnly && strings.Contains(c.Text, sub) {
			return true
		}
		for _, in := range c.inner {
			if (!errorsOnly || c.IsError) && in.Type == "text" && strings.Contains(in.Text, sub) {
				return true
			}
		}
	}
	return false
}

func (t *turn) images() int {
	n := 0
	for _, c := range t.blocks {
		for _, in := range append([]*content{c}, c.inner...) {
			if in.Type == "image" {
				n++
			}
		}
	}
	return n
}
