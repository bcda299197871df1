// Package frame is pixels without a display: crop, compare, scale, draw a
// pointer into, and encode pictures for a model to read.
//
// It is on the path of every screenshot, so it works in parallel stripes on
// pooled buffers. A function returns only when its goroutines have ended;
// nothing keeps a reference to an Image afterwards. An Image may be read by
// several goroutines at once.
//
// Trust: pixels are hostile data but cannot make these functions misbehave.
// Decode is for tests and tools; it bounds the picture's size before it decodes.
package frame

import (
	"bytes"
	"encoding/binary"

	"github.com/deskhand/deskhand"
)

// opaque fills the unused byte of a pixel, so that it also reads as opaque BGRA.
const opaque = 0xff << 24

// colour masks the unused byte away.
const colour = 0xffffff

// Image is a picture of 4 bytes a pixel: blue, green, red, and one unused byte
// of any value. Row y starts at Pix[y*Stride]; the last row may end after its
// last pixel.
type Image struct {
	Pix    []byte
	Stride int // bytes, at least 4*Size.W
	Size   deskhand.Size
}

// New returns a black image. Sides below zero count as zero.
func New(size deskhand.Size) *Image {
	size.W, size.H = max(size.W, 0), max(size.H, 0)
	return &Image{Pix: make([]byte, 4*size.W*size.H), Stride: 4 * size.W, Size: size}
}

// Bounds returns the rectangle of the whole image.
func (m *Image) Bounds() deskhand.ScreenRect {
	return deskhand.ScreenRect{X1: m.Size.W, Y1: m.Size.H}
}

// Row returns the 4*Size.W bytes of row y.
func (m *Image) Row(y int) []byte {
	at := y * m.Stride
	return m.Pix[at : at+4*m.Size.W : at+4*m.Size.W]
}

// At returns the colour at x, y as 0xRRGGBB.
func (m *Image) At(x, y int) uint32 {
	return binary.LittleEndian.Uint32(m.Row(y)[4*x:]) & colour
}

// Set makes the pixel at x, y the colour 0xRRGGBB.
func (m *Image) Set(x, y int, rgb uint32) {
	binary.LittleEndian.PutUint32(m.Row(y)[4*x:], rgb|opaque)
}

// Fill makes the part of r that lies inside the image the colour 0xRRGGBB.
func (m *Image) Fill(r deskhand.ScreenRect, rgb uint32) {
	x0, x1 := max(r.X0, 0), min(r.X1, m.Size.W)
	for y := max(r.Y0, 0); y < min(r.Y1, m.Size.H); y++ {
		for x := x0; x < x1; x++ {
			m.Set(x, y, rgb)
		}
	}
}

// Crop returns the part r of the image. It shares the pixels. It panics when r
// is empty or reaches outside: whoever takes a region from somebody validates it.
func (m *Image) Crop(r deskhand.ScreenRect) *Image {
	if r.Empty() || r.X0 < 0 || r.Y0 < 0 || r.X1 > m.Size.W || r.Y1 > m.Size.H {
		panic("frame: crop outside the image") // unreachable unless a driver did not validate
	}
	return &Image{
		Pix:    m.Pix[r.Y0*m.Stride+4*r.X0 : (r.Y1-1)*m.Stride+4*r.X1],
		Stride: m.Stride,
		Size:   r.Size(),
	}
}

// Equal reports whether a and b have the same size and show the same colours.
func Equal(a, b *Image) bool {
	if a.Size != b.Size {
		return false
	}
	for y := range a.Size.H {
		p, q := a.Row(y), b.Row(y)
		if !bytes.Equal(p, q) && !sameColours(p, q) {
			return false
		}
	}
	return true
}

// sameColours compares two rows without their unused bytes.
func sameColours(p, q []byte) bool {
	for len(p) >= 4 && len(q) >= 4 {
		if (binary.LittleEndian.Uint32(p)^binary.LittleEndian.Uint32(q))&colour != 0 {
			return false
		}
		p, q = p[4:], q[4:]
	}
	return true
}

// Overlay draws a picture of premultiplied ARGB pixels (a pointer's, as XFIXES
// gives it) over dst with its top left corner at x, y. What lies outside is cut
// off. len(argb) is at least size.W*size.H.
func Overlay(dst *Image, argb []uint32, size deskhand.Size, x, y int) {
	for sy := max(0, -y); sy < size.H && y+sy < dst.Size.H; sy++ {
		row := dst.Row(y + sy)
		for sx := max(0, -x); sx < size.W && x+sx < dst.Size.W; sx++ {
			p := row[4*(x+sx):]
			over := argb[sy*size.W+sx]
			binary.LittleEndian.PutUint32(p, blend(binary.LittleEndian.Uint32(p), over)|opaque)
		}
	}
}

// blend puts the premultiplied pixel over on top of under.
func blend(under, over uint32) uint32 {
	keep := 255 - over>>24
	var out uint32
	for shift := 0; shift < 24; shift += 8 {
		v := (under>>shift&0xff*keep + 127) / 255
		out |= min(v+over>>shift&0xff, 255) << shift
	}
	return out
}
