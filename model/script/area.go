package script

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/draw"
	_ "image/gif"  // decoders: screenshots may come in any of the formats
	_ "image/jpeg" // the API takes
	_ "image/png"
	"slices"
)

// maxPixels bounds what is decoded: the API takes 8000x8000.
const maxPixels = 8000 * 8000

// decode returns an image as packed pixels, and its format.
func decode(data []byte) (*image.RGBA, string, error) {
	config, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, "", err
	}
	if config.Width*config.Height > maxPixels {
		return nil, "", fmt.Errorf("%dx%d pixels are too many", config.Width, config.Height)
	}
	decoded, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, "", err
	}
	rgba := image.NewRGBA(image.Rectangle{Max: decoded.Bounds().Size()})
	draw.Draw(rgba, rgba.Bounds(), decoded, decoded.Bounds().Min, draw.Src)
	return rgba, format, nil
}

// area is a connected region of one colour.
type area struct {
	bounds image.Rectangle
	pixels int
}

// find returns the bounds of the area s means.
func (s selector) find(img *image.RGBA) (image.Rectangle, bool) {
	found := s.areas(img)
	if s.nth > len(found) || len(found) == 0 {
		return image.Rectangle{}, false
	}
	var chosen area
	if s.nth > 0 {
		inReadingOrder(found)
		chosen = found[s.nth-1]
	} else {
		chosen = slices.MaxFunc(found, func(a, b area) int { return cmp.Compare(a.pixels, b.pixels) })
	}
	return chosen.bounds.Inset(-s.pad).Intersect(img.Bounds()), true
}

// point returns the middle of an area, moved by the selector's offset.
func (s selector) point(r image.Rectangle) image.Point {
	return image.Pt((r.Min.X+r.Max.X)/2+s.dx, (r.Min.Y+r.Max.Y)/2+s.dy)
}

// inReadingOrder sorts by lines from the top, each from the left. Areas belong
// to one line when the middle of one is within the height of the first of it.
func inReadingOrder(areas []area) {
	slices.SortFunc(areas, func(a, b area) int { return cmp.Compare(a.bounds.Min.Y, b.bounds.Min.Y) })
	for start := 0; start < len(areas); {
		end := start + 1
		first := areas[start].bounds
		for end < len(areas) && (areas[end].bounds.Min.Y+areas[end].bounds.Max.Y)/2 < first.Max.Y {
			end++
		}
		slices.SortFunc(areas[start:end], func(a, b area) int { return cmp.Compare(a.bounds.Min.X, b.bounds.Min.X) })
		start = end
	}
}

// areas returns the regions of the colour that are large enough, by joining
// pixels that touch at a side.
func (s selector) areas(img *image.RGBA) []area {
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	todo := make([]bool, w*h) // pixels of the colour that belong to no area yet
	for i := range todo {
		p := img.Pix[(i/w)*img.Stride+(i%w)*4:]
		todo[i] = s.near(p[0], 0) && s.near(p[1], 1) && s.near(p[2], 2)
	}
	var found []area
	var stack []int
	for start := range todo {
		if !todo[start] {
			continue
		}
		a := area{bounds: image.Rectangle{Min: image.Pt(w, h)}}
		todo[start] = false
		stack = append(stack[:0], start)
		for len(stack) > 0 {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			a.take(i%w, i/w)
			for _, n := range neighbours(i, w, h) {
				if n >= 0 && todo[n] {
					todo[n] = false
					stack = append(stack, n)
				}
			}
		}
		if a.pixels >= s.min {
			found = append(found, a)
		}
	}
	return found
}

func (a *area) take(x, y int) {
	a.pixels++
	a.bounds.Min.X, a.bounds.Min.Y = min(a.bounds.Min.X, x), min(a.bounds.Min.Y, y)
	a.bounds.Max.X, a.bounds.Max.Y = max(a.bounds.Max.X, x+1), max(a.bounds.Max.Y, y+1)
}

// neighbours returns the pixels beside i, -1 beyond an edge.
func neighbours(i, w, h int) [4]int {
	n := [4]int{i - 1, i + 1, i - w, i + w}
	if i%w == 0 {
		n[0] = -1
	}
	if i%w == w-1 {
		n[1] = -1
	}
	if i/w == h-1 {
		n[3] = -1
	}
	return n
}

func (s selector) near(value uint8, channel int) bool {
	d := int(value) - int(s.color[channel])
	return d <= s.tolerance && -d <= s.tolerance
}
