package computer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/desktop/fake"
	"github.com/deskhand/deskhand/tool"
	"github.com/deskhand/deskhand/tool/computer"
)

// act runs one action of a single tool; fields is the input without it.
func act(t testing.TB, tl tool.Tool, action, fields string) deskhand.Result {
	t.Helper()
	input := fmt.Sprintf(`{"action":%q`, action)
	if rest := strings.TrimPrefix(fields, "{"); rest != "}" {
		input += ","
	}
	return plain(t, tl, input+strings.TrimPrefix(fields, "{"))
}

// plain runs a call whose input is written out.
func plain(t testing.TB, tl tool.Tool, input string) deskhand.Result {
	t.Helper()
	r, err := tl.Run(context.Background(), deskhand.Call{ID: "toolu_1", Name: "computer", Input: json.RawMessage(input)})
	if err != nil {
		t.Fatalf("%s: %v", input, err)
	}
	if len(r.Content) == 0 || r.IsError && (len(r.Content) != 1 || r.Content[0].Text == "" || r.Content[0].Image != nil) {
		t.Fatalf("%s: the API would refuse %+v", input, r)
	}
	return r
}

// singles are the single tools with what the reference says of each: the entry
// and the header, and the actions beside those of the first one.
var singles = map[string]struct {
	entry, beta string
	more        []string
}{
	"computer_20241022": {`{"type":"computer_20241022","name":"computer","display_width_px":1024,"display_height_px":768}`, "computer-use-2024-10-22", nil},
	"computer_20250124": {`{"type":"computer_20250124","name":"computer","display_width_px":1024,"display_height_px":768}`, "computer-use-2025-01-24", since2025},
	"computer_20251124": {`{"type":"computer_20251124","name":"computer","display_width_px":1024,"display_height_px":768,"enable_zoom":true}`, "computer-use-2025-11-24", append([]string{"zoom"}, since2025...)},
}

var (
	since2024 = []string{"key", "type", "mouse_move", "left_click", "left_click_drag", "right_click", "middle_click", "double_click", "screenshot", "cursor_position"}
	since2025 = []string{"triple_click", "left_mouse_down", "left_mouse_up", "scroll", "hold_key", "wait"}
)

func TestSingleSpec(t *testing.T) {
	t.Parallel()
	for kind, want := range singles {
		tl, _ := open(t, computer.Config{Version: kind})
		spec := tl.Spec()
		if string(spec.Entry) != want.entry || spec.Beta != want.beta || spec.Toolset || spec.Name != "computer" || spec.Halt == "" {
			t.Errorf("%s: %+v %s", kind, spec, spec.Entry)
		}
		actions := slices.Sorted(slices.Values(slices.Concat(since2024, want.more)))
		if got := computer.Members(kind); !slices.Equal(got, actions) {
			t.Errorf("%s has %v, want %v", kind, got, actions)
		}
		if _, err := computer.New(nil, computer.Config{Version: kind}); deskhand.CodeOf(err) != deskhand.Invalid || !strings.Contains(err.Error(), "size of the screenshots") {
			t.Errorf("%s without a size: %v", kind, err)
		}
	}
	zero := 0
	tl, _ := open(t, computer.Config{Version: "computer_20251124", Disabled: []string{"zoom", "wait"}, Display: &zero})
	if got := string(tl.Spec().Entry); got != `{"type":"computer_20251124","name":"computer","display_width_px":1024,"display_height_px":768,"display_number":0,"enable_zoom":false}` {
		t.Error(got)
	}
	if r := act(t, tl, "zoom", `{"region":[0,0,9,9]}`); !r.IsError || !strings.Contains(r.Content[0].Text, "'zoom' action is not permitted") {
		t.Errorf("%+v", r)
	}
	if got := computer.Versions(); got[0] != "computer_toolset_20260801" || len(got) != 1+len(singles) {
		t.Errorf("versions %q", got)
	}
}

