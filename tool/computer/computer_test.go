package computer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/desktop/fake"
	"github.com/deskhand/deskhand/tool"
	"github.com/deskhand/deskhand/tool/computer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	_ tool.Tool     = (*computer.Computer)(nil)
	_ tool.Observer = (*computer.Computer)(nil)

	screen = deskhand.Size{W: 2048, H: 1536}
	model  = deskhand.Size{W: 1024, H: 768}
	brief  = desktop.Wait{First: time.Nanosecond, Quiet: time.Nanosecond, Limit: time.Second}
)

func open(t testing.TB, c computer.Config) (*computer.Computer, *fake.Desktop) {
	t.Helper()
	d := fake.New(screen)
	t.Cleanup(func() { _ = d.Close() })
	if c.Model == (deskhand.Size{}) {
		c.Model = model
	}
	if c.Settle == (desktop.Wait{}) {
		c.Settle = brief
	}
	tl, err := computer.New(d, c)
	if err != nil {
		t.Fatal(err)
	}
	return tl, d
}

func call(name, input string) deskhand.Call {
	return deskhand.Call{ID: "toolu_1", Toolset: "computer", Name: name, Input: json.RawMessage(input)}
}

func run(t testing.TB, tl tool.Tool, name, input string) deskhand.Result {
	t.Helper()
	r, err := tl.Run(context.Background(), call(name, input))
	if err != nil {
		t.Fatalf("%s %s: %v", name, input, err)
	}
	if len(r.Content) == 0 || r.IsError && (len(r.Content) != 1 || r.Content[0].Text == "" || r.Content[0].Image != nil) {
		t.Fatalf("%s %s: the API would refuse %+v", name, input, r)
	}
	return r
}

func at(x, y int) *deskhand.ScreenPoint { return &deskhand.ScreenPoint{X: x, Y: y} }

