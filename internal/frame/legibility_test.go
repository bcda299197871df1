package frame_test

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"math"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/frame"
)

// BenchmarkLegibility reports bytes and the error on text for each way to send
// each picture; docs/decisions/0002-screenshot-encoding.md has the table.
func BenchmarkLegibility(b *testing.B) {
	for _, name := range pictures {
		img := picture(b, name, full)
		rgba := asRGBA(img)
		report := func(way string, encode func() []byte) {
			b.Run(name+"/"+way, func(b *testing.B) {
				var data []byte
				for b.Loop() {
					data = encode()
				}
				got, err := frame.Decode(data)
				if err != nil {
					b.Fatal(err)
				}
				psnr, ssim, worst := onText(img, got)
				b.ReportMetric(float64(len(data))/1000, "kB")
				b.ReportMetric(psnr, "dB")
				b.ReportMetric(ssim, "ssim")
				b.ReportMetric(worst, "ssim-p1")
			})
		}
		report("png", func() []byte { data, _ := frame.PNG(nil, img); return data })
		for _, q := range []int{60, 75, 80, 85, 90, 95} {
			report(fmt.Sprintf("444-%d", q), func() []byte { data, _ := frame.JPEG(nil, img, q); return data })
			report(fmt.Sprintf("420-%d", q), func() []byte {
				var buf bytes.Buffer
				jpeg.Encode(&buf, rgba, &jpeg.Options{Quality: q})
				return buf.Bytes()
			})
		}
	}
}

// onText compares the blocks of 8 by 8 that hold text: those where dark and
// light meet. It returns the PSNR of the colours, the mean SSIM of the three
// channels, and the SSIM that one block in a hundred is below.
func onText(want, got *frame.Image) (psnr, ssim, worst float64) {
	var square, n float64
	var each []float64
	for y := 0; y+8 <= want.Size.H; y += 8 {
		for x := 0; x+8 <= want.Size.W; x += 8 {
			r := deskhand.ScreenRect{X0: x, Y0: y, X1: x + 8, Y1: y + 8}
			a, b := want.Crop(r), got.Crop(r)
			if contrast(a) < 100 {
				continue
			}
			s := 1.0
			for shift := 0; shift < 24; shift += 8 {
				d, v := similarity(a, b, shift)
				square, n, s = square+d, n+64, min(s, v)
			}
			each, ssim = append(each, s), ssim+s
		}
	}
	if square > 0 {
		psnr = 10 * math.Log10(255*255*n/square)
	}
	return psnr, ssim / float64(len(each)), percentile(each, 0.01)
}

// contrast returns the largest difference of the green channel.
func contrast(m *frame.Image) int {
	lo, hi := 255, 0
	for y := range m.Size.H {
		for x := range m.Size.W {
			v := int(m.At(x, y) >> 8 & 0xff)
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	return hi - lo
}

// similarity returns the sum of squared differences of a channel, and its SSIM.
func similarity(a, b *frame.Image, shift int) (square, ssim float64) {
	var sa, sb, aa, bb, ab float64
	for y := range 8 {
		for x := range 8 {
			p, q := float64(a.At(x, y)>>shift&0xff), float64(b.At(x, y)>>shift&0xff)
			sa, sb, aa, bb, ab = sa+p, sb+q, aa+p*p, bb+q*q, ab+p*q
		}
	}
	const n, c1, c2 = 64, 6.5025, 58.5225
	ma, mb := sa/n, sb/n
	va, vb, cov := aa/n-ma*ma, bb/n-mb*mb, ab/n-ma*mb
	return aa + bb - 2*ab, (2*ma*mb + c1) * (2*cov + c2) / ((ma*ma + mb*mb + c1) * (va + vb + c2))
}
