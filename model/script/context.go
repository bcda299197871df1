package script

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/deskhand/deskhand/model"
)

// The edits of context_management, with the header each needs.
const (
	clearThinking = "clear_thinking_20251015"
	clearResults  = "clear_tool_uses_20250919"
	compact       = "compact_20260112"

	betaClear   = "context-management-2025-06-27"
	betaCompact = "compact-2026-01-12"
	betaBinding = "thinking-binding-controls-2026-08-01"

	defaultTrigger = 100_000
	defaultKeep    = 3
	defaultCompact = 150_000
	leastCompact   = 50_000
)

// edit is one entry of context_management.edits.
type edit struct {
	Type         string          `json:"type"`
	Keep         json.RawMessage `json:"keep"`
	Trigger      *amount         `json:"trigger"`
	ClearAtLeast *amount         `json:"clear_at_least"`
	Exclude      []string        `json:"exclude_tools"`
	ClearInputs  json.RawMessage `json:"clear_tool_inputs"`
	Pause        bool            `json:"pause_after_compaction"`
	Instructions *string         `json:"instructions"`
}

type amount struct {
	Type  string `json:"type"`
	Value int    `json:"value"`
}

// editRules has what each edit may have, and whether a model can be given it.
func editRules() map[string]struct {
	beta   string
	fields []string
	able   func(model.Info) bool
} {
	type rule = struct {
		beta   string
		fields []string
		able   func(model.Info) bool
	}
	clears := func(m model.Info) bool { return m.Clears }
	return map[string]rule{
		clearThinking: {betaClear, []string{"keep"}, clears},
		clearResults:  {betaClear, []string{"trigger", "keep", "clear_at_least", "exclude_tools", "clear_tool_inputs"}, clears},
		compact:       {betaCompact, []string{"trigger", "pause_after_compaction", "instructions"}, func(m model.Info) bool { return m.Compacts }},
	}
}

// checkContextManagement judges the edits. What is played of them is what
// deskhand sends: results are cleared by tokens, a summary does not pause.
func (r *request) checkContextManagement() *refusal {
	raw, given := r.raw["context_management"]
	if !given || string(raw) == "null" {
		return nil
	}
	if !r.beta(betaClear) && !r.beta(betaCompact) {
		return invalid("context_management: Extra inputs are not permitted")
	}
	var fields map[string]json.RawMessage
	var edits []json.RawMessage
	if json.Unmarshal(raw, &fields) != nil || json.Unmarshal(fields["edits"], &edits) != nil || len(fields) != 1 {
		return invalid("context_management: Input should be a dictionary with a list of edits and nothing else")
	}
	seen := map[string]bool{}
	for i, raw := range edits {
		e, refused := r.readEdit(i, raw)
		switch {
		case refused != nil:
			return refused
		case seen[e.Type]:
			return invalid("context_management.edits.%d: more than one edit of type '%s'", i, e.Type)
		case e.Type == clearThinking && i > 0:
			return invalid("context_management.edits: '%s' must be the first edit", clearThinking)
		}
		seen[e.Type] = true
		r.edits = append(r.edits, e)
	}
	return nil
}

func (r *request) readEdit(i int, raw json.RawMessage) (edit, *refusal) {
	where := fmt.Sprintf("context_management.edits.%d", i)
	var e edit
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil || json.Unmarshal(raw, &e) != nil {
		return e, invalid("%s: Input should be a valid dictionary", where)
	}
	rules := editRules()
	rule, known := rules[e.Type]
	switch {
	case !known:
		return e, invalid("%s: Input tag '%s' found using 'type' does not match any of the expected tags: %s", where, e.Type, choices(slices.Sorted(maps.Keys(rules))))
	case !r.beta(rule.beta):
		return e, invalid("%s: '%s' needs the header anthropic-beta: %s", where, e.Type, rule.beta)
	case !rule.able(r.info):
		return e, invalid("%s: '%s' is not supported for this model", where, e.Type)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "type" && !slices.Contains(rule.fields, name) {
			return e, invalid("%s.%s.%s: Extra inputs are not permitted", where, e.Type, name)
		}
	}
	return e, e.check(where)
}

func (e edit) check(where string) *refusal {
	for name, a := range map[string]*amount{"trigger": e.Trigger, "clear_at_least": e.ClearAtLeast} {
		switch {
		case a == nil:
		case a.Type != "input_tokens":
			return invalid("%s.%s.%s.type: this stand-in plays 'input_tokens' only", where, e.Type, name)
		case a.Value < 1:
			return invalid("%s.%s.%s.value: Input should be greater than or equal to 1", where, e.Type, name)
		}
	}
	return e.checkUse(where)
}

