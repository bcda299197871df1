package desktop

import (
	"time"

	"github.com/deskhand/deskhand"
)

// Kind names an input action.
type Kind string

// The input actions. Which fields of Action each one reads is said beside it;
// the others must be zero.
const (
	Move    Kind = "move"    // Point
	Click   Kind = "click"   // Point (optional), Button, Count, Modifiers
	Press   Kind = "press"   // Button; stays down until Release, Desktop.Release or Close
	Release Kind = "release" // Button
	Drag    Kind = "drag"    // From, Point, Button, Modifiers; with motion in between
	Scroll  Kind = "scroll"  // Point (optional), Direction, Count wheel clicks, Modifiers
	Type    Kind = "type"    // Text; newline is Return, tab is Tab
	Key     Kind = "key"     // Keys, Count times
	Hold    Kind = "hold"    // Keys, Duration
)

// Button is a pointer button.
type Button string

// The buttons.
const (
	ButtonLeft   Button = "left"
	ButtonMiddle Button = "middle"
	ButtonRight  Button = "right"
)

// Direction is a direction of the wheel.
type Direction string

// The directions.
const (
	Up    Direction = "up"
	Down  Direction = "down"
	Left  Direction = "left"
	Right Direction = "right"
)

// Limits of an Action. A list beyond one is Invalid.
const (
	MaxHold   = 300 * time.Second
	MaxRepeat = 100
	MaxScroll = 100
	MaxText   = 1 << 20 // bytes
)

// Action is one piece of input.
type Action struct {
	Kind      Kind                  `json:"kind"`
	Point     *deskhand.ScreenPoint `json:"point,omitempty"`
	From      *deskhand.ScreenPoint `json:"from,omitempty"`
	Button    Button                `json:"button,omitempty"` // default ButtonLeft
	Count     int                   `json:"count,omitempty"`  // clicks (1 to 3), wheel clicks (1 to MaxScroll), repeats (1 to MaxRepeat); default 1
	Direction Direction             `json:"direction,omitempty"`
	Text      string                `json:"text,omitempty"`      // any Unicode text, valid UTF-8, no NUL
	Into      []Place               `json:"into,omitempty"`      // of Type: only while a window of one of these has the focus, else Denied; default: wherever the focus is
	Covered   bool                  `json:"covered,omitempty"`   // of Type with Into: pictures are black where the text was drawn
	Keys      string                `json:"keys,omitempty"`      // X keysym names joined by "+", case-insensitive, with common aliases: "ctrl+s", "Page_Up", "+"
	Modifiers string                `json:"modifiers,omitempty"` // like Keys, modifiers only: "ctrl+shift"
	Duration  time.Duration         `json:"duration,omitempty"`  // up to MaxHold
}

// Place is the windows of a program, or those of them with a title.
type Place struct {
	// Program is the name of an installed program's file ("keepassxc"), or its
	// absolute path. It is a fact about the process that has the window, not what
	// the window says of itself.
	Program string `json:"program"`
	Title   string `json:"title,omitempty"` // what the title, which the program chooses, has to hold; default: anything
}

// InputError says how far a list of actions came before it failed. It wraps
// the cause, whose code it keeps.
type InputError struct {
	Action int // index of the action that failed
	Typed  int // of a Type: characters that reached the display
	Err    error
}

func (e *InputError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *InputError) Unwrap() error { return e.Err }
