package desktop_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
)

var display = deskhand.Size{W: 100, H: 50}

func at(x, y int) *deskhand.ScreenPoint { return &deskhand.ScreenPoint{X: x, Y: y} }

func TestActionValidate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		action desktop.Action
		want   string // part of the error; empty: valid
	}{
		{desktop.Action{}, "not an input action"},
		{desktop.Action{Kind: "jump"}, "not an input action"},
		{desktop.Action{Kind: desktop.Move}, "move needs a point"},
		{desktop.Action{Kind: desktop.Move, Point: at(99, 49)}, ""},
		{desktop.Action{Kind: desktop.Move, Point: at(100, 49)}, "Coordinates (100, 49) are outside display bounds (100x50)."},
		{desktop.Action{Kind: desktop.Move, Point: at(3, -1)}, "Coordinates (3, -1) are outside display bounds (100x50)."},
		{desktop.Action{Kind: desktop.Move, Point: at(1, 1), Text: "x"}, "move does not take text"},
		{desktop.Action{Kind: desktop.Click}, ""},
		{desktop.Action{Kind: desktop.Click, Point: at(0, 0), Button: desktop.ButtonMiddle, Count: 3, Modifiers: "ctrl"}, ""},
		{desktop.Action{Kind: desktop.Click, Count: 4}, "not between 1 and 3"},
		{desktop.Action{Kind: desktop.Click, Count: -1}, "not between 1 and 3"},
		{desktop.Action{Kind: desktop.Click, Button: "fourth"}, `"fourth" is not a button`},
		{desktop.Action{Kind: desktop.Press}, ""},
		{desktop.Action{Kind: desktop.Press, Point: at(1, 1)}, "press does not take a point"},
		{desktop.Action{Kind: desktop.Release, Button: desktop.ButtonRight}, ""},
		{desktop.Action{Kind: desktop.Drag, Point: at(1, 1)}, "drag needs a start point"},
		{desktop.Action{Kind: desktop.Drag, From: at(1, 50), Point: at(1, 1)}, "Coordinates (1, 50)"},
		{desktop.Action{Kind: desktop.Drag, From: at(1, 4), Point: at(1, 1), Modifiers: "alt"}, ""},
		{desktop.Action{Kind: desktop.Scroll}, "scroll needs a direction"},
		{desktop.Action{Kind: desktop.Scroll, Direction: "in"}, `"in" is not a direction`},
		{desktop.Action{Kind: desktop.Scroll, Direction: desktop.Up, Count: 100}, ""},
		{desktop.Action{Kind: desktop.Scroll, Direction: desktop.Up, Count: 101}, "not between 1 and 100"},
		{desktop.Action{Kind: desktop.Type}, "type needs text"},
		{desktop.Action{Kind: desktop.Type, Text: "héllo\n\t世界"}, ""},
		{desktop.Action{Kind: desktop.Type, Text: "a\x00"}, "NUL"},
		{desktop.Action{Kind: desktop.Type, Text: "a\xff"}, "UTF-8"},
		{desktop.Action{Kind: desktop.Type, Text: strings.Repeat("a", desktop.MaxText+1)}, "longer than"},
		{desktop.Action{Kind: desktop.Type, Text: "a", Count: 2}, "type does not take a count"},
		{desktop.Action{Kind: desktop.Key}, "key needs keys"},
		{desktop.Action{Kind: desktop.Key, Keys: "ctrl+s", Count: 100}, ""},
		{desktop.Action{Kind: desktop.Key, Keys: "ctrl+s", Count: 101}, "not between"},
		{desktop.Action{Kind: desktop.Key, Keys: strings.Repeat("a", 300)}, "longer"},
		{desktop.Action{Kind: desktop.Hold, Keys: "a"}, ""},
		{desktop.Action{Kind: desktop.Hold, Keys: "a", Duration: desktop.MaxHold}, ""},
		{desktop.Action{Kind: desktop.Hold, Keys: "a", Duration: desktop.MaxHold + 1}, "not between 0s and 5m0s"},
		{desktop.Action{Kind: desktop.Hold, Keys: "a", Duration: -time.Second}, "not between"},
	} {
		check(t, c.action, c.action.Validate(display), c.want)
	}
}

func TestShotValidate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		shot desktop.Shot
		want string
	}{
		{desktop.Shot{}, ""},
		{desktop.Shot{Region: deskhand.ScreenRect{X1: 100, Y1: 50}, Size: deskhand.Size{W: 1000, H: 1}, Format: desktop.PNG, Quality: 100}, ""},
		{desktop.Shot{Region: deskhand.ScreenRect{X1: 101, Y1: 50}}, "Region [0, 0, 101, 50] is outside display bounds (100x50)."},
		{desktop.Shot{Region: deskhand.ScreenRect{X0: -1, X1: 10, Y1: 50}}, "outside"},
		{desktop.Shot{Region: deskhand.ScreenRect{X0: 9, X1: 9, Y1: 50}}, "is empty"},
		{desktop.Shot{Region: deskhand.ScreenRect{X0: 9, X1: 3, Y1: 50}}, "is empty"},
		{desktop.Shot{Size: deskhand.Size{W: 10}}, "each side"},
		{desktop.Shot{Size: deskhand.Size{W: 16384, H: 16384}}, "each side"},
		{desktop.Shot{Size: deskhand.Size{W: -1, H: -1}}, "each side"},
		{desktop.Shot{Quality: 101}, "quality of 101"},
		{desktop.Shot{Format: "gif"}, `"gif" is not a format`},
	} {
		check(t, c.shot, c.shot.Validate(display), c.want)
	}
}

func TestValidateInputNamesTheAction(t *testing.T) {
	t.Parallel()
	err := desktop.ValidateInput(display, []desktop.Action{{Kind: desktop.Click}, {Kind: desktop.Move}})
	var in *desktop.InputError
	if !errors.As(err, &in) || in.Action != 1 || deskhand.CodeOf(err) != deskhand.Invalid {
		t.Errorf("got %#v, want an Invalid InputError at action 1", err)
	}
}

func check(t *testing.T, what any, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%+v: %v", what, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want) || deskhand.CodeOf(err) != deskhand.Invalid):
		t.Errorf("%+v: got %v, want Invalid with %q", what, err, want)
	}
}
