package computer_test

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"
	"testing/synctest"
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
	synctest.Test(t, func(t *testing.T) {
		tl, d := open(t, computer.Config{})
		for _, c := range []struct {
			name, input, want string
			takes             time.Duration
		}{
			{"hold_key", `{"text":"a","duration":300.0}`, "Held a for 300s.", 300 * time.Second},
			{"wait", `{"duration":3e2}`, "Waited 300s.", 300 * time.Second},
			{"wait", `{"duration":0}`, "Waited 0s.", 0},
		} {
			start := time.Now()
			if r := run(t, tl, c.name, c.input); r.IsError || r.Content[0].Text != c.want {
				t.Errorf("%s: %+v", c.name, r)
			}
			if took := time.Since(start).Truncate(time.Millisecond); took != c.takes {
				t.Errorf("%s took %s", c.name, took)
			}
		}
		if got := d.Applied(); len(got) != 1 || got[0].Duration != 300*time.Second {
			t.Errorf("did %+v", got)
		}
	})
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

func BenchmarkRefuse(b *testing.B) {
	tl, _ := open(b, computer.Config{})
	for b.Loop() {
		run(b, tl, "left_click", `{"coordinate":[100,"x"],"text":"shift"}`)
	}
}
