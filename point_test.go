package deskhand_test

import (
	"math/rand/v2"
	"testing"

	"github.com/deskhand/deskhand"
)

// scales are pairs of sizes as tasks have them: usual, odd, upright, tiny, and
// with sides that have nothing in common.
func scales(random *rand.Rand) []deskhand.Scale {
	all := []deskhand.Scale{
		{Model: deskhand.Size{W: 1280, H: 800}, Screen: deskhand.Size{W: 1280, H: 800}},
		{Model: deskhand.Size{W: 2000, H: 1125}, Screen: deskhand.Size{W: 3840, H: 2160}},
		{Model: deskhand.Size{W: 1125, H: 2000}, Screen: deskhand.Size{W: 2160, H: 3840}},
		{Model: deskhand.Size{W: 1456, H: 819}, Screen: deskhand.Size{W: 1920, H: 1080}},
		{Model: deskhand.Size{W: 924, H: 1307}, Screen: deskhand.Size{W: 1075, H: 1520}},
		{Model: deskhand.Size{W: 1, H: 1}, Screen: deskhand.Size{W: 16384, H: 3}},
	}
	for range 300 {
		screen := deskhand.Size{W: 1 + random.IntN(5000), H: 1 + random.IntN(5000)}
		all = append(all, deskhand.Scale{Model: deskhand.Size{W: 1 + random.IntN(screen.W), H: 1 + random.IntN(screen.H)}, Screen: screen})
	}
	return all
}

// points are the corners, the middle and some others of a picture.
func points(random *rand.Rand, s deskhand.Size) []deskhand.ModelPoint {
	all := []deskhand.ModelPoint{{}, {X: s.W - 1}, {Y: s.H - 1}, {X: s.W - 1, Y: s.H - 1}, {X: s.W / 2, Y: s.H / 2}}
	for range 50 {
		all = append(all, deskhand.ModelPoint{X: random.IntN(s.W), Y: random.IntN(s.H)})
	}
	return all
}

// TestPointsLandInTheirPixel: a pixel of the picture stands for a rectangle of
// the screen. A point lands on the middle of it, and the way back is the same.
func TestPointsLandInTheirPixel(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, s := range scales(random) {
		for _, p := range points(random, s.Model) {
			at, err := s.ToScreen(p)
			if err != nil {
				t.Fatalf("%+v: %v: %v", s, p, err)
			}
			// The middle of the pixel, (p+1/2)·screen/model, lies in [at, at+1).
			for _, one := range [][4]int{{p.X, at.X, s.Model.W, s.Screen.W}, {p.Y, at.Y, s.Model.H, s.Screen.H}} {
				if middle := (2*one[0] + 1) * one[3]; middle < 2*one[1]*one[2] || middle >= 2*(one[1]+1)*one[2] {
					t.Fatalf("%+v: %v lands on %v", s, p, at)
				}
			}
			if back, err := s.ToModel(at); err != nil || back != p {
				t.Fatalf("%+v: %v lands on %v, which is shown at %v, %v", s, p, at, back, err)
			}
			pixel, err := s.RectToScreen(deskhand.ModelRect{X0: p.X, Y0: p.Y, X1: p.X + 1, Y1: p.Y + 1})
			if err != nil || at.X < pixel.X0 || at.X >= pixel.X1 || at.Y < pixel.Y0 || at.Y >= pixel.Y1 {
				t.Fatalf("%+v: %v lands on %v, outside of %v, %v", s, p, at, pixel, err)
			}
		}
	}
}

// TestEveryScreenPixelIsShown: the pointer may be anywhere on the screen, and
// is in the picture.
func TestEveryScreenPixelIsShown(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for _, s := range scales(random) {
		for _, p := range points(random, s.Screen) {
			at, err := s.ToModel(deskhand.ScreenPoint(p))
			if err != nil || at.X < 0 || at.Y < 0 || at.X >= s.Model.W || at.Y >= s.Model.H {
				t.Fatalf("%+v: %v is shown at %v, %v", s, p, at, err)
			}
			pixel, err := s.RectToScreen(deskhand.ModelRect{X0: at.X, Y0: at.Y, X1: at.X + 1, Y1: at.Y + 1})
			if err != nil || p.X < pixel.X0 || p.X >= pixel.X1 || p.Y < pixel.Y0 || p.Y >= pixel.Y1 {
				t.Fatalf("%+v: %v is shown at %v, which is %v, %v", s, p, at, pixel, err)
			}
		}
	}
}

func TestWhatIsOutsideIsRefused(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	for _, s := range scales(random) {
		m := s.Model
		for _, p := range []deskhand.ModelPoint{{X: -1}, {Y: -1}, {X: m.W}, {Y: m.H}, {X: m.W, Y: m.H}, {X: 1 << 53}} {
			if at, err := s.ToScreen(p); deskhand.CodeOf(err) != deskhand.Invalid || at != (deskhand.ScreenPoint{}) {
				t.Fatalf("%+v: %v became %v, %v", s, p, at, err)
			}
		}
		for _, p := range []deskhand.ScreenPoint{{X: -1}, {Y: -1}, {X: s.Screen.W}, {Y: s.Screen.H}} {
			if at, err := s.ToModel(p); deskhand.CodeOf(err) != deskhand.Invalid {
				t.Fatalf("%+v: %v became %v, %v", s, p, at, err)
			}
		}
		for _, r := range []deskhand.ModelRect{
			{}, {X1: m.W}, {Y1: m.H}, {X0: m.W, X1: m.W, Y1: m.H}, // empty
			{X0: m.W, Y0: m.H}, {X0: 1, Y1: 1}, // inverted
			{X0: -1, X1: m.W, Y1: m.H}, {X1: m.W + 1, Y1: m.H}, {X1: m.W, Y1: m.H + 1}, {Y0: -1, X1: 1, Y1: 1}, // outside
		} {
			if got, err := s.RectToScreen(r); deskhand.CodeOf(err) != deskhand.Invalid || got != (deskhand.ScreenRect{}) {
				t.Fatalf("%+v: %v became %v, %v", s, r, got, err)
			}
		}
		if all, err := s.RectToScreen(deskhand.ModelRect{X1: m.W, Y1: m.H}); err != nil || all.Size() != s.Screen || all.X0 != 0 || all.Y0 != 0 {
			t.Fatalf("%+v: everything became %v, %v", s, all, err)
		}
	}
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	if s, err := deskhand.ParseSize("1367x769"); err != nil || s.String() != "1367x769" {
		t.Errorf("%v, %v", s, err)
	}
	for _, text := range []string{"", "x", "1x", "1280", "1280x800x1", "-1x5", "0x5", "5x16385", "1280×800", "1e3x5"} {
		if s, err := deskhand.ParseSize(text); deskhand.CodeOf(err) != deskhand.Invalid {
			t.Errorf("%q became %v, %v", text, s, err)
		}
	}
}
