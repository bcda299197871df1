package editor

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
)

// Bounds of a picture that is sent: with many images in a request no side may
// be longer than maxSide, and a file is at most maxSent bytes.
const (
	maxSide   = 2000
	maxSent   = 3 << 20
	maxPixels = 50_000_000 // more is not decoded at all
)

// forms are the image forms that can be shown. A GIF is shown as its first
// frame.
var forms = map[string]struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	asIs   bool // can be sent as it is
}{
	"image/png":  {png.DecodeConfig, png.Decode, true},
	"image/jpeg": {jpeg.DecodeConfig, jpeg.Decode, true},
	"image/gif":  {gif.DecodeConfig, gif.Decode, false},
}

var errDamaged = errors.New("it is damaged")

// isPicture reports whether data begins like an image that could be shown.
func isPicture(data []byte) bool {
	return strings.HasPrefix(http.DetectContentType(data), "image/")
}

// viewPicture shows an image file as a picture.
func viewPicture(a args, info sandbox.FileInfo, data []byte) (deskhand.Result, error) {
	if a.viewRange != nil {
		return deskhand.Result{}, refuse(deskhand.Invalid, rangeOnImage)
	}
	picture, err := fitPicture(info, data)
	if err != nil {
		return deskhand.Result{}, refuse(deskhand.Invalid, badPicture, "{p}", a.path, "{s}", err.Error())
	}
	return deskhand.Result{Content: []deskhand.Content{{Image: picture}}}, nil
}

// fitPicture returns the file as it is when it can be sent, else smaller, as PNG.
func fitPicture(info sandbox.FileInfo, data []byte) (*deskhand.Image, error) {
	if info.Size > int64(len(data)) {
		return nil, fmt.Errorf("it has %d bytes", info.Size)
	}
	kind := http.DetectContentType(data)
	form, ok := forms[kind]
	if !ok {
		return nil, fmt.Errorf("%s is not a form that can be shown; convert it to PNG", kind)
	}
	config, err := form.config(bytes.NewReader(data))
	if err != nil {
		return nil, errDamaged
	}
	size := deskhand.Size{W: config.Width, H: config.Height}
	if size.W <= 0 || size.H <= 0 || size.W > maxPixels/size.H {
		return nil, fmt.Errorf("it has %s pixels", size)
	}
	if form.asIs && len(data) <= maxSent && max(size.W, size.H) <= maxSide {
		return deskhand.NewImage(kind, size, data), nil
	}
	source, err := form.decode(bytes.NewReader(data))
	if err != nil {
		return nil, errDamaged
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
