package script

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"regexp"
	"strconv"
	"strings"

	"github.com/deskhand/deskhand/internal/rawjson"
)

// selector says which coloured area of a screenshot is meant.
type selector struct {
	text      string // as written
	color     [3]uint8
	nth       int // in reading order; 0 is the largest
	min       int // pixels an area needs
	tolerance int // per channel
	dx, dy    int // added to a point
	pad       int // added around a region
}

const (
	defaultMin       = 64
	defaultTolerance = 32 // JPEG moves flat colours by a few steps, edges by more
)

var colorWord = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)
var offsetWord = regexp.MustCompile(`^([+-]\d{1,5}),([+-]?\d{1,5})$`)

// parseSelector reads "#RRGGBB [nth N] [min N] [within N] [pad N] [+X,-Y]".
func parseSelector(words []string) (selector, error) {
	s := selector{text: strings.Join(words, " "), min: defaultMin, tolerance: defaultTolerance}
	if len(words) == 0 || !colorWord.MatchString(words[0]) {
		return s, fmt.Errorf("a place begins with a colour such as #F29F05, not %q", s.text)
	}
	rgb, err := strconv.ParseUint(words[0][1:], 16, 32)
	if err != nil {
		return s, err // unreachable: the pattern has matched
	}
	s.color = [3]uint8{uint8(rgb >> 16), uint8(rgb >> 8), uint8(rgb)}
	numbers := map[string]*int{"nth": &s.nth, "min": &s.min, "within": &s.tolerance, "pad": &s.pad}
	for rest := words[1:]; len(rest) > 0; {
		if m := offsetWord.FindStringSubmatch(rest[0]); m != nil {
			s.dx, _ = strconv.Atoi(m[1])
			s.dy, _ = strconv.Atoi(m[2])
			rest = rest[1:]
			continue
		}
		field, ok := numbers[rest[0]]
		if !ok || len(rest) < 2 || natural(rest[1]) == 0 {
			return s, fmt.Errorf("%q in a place is not \"nth N\", \"min N\", \"within N\", \"pad N\" or an offset such as +10,-4", strings.Join(rest, " "))
		}
		*field = natural(rest[1])
		rest = rest[2:]
	}
	return s, nil
}

// condition is a "when" section: the reply comes once an area is seen, or gone.
type condition struct {
	line int
	gone bool
	what selector
}

func parseCondition(words []string) (condition, error) {
	if len(words) < 2 || words[0] != "found" && words[0] != "gone" {
		return condition{}, errors.New(`write "-- when found #RRGGBB --" or "-- when gone #RRGGBB --"`)
	}
	s, err := parseSelector(words[1:])
	return condition{gone: words[0] == "gone", what: s}, err
}

// notYet is a screen that is not as a step needs it, which may pass.
type notYet struct{ what string }

func (e notYet) Error() string { return e.what }

func (s selector) missing() notYet {
	return notYet{fmt.Sprintf("no area of %s is on the screenshot", s.text)}
}

// check returns a notYet when the condition does not hold on an image.
func (c condition) check(img *image.RGBA) error {
	if img == nil {
		return c.what.missing()
	}
	_, found := c.what.find(img)
	switch {
	case found && c.gone:
		return notYet{fmt.Sprintf("an area of %s is still on the screenshot", c.what.text)}
	case !found && !c.gone:
		return c.what.missing()
	}
	return nil
}

// placeWord is what a placeholder begins with. Other strings that begin with an
// at sign are themselves.
var placeWord = regexp.MustCompile(`^@([a-z]+) +(#.*)$`)

// place is a placeholder: what of an area stands in its place.
type place struct {
	what selector
	fill func(selector, image.Rectangle) string
}

// fills lists the placeholders, with the JSON each turns into.
func fills() map[string]func(selector, image.Rectangle) string {
	return map[string]func(selector, image.Rectangle) string{
		"color": func(s selector, r image.Rectangle) string {
			p := s.point(r)
			return fmt.Sprintf("[%d,%d]", p.X, p.Y)
		},
		"x": func(s selector, r image.Rectangle) string { return strconv.Itoa(s.point(r).X) },
		"y": func(s selector, r image.Rectangle) string { return strconv.Itoa(s.point(r).Y) },
		"region": func(_ selector, r image.Rectangle) string {
			return fmt.Sprintf("[%d,%d,%d,%d]", r.Min.X, r.Min.Y, r.Max.X, r.Max.Y)
		},
	}
}

// parsePlace reads a string of a call's input; ok is false when it is no place.
func parsePlace(text string) (p place, ok bool, err error) {
	m := placeWord.FindStringSubmatch(text)
	if m == nil {
		return place{}, false, nil
	}
	fill, known := fills()[m[1]]
	if !known {
		return place{}, false, fmt.Errorf("there is no placeholder @%s; use @color, @region, @x or @y", m[1])
	}
	s, err := parseSelector(strings.Fields(m[2]))
	return place{s, fill}, err == nil, err
}

// checkPlaces reports the first placeholder in an input that cannot be read.
func checkPlaces(input []byte) error {
	_, err := fillPlaces(input, func(place) ([]byte, error) { return []byte("0"), nil })
	return err
}

// fillPlaces returns input with every placeholder, at any depth, replaced by
// what look returns for it. Everything else keeps its bytes.
func fillPlaces(input []byte, look func(place) ([]byte, error)) ([]byte, error) {
	switch input[0] {
	case '{':
		object, err := rawjson.Parse(input)
		if err != nil {
			return nil, err
		}
		for _, key := range object.Keys() {
			filled, err := fillPlaces(object.Get(key), look)
			if err != nil {
				return nil, err
			}
			object.Set(key, filled)
		}
		return object.Bytes(), nil
	case '[':
		var items []json.RawMessage
		if err := json.Unmarshal(input, &items); err != nil {
			return nil, err
		}
		out := []byte{'['}
		for i, item := range items {
			filled, err := fillPlaces(item, look)
			if err != nil {
				return nil, err
			}
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, filled...)
		}
		return append(out, ']'), nil
	case '"':
		var text string
		if err := json.Unmarshal(input, &text); err != nil {
			return nil, err
		}
		p, ok, err := parsePlace(text)
		if err != nil || !ok {
			return input, err
		}
		return look(p)
	}
	return input, nil
}
