package deskhand

import (
	"fmt"
	"strconv"
	"strings"
)

// Size is a width and a height in pixels.
type Size struct {
	W int `json:"w"`
	H int `json:"h"`
}

// String returns the form "1280x800".
func (s Size) String() string { return fmt.Sprintf("%dx%d", s.W, s.H) }

// ParseSize reads the form "1280x800". Each side is 1 to 16384.
func ParseSize(text string) (Size, error) {
	w, h, ok := strings.Cut(text, "x")
	a, errW := strconv.Atoi(w)
	b, errH := strconv.Atoi(h)
	if !ok || errW != nil || errH != nil || a < 1 || b < 1 || a > 16384 || b > 16384 {
		return Size{}, Errorf("size", Invalid, "%q is not a size such as 1280x800", text)
	}
	return Size{a, b}, nil
}

// ModelPoint is a point in pixels of the screenshots the model is given,
// origin top left.
type ModelPoint struct{ X, Y int }

// ScreenPoint is a point in pixels of the display, origin top left.
type ScreenPoint struct {
	X int `json:"x"`
	Y int `json:"y"`
}

// ModelRect is a rectangle in pixels of the screenshots the model is given:
// left, top, right, bottom; right and bottom are outside.
type ModelRect struct{ X0, Y0, X1, Y1 int }

// ScreenRect is a rectangle in pixels of the display: left, top, right,
// bottom; right and bottom are outside.
type ScreenRect struct {
	X0 int `json:"x0"`
	Y0 int `json:"y0"`
	X1 int `json:"x1"`
	Y1 int `json:"y1"`
}

// Size returns the width and height of r.
func (r ScreenRect) Size() Size { return Size{r.X1 - r.X0, r.Y1 - r.Y0} }

// Empty reports whether r has no pixel.
func (r ScreenRect) Empty() bool { return r.X1 <= r.X0 || r.Y1 <= r.Y0 }

// Scale maps between the screenshots the model sees and the display. It never
// clamps: a point outside is an error.
type Scale struct {
	Model  Size // size of every screenshot of the task
	Screen Size // size of the display
}

// ToScreen returns the display pixel at the middle of the model's pixel p, or
// an Invalid error that names the bounds.
func (s Scale) ToScreen(p ModelPoint) (ScreenPoint, error) {
	if p.X < 0 || p.Y < 0 || p.X >= s.Model.W || p.Y >= s.Model.H {
		return ScreenPoint{}, Errorf("", Invalid, "Coordinates (%d, %d) are outside display bounds (%s).", p.X, p.Y, s.Model)
	}
	return ScreenPoint{middle(p.X, s.Model.W, s.Screen.W), middle(p.Y, s.Model.H, s.Screen.H)}, nil
}

// ToModel returns the screenshot pixel that shows the display pixel p. A
// pointer cannot leave the display, so a point outside is an error too.
func (s Scale) ToModel(p ScreenPoint) (ModelPoint, error) {
	if p.X < 0 || p.Y < 0 || p.X >= s.Screen.W || p.Y >= s.Screen.H {
		return ModelPoint{}, Errorf("", Invalid, "(%d, %d) is outside the display (%s)", p.X, p.Y, s.Screen)
	}
	return ModelPoint{middle(p.X, s.Screen.W, s.Model.W), middle(p.Y, s.Screen.H, s.Model.H)}, nil
}

// RectToScreen maps a region of the screenshot to the display. Corners may lie
// on the far edge. Inverted, empty and outside regions are Invalid errors.
func (s Scale) RectToScreen(r ModelRect) (ScreenRect, error) {
	if r.X0 < 0 || r.Y0 < 0 || r.X1 > s.Model.W || r.Y1 > s.Model.H {
		return ScreenRect{}, Errorf("", Invalid, "Region [%d, %d, %d, %d] is outside display bounds (%s).", r.X0, r.Y0, r.X1, r.Y1, s.Model)
	}
	if r.X1 <= r.X0 || r.Y1 <= r.Y0 {
		return ScreenRect{}, Errorf("", Invalid, "Region [%d, %d, %d, %d] is empty: x1 must be greater than x0 and y1 greater than y0.", r.X0, r.Y0, r.X1, r.Y1)
	}
	return ScreenRect{
		r.X0 * s.Screen.W / s.Model.W, r.Y0 * s.Screen.H / s.Model.H,
		ceilDiv(r.X1*s.Screen.W, s.Model.W), ceilDiv(r.Y1*s.Screen.H, s.Model.H),
	}, nil
}

// middle maps the centre of pixel v of a row of `from` pixels to a row of `to`.
func middle(v, from, to int) int { return (2*v + 1) * to / (2 * from) }

func ceilDiv(a, b int) int { return (a + b - 1) / b }
