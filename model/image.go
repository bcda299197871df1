package model

import (
	"math"

	"github.com/deskhand/deskhand"
)

// Limits is how large an image a model looks at. An image over them is refused
// with the computer toolset, and shrunk unasked with older tools.
type Limits struct {
	MaxEdge   int `json:"max_edge"` // pixels of the longer side, rounded up to whole patches
	MaxTokens int `json:"max_tokens"`
	MaxSide   int `json:"-"` // pixels of each side as they are; 0 is no bound
}

const (
	patch = 28 // pixels of a side of the square that is one token

	// manyImages is how many images a request may have before each of their
	// sides is held to manySide. Earlier images are sent again with every
	// request, so every longer task gets there.
	manyImages = 20
	manySide   = 2000
)

// ImageTokens returns what an image of this size costs.
func ImageTokens(size deskhand.Size) int {
	return ceilPatches(size.W) * ceilPatches(size.H)
}

// Fits reports whether a model with these limits takes an image as it is.
func (l Limits) Fits(size deskhand.Size) bool {
	w, h := ceilPatches(size.W)*patch, ceilPatches(size.H)*patch
	return w <= l.MaxEdge && h <= l.MaxEdge && ImageTokens(size) <= l.MaxTokens &&
		(l.MaxSide == 0 || size.W <= l.MaxSide && size.H <= l.MaxSide)
}

// Many returns the limits for a request of n images.
func (l Limits) Many(n int) Limits {
	if n > manyImages {
		l.MaxSide = manySide
	}
	return l
}

// Fit returns the largest size with the aspect ratio of size that is within the
// limits, found the way the API does it, so that nothing is scaled a second
// time. A size that fits is returned as it is.
func Fit(size deskhand.Size, limits Limits) deskhand.Size {
	if limits.Fits(size) {
		return size
	}
	if size.H > size.W {
		turned := Fit(deskhand.Size{W: size.H, H: size.W}, limits)
		return deskhand.Size{W: turned.H, H: turned.W}
	}
	ratio := float64(size.W) / float64(size.H)
	at := func(long int) deskhand.Size {
		return deskhand.Size{W: long, H: max(1, int(math.RoundToEven(float64(long)/ratio)))}
	}
	low, high := 1, size.W
	for low+1 < high {
		if mid := (low + high) / 2; limits.Fits(at(mid)) {
			low = mid
		} else {
			high = mid
		}
	}
	return at(low)
}

// Screenshot returns the size of a task's screenshots of a screen. It holds for
// the whole task, also when there are many images in a request.
func Screenshot(screen deskhand.Size, m Info) deskhand.Size {
	return Fit(screen, m.Limits.Many(manyImages+1))
}

func ceilPatches(n int) int { return (n + patch - 1) / patch }
