package desktop

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/deskhand/deskhand"
)

// Limits of a Shot.
const (
	MaxSide       = 16384   // pixels of a side of a picture
	MaxPixels     = 1 << 26 // of a picture
	maxKeys       = 256     // bytes of Keys and of Modifiers
	DefaultQuiet  = 40 * time.Millisecond
	DefaultLimit  = 2 * time.Second
	maxClickCount = 3
	maxPlaces     = 64   // of Into
	maxPlace      = 1024 // bytes of a program and of a title
)

// fields is a set of the fields of an Action.
type fields uint16

const (
	point fields = 1 << iota
	from
	button
	count
	direction
	text
	keys
	modifiers
	duration
	into
	covered
)

// rule says which fields a kind of action must and may have.
type rule struct {
	must, may fields
	maxCount  int
}

func ruleOf(k Kind) (rule, bool) {
	rules := map[Kind]rule{
		Move:    {must: point},
		Click:   {may: point | button | count | modifiers, maxCount: maxClickCount},
		Press:   {may: button},
		Release: {may: button},
		Drag:    {must: from | point, may: button | modifiers},
		Scroll:  {must: direction, may: point | count | modifiers, maxCount: MaxScroll},
		Type:    {must: text, may: into | covered},
		Key:     {must: keys, may: count, maxCount: MaxRepeat},
		Hold:    {must: keys, may: duration},
	}
	r, ok := rules[k]
	return r, ok
}

// ValidateInput checks every action against a display of size. The error is an
// *InputError that says which action is Invalid.
func ValidateInput(size deskhand.Size, actions []Action) error {
	for i, a := range actions {
		if err := a.Validate(size); err != nil {
			return &InputError{Action: i, Err: err}
		}
	}
	return nil
}

// Validate reports as Invalid what no driver can perform on a display of size:
// a missing or superfluous field, a point outside, a number beyond a limit, text
// that is not text. The names of keys are the driver's to check.
func (a Action) Validate(size deskhand.Size) error {
	r, ok := ruleOf(a.Kind)
	if !ok {
		return invalid("%q is not an input action.", a.Kind)
	}
	has := a.fields()
	if missing := r.must &^ has; missing != 0 {
		return invalid("%s needs %s.", a.Kind, missing.name())
	}
	if extra := has &^ (r.must | r.may); extra != 0 {
		return invalid("%s does not take %s.", a.Kind, extra.name())
	}
	return cmp.Or(
		within(a.From, size),
		within(a.Point, size),
		oneOf("button", a.Button, ButtonLeft, ButtonMiddle, ButtonRight, ""),
		oneOf("direction", a.Direction, Up, Down, Left, Right, ""),
		a.validateNumbers(r),
		plain("text", a.Text, MaxText),
		plain("keys", a.Keys, maxKeys),
		plain("modifiers", a.Modifiers, maxKeys),
		a.validateInto(),
	)
}

func (a Action) validateInto() error {
	if a.Covered && len(a.Into) == 0 {
		return invalid("Text can be covered only when it goes into a place.")
	}
	if len(a.Into) > maxPlaces {
		return invalid("There are more than %d places.", maxPlaces)
	}
	for _, p := range a.Into {
		if p.Program == "" {
			return invalid("A place needs a program.")
		}
		if err := cmp.Or(plain("program", p.Program, maxPlace), plain("title", p.Title, maxPlace)); err != nil {
			return err
		}
	}
	return nil
}

// Fits reports whether a window with this title, of the program at this path, is
// in one of places.
func Fits(places []Place, path, title string) bool {
	return path != "" && slices.ContainsFunc(places, func(p Place) bool {
		return (p.Program == path || p.Program == filepath.Base(path)) && strings.Contains(title, p.Title)
	})
}

// Fill returns a with defaults in place: the left button, a count of 1.
func (a Action) Fill() Action {
	r, _ := ruleOf(a.Kind)
	if r.may&button != 0 {
		a.Button = cmp.Or(a.Button, ButtonLeft)
	}
	if r.may&count != 0 {
		a.Count = cmp.Or(a.Count, 1)
	}
	return a
}

