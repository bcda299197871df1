package script

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

func (r *request) checkRoles() *refusal {
	previous := ""
	for i, t := range r.turns {
		switch {
		case !slices.Contains([]string{"user", "assistant", "system"}, t.role):
			return invalid("messages.%d.role: Input should be 'user', 'assistant' or 'system'", i)
		case t.role == "system" && i == 0:
			return invalid(`messages: first message must use the "user" role`)
		case t.role == "system":
			continue
		case previous == "" && t.role != "user":
			return invalid(`messages: first message must use the "user" role`)
		case t.role == previous:
			return invalid("messages: roles must alternate between \"user\" and \"assistant\", but found multiple %q roles in a row", t.role)
		}
		previous = t.role
	}
	if previous == "assistant" {
		return invalid("This model does not support assistant message prefill. The conversation must end with a user message.")
	}
	return nil
}

// checkBlocks judges each block by itself.
func (r *request) checkBlocks() *refusal {
	allowed := map[string][]string{
		"user":   {"text", "image", "tool_result"},
		"system": {"text"},
	}
	for i, t := range r.turns {
		if len(t.blocks) == 0 {
			return invalid("messages.%d: all messages must have non-empty content", i)
		}
		for j, c := range t.blocks {
			switch {
			case t.role != "assistant" && !slices.Contains(allowed[t.role], c.Type):
				return invalid("%s: Input tag '%s' found using 'type' does not match any of the expected tags: %s", at(i, j), c.Type, choices(allowed[t.role]))
			case t.role == "assistant" && slices.Contains([]string{"tool_result", "image", "document"}, c.Type):
				return invalid("%s: `%s` blocks are not allowed in assistant messages", at(i, j), c.Type)
			case c.Type == "text" && c.Text == "":
				return invalid("messages: text content blocks must be non-empty")
			case c.Type == "tool_use":
				if refused := c.checkCall(i, j); refused != nil {
					return refused
				}
			}
			if refused := c.checkNames(at(i, j)); t.role != "assistant" && refused != nil {
				return refused
			}
		}
	}
	return nil
}

// checkNames judges the names of a block's fields, and of the blocks inside it.
func (c *content) checkNames(where string) *refusal {
	allowed, known := map[string][]string{
		"text":        {"type", "text", "cache_control", "citations"},
		"image":       {"type", "source", "cache_control", "transformations"},
		"tool_result": {"type", "tool_use_id", "toolset_name", "content", "is_error", "cache_control"},
	}[c.Type]
	fields := map[string]json.RawMessage{}
	if !known || json.Unmarshal(c.raw, &fields) != nil {
		return nil // judged elsewhere
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(allowed, name) {
			return invalid("%s.%s.%s: Extra inputs are not permitted", where, c.Type, name)
		}
	}
	for k, in := range c.inner {
		if refused := in.checkNames(fmt.Sprintf("%s.tool_result.content.%d", where, k)); refused != nil {
			return refused
		}
	}
	return nil
}

var useID = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

func (c *content) checkCall(i, j int) *refusal {
	switch {
	case !useID.MatchString(c.ID):
		return invalid("%s.tool_use.id: String should match pattern '%s'", at(i, j), useID)
	case !bytes.HasPrefix(bytes.TrimSpace(c.Input), []byte("{")):
		return invalid("%s.tool_use.input: Input should be a valid dictionary", at(i, j))
	}
	return nil
}

// checkPairs judges that every call is answered, once, in the next message.
func (r *request) checkPairs() *refusal {
	seen := map[string]bool{}
	var open []*content // calls of the assistant message before
	for i, t := range r.turns {
		switch t.role {
		case "assistant":
			open = t.calls()
			for _, c := range open {
				if seen[c.ID] {
					return invalid("messages.%d.content: `tool_use` ids must be unique", i)
				}
				seen[c.ID] = true
			}
		case "user":
			if refused := t.answers(i, open); refused != nil {
				return refused
			}
			open = nil
		}
	}
	return nil
}