func TestMembers(t *testing.T) {
	t.Parallel()
	left, right, middle := desktop.ButtonLeft, desktop.ButtonRight, desktop.ButtonMiddle
	click := func(b desktop.Button, n int, p *deskhand.ScreenPoint, mods string) desktop.Action {
		return desktop.Action{Kind: desktop.Click, Button: b, Count: n, Point: p, Modifiers: mods}
	}
	for _, c := range []struct {
		name, input, want string
		action            desktop.Action
	}{
		{"left_click", `{"coordinate":[512,384]}`, "Clicked.", click(left, 1, at(1025, 769), "")},
		{"left_click", `{"coordinate":[100.0,1e2]}`, "Clicked.", click(left, 1, at(201, 201), "")},
		{"left_click", `{"coordinate":[-0,0]}`, "Clicked.", click(left, 1, at(1, 1), "")},
		{"left_click", `{"coordinate":[1023,767]}`, "Clicked.", click(left, 1, at(2047, 1535), "")},
		{"left_click", `{}`, "Clicked.", click(left, 1, nil, "")},
		{"left_click", `{"coordinate":null}`, "Clicked.", click(left, 1, nil, "")},
		{"left_click", `{"coordinate":null,"text":""}`, "Clicked.", click(left, 1, nil, "")},
		{"left_click", `{"coordinate":[0,0],"text":"shift"}`, "Clicked.", click(left, 1, at(1, 1), "shift")},
		{"left_click", `{"text":"ctrl+Shift"}`, "Clicked.", click(left, 1, nil, "ctrl+shift")},
		{"left_click", `{"text":"Command"}`, "Clicked.", click(left, 1, nil, "super")},
		{"left_click", `{"text":"control + option + win"}`, "Clicked.", click(left, 1, nil, "ctrl+alt+super")},
		{"right_click", `{"coordinate":[1,2]}`, "Right-clicked.", click(right, 1, at(3, 5), "")},
		{"middle_click", `{"coordinate":[1,2]}`, "Middle-clicked.", click(middle, 1, at(3, 5), "")},
		{"double_click", `{"coordinate":[1,2]}`, "Double-clicked.", click(left, 2, at(3, 5), "")},
		{"triple_click", `{"coordinate":[1,2],"text":"alt"}`, "Triple-clicked.", click(left, 3, at(3, 5), "alt")},
		{"left_click_drag", `{"start_coordinate":[1,2],"coordinate":[3,4]}`, "Dragged.", desktop.Action{Kind: desktop.Drag, From: at(3, 5), Point: at(7, 9), Button: left}},
		{"left_click_drag", `{"start_coordinate":[1,2],"coordinate":[3,4],"text":"shift"}`, "Dragged.", desktop.Action{Kind: desktop.Drag, From: at(3, 5), Point: at(7, 9), Button: left, Modifiers: "shift"}},
		{"mouse_move", `{"coordinate":[10,20]}`, "Moved the mouse.", desktop.Action{Kind: desktop.Move, Point: at(21, 41)}},
		{"left_mouse_down", `{}`, "Left mouse button pressed.", desktop.Action{Kind: desktop.Press, Button: left}},
		{"left_mouse_up", `{}`, "Left mouse button released.", desktop.Action{Kind: desktop.Release, Button: left}},
		{"scroll", `{"scroll_direction":"down","scroll_amount":3}`, "Scrolled down.", desktop.Action{Kind: desktop.Scroll, Direction: desktop.Down, Count: 3}},
		{"scroll", `{"scroll_direction":"up","scroll_amount":100,"coordinate":[5,6],"text":"ctrl"}`, "Scrolled up.", desktop.Action{Kind: desktop.Scroll, Direction: desktop.Up, Count: 100, Point: at(11, 13), Modifiers: "ctrl"}},
		{"scroll", `{"scroll_direction":"left","scroll_amount":1.0,"coordinate":null}`, "Scrolled left.", desktop.Action{Kind: desktop.Scroll, Direction: desktop.Left, Count: 1}},
		{"scroll", `{"scroll_direction":"right","scroll_amount":1}`, "Scrolled right.", desktop.Action{Kind: desktop.Scroll, Direction: desktop.Right, Count: 1}},
		{"type", `{"text":"héllo 世界 😀\n\t{text}"}`, "Typed.", desktop.Action{Kind: desktop.Type, Text: "héllo 世界 😀\n\t{text}"}},
		{"type", `{"text":"\ud83d\ude00 \u200d \u001b \u202e"}`, "Typed.", desktop.Action{Kind: desktop.Type, Text: "😀 \u200d \x1b \u202e"}},
		{"type", `{"text":" "}`, "Typed.", desktop.Action{Kind: desktop.Type, Text: " "}},
		{"key", `{"text":"Return"}`, "Pressed Return.", desktop.Action{Kind: desktop.Key, Keys: "Return", Count: 1}},
		{"key", `{"text":"ctrl+s","repeat":1}`, "Pressed ctrl+s.", desktop.Action{Kind: desktop.Key, Keys: "ctrl+s", Count: 1}},
		{"key", `{"text":"Page_Up","repeat":100}`, "Pressed Page_Up.", desktop.Action{Kind: desktop.Key, Keys: "Page_Up", Count: 100}},
		{"key", `{"text":"+"}`, "Pressed +.", desktop.Action{Kind: desktop.Key, Keys: "+", Count: 1}},
		{"key", `{"text":" "}`, "Pressed  .", desktop.Action{Kind: desktop.Key, Keys: " ", Count: 1}},
		{"key", `{"text":"ctrl++"}`, "Pressed ctrl++.", desktop.Action{Kind: desktop.Key, Keys: "ctrl++", Count: 1}},
		{"hold_key", `{"text":"shift","duration":0}`, "Held shift for 0s.", desktop.Action{Kind: desktop.Key, Keys: "shift", Count: 1}},
	} {
		tl, d := open(t, computer.Config{})
		r := run(t, tl, c.name, c.input)
		if r.IsError || len(r.Content) != 1 || r.Content[0].Text != c.want {
			t.Errorf("%s %s: got %+v, want %q", c.name, c.input, r, c.want)
		}
		if got := d.Applied(); len(got) != 1 || !reflect.DeepEqual(got[0], c.action) {
			t.Errorf("%s %s: did %+v, want %+v", c.name, c.input, got, c.action)
		}
	}
}

