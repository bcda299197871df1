package computer

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/input"
	"github.com/deskhand/deskhand/internal/printable"
)

const (
	family          = "computer"
	toolset20260801 = "computer_toolset_20260801"

	halt = "Not executed: an earlier computer action in this turn failed."
)

// version is one type of the tools array.
type version struct {
	kind    string
	members map[string]member
}

// member is what one name means: the fields its input may have, in the order
// they are read, and the action behind it.
type member struct {
	action action
	fields []use
}

// use is a field of a member's input.
type use struct {
	field    field
	required bool
}

func must(f field) use  { return use{f, true} }
func maybe(f field) use { return use{f, false} }

// versions are the entries this package can stand behind.
var versions = map[string]version{
	toolset20260801: {toolset20260801, map[string]member{
		"screenshot":      {screenshot, nil},
		"zoom":            {zoom, []use{must(region)}},
		"left_click":      {leftClick, clickFields},
		"right_click":     {rightClick, clickFields},
		"middle_click":    {middleClick, clickFields},
		"double_click":    {doubleClick, clickFields},
		"triple_click":    {tripleClick, clickFields},
		"left_click_drag": {leftDrag, []use{must(startCoordinate), must(coordinate), maybe(modifiers)}},
		"mouse_move":      {mouseMove, []use{must(coordinate)}},
		"left_mouse_down": {leftDown, nil},
		"left_mouse_up":   {leftUp, nil},
		"cursor_position": {cursorPosition, nil},
		"scroll":          {scroll, []use{must(scrollDirection), must(scrollAmount), maybe(coordinate), maybe(modifiers)}},
		"type":            {typeText, []use{must(typed)}},
		"key":             {pressKey, []use{must(keys), maybe(repeat)}},
		"hold_key":        {holdKey, []use{must(keys), must(duration)}},
		"wait":            {wait, []use{must(duration)}},
	}},
}

var clickFields = []use{maybe(coordinate), maybe(modifiers)}

// Members returns the names of a version's members in order, nil for a version
// that does not exist.
func Members(kind string) []string {
	var names []string
	for name := range versions[kind].members {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// entry returns the entry of the tools array. Invalid: nothing is enabled.
func (v version) entry(c Config) (json.RawMessage, error) {
	type switched struct {
		Enabled bool `json:"enabled"`
	}
	var configs map[string]switched
	for _, name := range c.Disabled {
		if configs == nil {
			configs = map[string]switched{}
		}
		configs[name] = switched{}
	}
	if len(configs) == len(v.members) {
		return nil, deskhand.Errorf("computer tool", deskhand.Invalid, "every member is disabled; leave the tool out instead")
	}
	return json.Marshal(struct {
		Type    string              `json:"type"`
		Configs map[string]switched `json:"configs,omitempty"`
	}{v.kind, configs})
}

// read turns a call into a member and its arguments, or into the text that
// refuses it.
func (v version) read(call deskhand.Call, disabled []string) (m member, a args, refusal string) {
	name := printable.Line(call.Name, maxName)
	m, ok := v.members[call.Name]
	if !ok {
		return m, a, fmt.Sprintf("Error: unknown computer toolset member '%s'", name)
	}
	if slices.Contains(disabled, call.Name) {
		return m, a, fmt.Sprintf("The '%s' action is not permitted by this application's permissions and cannot be used in this session.", name)
	}
	o := input.Read(call.Input)
	a = args{name: call.Name, repeat: 1}
	for _, u := range m.fields {
		u.read(o, &a)
	}
	if problem := o.Problem(); problem != "" {
		return m, a, invalid(name, problem)
	}
	return m, a, ""
}

// maxName bounds how much of a made-up name is repeated to the model.
const maxName = 64
