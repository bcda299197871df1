package computer

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/input"
	"github.com/deskhand/deskhand/internal/plaintext"
	"github.com/deskhand/deskhand/tool"
)

const (
	family          = "computer"
	toolset20260801 = "computer_toolset_20260801"

	halt = "Not executed: an earlier computer action in this turn failed."
)

// version is one type of the tools array: a toolset, whose members are called
// by name, or a single tool, whose input names the member as its action.
type version struct {
	kind    string
	single  bool
	zoomed  bool   // single: the entry says whether zoom is on
	beta    string // header the entry needs; empty for none
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

// versions are the entries this package can stand behind, the newest first. A
// single tool has no repeat, and the first of them does everything where the
// pointer is.
var versions = []version{
	{kind: toolset20260801, members: map[string]member{
		"screenshot":      {screenshot, nil},
		"zoom":            {zoom, []use{must(region)}},
		"left_click":      {leftClick, clickFields},
		"right_click":     {rightClick, clickFields},
		"middle_click":    {middleClick, clickFields},
		"double_click":    {doubleClick, clickFields},
		"triple_click":    {tripleClick, clickFields},
		"left_click_drag": {leftDrag, dragFields},
		"mouse_move":      {mouseMove, []use{must(coordinate)}},
		"left_mouse_down": {leftDown, nil},
		"left_mouse_up":   {leftUp, nil},
		"cursor_position": {cursorPosition, nil},
		"scroll":          {scroll, scrollFields},
		"type":            {typeText, []use{must(typed)}},
		"key":             {pressKey, []use{must(keys), maybe(repeat)}},
		"hold_key":        {holdKey, []use{must(keys), must(duration)}},
		"wait":            {wait, []use{must(duration)}},
	}},
	{kind: "computer_20251124", single: true, zoomed: true, beta: "computer-use-2025-11-24", members: map[string]member{
		"screenshot":      {screenshot, nil},
		"zoom":            {zoom, []use{must(region)}},
		"left_click":      {leftClick, clickFields},
		"right_click":     {rightClick, clickFields},
		"middle_click":    {middleClick, clickFields},
		"double_click":    {doubleClick, clickFields},
		"triple_click":    {tripleClick, clickFields},
		"left_click_drag": {leftDrag, dragFields},
		"mouse_move":      {mouseMove, []use{must(coordinate)}},
		"left_mouse_down": {leftDown, nil},
		"left_mouse_up":   {leftUp, nil},
		"cursor_position": {cursorPosition, nil},
		"scroll":          {scroll, scrollFields},
		"type":            {typeText, []use{must(typed)}},
		"key":             {pressKey, []use{must(keys)}},
		"hold_key":        {holdKey, []use{must(keys), must(duration)}},
		"wait":            {wait, []use{must(duration)}},
	}},
	{kind: "computer_20250124", single: true, beta: "computer-use-2025-01-24", members: map[string]member{
		"screenshot":      {screenshot, nil},
		"left_click":      {leftClick, clickFields},
		"right_click":     {rightClick, clickFields},
		"middle_click":    {middleClick, clickFields},
		"double_click":    {doubleClick, clickFields},
		"triple_click":    {tripleClick, clickFields},
		"left_click_drag": {leftDrag, dragFields},
		"mouse_move":      {mouseMove, []use{must(coordinate)}},
		"left_mouse_down": {leftDown, nil},
		"left_mouse_up":   {leftUp, nil},
		"cursor_position": {cursorPosition, nil},
		"scroll":          {scroll, scrollFields},
		"type":            {typeText, []use{must(typed)}},
		"key":             {pressKey, []use{must(keys)}},
		"hold_key":        {holdKey, []use{must(keys), must(duration)}},
		"wait":            {wait, []use{must(duration)}},
	}},
	{kind: "computer_20241022", single: true, beta: "computer-use-2024-10-22", members: map[string]member{
		"screenshot":      {screenshot, nil},
		"left_click":      {leftClick, []use{maybe(atPointer)}},
		"right_click":     {rightClick, []use{maybe(atPointer)}},
		"middle_click":    {middleClick, []use{maybe(atPointer)}},
		"double_click":    {doubleClick, []use{maybe(atPointer)}},
		"left_click_drag": {pointerDrag, []use{must(coordinate), maybe(fromPointer)}},
		"mouse_move":      {mouseMove, []use{must(coordinate)}},
		"cursor_position": {cursorPosition, nil},
		"type":            {typeText, []use{must(typed)}},
		"key":             {pressKey, []use{must(keys)}},
	}},
}

// What several members take.
var (
	clickFields  = []use{maybe(coordinate), maybe(modifiers)}
	dragFields   = []use{must(startCoordinate), must(coordinate), maybe(modifiers)}
	scrollFields = []use{must(scrollDirection), must(scrollAmount), maybe(coordinate), maybe(modifiers)}
)

// Versions returns the types of the tools array that this package can stand
// behind, the newest first.
func Versions() []string {
	var kinds []string
	for _, v := range versions {
		kinds = append(kinds, v.kind)
	}
	return kinds
}

// named returns the version of that type.
func named(kind string) (version, bool) {
	i := slices.IndexFunc(versions, func(v version) bool { return v.kind == kind })
	if i < 0 {
		return version{}, false
	}
	return versions[i], true
}

// Members returns the names of a version's members (of a single tool: its
// actions) in order, nil for a version that does not exist.
func Members(kind string) []string {
	v, _ := named(kind)
	return slices.Sorted(maps.Keys(v.members))
}

// spec returns what is sent and expected for the version. Invalid: nothing is
// enabled, or the size of the screenshots is not known.
func (v version) spec(c Config) (tool.Spec, error) {
	if len(v.members) == len(c.Disabled) {
		return tool.Spec{}, deskhand.Errorf(op, deskhand.Invalid, "every member is disabled; leave the tool out instead")
	}
	if v.single && (c.Model.W < 1 || c.Model.H < 1) {
		return tool.Spec{}, deskhand.Errorf(op, deskhand.Invalid, "%s must be told the size of the screenshots", v.kind)
	}
	entry, err := json.Marshal(v.entry(c))
	return tool.Spec{Name: family, Toolset: !v.single, Entry: entry, Beta: v.beta, Halt: halt}, err
}

func (v version) entry(c Config) any {
	if v.single {
		one := singleEntry{Type: v.kind, Name: family, Width: c.Model.W, Height: c.Model.H, Display: c.Display}
		if v.zoomed {
			on := !slices.Contains(c.Disabled, "zoom")
			one.Zoom = &on
		}
		return one
	}
	set := toolsetEntry{Type: v.kind}
	for _, name := range c.Disabled {
		if set.Configs == nil {
			set.Configs = map[string]switched{}
		}
		set.Configs[name] = switched{}
	}
	return set
}

type toolsetEntry struct {
	Type    string              `json:"type"`
	Configs map[string]switched `json:"configs,omitempty"`
}

type switched struct {
	Enabled bool `json:"enabled"`
}

type singleEntry struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Width   int    `json:"display_width_px"`
	Height  int    `json:"display_height_px"`
	Display *int   `json:"display_number,omitempty"`
	Zoom    *bool  `json:"enable_zoom,omitempty"`
}

