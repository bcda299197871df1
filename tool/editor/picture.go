package editor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"strings"

	"golang.org/x/image/webp"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
)

// Bounds of a picture that is sent: with many images in a request no side may
// be longer than maxSide, and a file is at most maxSent bytes.
const (
	maxSide   = 2000
	maxSent   = 3 << 20
	maxPixels = 25_000_000 // more is not decoded at all: a pixel takes up to twelve bytes meanwhile
)

// pictures are the image forms that can be shown. A GIF is shown as its first
// frame.
var pictures = map[string]struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	asIs   bool // can be sent as it is
}{
	"image/png":  {png.DecodeConfig, png.Decode, true},
	"image/jpeg": {jpeg.DecodeConfig, jpeg.Decode, true},
	"image/gif":  {gif.DecodeConfig, gif.Decode, false},
	"image/webp": {webp.DecodeConfig, webp.Decode, false},
}

var errDamaged = errors.New("it is damaged")

// isPicture reports whether a file that begins with head could be shown as one.
func isPicture(head []byte) bool {
	return strings.HasPrefix(http.DetectContentType(head), "image/")
}

// viewPicture shows an image file as a picture.
func viewPicture(ctx context.Context, e *Editor, a args, info sandbox.FileInfo) (deskhand.Result, error) {
	wrong := func(err error) (deskhand.Result, error) {
		return deskhand.Result{}, refuse(deskhand.Invalid, badPicture, "{p}", a.path, "{s}", err.Error())
	}
	switch {
	case a.viewRange != nil:
		return deskhand.Result{}, refuse(deskhand.Invalid, rangeOnImage)
	case info.Size > maxFile:
		return wrong(fmt.Errorf("it has %d bytes", info.Size))
	}
	data, _, err := e.sandbox.ReadFile(ctx, a.path, 0, maxFile)
	if err != nil {
		return deskhand.Result{}, worded(reading, a.path, err)
	}
	picture, err := fitPicture(data)
	if err != nil {
		return wrong(err)
	}
	return deskhand.Result{Content: []deskhand.Content{{Image: picture}}}, nil
}

// fitPicture returns data as it is when it can be sent, else smaller, as PNG.
// It is decoded in any case: a damaged picture would be refused by the API, and
// the task would end of it.
func fitPicture(data []byte) (*deskhand.Image, error) {
	kind := http.DetectContentType(data)
	form, ok := pictures[kind]
	if !ok {
		return nil, fmt.Errorf("%s is not a form that can be shown; convert it to PNG", kind)
	}
	config, err := form.config(bytes.NewReader(data))
	if err != nil {
		return nil, errDamaged
	}
	size := deskhand.Size{W: config.Width, H: config.Height}
	if size.W <= 0 || size.H <= 0 || size.W > maxPixels/size.H {
		return nil, fmt.Errorf("it has %s pixels, more than the %d that are shown; make a smaller one", size, maxPixels)
	}
	source, err := form.decode(bytes.NewReader(data))
	if err != nil {
		return nil, errDamaged
	}
	if form.asIs && len(data) <= maxSent && max(size.W, size.H) <= maxSide {
		return deskhand.NewImage(kind, size, data), nil
	}
	for side := maxSide; side >= 250; side /= 2 {
		var b bytes.Buffer
		small := shrink(source, side)
		if err := png.Encode(&b, small); err != nil {
			return nil, errors.New("it cannot be encoded")
		}
		if b.Len() <= maxSent {
			return deskhand.NewImage("image/png", deskhand.Size{W: small.Bounds().Dx(), H: small.Bounds().Dy()}, b.Bytes()), nil
		}
	}
	return nil, errors.New("it is too large to send")
}

// shrink returns m with no side longer than side, each pixel the mean of a
// square of m's.
func shrink(m image.Image, side int) image.Image {
	b := m.Bounds()
	n := (max(b.Dx(), b.Dy()) + side - 1) / side
	if n <= 1 {
		return m
	}
	out := image.NewRGBA(image.Rect(0, 0, (b.Dx()+n-1)/n, (b.Dy()+n-1)/n))
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			square := image.Rect(x*n, y*n, x*n+n, y*n+n).Add(b.Min).Intersect(b)
			copy(out.Pix[out.PixOffset(x, y):], mean(m, square))
		}
	}
	return out
}

// mean returns the mean colour of m in r, premultiplied.
func mean(m image.Image, r image.Rectangle) []byte {
	var sum [4]uint64
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			for i, v := range rgba(m, x, y) {
				sum[i] += uint64(v)
			}
		}
	}
	out := make([]byte, 4)
	for i, v := range sum {
		out[i] = byte(v / uint64(r.Dx()*r.Dy()) >> 8)
	}
	return out
}

func rgba(m image.Image, x, y int) [4]uint32 {
	r, g, b, a := m.At(x, y).RGBA()
	return [4]uint32{r, g, b, a}
}