// TestSingleActions: where a single tool has a member of the toolset, the same
// fields do the same with the same words.
func TestSingleActions(t *testing.T) {
	t.Parallel()
	for kind := range singles {
		toolset, seen := open(t, computer.Config{})
		tl, d := open(t, computer.Config{Version: kind})
		for _, name := range computer.Members(kind) {
			fields := map[string]string{}
			for k, v := range good[name] {
				fields[k] = v
			}
			delete(fields, "repeat")
			if name == "wait" || name == "hold_key" {
				fields["duration"] = "0"
			}
			if kind == "computer_20241022" {
				delete(fields, "text")
				if name == "left_click_drag" { // see the next test
					continue
				}
				if strings.Contains(name, "click") {
					delete(fields, "coordinate")
				} else if text, ok := good[name]["text"]; ok {
					fields["text"] = text
				}
			}
			input := with(fields, "", "")
			got := act(t, tl, name, input)
			want := run(t, toolset, name, input)
			if got.IsError || !reflect.DeepEqual(got.Content, want.Content) {
				t.Errorf("%s %s %s: %+v, want %+v", kind, name, input, got, want)
			}
			mine, theirs := d.Applied(), seen.Applied()
			if len(theirs) > 0 && len(mine) > 0 && !reflect.DeepEqual(mine[len(mine)-1], theirs[len(theirs)-1]) {
				t.Errorf("%s %s did %+v, want %+v", kind, name, mine[len(mine)-1], theirs[len(theirs)-1])
			}
		}
	}
}

func TestFirstVersionActsAtThePointer(t *testing.T) {
	t.Parallel()
	tl, d := open(t, computer.Config{Version: "computer_20241022"})
	const move = "not accepted; this acts where the pointer is, so use mouse_move first"
	for name, want := range map[string]string{
		`{"action":"left_click","coordinate":[1,2]}`:                                       "invalid input for computer action 'left_click': coordinate: " + move,
		`{"action":"double_click","coordinate":[1,2],"text":"shift"}`:                      "invalid input for computer action 'double_click': coordinate: " + move + "; text: unknown field",
		`{"action":"left_click_drag","start_coordinate":[1,2],"coordinate":[3,4]}`:         "invalid input for computer action 'left_click_drag': start_coordinate: not accepted; a drag starts where the pointer is, so use mouse_move first",
		`{"action":"left_click_drag"}`:                                                     "invalid input for computer action 'left_click_drag': coordinate: expected [x, y]",
		`{"action":"scroll","scroll_direction":"up","scroll_amount":1,"coordinate":[1,2]}`: "Error: unknown computer action 'scroll'",
		`{"action":"triple_click"}`:                                                        "Error: unknown computer action 'triple_click'",
	} {
		if r := plain(t, tl, name); !r.IsError || r.Content[0].Text != want {
			t.Errorf("%s\n got %q\nwant %q", name, r.Content[0].Text, want)
		}
	}
	if got := d.Received(); len(got) > 0 {
		t.Errorf("something moved: %v", got)
	}
	plain(t, tl, `{"action":"mouse_move","coordinate":[10,20]}`)
	if r := plain(t, tl, `{"action":"left_click_drag","coordinate":[30,40],"start_coordinate":null}`); r.IsError || r.Content[0].Text != "Dragged." {
		t.Errorf("%+v", r)
	}
	plain(t, tl, `{"action":"left_click","coordinate":null,"text":null}`)
	left := desktop.ButtonLeft
	want := []desktop.Action{
		{Kind: desktop.Move, Point: at(21, 41)},
		{Kind: desktop.Drag, From: at(21, 41), Point: at(61, 81), Button: left},
		{Kind: desktop.Click, Button: left, Count: 1},
	}
	if got := d.Applied(); !reflect.DeepEqual(got, want) {
		t.Errorf("did %+v, want %+v", got, want)
	}
	d.FailInput(1, fake.Fault{Err: deskhand.Errorf("x11", deskhand.Internal, "secret")})
	if r := plain(t, tl, `{"action":"left_click_drag","coordinate":[1,1]}`); !r.IsError || r.Content[0].Text != "Error: Failed to perform drag action. The application may be unresponsive." {
		t.Errorf("%+v", r)
	}
}

