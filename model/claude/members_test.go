package claude_test

import (
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go/v2"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop/fake"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/model/claude"
	"github.com/deskhand/deskhand/model/script"
	"github.com/deskhand/deskhand/tool"
	"github.com/deskhand/deskhand/tool/bash"
	"github.com/deskhand/deskhand/tool/computer"
	"github.com/deskhand/deskhand/tool/editor"
	"github.com/deskhand/deskhand/tool/memory"
)

// calls are inputs of what a tool can do, by name: each name with all of its
// fields, and with none that it can do without.
type calls map[string][]string

// members are those of the toolset.
var members = calls{
	"screenshot": {`{}`}, "cursor_position": {`{}`}, "left_mouse_down": {`{}`}, "left_mouse_up": {`{}`},
	"zoom":            {`{"region":[0,0,100,100]}`},
	"left_click":      {`{"coordinate":[10,20],"text":"shift"}`, `{}`, `{"coordinate":null}`},
	"right_click":     {`{"coordinate":[10,20],"text":"ctrl+shift"}`, `{}`},
	"middle_click":    {`{"coordinate":[10,20],"text":"alt"}`, `{}`},
	"double_click":    {`{"coordinate":[10,20],"text":"super"}`, `{}`},
	"triple_click":    {`{"coordinate":[10,20],"text":"shift"}`, `{}`},
	"left_click_drag": {`{"start_coordinate":[10,20],"coordinate":[30,40],"text":"shift"}`, `{"start_coordinate":[10,20],"coordinate":[30,40]}`},
	"mouse_move":      {`{"coordinate":[10,20]}`},
	"scroll":          {`{"scroll_direction":"up","scroll_amount":2,"coordinate":[10,20],"text":"shift"}`, `{"scroll_direction":"left","scroll_amount":1}`},
	"type":            {`{"text":"Grüße, 猫 😀\n"}`},
	"key":             {`{"text":"ctrl+s","repeat":3}`, `{"text":"Return"}`},
	"hold_key":        {`{"text":"a","duration":0}`},
	"wait":            {`{"duration":0}`},
}

// with returns c without the names, and with what more says in their place.
func (c calls) with(more calls, without ...string) calls {
	c = maps.Clone(c)
	for _, name := range without {
		delete(c, name)
	}
	maps.Copy(c, more)
	return c
}

// screens are the calls of every version of the computer tool.
var screens = map[string]calls{
	"computer_toolset_20260801": members,
	"computer_20251124":         members.with(calls{"key": {`{"text":"ctrl+s"}`}}),
	"computer_20250124":         members.with(calls{"key": {`{"text":"ctrl+s"}`}}, "zoom"),
	"computer_20241022": {
		"screenshot": {`{}`}, "cursor_position": {`{}`}, "left_click": {`{}`}, "right_click": {`{}`}, "middle_click": {`{}`}, "double_click": {`{}`},
		"left_click_drag": {`{"coordinate":[30,40]}`}, "mouse_move": {`{"coordinate":[10,20]}`}, "type": {`{"text":"Grüße"}`}, "key": {`{"text":"ctrl+s"}`},
	},
}

// files are the calls of the editor, in an order in which they work. older are
// those of the versions that can undo.
var files, older = []string{
	`{"command":"create","path":"DIR/f","file_text":"one\ntwo\n"}`,
	`{"command":"view","path":"DIR"}`,
	`{"command":"view","path":"DIR/f"}`,
	`{"command":"view","path":"DIR/f","view_range":[1,-1]}`,
	`{"command":"view","path":"DIR/picture"}`,
	`{"command":"str_replace","path":"DIR/f","old_str":"one","new_str":"1"}`,
	`{"command":"str_replace","path":"DIR/f","old_str":"two"}`,
	`{"command":"insert","path":"DIR/f","insert_line":0,"insert_text":"zero"}`,
}, []string{
	`{"command":"insert","path":"DIR/f","insert_line":0,"new_str":"zero"}`,
	`{"command":"undo_edit","path":"DIR/f"}`,
}

var notes = []string{
	`{"command":"create","path":"/memories/f","file_text":"one\ntwo\n"}`,
	`{"command":"view","path":"/memories"}`,
	`{"command":"view","path":"/memories/f","view_range":[1,2]}`,
	`{"command":"str_replace","path":"/memories/f","old_str":"one","new_str":"1"}`,
	`{"command":"insert","path":"/memories/f","insert_line":0,"insert_text":"zero"}`,
	`{"command":"rename","old_path":"/memories/f","new_path":"/memories/g"}`,
	`{"command":"delete","path":"/memories/g"}`,
}

var shells = []string{`{"command":"echo one; echo two >&2"}`, `{"restart":true}`}

// ofEveryKind adds a model for each pair of versions that no model of ours has.
const ofEveryKind = `[{"id": "claude-of-2024", "like": "claude-sonnet-4-5", "computer": ["computer_20241022"], "editor": "text_editor_20241022", "bash": "bash_20241022"},
{"id": "claude-of-winter", "like": "claude-sonnet-4-5", "editor": "text_editor_20250124"}, {"id": "claude-of-spring", "like": "claude-sonnet-4-5", "editor": "text_editor_20250429"}]`