func (t *turn) answers(i int, open []*content) *refusal {
	answered := map[string]bool{}
	text := false
	for j, c := range t.blocks {
		if c.Type != "tool_result" {
			text = true
			continue
		}
		if !slices.ContainsFunc(open, func(call *content) bool { return call.ID == c.ToolUseID }) {
			return invalid("%s: unexpected `tool_use_id` found in `tool_result` blocks: %s. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.", at(i, j), c.ToolUseID)
		}
		if answered[c.ToolUseID] {
			return invalid("%s: each tool_use must have a single result. Found multiple `tool_result` blocks with id: %s", at(i, j), c.ToolUseID)
		}
		if text {
			return invalid("%s: `tool_result` blocks must come before other content of the message", at(i, j))
		}
		answered[c.ToolUseID] = true
	}
	var missing []string
	for _, call := range open {
		if !answered[call.ID] {
			missing = append(missing, call.ID)
		}
	}
	if len(missing) > 0 {
		return invalid("messages.%d: tool_use ids were found without tool_result blocks immediately after: %s. Each `tool_use` block must have a corresponding `tool_result` block in the next message.", i-1, strings.Join(missing, ", "))
	}
	return nil
}

// checkResults judges each result against the call it answers.
func (r *request) checkResults() *refusal {
	calls := map[string]*content{}
	for i, t := range r.turns {
		for j, c := range t.blocks {
			if c.Type == "tool_use" {
				calls[c.ID] = c
			}
			if c.Type != "tool_result" {
				continue
			}
			if refused := c.checkResult(calls[c.ToolUseID], i, j); refused != nil {
				return refused
			}
		}
	}
	return nil
}

func (c *content) checkResult(call *content, i, j int) *refusal {
	where := at(i, j) + ".tool_result"
	switch {
	case call.ToolsetName == nil && c.ToolsetName != nil:
		return invalid("%s.toolset_name: the `tool_use` block %s is not a call of a toolset", where, call.ID)
	case call.ToolsetName != nil && c.ToolsetName == nil:
		return invalid("%s.toolset_name: Field required: the `tool_use` block %s is a call of the '%s' toolset", where, call.ID, call.toolset())
	case call.toolset() != c.toolset():
		return invalid("%s.toolset_name: Input should be '%s'", where, call.toolset())
	}
	allowed := []string{"text", "image"}
	if call.toolset() == "browser" {
		allowed = append(allowed, "browser_state")
	}
	for k, in := range c.inner {
		switch {
		case !slices.Contains(allowed, in.Type):
			return invalid("%s.content.%d: Input tag '%s' found using 'type' does not match any of the expected tags: %s", where, k, in.Type, choices(allowed))
		case in.Type == "text" && in.Text == "":
			return invalid("messages: text content blocks must be non-empty")
		case c.IsError && in.Type != "text":
			return invalid("%s.content: all content must be type \"text\" if `is_error` is true", where)
		}
	}
	if c.IsError && len(c.inner) == 0 {
		return invalid("%s.content: content cannot be empty if `is_error` is true", where)
	}
	return nil
}

const maxMarkers = 4

// checkMarkers judges where cache markers stand.
func (r *request) checkMarkers() *refusal {
	m := &markers{}
	if raw := r.raw["cache_control"]; raw != nil {
		m.count++
	}
	for _, t := range r.entries {
		m.see("tools", &content{Type: "tool", Text: "-", CacheControl: t.CacheControl})
	}
	system, _ := readBlocks(r.System) // judged before
	for _, c := range system {
		m.see("system", c)
	}
	for i, t := range r.turns {
		for j, c := range t.blocks {
			m.see(at(i, j), c)
			for _, in := range c.inner {
				m.see(at(i, j)+".tool_result.content", in)
			}
		}
	}
	if m.refused == nil && m.count > maxMarkers {
		return invalid("A maximum of %d blocks with cache_control may be provided. Found %d.", maxMarkers, m.count)
	}
	return m.refused
}

type markers struct {
	count   int
	short   bool // a marker of five minutes was seen
	refused *refusal
}

func (m *markers) see(where string, c *content) {
	marker := c.CacheControl
	if marker == nil || m.refused != nil {
		return
	}
	m.count++
	switch {
	case marker.Type != "ephemeral":
		m.refused = invalid("%s.cache_control.type: Input should be 'ephemeral'", where)
	case !slices.Contains([]string{"", "5m", "1h"}, marker.TTL):
		m.refused = invalid("%s.cache_control.ttl: Input should be '5m' or '1h'", where)
	case c.Type == "thinking" || c.Type == "redacted_thinking":
		m.refused = invalid("%s.%s.cache_control: Extra inputs are not permitted", where, c.Type)
	case c.Type == "text" && c.Text == "":
		m.refused = invalid("%s.cache_control: cache_control cannot be set for empty text blocks", where)
	case marker.TTL == "1h" && m.short:
		m.refused = invalid("%s.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block", where)
	}
	m.short = m.short || marker.TTL != "1h"
}
