package script

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// fixedTool is a tool type with a schema of the API's own.
type fixedTool struct {
	name     string // the one it must have; empty for a toolset, which has none
	family   string // of a toolset
	members  func() []string
	fields   []string // besides type, name and cache_control
	required []string
}

func fixedTools() map[string]fixedTool {
	general := []string{"strict", "defer_loading", "allowed_callers", "input_examples"}
	display := []string{"display_width_px", "display_height_px"}
	single := fixedTool{name: "computer", fields: append(slices.Clone(display), "display_number"), required: display}
	zooming := single
	zooming.fields = append(slices.Clone(single.fields), "enable_zoom")
	with := func(t fixedTool, fields ...string) fixedTool {
		t.fields = slices.Concat(t.fields, fields, general)
		return t
	}
	toolset := []string{"configs", "allowed_callers"}
	return map[string]fixedTool{
		"computer_toolset_20260801": {family: "computer", members: computerMembers, fields: toolset},
		"browser_toolset_20260801":  {family: "browser", members: browserMembers, fields: toolset},
		"computer_20251124":         with(zooming),
		"computer_20250124":         with(single),
		"computer_20241022":         with(single),
		"bash_20250124":             with(fixedTool{name: "bash"}),
		"bash_20241022":             with(fixedTool{name: "bash"}),
		"text_editor_20250728":      with(fixedTool{name: "str_replace_based_edit_tool"}, "max_characters"),
		"text_editor_20250429":      with(fixedTool{name: "str_replace_based_edit_tool"}),
		"text_editor_20250124":      with(fixedTool{name: "str_replace_editor"}),
		"text_editor_20241022":      with(fixedTool{name: "str_replace_editor"}),
		"memory_20250818":           with(fixedTool{name: "memory"}),
	}
}

// accepted returns the fixed tool types that the request's model takes.
func (r *request) accepted() []string {
	var types []string
	for _, kind := range slices.Sorted(maps.Keys(fixedTools())) {
		if r.takes(kind) {
			types = append(types, kind)
		}
	}
	return types
}

// takes reports whether the request's model takes a fixed tool type. Editors
// that were superseded go on working where the newest one does.
func (r *request) takes(kind string) bool {
	switch {
	case strings.HasPrefix(kind, "computer_"):
		return r.info.Accepts(kind)
	case strings.HasPrefix(kind, "bash_"):
		return kind == r.info.Bash
	case strings.HasPrefix(kind, "text_editor_"):
		return kind == r.info.Editor || kind == "text_editor_20250429" && r.info.Editor == "text_editor_20250728"
	}
	return true
}

func (r *request) checkTools() *refusal {
	seen := map[string]bool{}
	for i, t := range r.entries {
		fixed, known := fixedTools()[t.Type]
		var refused *refusal
		switch {
		case t.Type == "" || t.Type == "custom":
			refused = t.checkCustom(i)
		case !known:
			refused = invalid("tools.%d: Input tag '%s' found using 'type' does not match any of the expected tags: %s", i, t.Type, choices(r.accepted()))
		default:
			refused = r.checkFixed(i, t, fixed)
		}
		if refused != nil {
			return refused
		}
		name := t.Name
		if fixed.family != "" {
			name = fixed.family
		}
		if seen[name] {
			return invalid("tools: Tool names must be unique. Found more than one tool named '%s'", name)
		}
		seen[name] = true
	}
	return r.checkDeferred()
}

var toolName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)

func (t toolEntry) checkCustom(i int) *refusal {
	if !toolName.MatchString(t.Name) {
		return invalid("tools.%d.custom.name: String should match pattern '%s'", i, toolName)
	}
	var schema struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(t.fields["input_schema"], &schema) != nil || schema.Type != "object" {
		return invalid("tools.%d.custom.input_schema.type: Field required", i)
	}
	return t.checkFieldNames(i, "custom", []string{
		"description", "input_schema", "strict", "defer_loading", "eager_input_streaming", "input_examples", "allowed_callers",
	})
}

func (t toolEntry) checkFieldNames(i int, tag string, allowed []string) *refusal {
	for _, name := range slices.Sorted(maps.Keys(t.fields)) {
		if !slices.Contains([]string{"type", "name", "cache_control"}, name) && !slices.Contains(allowed, name) {
			return invalid("tools.%d.%s.%s: Extra inputs are not permitted", i, tag, name)
		}
	}
	return nil
}