func TestSingleRefusals(t *testing.T) {
	t.Parallel()
	tl, d := open(t, computer.Config{Version: "computer_20251124"})
	for input, want := range map[string]string{
		`{}`:                      "invalid input for tool 'computer': action: expected a string",
		`{"action":null}`:         "invalid input for tool 'computer': action: expected a string",
		`{"action":5}`:            "invalid input for tool 'computer': action: expected a string",
		`{"Action":"key"}`:        "invalid input for tool 'computer': action: expected a string",
		``:                        "invalid input for tool 'computer': input: expected an object",
		`[1]`:                     "invalid input for tool 'computer': input: expected an object",
		`{"action":`:              "invalid input for tool 'computer': input: not valid JSON",
		`{"action":"a\nb\u202e"}`: "Error: unknown computer action 'a b '",
		`{"action":"key","action":"key","text":"a"}`:                      "invalid input for computer action 'key': action: given more than once",
		`{"action":"key","text":"a","repeat":2}`:                          "invalid input for computer action 'key': repeat: unknown field",
		`{"action":"key","text":null}`:                                    "invalid input for computer action 'key': text: expected a string",
		`{"action":"key","text":"no such key"}`:                           `invalid input for computer action 'key': text: "no such key" is not the name of a key.`,
		`{"action":"left_click","key":"shift"}`:                           "invalid input for computer action 'left_click': key: unknown field",
		`{"action":"left_click","coordinate":"[1, 2]"}`:                   "invalid input for computer action 'left_click': coordinate: expected [x, y]",
		`{"action":"left_click","coordinate":[1024,0]}`:                   "Error: Coordinates (1024, 0) are outside display bounds (1024x768).",
		`{"action":"zoom","region":[0,0,1]}`:                              "invalid input for computer action 'zoom': region: expected [x0, y0, x1, y1]",
		`{"action":"left_click_drag","coordinate":[1,1]}`:                 "invalid input for computer action 'left_click_drag': start_coordinate: expected [x, y]",
		`{"action":"screenshot","text":"x","delay":null,"coordinate":[]}`: "invalid input for computer action 'screenshot': text: unknown field; delay: unknown field; coordinate: unknown field",
	} {
		if r := plain(t, tl, input); !r.IsError || r.Content[0].Text != want {
			t.Errorf("%s\n got %q\nwant %q", input, r.Content[0].Text, want)
		}
	}
	if got := d.Applied(); len(got) > 0 {
		t.Errorf("something moved: %v", got)
	}
	nulls := `{"action":"screenshot","coordinate":null,"start_coordinate":null,"text":null,"duration":null,"scroll_direction":null,"scroll_amount":null,"region":null,"repeat":null}`
	if r := plain(t, tl, nulls); r.IsError || r.Content[0].Image == nil {
		t.Errorf("nulls: %+v", r)
	}
}

func FuzzSingle(f *testing.F) {
	for name, fields := range good {
		f.Add("computer_20251124", with(fields, "action", fmt.Sprintf("%q", name)))
		f.Add("computer_20241022", with(fields, "action", fmt.Sprintf("%q", name)))
	}
	f.Add("computer_20250124", `{"action":"left_click","coordinate":null,"coordinate":[1,2]}`)
	f.Fuzz(func(t *testing.T, kind, input string) {
		var fields struct{ Duration any }
		_ = json.Unmarshal([]byte(input), &fields)
		if _, known := singles[kind]; !known || fields.Duration != nil { // it would really wait
			return
		}
		d := fake.New(deskhand.Size{W: 200, H: 150})
		t.Cleanup(func() { _ = d.Close() })
		tl, err := computer.New(d, computer.Config{Version: kind, Model: deskhand.Size{W: 100, H: 75}, Settle: brief})
		if err != nil {
			t.Fatal(err)
		}
		r := plain(t, tl, input)
		if r.IsError && len(d.Received()) > 0 {
			t.Fatalf("%q was refused and did %v", input, d.Received())
		}
		if text := r.Content[0].Text; len([]rune(text)) > 4200 || r.IsError && strings.ContainsAny(text, "\n\x00\x1b\u202e") {
			t.Fatalf("%q: %q", input, text)
		}
	})
}
