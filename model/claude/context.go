package claude

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/rawjson"
	"github.com/deskhand/deskhand/model"
)

// The headers of the parts of the API that keep a long history small.
const (
	betaClear   = "context-management-2025-06-27"
	betaCompact = "compact-2026-01-12"
	betaBinding = "thinking-binding-controls-2026-08-01"
)

// When the API makes room. docs/cost.md has what these numbers save; the
// decision 0041 has why.
const (
	clearAbove  = 60_000 // tokens of the prompt from which old results are cleared
	clearAtOnce = 30_000 // tokens that a clearing must save: each costs a new write of what follows
	keepResults = 6      // newest results that stay
	sumAbove    = 150_000
	sumLeast    = 50_000 // as low as the API allows
	bandShare   = 0.85   // of a price band's length, to stay in the cheap one
)

// omitted stands in an image's place.
const omitted = "[An older image was left out here.]"

// management returns the context_management field of a request with the headers
// it needs, or nothing.
func management(info model.Info, w model.Window) (field string, betas []string) {
	var edits []string
	if info.Clears {
		betas = append(betas, betaClear)
		if thinks(info) {
			// Else the API may keep the newest turn's thinking only, which breaks
			// the cache at every turn.
			edits = append(edits, `{"type":"clear_thinking_20251015","keep":"all"}`)
		}
		edits = append(edits, `{"type":"clear_tool_uses_20250919","trigger":`+tokens(clearAbove)+
			`,"keep":{"type":"tool_uses","value":`+strconv.Itoa(keepResults)+`},"clear_at_least":`+tokens(clearAtOnce)+`}`)
	}
	if info.Compacts {
		betas = append(betas, betaCompact)
		edits = append(edits, `{"type":"compact_20260112","trigger":`+tokens(summaryAbove(info, w))+`}`)
	}
	if len(edits) == 0 {
		return "", nil
	}
	return `,"context_management":{"edits":[` + strings.Join(edits, ",") + `]}`, betas
}

// summaryAbove returns the length of a prompt from which the API sums it up:
// before the next price band begins, and at once when the request itself is
// nearly full.
func summaryAbove(info model.Info, w model.Window) int {
	if w.Full {
		return sumLeast
	}
	above := min(sumAbove, info.Context/4*3)
	for _, p := range info.Prices {
		if p.UpTo > 0 {
			above = min(above, int(bandShare*float64(p.UpTo)))
		}
	}
	return max(sumLeast, above)
}

func tokens(n int) string { return `{"type":"input_tokens","value":` + strconv.Itoa(n) + `}` }

// thinks reports whether requests have the model think.
func thinks(info model.Info) bool {
	return info.Thinking.Send != "" && !strings.Contains(info.Thinking.Send, `"disabled"`) ||
		info.Thinking.Send == "" && info.Thinking.Default == "on"
}

// thinking returns the thinking field of a request, with the header it needs.
// After images were left out, thinking that was bound to them must be dropped
// where the API checks.
func thinking(info model.Info, w model.Window) (field string, betas []string) {
	send := info.Thinking.Send
	if w.Omit == 0 || !info.Preserved || !info.Binds || !thinks(info) {
		return send, nil
	}
	if send == "" {
		send = `{"type":"adaptive"}`
	}
	o, err := rawjson.Parse([]byte(send))
	if err != nil {
		return send, nil // unreachable: the catalogue's was checked
	}
	o.Set("block_binding", json.RawMessage(`{"prefix_mismatch_behavior":"drop_block"}`))
	return string(o.Bytes()), []string{betaBinding}
}

// applied is what the API says it left out.
type applied struct {
	Edits []struct {
		Type     string `json:"type"`
		Results  int    `json:"cleared_tool_uses"`
		Thinking int    `json:"cleared_thinking_turns"`
		Tokens   int64  `json:"cleared_input_tokens"`
	} `json:"applied_edits"`
}

func (a applied) cleared() []deskhand.Cleared {
	var out []deskhand.Cleared
	for _, e := range a.Edits {
		switch {
		case e.Results > 0:
			out = append(out, deskhand.Cleared{What: deskhand.ClearedResults, Count: e.Results, Tokens: e.Tokens})
		case e.Thinking > 0:
			out = append(out, deskhand.Cleared{What: deskhand.ClearedThinking, Count: e.Thinking, Tokens: e.Tokens})
		}
	}
	return out
}
