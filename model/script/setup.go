package script

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// checkFields judges the names of the top-level fields.
func (r *request) checkFields() *refusal {
	known := []string{
		"model", "max_tokens", "messages", "system", "tools", "tool_choice", "thinking", "output_config",
		"stream", "metadata", "stop_sequences", "service_tier", "cache_control", "context_management",
	}
	unplayed := []string{
		"compaction", "container", "mcp_servers", "fallbacks", "speed",
		"diagnostics", "inference_geo", "thread",
	}
	for _, name := range slices.Sorted(maps.Keys(r.raw)) {
		switch {
		case slices.Contains(known, name):
		case slices.Contains([]string{"temperature", "top_p", "top_k"}, name):
			if refused := r.checkSampling(name); refused != nil {
				return refused
			}
		case slices.Contains(unplayed, name):
			return invalid("%s: the API has this field, but this stand-in does not play it", name)
		default:
			return invalid("%s: Extra inputs are not permitted", name)
		}
	}
	if len(r.Messages) == 0 {
		return invalid("messages: at least one message is required")
	}
	return nil
}

// checkSampling judges the fields that the newer version of the API has dropped.
func (r *request) checkSampling(name string) *refusal {
	if r.version == version2026 {
		return invalid("%s: not supported with anthropic-version %s", name, version2026)
	}
	var value float64
	if json.Unmarshal(r.raw[name], &value) != nil {
		return invalid("%s: Input should be a valid number", name)
	}
	if only, ok := map[string]float64{"temperature": 1, "top_p": 0.99}[name]; ok && r.info.ID == "claude-haiku-5-5" && value != only {
		return invalid("%s: this model accepts only %v", name, only)
	}
	if value < 0 || name != "top_k" && value > 1 {
		return invalid("%s: Input should be between 0 and 1", name)
	}
	return nil
}

func (r *request) checkLength() *refusal {
	switch {
	case r.MaxTokens == nil:
		return invalid("max_tokens: Field required")
	case *r.MaxTokens < 1:
		return invalid("max_tokens: Input should be greater than or equal to 1")
	case *r.MaxTokens > r.info.MaxOutput:
		return invalid("max_tokens: %d > %d, which is the maximum allowed number of output tokens for %s", *r.MaxTokens, r.info.MaxOutput, r.Model)
	}
	return nil
}

const minBudget = 1024

func (r *request) checkThinking() *refusal {
	t := r.Thinking
	if t == nil {
		return nil
	}
	if !slices.Contains([]string{"adaptive", "between_tools", "disabled", "enabled"}, t.Type) {
		return invalid("thinking.type: Input should be 'adaptive', 'between_tools', 'disabled' or 'enabled'")
	}
	if !slices.Contains(r.info.Thinking.Accepts, t.Type) {
		if t.Type == "adaptive" {
			return invalid("adaptive thinking is not supported on this model")
		}
		return invalid(`"thinking.type.%s" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.`, t.Type)
	}
	if slices.Contains(r.info.Thinking.Capped, t.Type) && slices.Contains([]string{"xhigh", "max"}, r.effort()) {
		return invalid(`"thinking.type.%s" is not supported with output_config.effort above "high" for this model.`, t.Type)
	}
	return r.checkThinkingFields(t)
}

func (r *request) checkThinkingFields(t *thinking) *refusal {
	allowed := map[string][]string{
		"adaptive": {"type", "display", "block_binding"},
		"enabled":  {"type", "display", "budget_tokens"},
	}[t.Type]
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(r.raw["thinking"], &fields) // read as a struct before
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "type" && !slices.Contains(allowed, name) {
			return invalid("thinking.%s.%s: Extra inputs are not permitted", t.Type, name)
		}
	}
	switch {
	case t.BlockBinding != nil && !r.beta(betaBinding):
		return invalid("thinking.%s.block_binding: Extra inputs are not permitted", t.Type)
	case t.BlockBinding != nil && t.BlockBinding.Mismatch != "drop_block" && t.BlockBinding.Mismatch != "error":
		return invalid("thinking.%s.block_binding.prefix_mismatch_behavior: Input should be 'drop_block' or 'error'", t.Type)
	case t.Display == "updates" && r.beta("thinking-display-updates-2026-08-18"):
	case !slices.Contains([]string{"", "summarized", "omitted"}, t.Display):
		return invalid("thinking.%s.display: Input should be 'summarized' or 'omitted'", t.Type)
	}
	if t.Type != "enabled" {
		return nil
	}
	if t.Budget < minBudget {
		return invalid("thinking.enabled.budget_tokens: Input should be greater than or equal to %d", minBudget)
	}
	if t.Budget >= *r.MaxTokens {
		return invalid("`max_tokens` must be greater than `thinking.budget_tokens`")
	}
	return nil
}