// words are how a version speaks of its members.
type words struct{ unknown, invalid string }

func (v version) words() words {
	if v.single {
		return words{"Error: unknown computer action '%s'", "invalid input for computer action '%s': %s"}
	}
	return words{"Error: unknown computer toolset member '%s'", "invalid input for computer member '%s': %s"}
}

// read turns a call into a member and its arguments, or into the text that
// refuses it.
func (v version) read(call deskhand.Call, disabled []string) (m member, a args, refusal string) {
	o, name := input.Read(call.Input), call.Name
	if v.single {
		if name, refusal = actionOf(o); refusal != "" {
			return m, a, refusal
		}
	}
	a = args{name: plaintext.Short(name, maxName), words: v.words(), repeat: 1}
	m, ok := v.members[name]
	if !ok {
		return m, a, fmt.Sprintf(a.words.unknown, a.name)
	}
	if slices.Contains(disabled, name) {
		return m, a, fmt.Sprintf("The '%s' action is not permitted by this application's permissions and cannot be used in this session.", a.name)
	}
	if v.single {
		forgetNulls(o)
	}
	for _, u := range m.fields {
		u.read(o, &a)
	}
	if problem := o.Problem(); problem != "" {
		return m, a, a.invalid(problem)
	}
	return m, a, ""
}

// actionOf reads which action a single tool is asked for.
func actionOf(o *input.Object) (name, refusal string) {
	name, problem := input.String(o.Take("action"))
	if o.Broken() {
		return "", tool.InvalidInput(family, o.Problem()).Content[0].Text
	}
	if problem != "" {
		return "", tool.InvalidInput(family, "action: "+problem).Content[0].Text
	}
	return name, ""
}

// forgetNulls drops every known field that is null: the actions of a single
// tool share one schema, and models fill what an action has no use for with null.
func forgetNulls(o *input.Object) {
	for _, f := range allFields {
		if string(o.Peek(f.name)) == "null" {
			o.Drop(f.name)
		}
	}
}

// maxName bounds how much of a made-up name is repeated to the model.
const maxName = 64