// checkUse judges what an edit asks for.
func (e edit) checkUse(where string) *refusal {
	switch {
	case e.Type == compact && e.Trigger != nil && e.Trigger.Value < leastCompact:
		return invalid("%s.%s.trigger.value: Input should be greater than or equal to %d", where, e.Type, leastCompact)
	case e.Pause || e.Instructions != nil || len(e.Exclude) > 0 || e.ClearInputs != nil && string(e.ClearInputs) != "false":
		return invalid("%s.%s: this stand-in plays neither pauses, instructions, excluded tools nor cleared inputs", where, e.Type)
	case e.Type == clearThinking && e.Keep != nil && string(e.Keep) != `"all"`:
		return invalid("%s.%s.keep: this stand-in plays \"all\" only", where, e.Type)
	case e.Type == clearResults && e.keep() < 0:
		return invalid("%s.%s.keep: Input should be of type 'tool_uses' with a value of at least 0", where, e.Type)
	}
	return nil
}

// keep is how many of the newest results an edit leaves, or -1.
func (e edit) keep() int {
	if e.Keep == nil {
		return defaultKeep
	}
	var a amount
	if json.Unmarshal(e.Keep, &a) != nil || a.Type != "tool_uses" || a.Value < 0 {
		return -1
	}
	return a.Value
}

func (a *amount) or(standard int) int {
	if a == nil {
		return standard
	}
	return a.Value
}

func (r *request) editOf(kind string) (edit, bool) {
	i := slices.IndexFunc(r.edits, func(e edit) bool { return e.Type == kind })
	if i < 0 {
		return edit{}, false
	}
	return r.edits[i], true
}

// clearedText is what the model sees in a cleared result's place.
const clearedText = "[Old tool result content cleared]"

// applyEdits decides what the model is shown: nothing that stands before the
// newest summary, and old results only as far as they were not cleared. The
// documents say that the prefix that is left after a clearing is cached and used
// by later requests; so what was cleared stays cleared, which is found by going
// through the history as it was sent, request by request.
func (r *request) applyEdits() *refusal {
	r.shownFrom = 0
	for i, t := range r.turns {
		if t.role == "assistant" && t.summary() != nil {
			r.shownFrom = i
		}
	}
	e, clears := r.editOf(clearResults)
	total := r.setupTokens()
	var results []*content
	for _, t := range r.turns[r.shownFrom:] {
		for _, c := range t.shown() {
			total += c.tokens()
			if c.Type == "tool_result" {
				results = append(results, c)
			}
		}
		if !clears || t.role != "user" || total <= e.Trigger.or(defaultTrigger) {
			continue
		}
		total -= r.clear(results, e)
	}
	r.total = total
	return nil
}

// clear clears the oldest results and returns how many tokens that saves.
func (r *request) clear(results []*content, e edit) int {
	saved := 0
	old := results[:max(0, len(results)-e.keep())]
	for _, c := range old {
		saved += max(0, c.tokens()-textTokens(len(clearedText)))
	}
	if saved == 0 || saved < e.ClearAtLeast.or(0) {
		return 0
	}
	for _, c := range old {
		if !c.cleared {
			c.cleared = true
			r.clearedResults++
		}
	}
	r.clearedTokens += saved
	return saved
}

// summary returns the block that stands for all before it, or nil.
func (t *turn) summary() *content {
	for i := len(t.blocks) - 1; i >= 0; i-- {
		if t.blocks[i].summarises() {
			return t.blocks[i]
		}
	}
	return nil
}

func (c *content) summarises() bool {
	return c.Type == "compaction" && len(c.Content) > 0 && string(c.Content) != "null"
}

// shown returns the blocks of a turn from its summary on.
func (t *turn) shown() []*content {
	for i := len(t.blocks) - 1; i >= 0; i-- {
		if t.blocks[i].summarises() {
			return t.blocks[i:]
		}
	}
	return t.blocks
}

// sums reports whether the prompt is so long that it is to be summed up.
func (r *request) sums() bool {
	e, ok := r.editOf(compact)
	return ok && r.total >= e.Trigger.or(defaultCompact)
}

// summaryLength is how long the stand-in's summaries are, in bytes.
const summaryLength = 6000

// summaryBlock is the block that a summed-up conversation goes on from. Its
// opaque part says where the conversation stands.
func summaryBlock(conversation string, at position) sent {
	text := fmt.Sprintf("Summary of the conversation up to reply %d, as the stand-in writes it. ", at.step)
	text += strings.Repeat("What was done is told here. ", summaryLength/28)[:summaryLength-len(text)]
	return sent{object: object("type", "compaction", "content", text, "encrypted_content", fmt.Sprintf("%s_%d", conversation, at.step))}
}

// report is what a reply says of the edits.
func (r *request) report() *appliedEdits {
	if len(r.edits) == 0 {
		return nil
	}
	a := &appliedEdits{Edits: []map[string]any{}}
	if r.clearedResults > 0 {
		a.Edits = append(a.Edits, map[string]any{
			"type": clearResults, "cleared_tool_uses": r.clearedResults, "cleared_input_tokens": r.clearedTokens,
		})
	}
	return a
}

type appliedEdits struct {
	Edits []map[string]any `json:"applied_edits"`
}