// TestEveryMember plays every call of every version of every tool through the
// whole loop, and reads each request, each reply and each input with the
// official types. What is not in the tables above makes it fail.
func TestEveryMember(t *testing.T) {
	t.Parallel()
	models, err := model.Catalogue{}.Merge("models.json", []byte(ofEveryKind))
	if err != nil {
		t.Fatal(err)
	}
	played := map[string]bool{}
	for _, one := range []struct{ model, version, beta string }{
		{"claude-sonnet-5-5", "computer_toolset_20260801", ""},
		{"claude-opus-5", "computer_20251124", "computer-use-2025-11-24"},
		{"claude-of-spring", "computer_20250124", "computer-use-2025-01-24"},
		{"claude-of-winter", "computer_20250124", "computer-use-2025-01-24"},
		{"claude-of-2024", "computer_20241022", "computer-use-2024-10-22"},
	} {
		info, err := models.Lookup(one.model)
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{one.version, info.Editor, info.Bash, "memory_20250818"} {
			played[kind] = true
		}
		t.Run(one.model, func(t *testing.T) {
			t.Parallel()
			screen := &painting{Desktop: fake.New(deskhand.Size{W: 1920, H: 1080})}
			tools := furnish(t, screen, info, one.version, noteTool(t))
			src := everyCall(t, tools, one.version)
			server, err := script.New([]byte(src), script.Options{Name: one.model, Models: models})
			if err != nil {
				t.Fatal(err)
			}
			p := &tap{Handler: server}
			out, contents := drive(t, serve(t, p, func(c *claude.Config) { c.Models = models }), info, tools)
			if out.Status != deskhand.Done || len(server.Problems()) > 0 || server.Left() != 0 {
				t.Fatalf("it ended as %+v; problems %q; %d replies left", out, server.Problems(), server.Left())
			}
			toolset, read, want := one.version == "computer_toolset_20260801", 0, len(notes)
			for i := range p.bodies {
				generation{beta: one.beta}.sdkKnows(t, p.bodies[i], p.replies[i], contents[i])
				read += sdkReads(t, contents[i], toolset)
			}
			for _, inputs := range members {
				if toolset {
					want += len(inputs)
				}
			}
			if read != want {
				t.Errorf("%d inputs were read with types of their own, not %d", read, want)
			}
		})
	}
	for _, kind := range slices.Concat(computer.Versions(), editor.Versions(), bash.Versions()) {
		if !played[kind] {
			t.Errorf("no model plays %s", kind)
		}
	}
}