func (r *request) effort() string {
	if r.OutputConfig == nil {
		return ""
	}
	return r.OutputConfig.Effort
}

func (r *request) checkEffort() *refusal {
	var fields map[string]json.RawMessage
	if raw := r.raw["output_config"]; raw != nil && json.Unmarshal(raw, &fields) != nil {
		return invalid("output_config: Input should be a valid dictionary")
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "effort" {
			return invalid("output_config.%s: this stand-in does not play it", name)
		}
	}
	switch effort := r.effort(); {
	case effort == "" && fields["effort"] == nil:
	case len(r.info.Efforts) == 0:
		return invalid("output_config.effort: This model does not support the effort parameter.")
	case !slices.Contains(r.info.Efforts, effort):
		return invalid("output_config.effort: Input should be %s", choices(r.info.Efforts))
	}
	return nil
}

// choices renders names the way the API lists them: 'a', 'b' or 'c'.
func choices(names []string) string {
	var quoted []string
	for _, n := range names {
		quoted = append(quoted, "'"+n+"'")
	}
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}

// toolBetas are the headers that older tools need.
func toolBetas() map[string]string {
	const first = "computer-use-2024-10-22"
	return map[string]string{
		"computer_20251124":    "computer-use-2025-11-24",
		"computer_20250124":    "computer-use-2025-01-24",
		"computer_20241022":    first,
		"bash_20241022":        first,
		"text_editor_20241022": first,
	}
}

const fineGrained = "fine-grained-tool-streaming-2025-05-14"

func (r *request) beta(name string) bool { return slices.Contains(r.betas, name) }

func (r *request) checkBetas() *refusal {
	known := []string{
		"computer-use-2025-11-24", "computer-use-2025-01-24", "computer-use-2024-10-22", fineGrained,
		"context-management-2025-06-27", "compact-2026-01-12", "compact-2026-09-04", "task-budgets-2026-03-13",
		"thinking-binding-controls-2026-08-01", "thinking-display-updates-2026-08-18", "advisor-tool-2026-03-01",
		"mcp-client-2025-11-20", "mcp-client-2026-09-15", "message-threads-2026-08-12", "fast-mode-2026-02-01",
		"mid-conversation-tool-changes-2026-07-01", "inline-tools-2026-09-15",
		"token-efficient-tools-2025-02-19", "prompt-caching-2024-07-31", "extended-cache-ttl-2025-04-11",
	}
	for _, beta := range r.betas {
		if !slices.Contains(known, beta) {
			return invalid("Unexpected value(s) `%s` for the `anthropic-beta` header.", beta)
		}
	}
	return nil
}

func (r *request) checkToolChoice() *refusal {
	if r.ToolChoice == nil {
		return nil
	}
	var choice struct {
		Type string `json:"type"`
		Name string `json:"name"`
	}
	if json.Unmarshal(r.ToolChoice, &choice) != nil || !slices.Contains([]string{"auto", "any", "none", "tool"}, choice.Type) {
		return invalid("tool_choice.type: Input should be 'auto', 'any', 'none' or 'tool'")
	}
	forced := choice.Type == "any" || choice.Type == "tool"
	if forced && !r.info.Forced {
		return invalid(`tool_choice: type "tool" and "any" are not supported for this model.`)
	}
	if choice.Type != "tool" {
		return nil
	}
	for _, t := range r.entries {
		if t.Name == choice.Name && t.Name != "" {
			return nil
		}
	}
	return invalid("tool_choice.name: Tool '%s' not found in provided tools", choice.Name)
}

func (r *request) checkSystem() *refusal {
	if r.System == nil {
		return nil
	}
	blocks, err := readBlocks(r.System)
	if err != nil {
		return invalid("system: Input should be a valid list")
	}
	for i, b := range blocks {
		if b.Type != "text" {
			return invalid("system.%d.type: Input should be 'text'", i)
		}
		if b.Text == "" {
			return invalid("system: text content blocks must be non-empty")
		}
	}
	return nil
}

// checkContext judges the length of the whole prompt.
func (r *request) checkContext() *refusal {
	if r.total > r.info.Context {
		return invalid("prompt is too long: %d tokens > %d maximum", r.total, r.info.Context)
	}
	return nil
}

func at(i, j int) string { return fmt.Sprintf("messages.%d.content.%d", i, j) }
