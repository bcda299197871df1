package computer

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/input"
)

// args is the input of a call after reading, in the model's own space.
type args struct {
	name      string               // of the member, fit to be shown
	words     words                // of the version
	point     *deskhand.ModelPoint // nil: at the cursor
	start     *deskhand.ModelPoint
	region    deskhand.ModelRect
	text      string // of type; keys of key and hold_key; modifiers of clicks
	direction desktop.Direction
	amount    int
	duration  time.Duration
	repeat    int
}

// fill puts the arguments into a text, in one pass: braces inside a value stay
// what they are.
func (a args) fill(template string) string {
	return strings.NewReplacer(
		"{text}", a.text,
		"{duration}", strconv.Itoa(int(a.duration/time.Second)),
		"{scroll_direction}", string(a.direction),
	).Replace(template)
}

func (a args) invalid(problem string) string { return fmt.Sprintf(a.words.invalid, a.name, problem) }

// field is one field of a member's input. set reads a value, nil when there is
// none, into args and returns what is wrong with it, "" for nothing.
type field struct {
	name string
	null bool // null means absent
	set  func(a *args, value json.RawMessage) (problem string)
}

func (u use) read(o *input.Object, a *args) {
	value := o.Take(u.field.name)
	if !u.required && (value == nil || u.field.null && input.Null(value)) {
		return
	}
	if problem := u.field.set(a, value); problem != "" {
		o.Refuse(u.field.name, problem)
	}
}

// The fields.
var (
	coordinate      = field{name: "coordinate", null: true, set: func(a *args, v json.RawMessage) string { return point(&a.point, v) }}
	startCoordinate = field{name: "start_coordinate", set: func(a *args, v json.RawMessage) string { return point(&a.start, v) }}
	region          = field{name: "region", set: setRegion}

	// Where a version acts at the pointer only, a place is refused in words
	// that say what to do instead.
	atPointer   = field{name: "coordinate", set: refuse("not accepted; this acts where the pointer is, so use mouse_move first")}
	fromPointer = field{name: "start_coordinate", set: refuse("not accepted; a drag starts where the pointer is, so use mouse_move first")}

	scrollDirection = field{name: "scroll_direction", set: setDirection}
	scrollAmount    = field{name: "scroll_amount", set: func(a *args, v json.RawMessage) string { return within(&a.amount, v, 1, desktop.MaxScroll) }}
	repeat          = field{name: "repeat", set: func(a *args, v json.RawMessage) string { return within(&a.repeat, v, 1, desktop.MaxRepeat) }}
	duration        = field{name: "duration", set: setDuration}

	typed     = field{name: "text", set: text(checkTyped)}
	keys      = field{name: "text", set: text(checkKeys)}
	modifiers = field{name: "text", set: text(checkModifiers)}
)

// allFields is one field of every name.
var allFields = []field{coordinate, startCoordinate, region, scrollDirection, scrollAmount, repeat, duration, typed}

func refuse(problem string) func(*args, json.RawMessage) string {
	return func(*args, json.RawMessage) string { return problem }
}

func text(check func(text string) string) func(*args, json.RawMessage) string {
	return func(a *args, v json.RawMessage) (problem string) {
		if a.text, problem = input.String(v); problem == "" {
			problem = check(a.text)
		}
		return problem
	}
}

func point(p **deskhand.ModelPoint, v json.RawMessage) string {
	n, ok := input.Integers(v, 2)
	if !ok {
		return "expected [x, y]"
	}
	*p = &deskhand.ModelPoint{X: n[0], Y: n[1]}
	return ""
}

func setRegion(a *args, v json.RawMessage) string {
	n, ok := input.Integers(v, 4)
	if !ok {
		return "expected [x0, y0, x1, y1]"
	}
	a.region = deskhand.ModelRect{X0: n[0], Y0: n[1], X1: n[2], Y1: n[3]}
	return ""
}

func setDirection(a *args, v json.RawMessage) string {
	text, problem := input.String(v)
	a.direction = desktop.Direction(text)
	switch a.direction {
	case desktop.Up, desktop.Down, desktop.Left, desktop.Right:
		return problem
	}
	return "expected up, down, left or right"
}

func setDuration(a *args, v json.RawMessage) string {
	seconds := 0
	problem := within(&seconds, v, 0, int(desktop.MaxHold/time.Second))
	a.duration = time.Duration(seconds) * time.Second
	return problem
}

func within(n *int, v json.RawMessage, low, high int) string {
	got, ok := input.Integer(v)
	if !ok || got < low || got > high {
		return fmt.Sprintf("expected a whole number from %d to %d", low, high)
	}
	*n = got
	return ""
}

func checkTyped(text string) string {
	switch {
	case text == "":
		return "is empty; there is nothing to type"
	case len(text) > desktop.MaxText:
		return fmt.Sprintf("is longer than %d bytes; write long text to a file instead", desktop.MaxText)
	case strings.ContainsRune(text, 0):
		return "contains a NUL character, which cannot be typed"
	}
	return ""
}

// maxKeys bounds a key combination, in bytes: no keyboard has a hundred fingers.
const maxKeys = 256

func checkKeys(text string) string {
	switch {
	case strings.TrimSpace(text) == "" && text != " ":
		return "is empty; name a key such as Return or ctrl+s"
	case len(text) > maxKeys:
		return fmt.Sprintf("is longer than %d bytes; use type for text", maxKeys)
	}
	return ""
}

func checkModifiers(text string) string {
	if text == "" {
		return ""
	}
	for _, name := range strings.Split(text, "+") {
		if modifierNamed[strings.ToLower(strings.TrimSpace(name))] == "" {
			return "expected modifiers joined with +, of shift, ctrl, alt and super"
		}
	}
	return ""
}
