package stack

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
)

// Icons are drawn here because a fresh machine has no icon theme, and drawn at
// the size they are shown at, so that nothing blurs them.

// shape reports whether the point, in a unit square with y down, belongs to it.
type shape func(x, y float64) bool

// glyphs are the white figures, one per kind.
func glyphs() map[Kind]shape {
	return map[Kind]shape{
		Browser:    either(ring(.5, .5, .29, .29, .055), ring(.5, .5, .12, .29, .05), box(.22, .475, .78, .525)),
		Terminal:   either(stroke(.27, .33, .44, .5, .07), stroke(.44, .5, .27, .67, .07), box(.5, .63, .75, .7)),
		Editor:     without(rounded(.29, .2, .71, .8, .05), box(.37, .34, .63, .39), box(.37, .475, .63, .525), box(.37, .61, .54, .66)),
		Files:      either(rounded(.2, .27, .47, .45, .04), rounded(.2, .35, .8, .73, .05)),
		Calculator: without(rounded(.28, .19, .72, .81, .06), box(.35, .27, .65, .38), keys()),
		Office:     either(box(.24, .5, .36, .74), box(.44, .38, .56, .74), box(.64, .26, .76, .74)),
	}
}

func keys() shape {
	var all []shape
	for row := range 3 {
		for col := range 3 {
			x, y := .35+.115*float64(col), .45+.11*float64(row)
			all = append(all, box(x, y, x+.07, y+.065))
		}
	}
	return either(all...)
}

func box(x0, y0, x1, y1 float64) shape {
	return func(x, y float64) bool { return x >= x0 && x < x1 && y >= y0 && y < y1 }
}

// rounded is a box with corners of radius r.
func rounded(x0, y0, x1, y1, r float64) shape {
	return func(x, y float64) bool {
		dx := max(x0+r-x, 0, x-(x1-r))
		dy := max(y0+r-y, 0, y-(y1-r))
		return math.Hypot(dx, dy) <= r
	}
}

// ring is the outline of an ellipse, w wide inwards.
func ring(cx, cy, rx, ry, w float64) shape {
	within := func(x, y, rx, ry float64) bool {
		return (x-cx)*(x-cx)/(rx*rx)+(y-cy)*(y-cy)/(ry*ry) <= 1
	}
	return func(x, y float64) bool { return within(x, y, rx, ry) && !within(x, y, rx-w, ry-w) }
}

// stroke is a line w wide with round ends.
func stroke(x0, y0, x1, y1, w float64) shape {
	dx, dy := x1-x0, y1-y0
	return func(x, y float64) bool {
		t := min(max(((x-x0)*dx+(y-y0)*dy)/(dx*dx+dy*dy), 0), 1)
		return math.Hypot(x-x0-t*dx, y-y0-t*dy) <= w/2
	}
}

func either(shapes ...shape) shape {
	return func(x, y float64) bool {
		for _, s := range shapes {
			if s(x, y) {
				return true
			}
		}
		return false
	}
}

func without(body shape, holes ...shape) shape {
	hole := either(holes...)
	return func(x, y float64) bool { return body(x, y) && !hole(x, y) }
}

// icon returns a PNG of side pixels: a rounded square of the look's colour with
// the white figure of its kind.
func icon(l Look, side int) ([]byte, error) {
	const n = 4 // samples along each side of a pixel
	ground, figure := rounded(0, 0, 1, 1, .16), glyphs()[l.Kind]
	img := image.NewNRGBA(image.Rect(0, 0, side, side))
	for py := range side {
		for px := range side {
			covered, white := 0, 0
			for i := range n * n {
				x := (float64(px) + (float64(i%n)+.5)/n) / float64(side)
				y := (float64(py) + (float64(i/n)+.5)/n) / float64(side)
				if !ground(x, y) {
					continue
				}
				covered++
				if figure(x, y) {
					white++
				}
			}
			if covered > 0 {
				img.SetNRGBA(px, py, mix(l.Colour, float64(white)/float64(covered), float64(covered)/(n*n)))
			}
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// mix is colour with a share of white in it, at some opacity.
func mix(colour uint32, white, opacity float64) color.NRGBA {
	channel := func(shift uint) uint8 {
		v := float64(colour >> shift & 0xff)
		return uint8(math.Round(v + (255-v)*white))
	}
	return color.NRGBA{channel(16), channel(8), channel(0), uint8(math.Round(255 * opacity))}
}