func TestHoldAndWaitTakeTheirTime(t *testing.T) {
	t.Parallel()
	tl, d := open(t, computer.Config{})
	for name, want := range map[string]string{"hold_key": "Held a for 1s.", "wait": "Waited 1s."} {
		input := `{"duration":1.0}`
		if name == "hold_key" {
			input = `{"text":"a","duration":1.0}`
		}
		start := time.Now()
		if r := run(t, tl, name, input); r.IsError || r.Content[0].Text != want {
			t.Errorf("%s: %+v", name, r)
		}
		if took := time.Since(start); took < time.Second || took > 5*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
	if r := run(t, tl, "wait", `{"duration":0}`); r.Content[0].Text != "Waited 0s." {
		t.Errorf("%+v", r)
	}
	if got := d.Applied(); len(got) != 1 || got[0].Duration != time.Second {
		t.Errorf("did %+v", got)
	}
}

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

func TestSpec(t *testing.T) {
	t.Parallel()
	tl, _ := open(t, computer.Config{})
	spec := tl.Spec()
	if string(spec.Entry) != `{"type":"computer_toolset_20260801"}` || !spec.Toolset || spec.Name != "computer" || spec.Beta != "" ||
		spec.Halt != "Not executed: an earlier computer action in this turn failed." {
		t.Errorf("%+v %s", spec, spec.Entry)
	}
	tl, _ = open(t, computer.Config{Disabled: []string{"zoom", "hold_key"}})
	if got := string(tl.Spec().Entry); got != `{"type":"computer_toolset_20260801","configs":{"hold_key":{"enabled":false},"zoom":{"enabled":false}}}` {
		t.Errorf("%s", got)
	}
	members := computer.Members("computer_toolset_20260801")
	if len(members) != 17 {
		t.Errorf("%d members", len(members))
	}
	for _, c := range []computer.Config{{Version: "computer_20300101"}, {Disabled: []string{"fly"}}, {Disabled: members}} {
		if _, err := computer.New(nil, c); deskhand.CodeOf(err) != deskhand.Invalid {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func picture(t *testing.T, c deskhand.Content) image.Image {
	t.Helper()
	if c.Image == nil {
		t.Fatalf("no image but %q", c.Text)
	}
	m, _, err := image.Decode(bytes.NewReader(c.Image.Data))
	if err != nil {
		t.Fatal(err)
	}
	if got := (deskhand.Size{W: m.Bounds().Dx(), H: m.Bounds().Dy()}); got != c.Image.Size || c.Image.Hash != deskhand.HashOf(c.Image.Data) {
		t.Errorf("the image is %s and says %+v", got, c.Image)
	}
	return m
}

func TestScreenshotAndObserve(t *testing.T) {
	t.Parallel()
	tl, d := open(t, computer.Config{})
	observe := func() deskhand.Content {
		t.Helper()
		got, err := tl.Observe(context.Background())
		if err != nil || len(got) != 1 {
			t.Fatal(got, err)
		}
		return got[0]
	}
	picture(t, observe()) // the model has seen nothing yet
	d.Paint(200, 100, 400, 300, 0xff0000)
	r := run(t, tl, "screenshot", `{}`)
	m := picture(t, r.Content[0])
	if len(r.Content) != 1 || m.Bounds().Size() != (image.Point{X: 1024, Y: 768}) {
		t.Errorf("%v", m.Bounds())
	}
	if r, g, b, _ := m.At(200, 100).RGBA(); r < 0xf000 || g > 0x1000 || b > 0x1000 {
		t.Errorf("colour %x %x %x", r, g, b)
	}
	if got := observe(); got.Text != "The screen has not changed since the last screenshot." || got.Image != nil {
		t.Errorf("%+v", got)
	}
	picture(t, run(t, tl, "screenshot", `{}`).Content[0]) // asked for by name: always an image
	d.Paint(0, 0, 5, 5, 0x00ff00)
	picture(t, observe())
	if got := observe(); got.Text == "" {
		t.Errorf("%+v", got)
	}
}

func TestZoomShowsTheScreensOwnPixels(t *testing.T) {
	t.Parallel()
	tl, d := open(t, computer.Config{Format: desktop.PNG})
	d.Paint(0, 0, 2048, 1536, 0xffffff)
	d.Paint(301, 201, 1, 1, 0xff0000) // one pixel of the screen, half of one of the model's
	m := picture(t, run(t, tl, "zoom", `{"region":[150,100,151,101]}`).Content[0])
	if m.Bounds().Size() != (image.Point{X: 768, Y: 768}) {
		t.Fatalf("%v", m.Bounds())
	}
	red := func(x, y int) bool { r, g, _, _ := m.At(x, y).RGBA(); return r > 0xf000 && g < 0x1000 }
	if red(100, 100) || red(700, 100) || red(100, 700) || !red(700, 700) {
		t.Error("the pixel is not where it belongs")
	}
	for region, want := range map[string]string{
		"[0,0,1024,768]": "1024x768", "[0,0,1024,1]": "1024x1", "[0,0,1,768]": "1x768", "[0,0,512,384]": "1024x768",
		"[1023,767,1024,768]": "768x768", "[0,0,100,100]": "768x768", "[10,20,90,30]": "960x120", "[0,0,255,192]": "1020x768",
	} {
		if got := picture(t, run(t, tl, "zoom", `{"region":`+region+`}`).Content[0]).Bounds().Size(); fmt.Sprintf("%dx%d", got.X, got.Y) != want {
			t.Errorf("%s: %v, want %s", region, got, want)
		}
	}
}

func TestCursorPosition(t *testing.T) {
	t.Parallel()
	tl, d := open(t, computer.Config{})
	for _, p := range [][2]int{{0, 0}, {512, 384}, {1023, 767}, {1, 766}} {
		run(t, tl, "mouse_move", fmt.Sprintf(`{"coordinate":[%d,%d]}`, p[0], p[1]))
		if got, want := run(t, tl, "cursor_position", `{}`).Content[0].Text, fmt.Sprintf("X=%d,Y=%d", p[0], p[1]); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if err := d.Input(context.Background(), desktop.Action{Kind: desktop.Move, Point: at(2047, 0)}); err != nil {
		t.Fatal(err)
	}
	if got := run(t, tl, "cursor_position", `{}`).Content[0].Text; got != "X=1023,Y=0" {
		t.Errorf("got %s", got)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	broken := deskhand.Errorf("x11: secret-host", deskhand.Internal, "something private")
	gone := deskhand.Errorf("x11: secret-host", deskhand.Unavailable, "something private")
	const unresponsive = " action. The application may be unresponsive."
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"left_click", broken, "Error: Failed to perform click" + unresponsive},
		{"right_click", broken, "Error: Failed to perform right click" + unresponsive},
		{"left_click_drag", broken, "Error: Failed to perform drag" + unresponsive},
		{"mouse_move", broken, "Error: Failed to perform mouse move" + unresponsive},
		{"left_mouse_down", broken, "Error: Failed to perform mouse down" + unresponsive},
		{"scroll", broken, "Error: Failed to perform scroll" + unresponsive},
		{"key", broken, "Error: Failed to perform key" + unresponsive},
		{"hold_key", broken, "Error: Failed to perform hold key" + unresponsive},
		{"left_click", errors.New("panic: secret"), "Error: Failed to perform click" + unresponsive},
		{"left_click", gone, "Error: The display is unavailable. Nothing can be seen or done on it until it is back."},
	} {
		tl, d := open(t, computer.Config{})
		d.FailInput(1, fake.Fault{Err: c.err})
		if r := run(t, tl, c.name, with(good[c.name], "", "")); !r.IsError || r.Content[0].Text != c.want {
			t.Errorf("%s: %q", c.name, r.Content[0].Text)
		}
	}
	tl, d := open(t, computer.Config{})
	d.FailInput(1, fake.Fault{Err: gone, Typed: 3})
	d.FailInput(2, fake.Fault{Err: broken, Typed: 0})
	for _, want := range []string{
		"Error: The display is unavailable. Nothing can be seen or done on it until it is back. 3 of 5 characters were typed.",
		"Error: Failed to perform type action. The application may be unresponsive. 0 of 5 characters were typed.",
	} {
		if r := run(t, tl, "type", `{"text":"héllo"}`); !r.IsError || r.Content[0].Text != want {
			t.Errorf("%q", r.Content[0].Text)
		}
	}
	run(t, tl, "mouse_move", `{"coordinate":[1,1]}`)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"screenshot":      "Error: Failed to capture screenshot. Display may be locked or unavailable.",
		"zoom":            "Error: Failed to capture screenshot. Display may be locked or unavailable.",
		"left_click":      "Error: The display is unavailable. Nothing can be seen or done on it until it is back.",
		"cursor_position": "Error: The display is unavailable. Nothing can be seen or done on it until it is back.",
	} {
		if r := run(t, tl, name, with(good[name], "", "")); !r.IsError || r.Content[0].Text != want {
			t.Errorf("%s: %q", name, r.Content[0].Text)
		}
	}
	if got, err := tl.Observe(context.Background()); err != nil || len(got) != 1 || !strings.HasPrefix(got[0].Text, "Error: Failed to capture") {
		t.Errorf("%+v %v", got, err)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for name, input := range map[string]string{"wait": `{"duration":300}`, "hold_key": `{"text":"shift","duration":300}`, "left_click": `{}`} {
		tl, d := open(t, computer.Config{})
		run(t, tl, "cursor_position", `{}`)
		if name == "left_click" {
			defer d.Block()()
		}
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		_, err := tl.Run(ctx, call(name, input))
		cancel()
		if deskhand.CodeOf(err) != deskhand.Canceled {
			t.Errorf("%s: %v", name, err)
		}
		if held := d.Held(); len(held) > 0 {
			t.Errorf("%s left %v held", name, held)
		}
	}
	tl, d := open(t, computer.Config{})
	d.FailInput(1, fake.Fault{Err: deskhand.E("x", deskhand.Canceled, context.Canceled), Typed: 2})
	_, err := tl.Run(context.Background(), call("type", `{"text":"hello"}`))
	if deskhand.CodeOf(err) != deskhand.Canceled || !strings.Contains(err.Error(), "2 of 5 characters were typed") || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestSettling(t *testing.T) {
	t.Parallel()
	tl, _ := open(t, computer.Config{Settle: desktop.Wait{First: 40 * time.Millisecond, Quiet: 40 * time.Millisecond, Limit: 1500 * time.Millisecond}})
	start := time.Now()
	run(t, tl, "left_click", `{}`)
	quiet := time.Since(start)
	if quiet < 40*time.Millisecond {
		t.Errorf("a click returned after %s: nothing could have opened by then", quiet)
	}
	start = time.Now()
	run(t, tl, "screenshot", `{}`)
	t.Logf("unchanged screen: a click takes %s, the screenshot after it %s", quiet, time.Since(start))
}

func TestSettlingWaitsForAMenu(t *testing.T) {
	t.Parallel()
	tl, d := open(t, computer.Config{Settle: desktop.Wait{First: 300 * time.Millisecond, Quiet: 300 * time.Millisecond, Limit: 10 * time.Second}})
	opened := make(chan struct{})
	go func() { // a menu that opens in steps, as an answer to the click
		defer close(opened)
		for range 20 {
			<-time.After(25 * time.Millisecond)
			d.Paint(0, 0, 9, 9, uint32(time.Now().UnixNano()))
		}
	}()
	run(t, tl, "left_click", `{}`)
	select {
	case <-opened:
	default:
		t.Error("the click returned while its menu was still opening")
	}
	<-opened
}

// TestCornersLandOnTheirPixel: whatever the two sizes, the corners and the
// middle of the screenshot land inside the display, and on the pixel that the
// model is told the pointer is at.
func TestCornersLandOnTheirPixel(t *testing.T) {
	t.Parallel()
	screens := []deskhand.Size{{W: 800, H: 600}, {W: 1280, H: 800}, {W: 1366, H: 768}, {W: 1920, H: 1080}, {W: 2560, H: 1600}, {W: 3840, H: 2160}, {W: 1080, H: 1920}, {W: 1075, H: 1521}}
	models := []deskhand.Size{{W: 800, H: 600}, {W: 1280, H: 800}, {W: 1456, H: 819}, {W: 819, H: 1456}, {W: 924, H: 1307}, {W: 333, H: 217}}
	for _, s := range screens {
		for _, m := range models {
			d := fake.New(s)
			tl, err := computer.New(d, computer.Config{Model: m, Settle: brief})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range []deskhand.ModelPoint{{X: 0, Y: 0}, {X: m.W - 1, Y: 0}, {X: 0, Y: m.H - 1}, {X: m.W - 1, Y: m.H - 1}, {X: m.W / 2, Y: m.H / 2}, {X: m.W / 3, Y: m.H / 7}} {
				if r := run(t, tl, "mouse_move", fmt.Sprintf(`{"coordinate":[%d,%d]}`, p.X, p.Y)); r.IsError {
					t.Fatalf("%s shown as %s, %+v: %s", s, m, p, r.Content[0].Text)
				}
				got, err := d.Cursor(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				// the display pixels that the model's pixel covers
				if got.X < p.X*s.W/m.W || got.X > (p.X+1)*s.W/m.W || got.Y < p.Y*s.H/m.H || got.Y > (p.Y+1)*s.H/m.H {
					t.Errorf("%s shown as %s: %+v landed at %+v", s, m, p, got)
				}
				if told := run(t, tl, "cursor_position", `{}`).Content[0].Text; s.W >= m.W && s.H >= m.H && told != fmt.Sprintf("X=%d,Y=%d", p.X, p.Y) {
					t.Errorf("%s shown as %s: %+v is told as %s", s, m, p, told)
				}
			}
			for _, p := range []deskhand.ModelPoint{{X: m.W, Y: 0}, {X: 0, Y: m.H}, {X: -1, Y: 0}, {X: 0, Y: -1}} {
				if r := run(t, tl, "mouse_move", fmt.Sprintf(`{"coordinate":[%d,%d]}`, p.X, p.Y)); !r.IsError {
					t.Errorf("%s shown as %s: %+v was not refused", s, m, p)
				}
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
		}
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
		tl, d := open(t, computer.Config{})
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

func BenchmarkRefuse(b *testing.B) {
	tl, _ := open(b, computer.Config{})
	for b.Loop() {
		run(b, tl, "left_click", `{"coordinate":[100,"x"],"text":"shift"}`)
	}
}
