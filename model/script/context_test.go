package script

import "testing"

// edits puts context_management into a request, with headers.
func edits(headers string, all ...obj) func(*player) {
	return func(p *player) {
		p.header.Set("anthropic-beta", headers)
		list := list{}
		for _, e := range all {
			list = append(list, e)
		}
		p.body["context_management"] = obj{"edits": list}
	}
}

func TestEditsAreJudged(t *testing.T) {
	t.Parallel()
	const both = "context-management-2025-06-27,compact-2026-01-12"
	in := func(n int) obj { return obj{"type": "input_tokens", "value": n} }
	thinking := obj{"type": clearThinking, "keep": "all"}
	results := obj{"type": clearResults, "trigger": in(60000), "keep": obj{"type": "tool_uses", "value": 6}, "clear_at_least": in(5000)}
	sums := obj{"type": compact, "trigger": in(50000)}
	tests := []struct {
		name, part string // of the refusal; empty: it passes
		change     func(p *player)
	}{
		{"all", "", edits(both, thinking, results, sums)},
		{"none", "", edits(both)},
		{"no header", "context_management: Extra inputs are not permitted", edits("", results)},
		{"the other header", "needs the header anthropic-beta: compact-2026-01-12", edits("context-management-2025-06-27", sums)},
		{"unknown edit", "does not match any of the expected tags", edits(both, obj{"type": "clear_all"})},
		{"unknown field", "Extra inputs are not permitted", edits(both, obj{"type": clearResults, "size": 5})},
		{"thinking last", "must be the first edit", edits(both, results, thinking)},
		{"twice", "more than one edit", edits(both, results, results)},
		{"summed up too early", "greater than or equal to 50000", edits(both, obj{"type": compact, "trigger": in(49999)})},
		{"a trigger of nothing", "greater than or equal to 1", edits(both, obj{"type": clearResults, "trigger": in(0)})},
		{"a negative keep", "value of at least 0", edits(both, obj{"type": clearResults, "keep": obj{"type": "tool_uses", "value": -1}})},
		{"beside edits", "a list of edits and nothing else", func(p *player) {
			edits(both, results)(p)
			p.body["context_management"].(obj)["more"] = 1
		}},
		{"a model without", "is not supported for this model", func(p *player) {
			edits(both, sums)(p)
			old(p, "claude-haiku-4-5")
			p.header.Set("anthropic-beta", both+",computer-use-2025-01-24")
		}},
		{"binding without header", "block_binding: Extra inputs are not permitted", func(p *player) {
			p.body["thinking"] = obj{"type": "adaptive", "block_binding": obj{"prefix_mismatch_behavior": "drop_block"}}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := answered(t)
			tt.change(p)
			if tt.part != "" {
				p.wantRefusal("invalid_request_error", tt.part)
				return
			}
			if status, reply := p.post(); status != 200 {
				t.Errorf("%d: %v", status, reply)
			}
		})
	}
}
