package frame_test

import (
	"bytes"
	"image/jpeg"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/frame"
)

// TestJPEGIsAsGoodAsTheStandardLibrary compares at equal quality, where both
// quantise alike: what is lost beyond that is the transform's imprecision.
func TestJPEGIsAsGoodAsTheStandardLibrary(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"terminal.png", "photo.jpg"} {
		img := picture(t, name, deskhand.Size{W: 643, H: 405})
		for _, quality := range []int{1, 30, 50, 85, 95, 100} {
			own, err := frame.JPEG(nil, img, quality)
			if err != nil {
				t.Fatal(err)
			}
			var std bytes.Buffer
			if err := jpeg.Encode(&std, asRGBA(img), &jpeg.Options{Quality: quality}); err != nil {
				t.Fatal(err)
			}
			if got, want := quiet(t, own, img), quiet(t, std.Bytes(), img); got < want-0.2 && got < 48 {
				t.Errorf("%s at quality %d: %.2f dB, the standard library has %.2f", name, quality, got, want)
			}
		}
	}
}

// quiet returns the PSNR of a JPEG of img.
func quiet(t *testing.T, data []byte, img *frame.Image) float64 {
	t.Helper()
	got, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return psnr(got, img)
}

// TestJPEGOfTheWidest needs more restart intervals than their marker can count
// to: an interval cannot hold 65536 blocks.
func TestJPEGOfTheWidest(t *testing.T) {
	t.Parallel()
	img := frame.New(deskhand.Size{W: 65535, H: 8*7*9 + 1})
	img.Fill(deskhand.ScreenRect{X0: 60000, Y0: 500, X1: 65535, Y1: 505}, 0xffffff)
	data, err := frame.JPEG(nil, img, 50)
	if err != nil {
		t.Fatal(err)
	}
	got, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range [][3]uint32{{0, 0, 0}, {50000, 504, 0}, {65534, 504, 0xffff}, {65534, 400, 0}} {
		if r, _, _, _ := got.At(int(p[0]), int(p[1])).RGBA(); r>>12 != p[2]>>12 {
			t.Errorf("pixel %d,%d has red %x, want %x", p[0], p[1], r, p[2])
		}
	}
}
