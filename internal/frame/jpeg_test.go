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

// TestJPEGOfTheWidestAndTheHighest: the widest needs shorter restart intervals,
// which cannot hold 65536
// blocks; the highest needs more of them than their marker can count to.
func TestJPEGOfTheWidestAndTheHighest(t *testing.T) {
	t.Parallel()
	for _, size := range []deskhand.Size{{W: 65535, H: 8*7 + 1}, {W: 9, H: 65535}} {
		img := frame.New(size)
		img.Fill(deskhand.ScreenRect{X0: size.W - 9, Y0: size.H - 40, X1: size.W, Y1: size.H}, 0xffffff)
		data, err := frame.JPEG(nil, img, 80)
		if err != nil {
			t.Fatal(err)
		}
		if got := quiet(t, data, img); got < 40 {
			t.Errorf("%s: PSNR is %.1f dB", size, got)
		}
	}
}