func (r *request) checkFixed(i int, t toolEntry, fixed fixedTool) *refusal {
	if !slices.Contains(r.accepted(), t.Type) {
		return invalid("'%s' does not support tool types: %s. Did you mean one of %s?", r.Model, t.Type, strings.Join(r.accepted(), ", "))
	}
	if beta := toolBetas()[t.Type]; beta != "" && !r.beta(beta) {
		return invalid("tools.%d: Input tag '%s' found using 'type' needs the header anthropic-beta: %s", i, t.Type, beta)
	}
	if _, named := t.fields["name"]; fixed.family != "" && named {
		return invalid("tools.%d.%s.name: Extra inputs are not permitted", i, t.Type)
	}
	if t.Name != fixed.name {
		return invalid("tools.%d.%s.name: Input should be '%s'", i, t.Type, fixed.name)
	}
	if refused := t.checkFieldNames(i, t.Type, fixed.fields); refused != nil {
		return refused
	}
	for _, name := range fixed.required {
		var pixels int
		if json.Unmarshal(t.fields[name], &pixels) != nil || pixels < 1 {
			return invalid("tools.%d.%s.%s: Field required", i, t.Type, name)
		}
	}
	if fixed.family == "" {
		return nil
	}
	return r.checkToolset(i, t, fixed)
}

// memberConfig is what an entry says of one member.
type memberConfig struct {
	Enabled *bool `json:"enabled"`
	Defer   bool  `json:"defer_loading"`
}

func (r *request) checkToolset(i int, t toolEntry, fixed fixedTool) *refusal {
	where := fmt.Sprintf("tools.%d.%s", i, t.Type)
	if r.beta(fineGrained) {
		return invalid("%s: not supported with the header anthropic-beta: %s", where, fineGrained)
	}
	if raw := t.fields["allowed_callers"]; raw != nil && canonical(raw) != `["direct"]` {
		return invalid("%s.allowed_callers: Input should be ['direct']", where)
	}
	configs := map[string]map[string]json.RawMessage{}
	if raw := t.fields["configs"]; raw != nil && json.Unmarshal(raw, &configs) != nil {
		return invalid("%s.configs: Input should be a valid dictionary", where)
	}
	for _, member := range slices.Sorted(maps.Keys(configs)) {
		if !slices.Contains(fixed.members(), member) {
			return invalid("%s.configs.%s: Extra inputs are not permitted", where, member)
		}
		for _, name := range slices.Sorted(maps.Keys(configs[member])) {
			var value *bool
			if name != "enabled" && name != "defer_loading" || json.Unmarshal(configs[member][name], &value) != nil {
				return invalid("%s.configs.%s.%s: Extra inputs are not permitted", where, member, name)
			}
		}
	}
	return t.checkMembers(where, fixed)
}

// optIn are the members of the browser toolset that are off unless enabled.
func optIn() []string {
	return []string{"javascript_exec", "file_upload", "read_console", "read_network"}
}

func (t toolEntry) checkMembers(where string, fixed fixedTool) *refusal {
	enabled, deferred := t.members(fixed)
	switch {
	case enabled == 0:
		return invalid("%s.configs: at least one member must be enabled; omit the entry instead", where)
	case deferred != 0 && deferred != enabled:
		return invalid("%s.configs: defer_loading must be the same on every enabled member", where)
	case deferred != 0 && t.CacheControl != nil:
		return invalid("%s.cache_control: not supported together with deferred members", where)
	}
	return nil
}

func (t toolEntry) members(fixed fixedTool) (enabled, deferred int) {
	configs := map[string]memberConfig{}
	_ = json.Unmarshal(t.fields["configs"], &configs) // judged before
	for _, member := range fixed.members() {
		c := configs[member]
		on := fixed.family != "browser" || !slices.Contains(optIn(), member)
		if c.Enabled != nil {
			on = *c.Enabled
		}
		if on {
			enabled++
			if c.Defer {
				deferred++
			}
		}
	}
	return enabled, deferred
}

// checkDeferred demands a tool search where every tool is deferred. The search
// tools themselves are not played.
func (r *request) checkDeferred() *refusal {
	for i, t := range r.entries {
		fixed := fixedTools()[t.Type]
		if fixed.family == "" {
			continue
		}
		if _, deferred := t.members(fixed); deferred > 0 {
			return invalid("tools.%d.%s.configs: deferred members need a tool search tool that is not deferred", i, t.Type)
		}
	}
	return nil
}
