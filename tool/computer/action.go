package computer

import (
	"context"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
)

// action names something that can be done, whatever a version calls it.
type action int

const (
	screenshot action = iota
	zoom
	leftClick
	rightClick
	middleClick
	doubleClick
	tripleClick
	leftDrag
	pointerDrag
	mouseMove
	leftDown
	leftUp
	cursorPosition
	scroll
	typeText
	pressKey
	holdKey
	wait
)

// deed is how an action is done. Either input says what the desktop is to do,
// or special does it itself.
type deed struct {
	looks   bool   // it changes nothing
	verb    string // in "Failed to perform {verb} action."
	done    string // acknowledgement; {text}, {duration} and {scroll_direction} are filled in
	input   func(s deskhand.Scale, a args) (desktop.Action, error)
	special func(ctx context.Context, c *Computer, a args) (deskhand.Result, error)
}

// actions is everything that can be done, each once.
var actions = [...]deed{
	screenshot:     {looks: true, verb: "screenshot", special: takeScreenshot},
	zoom:           {looks: true, verb: "zoom", special: takeZoom},
	leftClick:      {verb: "click", done: "Clicked.", input: click(desktop.ButtonLeft, 1)},
	rightClick:     {verb: "right click", done: "Right-clicked.", input: click(desktop.ButtonRight, 1)},
	middleClick:    {verb: "middle click", done: "Middle-clicked.", input: click(desktop.ButtonMiddle, 1)},
	doubleClick:    {verb: "double click", done: "Double-clicked.", input: click(desktop.ButtonLeft, 2)},
	tripleClick:    {verb: "triple click", done: "Triple-clicked.", input: click(desktop.ButtonLeft, 3)},
	leftDrag:       {verb: "drag", done: "Dragged.", input: drag},
	pointerDrag:    {verb: "drag", special: dragFromPointer},
	mouseMove:      {verb: "mouse move", done: "Moved the mouse.", input: move},
	leftDown:       {verb: "mouse down", done: "Left mouse button pressed.", input: button(desktop.Press)},
	leftUp:         {verb: "mouse up", done: "Left mouse button released.", input: button(desktop.Release)},
	cursorPosition: {looks: true, verb: "cursor position", special: tellCursor},
	scroll:         {verb: "scroll", done: "Scrolled {scroll_direction}.", input: wheel},
	typeText:       {verb: "type", done: "Typed.", input: enter},
	pressKey:       {verb: "key", done: "Pressed {text}.", input: press},
	holdKey:        {verb: "hold key", done: "Held {text} for {duration}s.", input: hold},
	wait:           {looks: true, verb: "wait", special: pause},
}

// modifierNamed maps the names of modifiers, with those that other keyboards
// give them, to the names the desktop knows.
var modifierNamed = map[string]string{
	"shift": "shift", "ctrl": "ctrl", "control": "ctrl", "alt": "alt", "option": "alt",
	"super": "super", "cmd": "super", "command": "super", "meta": "super", "win": "super", "windows": "super",
}

func held(a args) string {
	if a.text == "" {
		return ""
	}
	names := strings.Split(strings.ToLower(a.text), "+")
	for i, name := range names {
		names[i] = modifierNamed[strings.TrimSpace(name)]
	}
	return strings.Join(names, "+")
}

// onScreen maps an optional point; nil stays nil, which is at the cursor.
func onScreen(s deskhand.Scale, p *deskhand.ModelPoint) (*deskhand.ScreenPoint, error) {
	if p == nil {
		return nil, nil
	}
	at, err := s.ToScreen(*p)
	return &at, err
}

func click(b desktop.Button, count int) func(deskhand.Scale, args) (desktop.Action, error) {
	return func(s deskhand.Scale, a args) (desktop.Action, error) {
		at, err := onScreen(s, a.point)
		return desktop.Action{Kind: desktop.Click, Point: at, Button: b, Count: count, Modifiers: held(a)}, err
	}
}

func drag(s deskhand.Scale, a args) (desktop.Action, error) {
	from, err := onScreen(s, a.start)
	if err != nil {
		return desktop.Action{}, err
	}
	to, err := onScreen(s, a.point)
	return desktop.Action{Kind: desktop.Drag, From: from, Point: to, Button: desktop.ButtonLeft, Modifiers: held(a)}, err
}

func move(s deskhand.Scale, a args) (desktop.Action, error) {
	at, err := onScreen(s, a.point)
	return desktop.Action{Kind: desktop.Move, Point: at}, err
}

func button(kind desktop.Kind) func(deskhand.Scale, args) (desktop.Action, error) {
	return func(deskhand.Scale, args) (desktop.Action, error) {
		return desktop.Action{Kind: kind, Button: desktop.ButtonLeft}, nil
	}
}

func wheel(s deskhand.Scale, a args) (desktop.Action, error) {
	at, err := onScreen(s, a.point)
	return desktop.Action{Kind: desktop.Scroll, Point: at, Direction: a.direction, Count: a.amount, Modifiers: held(a)}, err
}

func enter(_ deskhand.Scale, a args) (desktop.Action, error) {
	return desktop.Action{Kind: desktop.Type, Text: a.text}, nil
}

func press(_ deskhand.Scale, a args) (desktop.Action, error) {
	return desktop.Action{Kind: desktop.Key, Keys: a.text, Count: a.repeat}, nil
}

// hold for no time at all is a press.
func hold(s deskhand.Scale, a args) (desktop.Action, error) {
	if a.duration == 0 {
		return press(s, a)
	}
	return desktop.Action{Kind: desktop.Hold, Keys: a.text, Duration: a.duration}, nil
}
