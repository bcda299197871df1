package computer_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop/fake"
	"github.com/deskhand/deskhand/tool/computer"
)

// bad returns rows of field → wrong values, with the problem each is told.
func bad() map[string]map[string][]string {
	const whole1to100 = "expected a whole number from 1 to 100"
	points := []string{"[]", "[1]", "[1,2,3]", "[1.5,2]", "[1,2.0000000000000001]", `["1","2"]`, `"1,2"`, `{"x":1,"y":2}`, "[null,1]", "[true,false]",
		"[1e308,1]", "[1,1e999]", "[9007199254740993,1]", "[-9007199254740993,1]", "[[1],[2]]", "5", "true", `"100"`, "[1,[2]]", `[1,"NaN"]`}
	numbers := []string{`"3"`, "null", "1.5", "-1", "101", "1e9", "1e308", "1e999", "[1]", "{}", "true", "9007199254740993"}
	strs := []string{"5", "null", "true", "[]", `["a"]`, "{}"}
	return map[string]map[string][]string{
		"coordinate":       {"expected [x, y]": points},
		"start_coordinate": {"expected [x, y]": append(points, "null")},
		"region":           {"expected [x0, y0, x1, y1]": append(points, "null", "[0,0,1]", "[0,0,1,1,1]", "[0,0,1.5,1]", `[0,0,"1",1]`)},
		"scroll_direction": {"expected up, down, left or right": append(strs, `"Down"`, `"diagonal"`, `""`)},
		"scroll_amount":    {whole1to100: append(numbers, "0")},
		"repeat":           {whole1to100: append(numbers, "0")},
		"duration":         {"expected a whole number from 0 to 300": []string{`"3"`, "null", "1.5", "-1", "301", "1e9", "[1]", "0.001"}},
		"text": {
			"expected a string":                               strs,
			"contains half of a surrogate pair":               {`"\ud800"`, `"a\udc00b"`, `"\ud800x"`, `"\ud800\ud800"`},
			"is empty; there is nothing to type":              {`""`},
			"contains a NUL character, which cannot be typed": {`"a\u0000b"`},
		},
	}
}

// good is one acceptable input of every member, field by field.
var good = map[string]map[string]string{
	"screenshot": {}, "cursor_position": {}, "left_mouse_down": {}, "left_mouse_up": {},
	"zoom":            {"region": "[0,0,10,10]"},
	"left_click":      {"coordinate": "[1,2]", "text": `"shift"`},
	"right_click":     {"coordinate": "[1,2]", "text": `"shift"`},
	"middle_click":    {"coordinate": "[1,2]", "text": `"shift"`},
	"double_click":    {"coordinate": "[1,2]", "text": `"shift"`},
	"triple_click":    {"coordinate": "[1,2]", "text": `"shift"`},
	"left_click_drag": {"start_coordinate": "[1,2]", "coordinate": "[3,4]", "text": `"shift"`},
	"mouse_move":      {"coordinate": "[1,2]"},
	"scroll":          {"scroll_direction": `"up"`, "scroll_amount": "1", "coordinate": "[1,2]", "text": `"shift"`},
	"type":            {"text": `"a"`},
	"key":             {"text": `"a"`, "repeat": "1"},
	"hold_key":        {"text": `"a"`, "duration": "1"},
	"wait":            {"duration": "1"},
}

// required lists the fields a member cannot do without.
var required = map[string][]string{
	"zoom": {"region"}, "left_click_drag": {"start_coordinate", "coordinate"}, "mouse_move": {"coordinate"},
	"scroll": {"scroll_direction", "scroll_amount"}, "type": {"text"}, "key": {"text"}, "hold_key": {"text", "duration"}, "wait": {"duration"},
}

