package frame

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"

	"github.com/deskhand/deskhand"
)

// DefaultQuality is the JPEG quality for a quality of 0.
const DefaultQuality = 85

// Encode appends the encoded image to dst. format is "png", "jpeg", or "" for
// what is legible in few bytes. quality, 1 to 100 and only read for JPEG, is
// DefaultQuality when 0. Invalid: an empty image, a side beyond 65535, an
// unknown format or quality.
func Encode(dst []byte, img *Image, format string, quality int) (data []byte, mediaType string, err error) {
	if err := encodable(img); err != nil {
		return dst, "", err
	}
	if format == "" {
		format = choose(img)
	}
	switch format {
	case "png":
		data, err = PNG(dst, img)
		return data, "image/png", err
	case "jpeg":
		data, err = JPEG(dst, img, quality)
		return data, "image/jpeg", err
	}
	return dst, "", deskhand.Errorf("frame: encode", deskhand.Invalid, "%q is not an image format: use png or jpeg", format)
}

// encodable reports an image that neither format can hold.
func encodable(img *Image) error {
	if s := img.Size; s.W < 1 || s.H < 1 || s.W > maxSide || s.H > maxSide {
		return deskhand.Errorf("frame: encode", deskhand.Invalid, "a picture of %s cannot be encoded: each side must be 1 to %d", s, maxSide)
	}
	return nil
}

// maxSide is what a JPEG's header can say.
const maxSide = 65535

// maxDecoded bounds the pixels Decode makes room for.
const maxDecoded = 1 << 26

// Decode reads a PNG or JPEG. Transparency is dropped. Invalid: data is neither,
// is broken, or holds more than 64 million pixels.
func Decode(data []byte) (*Image, error) {
	const op = "frame: decode"
	decode, config := jpeg.Decode, jpeg.DecodeConfig
	if bytes.HasPrefix(data, []byte("\x89PNG")) {
		decode, config = png.Decode, png.DecodeConfig
	}
	head, err := config(bytes.NewReader(data))
	if err != nil {
		return nil, deskhand.E(op, deskhand.Invalid, err)
	}
	if head.Width*head.Height > maxDecoded {
		return nil, deskhand.Errorf(op, deskhand.Invalid, "%dx%d is too large", head.Width, head.Height)
	}
	src, err := decode(bytes.NewReader(data))
	if err != nil {
		return nil, deskhand.E(op, deskhand.Invalid, err)
	}
	return fromImage(src), nil
}

// fromImage copies a picture of the standard library's.
func fromImage(src image.Image) *Image {
	b := src.Bounds()
	flat := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(flat, flat.Bounds(), src, b.Min, draw.Src)
	img := New(deskhand.Size{W: b.Dx(), H: b.Dy()})
	for i := 0; i < len(img.Pix); i += 4 {
		p := flat.Pix[i : i+4]
		binary.LittleEndian.PutUint32(img.Pix[i:], uint32(p[0])<<16|uint32(p[1])<<8|uint32(p[2])|opaque)
	}
	return img
}
