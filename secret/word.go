package secret

import "strings"

// words are what deskhand and the API write themselves, in every task: names of
// members, statuses, kinds of events, tools and their actions. A value that is
// one of them, or part of one, would be found everywhere.
var words = strings.Fields(`
	acknowledged added adrift allow allowed always applied approval approval.asked approval.decided approve asked attempt
	assistant bash bound browser browser_toolset budget.near budget.raised budget.reached
	call.finished call.judged call.started call_id calls changed cleared clicks command comment computer computer.ready connectors
	computer_toolset_20260801 computer_20251124 content coordinate cost_usd count created criteria criterion cursor_position cycles decision deletions
	deleted deskhand direction done double_click duration duration_ms effect effort end_turn estimate events evidence
	exhausted expires failed file.changed file.reviewed finding finished folder folders forget guard hash hold_key human.asked human.message
	identical idle image image/jpeg image/png input input_text input_tokens invalid is_error items journal.cut key
	left left_click left_click_drag left_mouse_down left_mouse_up limit malformed max_cost_usd max_time_ns max_tokens max_turns
	media_type memory message middle_click model model.consulted model.delta model.failed model.replied
	model_context_window_exceeded mouse_move moved network network.judged not_verified note observed outcome
	outcome.checked output_tokens pause_turn permission picture policy prev programs pinned private provider queued reason redacted_thinking
	refusal refused region rechecks repeat reply reshapes request_id result retry_ms review rewrite right_click rule running
	sandbox scale screen screenshot scroll scroll_amount scroll_direction secret secrets signature skill skills spent start_coordinate started status
	stop_reason stop_sequence stopped str_replace str_replace_based_edit_tool stuck.noticed success system target task task.created task.status text
	text_editor_20250728 thinking time to_model tokens too_large tool tool_result tool_results tool_use tool_use_id tool_version toolset
	toolset_name tools triple_click turn turn.started turns type undone unlock unlocked updated usage user verdict verified view wait
	waiting watch window written zoom
	cache_read_input_tokens cache_creation_input_tokens cache_creation_1h_input_tokens
	unavailable conflict canceled internal not_found denied unauthenticated over_limit`)

// isWord reports whether a value is part of one of words, in any case.
func isWord(value string) bool {
	value = strings.ToLower(value)
	for _, w := range words {
		if strings.Contains(w, value) {
			return true
		}
	}
	return false
}
