package frame_test

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/frame"
	"golang.org/x/image/draw"
)

// full is the size of the pictures the benchmarks encode.
var full = deskhand.Size{W: 1280, H: 800}

// pictures are screenshots of real programs: two text windows on a wallpaper
// with a dithered gradient, a terminal, a form in a browser, a page with a photo.
var pictures = []string{"office.png", "terminal.png", "page.png", "photo.jpg"}

// picture reads a screenshot and repeats it to size. JPEGs lose a few rows and
// columns, so that their blocks do not lie where the encoder's will.
func picture(t testing.TB, name string, size deskhand.Size) *frame.Image {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	src, err := frame.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(name) == ".jpg" {
		src = src.Crop(deskhand.ScreenRect{X0: 3, Y0: 5, X1: src.Size.W, Y1: src.Size.H})
	}
	img := frame.New(size)
	for y := range size.H {
		from, to := src.Row(y%src.Size.H), img.Row(y)
		for len(to) > 0 {
			to = to[copy(to, from):]
		}
	}
	return img
}

// asRGBA is img as the standard library wants it.
func asRGBA(img *frame.Image) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, img.Size.W, img.Size.H))
	for y := range img.Size.H {
		row := img.Row(y)
		for x := range img.Size.W {
			p := out.Pix[y*out.Stride+4*x:]
			p[0], p[1], p[2], p[3] = row[4*x+2], row[4*x+1], row[4*x], 255
		}
	}
	return out
}

func BenchmarkEncode(b *testing.B) {
	for _, name := range pictures {
		img := picture(b, name, full)
		rgba := asRGBA(img)
		for _, format := range []string{"", "png", "jpeg"} {
			b.Run(fmt.Sprintf("%s/own-%s", name, map[string]string{"": "auto", "png": "png", "jpeg": "jpeg"}[format]), func(b *testing.B) {
				var buf []byte
				for b.Loop() {
					var err error
					if buf, _, err = frame.Encode(buf[:0], img, format, 0); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(buf))/1000, "kB")
			})
		}
		var buf bytes.Buffer
		b.Run(name+"/std-png-fastest", func(b *testing.B) {
			for b.Loop() {
				buf.Reset()
				(&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&buf, rgba)
			}
			b.ReportMetric(float64(buf.Len())/1000, "kB")
		})
		b.Run(name+"/std-jpeg-80", func(b *testing.B) {
			for b.Loop() {
				buf.Reset()
				jpeg.Encode(&buf, rgba, &jpeg.Options{Quality: 80})
			}
			b.ReportMetric(float64(buf.Len())/1000, "kB")
		})
	}
}

func BenchmarkScale(b *testing.B) {
	for _, c := range []struct{ from, to deskhand.Size }{
		{deskhand.Size{W: 1920, H: 1080}, deskhand.Size{W: 1456, H: 819}},
		{deskhand.Size{W: 400, H: 250}, full},
	} {
		src, dst := picture(b, "page.png", c.from), frame.New(c.to)
		b.Run(fmt.Sprintf("%s-%s/own", c.from, c.to), func(b *testing.B) {
			for b.Loop() {
				frame.Scale(dst, src)
			}
		})
		from, to := asRGBA(src), image.NewRGBA(image.Rect(0, 0, c.to.W, c.to.H))
		b.Run(fmt.Sprintf("%s-%s/std-catmullrom", c.from, c.to), func(b *testing.B) {
			for b.Loop() {
				draw.CatmullRom.Scale(to, to.Bounds(), from, from.Bounds(), draw.Src, nil)
			}
		})
	}
}

// BenchmarkScaledShot is a whole screenshot of a larger display.
func BenchmarkScaledShot(b *testing.B) {
	for _, name := range pictures {
		src, dst := picture(b, name, deskhand.Size{W: 1920, H: 1080}), frame.New(deskhand.Size{W: 1456, H: 819})
		b.Run(name, func(b *testing.B) {
			var buf []byte
			for b.Loop() {
				frame.Scale(dst, src)
				var err error
				if buf, _, err = frame.Encode(buf[:0], dst, "", 0); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(buf))/1000, "kB")
		})
	}
}