func noteTool(t *testing.T) tool.Tool {
	t.Helper()
	m, err := memory.New(memory.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// everyCall writes the script of all calls, and checks that they are all.
func everyCall(t *testing.T, tools *tool.Set, version string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "picture"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errorOf(png.Encode(f, image.NewGray(image.Rect(0, 0, 30, 20))), f.Close()); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	turn := func(lines []string) {
		fmt.Fprintf(&b, "-- model --\n%s\n-- expect --\nresults %d\nno error\n", strings.Join(lines, "\n"), len(lines))
	}
	called := screens[version]
	if got, want := slices.Sorted(maps.Keys(called)), computer.Members(version); !slices.Equal(got, want) {
		t.Errorf("%s: the calls are of %q, its members are %q", version, got, want)
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(called)) {
		for _, in := range called[name] {
			lines = append(lines, name+" "+in)
		}
	}
	turn(lines)
	for _, one := range tools.All() {
		name, inputs := one.Spec().Name, []string(nil)
		switch name {
		case "computer":
			continue
		case "bash":
			inputs = shells
		case "memory":
			inputs = notes
		case "str_replace_editor":
			inputs = slices.Concat(files, older)
		default:
			inputs = files
		}
		if name != "bash" {
			commandsAreAll(t, one, inputs)
		}
		lines = nil
		for _, in := range inputs {
			lines = append(lines, name+" "+strings.ReplaceAll(in, "DIR", dir))
		}
		turn(lines)
	}
	return b.String() + "-- model --\nDone.\n"
}

// commandsAreAll checks inputs against the commands that the tool itself names.
func commandsAreAll(t *testing.T, one tool.Tool, inputs []string) {
	t.Helper()
	r, err := one.Run(t.Context(), deskhand.Call{Name: one.Spec().Name, Input: json.RawMessage(`{"command":"?","path":"/"}`)})
	if err != nil || !r.IsError {
		t.Fatalf("%+v %v", r, err)
	}
	_, list, _ := strings.Cut(r.Content[0].Text, "expected one of ")
	want := strings.Split(list, ", ")
	var got []string
	for _, in := range inputs {
		var fields struct{ Command string }
		if err := json.Unmarshal([]byte(in), &fields); err != nil {
			t.Fatal(err)
		}
		got = append(got, fields.Command)
	}
	slices.Sort(want)
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("%s: the calls are of %q, its commands are %q", one.Spec().Name, got, want)
	}
}

// sdkReads reads the calls of a reply with the type of each, where the SDK has
// one, and returns how many those were.
func sdkReads(t *testing.T, content json.RawMessage, toolset bool) (read int) {
	t.Helper()
	var blocks []json.RawMessage
	if err := json.Unmarshal(content, &blocks); err != nil {
		t.Fatal(err)
	}
	for _, block := range blocks {
		var call struct {
			Type, Name string
			Toolset    string `json:"toolset_name"`
			Input      json.RawMessage
		}
		if err := json.Unmarshal(block, &call); err != nil {
			t.Fatal(err)
		}
		switch {
		case call.Type != "tool_use":
		case toolset && call.Toolset == "computer":
			var plain anthropic.ComputerToolUseBlockUnion
			var beta anthropic.BetaComputerToolUseBlockUnion
			if err := errorOf(json.Unmarshal(block, &plain), json.Unmarshal(block, &beta)); err != nil {
				t.Fatal(err)
			}
			for _, variant := range []any{plain.AsAny(), beta.AsAny()} {
				if variant == nil {
					t.Fatalf("the SDK does not know the member %s", call.Name)
				}
				knowsFields(t, call.Name, call.Input, reflect.ValueOf(variant).FieldByName("Input"))
			}
			read++
		case call.Name == "memory":
			var command anthropic.BetaMemoryTool20250818CommandUnion
			if err := json.Unmarshal(call.Input, &command); err != nil || command.AsAny() == nil {
				t.Fatalf("the SDK does not know %s: %v", call.Input, err)
			}
			knowsFields(t, "memory", call.Input, reflect.ValueOf(command.AsAny()))
			read++
		}
	}
	return read
}

// knowsFields checks that a value of the SDK's has a field for each of input's,
// of the same content.
func knowsFields(t *testing.T, name string, input json.RawMessage, v reflect.Value) {
	t.Helper()
	var written map[string]any
	if err := json.Unmarshal(input, &written); err != nil {
		t.Fatal(err)
	}
	fields := jsonFields(v.Type())
	for key, value := range written {
		at, ok := fields[key]
		if !ok {
			t.Errorf("%s: the SDK knows no field %q", name, key)
			continue
		}
		again, err := json.Marshal(v.Field(at).Interface())
		if err != nil {
			t.Fatal(err)
		}
		var read any
		if err := json.Unmarshal(again, &read); err != nil || !reflect.DeepEqual(read, value) {
			t.Errorf("%s: %s is %v, read as %s", name, key, value, again)
		}
	}
}

// jsonFields returns the fields of a struct by their names in JSON.
func jsonFields(of reflect.Type) map[string]int {
	fields := map[string]int{}
	for i := range of.NumField() {
		if name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ","); name != "" && name != "-" {
			fields[name] = i
		}
	}
	return fields
}

// TestNothingOfTheSDKIsMissing: each member, and each field of one, that the
// official types have is in the table, and the other way round.
func TestNothingOfTheSDKIsMissing(t *testing.T) {
	t.Parallel()
	for _, configs := range []reflect.Type{reflect.TypeFor[anthropic.ComputerToolsetConfigsParam](), reflect.TypeFor[anthropic.BetaComputerToolsetConfigsParam]()} {
		if got, want := slices.Sorted(maps.Keys(jsonFields(configs))), slices.Sorted(maps.Keys(members)); !slices.Equal(got, want) {
			t.Errorf("%s has %q, the table %q", configs, got, want)
		}
	}
	for name, inputs := range members {
		var block anthropic.ComputerToolUseBlockUnion
		if err := json.Unmarshal([]byte(`{"type":"tool_use","toolset_name":"computer","name":"`+name+`","input":{}}`), &block); err != nil {
			t.Fatal(err)
		}
		of, ok := reflect.TypeOf(block.AsAny()).FieldByName("Input")
		if !ok {
			t.Fatalf("%s has no input", name)
		}
		fieldsAreAll(t, name, of.Type, inputs)
	}
	byCommand := calls{}
	for _, in := range notes {
		var fields struct{ Command string }
		if err := json.Unmarshal([]byte(in), &fields); err != nil {
			t.Fatal(err)
		}
		byCommand[fields.Command] = append(byCommand[fields.Command], in)
	}
	for name, inputs := range byCommand {
		var command anthropic.BetaMemoryTool20250818CommandUnion
		if err := json.Unmarshal([]byte(`{"command":"`+name+`"}`), &command); err != nil {
			t.Fatal(err)
		}
		fieldsAreAll(t, name, reflect.TypeOf(command.AsAny()), inputs)
	}
}

func fieldsAreAll(t *testing.T, name string, of reflect.Type, inputs []string) {
	t.Helper()
	used := map[string]bool{}
	for _, in := range inputs {
		var fields map[string]any
		if err := json.Unmarshal([]byte(in), &fields); err != nil {
			t.Fatal(err)
		}
		for key := range fields {
			used[key] = true
		}
	}
	if got, want := slices.Sorted(maps.Keys(jsonFields(of))), slices.Sorted(maps.Keys(used)); !slices.Equal(got, want) {
		t.Errorf("%s: the SDK has the fields %q, the calls %q", name, got, want)
	}
}