func with(fields map[string]string, name, value string) string {
	var parts []string
	for k, v := range fields {
		if k != name {
			parts = append(parts, fmt.Sprintf("%q:%s", k, v))
		}
	}
	if value != "" {
		parts = append(parts, fmt.Sprintf("%q:%s", name, value))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestBadInputMovesNothing(t *testing.T) {
	t.Parallel()
	tl, d := open(t, computer.Config{})
	rows := 0
	refuse := func(name, input, want string) {
		rows++
		r := run(t, tl, name, input)
		if want = fmt.Sprintf("invalid input for computer member '%s': %s", name, want); !r.IsError || r.Content[0].Text != want {
			t.Errorf("%s %s\n got %q\nwant %q", name, input, r.Content[0].Text, want)
		}
	}
	for _, name := range computer.Members("computer_toolset_20260801") {
		for _, in := range []string{"", "null", "[]", `"x"`, "5", "true", `[{}]`} {
			refuse(name, in, "input: expected an object")
		}
		for _, in := range []string{"{", `{"a":}`, "{} {}", "{\"text\":\"\xff\"}", "nul", "{'a':1}"} {
			refuse(name, in, "input: not valid JSON")
		}
		refuse(name, with(good[name], "delay", "5"), "delay: unknown field")
		refuse(name, with(good[name], "action", `"left_click"`), "action: unknown field")
		refuse(name, with(good[name], "bad\u202e\nname", "5"), "bad  name: unknown field")
		for field, value := range good[name] {
			for problem, values := range bad()[field] {
				typing := strings.Contains(problem, "typed") || strings.Contains(problem, "to type")
				if typing && name != "type" {
					continue
				}
				for _, v := range values {
					refuse(name, with(good[name], field, v), field+": "+problem)
				}
			}
			body := strings.TrimSuffix(with(good[name], field, value), "}")
			refuse(name, fmt.Sprintf("%s,%q:%s}", body, field, value), field+": given more than once")
			refuse(name, with(map[string]string{}, strings.ToUpper(field), value), problemsWithout(name, "")+strings.ToUpper(field)+": unknown field")
		}
		for _, field := range required[name] {
			refuse(name, with(good[name], field, ""), strings.TrimSuffix(problemsWithout(name, field), "; "))
		}
	}
	for _, c := range []struct{ name, input, want string }{
		{"mouse_move", `{"coordinate":null}`, "coordinate: expected [x, y]"},
		{"scroll", `{"scroll_amount":0,"scroll_direction":"sideways","coordinate":[1],"text":5}`, "scroll_direction: expected up, down, left or right; scroll_amount: expected a whole number from 1 to 100; coordinate: expected [x, y]; text: expected a string"},
		{"left_click", `{"text":"hyper"}`, "text: expected modifiers joined with +, of shift, ctrl, alt and super"},
		{"left_click", `{"text":"ctrl+a"}`, "text: expected modifiers joined with +, of shift, ctrl, alt and super"},
		{"left_click", `{"text":"ctrl+"}`, "text: expected modifiers joined with +, of shift, ctrl, alt and super"},
		{"left_click", `{"text":"+"}`, "text: expected modifiers joined with +, of shift, ctrl, alt and super"},
		{"scroll", `{"scroll_amount":1,"scroll_direction":"up","text":"shift shift"}`, "text: expected modifiers joined with +, of shift, ctrl, alt and super"},
		{"key", `{"text":""}`, "text: is empty; name a key such as Return or ctrl+s"},
		{"hold_key", `{"text":"","duration":1}`, "text: is empty; name a key such as Return or ctrl+s"},
		{"key", `{"text":"no such key"}`, `text: "no such key" is not the name of a key.`},
		{"hold_key", `{"text":"ctrl+no such key","duration":1}`, `text: "no such key" is not the name of a key.`},
		{"key", `{"text":"` + strings.Repeat("a+", 500) + `a"}`, "text: is longer than 256 bytes; use type for text"},
		{"type", `{"text":"` + strings.Repeat("x", 1<<20+1) + `"}`, "text: is longer than 1048576 bytes; write long text to a file instead"},
	} {
		refuse(c.name, c.input, c.want)
	}
	if got := d.Applied(); len(got) > 0 || len(d.Received()) > 0 {
		t.Errorf("something moved: %v %v", got, d.Received())
	}
	if rows < 700 {
		t.Errorf("only %d rows", rows)
	}
	t.Logf("%d rows", rows)
}

// problemsWithout is what a member says when only field, or with "" everything
// required, is missing; in the order of the reference, each followed by "; ".
func problemsWithout(name, field string) string {
	expected := map[string]string{
		"coordinate": "[x, y]", "start_coordinate": "[x, y]", "region": "[x0, y0, x1, y1]", "text": "a string",
		"scroll_direction": "up, down, left or right", "scroll_amount": "a whole number from 1 to 100", "duration": "a whole number from 0 to 300",
	}
	out := ""
	for _, f := range required[name] {
		if field == "" || f == field {
			out += f + ": expected " + expected[f] + "; "
		}
	}
	return out
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	tl, d := open(t, computer.Config{Disabled: []string{"key", "wait"}})
	for _, c := range []struct{ name, input, want string }{
		{"fly", `{}`, "Error: unknown computer toolset member 'fly'"},
		{"", `{}`, "Error: unknown computer toolset member ''"},
		{"Left_Click", `{}`, "Error: unknown computer toolset member 'Left_Click'"},
		{"a\nb\u202e", `{}`, "Error: unknown computer toolset member 'a b '"},
		{"key", `{"text":"a"}`, "The 'key' action is not permitted by this application's permissions and cannot be used in this session."},
		{"wait", `nonsense`, "The 'wait' action is not permitted by this application's permissions and cannot be used in this session."},
		{"left_click", `{"coordinate":[1200,900]}`, "Error: Coordinates (1200, 900) are outside display bounds (1024x768)."},
		{"left_click", `{"coordinate":[1024,0]}`, "Error: Coordinates (1024, 0) are outside display bounds (1024x768)."},
		{"mouse_move", `{"coordinate":[0,768]}`, "Error: Coordinates (0, 768) are outside display bounds (1024x768)."},
		{"scroll", `{"coordinate":[-1,5],"scroll_direction":"up","scroll_amount":1}`, "Error: Coordinates (-1, 5) are outside display bounds (1024x768)."},
		{"left_click", `{"coordinate":[9007199254740991,5]}`, "Error: Coordinates (9007199254740991, 5) are outside display bounds (1024x768)."},
		{"left_click_drag", `{"start_coordinate":[1,1],"coordinate":[5000,5]}`, "Error: Coordinates (5000, 5) are outside display bounds (1024x768)."},
		{"left_click_drag", `{"start_coordinate":[5000,5],"coordinate":[1,1]}`, "Error: Coordinates (5000, 5) are outside display bounds (1024x768)."},
		{"zoom", `{"region":[10,10,5,20]}`, "Error: Region [10, 10, 5, 20] is empty: x1 must be greater than x0 and y1 greater than y0."},
		{"zoom", `{"region":[10,10,20,10]}`, "Error: Region [10, 10, 20, 10] is empty: x1 must be greater than x0 and y1 greater than y0."},
		{"zoom", `{"region":[0,0,1025,768]}`, "Error: Region [0, 0, 1025, 768] is outside display bounds (1024x768)."},
		{"zoom", `{"region":[-1,0,10,10]}`, "Error: Region [-1, 0, 10, 10] is outside display bounds (1024x768)."},
	} {
		if r := run(t, tl, c.name, c.input); !r.IsError || r.Content[0].Text != c.want {
			t.Errorf("%s %s\n got %q\nwant %q", c.name, c.input, r.Content[0].Text, c.want)
		}
	}
	if got := d.Received(); len(got) > 0 {
		t.Errorf("something moved: %v", got)
	}
}

func FuzzRun(f *testing.F) {
	for name, fields := range good {
		f.Add(name, with(fields, "", ""))
		for field, value := range fields {
			for _, values := range bad()[field] {
				for _, v := range values[:1] {
					f.Add(name, with(fields, field, v))
				}
			}
			f.Add(name, fmt.Sprintf(`{%q:%s,%q:%s}`, field, value, field, value))
		}
	}
	f.Add("left_click", `{"coordinate":[1e308,-1E+400]}`)
	f.Add("key", `{"text":"\ud800"`)
	f.Add("zoom", `{"region":[0,0,1,1],"region":null}`)
	f.Fuzz(func(t *testing.T, name, input string) {
		var fields struct{ Duration any }
		_ = json.Unmarshal([]byte(input), &fields)
		if fields.Duration != nil {
			name = strings.NewReplacer("wait", "zoom", "hold_key", "zoom").Replace(name) // it would really wait
		}
		d := fake.New(deskhand.Size{W: 200, H: 150})
		t.Cleanup(func() { _ = d.Close() })
		tl, err := computer.New(d, computer.Config{Model: deskhand.Size{W: 100, H: 75}, Settle: brief})
		if err != nil {
			t.Fatal(err)
		}
		r := run(t, tl, name, input)
		if !r.IsError {
			return
		}
		if got := d.Received(); len(got) > 0 {
			t.Fatalf("%s %q was refused and did %v", name, input, got)
		}
		if text := r.Content[0].Text; len([]rune(text)) > 4200 || strings.ContainsAny(text, "\n\x00\x1b\u202e") {
			t.Fatalf("%s %q: %q", name, input, text)
		}
	})
}