func (a Action) validateNumbers(r rule) error {
	if a.Count < 0 || a.Count > r.maxCount {
		return invalid("A count of %d is not between 1 and %d.", a.Count, r.maxCount)
	}
	if a.Duration < 0 || a.Duration > MaxHold {
		return invalid("A duration of %s is not between 0s and %s.", a.Duration, MaxHold)
	}
	return nil
}

// fields returns the fields of a that are not zero.
func (a Action) fields() fields {
	var f fields
	for bit, set := range map[fields]bool{
		point: a.Point != nil, from: a.From != nil, button: a.Button != "", count: a.Count != 0,
		direction: a.Direction != "", text: a.Text != "", keys: a.Keys != "", modifiers: a.Modifiers != "",
		duration: a.Duration != 0, into: len(a.Into) > 0, covered: a.Covered,
	} {
		if set {
			f |= bit
		}
	}
	return f
}

// name returns the name of the lowest field in f, with its article.
func (f fields) name() string {
	names := []string{"a point", "a start point", "a button", "a count", "a direction", "text", "keys", "modifiers", "a duration", "places", "a cover"}
	for i, name := range names {
		if f&(1<<i) != 0 {
			return name
		}
	}
	return "nothing"
}

// Validate reports as Invalid a shot that cannot be taken of a display of size.
func (s Shot) Validate(size deskhand.Size) error {
	if r := s.Region; r != (deskhand.ScreenRect{}) {
		if r.X0 < 0 || r.Y0 < 0 || r.X1 > size.W || r.Y1 > size.H {
			return invalid("Region [%d, %d, %d, %d] is outside display bounds (%s).", r.X0, r.Y0, r.X1, r.Y1, size)
		}
		if r.Empty() {
			return invalid("Region [%d, %d, %d, %d] is empty: x1 must be greater than x0 and y1 greater than y0.", r.X0, r.Y0, r.X1, r.Y1)
		}
	}
	if p := s.Size; p != (deskhand.Size{}) {
		if p.W < 1 || p.H < 1 || p.W > MaxSide || p.H > MaxSide || p.W*p.H > MaxPixels {
			return invalid("A picture of %s cannot be made: each side must be 1 to %d, and both together at most %d pixels.", p, MaxSide, MaxPixels)
		}
	}
	if s.Quality < 0 || s.Quality > 100 {
		return invalid("A quality of %d is not between 1 and 100.", s.Quality)
	}
	return oneOf("format", s.Format, PNG, JPEG, Auto)
}

// Fill returns s with Region and Size in place, for a display of size.
func (s Shot) Fill(size deskhand.Size) Shot {
	s.Region = cmp.Or(s.Region, deskhand.ScreenRect{X1: size.W, Y1: size.H})
	s.Size = cmp.Or(s.Size, s.Region.Size())
	return s
}

// Fill returns w with defaults in place. What is negative counts as zero.
func (w Wait) Fill() Wait {
	w.Quiet = cmp.Or(max(w.Quiet, 0), DefaultQuiet)
	w.Limit = cmp.Or(max(w.Limit, 0), DefaultLimit)
	w.First = max(w.First, 0)
	return w
}

// within reports a point outside the display.
func within(p *deskhand.ScreenPoint, size deskhand.Size) error {
	if p != nil && (p.X < 0 || p.Y < 0 || p.X >= size.W || p.Y >= size.H) {
		return invalid("Coordinates (%d, %d) are outside display bounds (%s).", p.X, p.Y, size)
	}
	return nil
}

// oneOf reports a value that is none of known.
func oneOf[T ~string](what string, v T, known ...T) error {
	if slices.Contains(known, v) {
		return nil
	}
	return invalid("%q is not a %s.", v, what)
}

// plain reports text that is too long or is not text.
func plain(what, s string, limit int) error {
	switch {
	case len(s) > limit:
		return invalid("The %s is longer than %d bytes.", what, limit)
	case !utf8.ValidString(s):
		return invalid("The %s is not valid UTF-8.", what)
	case strings.ContainsRune(s, 0):
		return invalid("The %s holds a NUL character.", what)
	}
	return nil
}

// invalid returns an Invalid error whose text a model may read as it is.
func invalid(format string, args ...any) error {
	return deskhand.Errorf("", deskhand.Invalid, format, args...)
}
