package frame_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/frame"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scene returns a picture of a kind, with a stride wider than its rows and
// noise in the unused bytes.
func scene(kind string, w, h, slack int) *frame.Image {
	r := rand.New(rand.NewPCG(1, uint64(w*h)))
	img := &frame.Image{Stride: 4*w + slack, Size: deskhand.Size{W: w, H: h}}
	img.Pix = make([]byte, (h-1)*img.Stride+4*w)
	for y := range h {
		for x := range w {
			img.Set(x, y, pixel(kind, r, x, y))
		}
	}
	for i := 3; i < len(img.Pix); i += 4 {
		if slack%4 == 0 {
			img.Pix[i] = byte(r.Uint32())
		}
	}
	return img
}

func pixel(kind string, r *rand.Rand, x, y int) uint32 {
	switch kind {
	case "flat":
		return 0x336699
	case "two":
		return uint32((x^y)&1) * 0xffffff
	case "few":
		return uint32(r.IntN(13)) * 0x131107
	case "grey":
		return uint32(r.IntN(256)) * 0x010101
	case "ramp":
		return uint32(x*3&0xff)<<16 | uint32(y*5&0xff)<<8 | uint32((x+y)&0xff)
	}
	return r.Uint32() & 0xffffff
}

var kinds = []string{"flat", "two", "few", "grey", "ramp", "noise"}

// sizes are odd on purpose: around a block, a byte of indices and a stripe.
var sizes = []deskhand.Size{{W: 1, H: 1}, {W: 1, H: 9}, {W: 2, H: 3}, {W: 7, H: 7}, {W: 8, H: 8}, {W: 9, H: 17}, {W: 67, H: 3}, {W: 3, H: 67}, {W: 301, H: 223}}

func TestPNGIsExact(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		for _, s := range sizes {
			for _, slack := range []int{0, 4, 13} {
				img := scene(kind, s.W, s.H, slack)
				data, err := frame.PNG([]byte("before"), img)
				if err != nil {
					t.Fatal(err)
				}
				data, ok := bytes.CutPrefix(data, []byte("before"))
				if !ok {
					t.Fatal("PNG did not append")
				}
				got, err := png.Decode(bytes.NewReader(data))
				if err != nil {
					t.Fatalf("%s %s: %v", kind, s, err)
				}
				if x, y, ok := differs(got, img); ok {
					t.Fatalf("%s %s slack %d: pixel %d,%d differs", kind, s, slack, x, y)
				}
				back, err := frame.Decode(data)
				if err != nil || !frame.Equal(back, img) {
					t.Fatalf("%s %s: Decode differs: %v", kind, s, err)
				}
			}
		}
	}
}

func differs(got image.Image, want *frame.Image) (int, int, bool) {
	if got.Bounds().Dx() != want.Size.W || got.Bounds().Dy() != want.Size.H {
		return -1, -1, true
	}
	for y := range want.Size.H {
		for x := range want.Size.W {
			c := color.RGBAModel.Convert(got.At(x, y)).(color.RGBA)
			if uint32(c.R)<<16|uint32(c.G)<<8|uint32(c.B) != want.At(x, y) {
				return x, y, true
			}
		}
	}
	return 0, 0, false
}

func TestJPEGIsClose(t *testing.T) {
	t.Parallel()
	floor := map[string]float64{"flat": 45, "two": 30, "few": 20, "grey": 20, "ramp": 25, "noise": 10}
	for _, kind := range kinds {
		for _, s := range sizes {
			img := scene(kind, s.W, s.H, 13)
			data, err := frame.JPEG(nil, img, 90)
			if err != nil {
				t.Fatal(err)
			}
			got, err := jpeg.Decode(bytes.NewReader(data))
			if err != nil {
				t.Fatalf("%s %s: %v", kind, s, err)
			}
			if p := psnr(got, img); p < floor[kind] {
				t.Errorf("%s %s: PSNR %.1f dB, want at least %.0f", kind, s, p, floor[kind])
			}
		}
	}
}

func psnr(got image.Image, want *frame.Image) float64 {
	var sum float64
	for y := range want.Size.H {
		for x := range want.Size.W {
			c, v := color.RGBAModel.Convert(got.At(x, y)).(color.RGBA), want.At(x, y)
			for _, d := range []int{int(c.R) - int(v>>16), int(c.G) - int(v>>8&0xff), int(c.B) - int(v&0xff)} {
				sum += float64(d * d)
			}
		}
	}
	if sum == 0 {
		return 99
	}
	return 10 * math.Log10(255*255*float64(3*want.Size.W*want.Size.H)/sum)
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	one := frame.New(deskhand.Size{W: 1, H: 1})
	for _, c := range []struct {
		img     *frame.Image
		format  string
		quality int
	}{
		{frame.New(deskhand.Size{}), "png", 0},
		{frame.New(deskhand.Size{W: 1}), "", 0},
		{frame.New(deskhand.Size{W: 1 << 16, H: 1}), "jpeg", 0},
		{one, "webp", 0}, {one, "jpeg", -1}, {one, "jpeg", 101},
	} {
		if _, _, err := frame.Encode(nil, c.img, c.format, c.quality); deskhand.CodeOf(err) != deskhand.Invalid {
			t.Errorf("%s %q %d: got %v, want Invalid", c.img.Size, c.format, c.quality, err)
		}
	}
}

func TestEncodeChooses(t *testing.T) {
	t.Parallel()
	wallpaper := scene("noise", 1280, 800, 0)
	for i := range wallpaper.Pix { // dither of a level or two, as mutter's default background has
		wallpaper.Pix[i] = 0x40 | wallpaper.Pix[i]&1
	}
	zoomed := frame.New(full)
	frame.Scale(zoomed, picture(t, "photo.jpg", deskhand.Size{W: 400, H: 250}))
	for name, c := range map[string]struct {
		img  *frame.Image
		want string
	}{
		"office":    {picture(t, "office.png", full), "image/jpeg"}, // it has such a wallpaper
		"terminal":  {picture(t, "terminal.png", full), "image/png"},
		"page":      {picture(t, "page.png", full), "image/png"},
		"photo":     {picture(t, "photo.jpg", full), "image/jpeg"},
		"zoomed":    {zoomed, "image/jpeg"},
		"wallpaper": {wallpaper, "image/jpeg"},
		"small":     {scene("noise", 100, 80, 0), "image/png"},
		"flat":      {scene("flat", 1280, 800, 0), "image/png"},
		"one row":   {scene("noise", 300, 1, 0), "image/png"},
	} {
		data, got, err := frame.Encode(nil, c.img, "", 0)
		if err != nil || got != c.want {
			t.Errorf("%s is sent as %s of %d bytes, %v, want %s", name, got, len(data), err, c.want)
		}
		if len(data) > 3_500_000 {
			t.Errorf("%s takes %d bytes: some providers take no more than 5 MB of base64", name, len(data))
		}
	}
}

func TestScaleMatchesReference(t *testing.T) {
	t.Parallel()
	for _, c := range [][4]int{{10, 10, 5, 5}, {67, 31, 50, 23}, {50, 23, 67, 31}, {1, 1, 9, 7}, {9, 7, 1, 1}, {3, 2, 2, 3}, {301, 203, 228, 154}, {200, 10, 3, 40}, {2, 2, 300, 300}} {
		for _, kind := range kinds {
			src, dst := scene(kind, c[0], c[1], 8), scene("flat", c[2], c[3], 12)
			frame.Scale(dst, src)
			want := reference(src, dst.Size)
			for y := range c[3] {
				for x := range c[2] {
					for ch := range 3 {
						got := float64(dst.At(x, y) >> (8 * ch) & 0xff)
						if d := math.Abs(got - want[y][x][ch]); d > 1.5 {
							t.Fatalf("%v %s: pixel %d,%d channel %d is %v, want %.2f", c, kind, x, y, ch, got, want[y][x][ch])
						}
					}
				}
			}
		}
	}
}

// reference scales slowly and exactly: columns, then rows, each axis by
// integrating the area or evaluating the cubic.
func reference(src *frame.Image, to deskhand.Size) [][][3]float64 {
	in := make([][][3]float64, src.Size.H)
	for y := range in {
		in[y] = make([][3]float64, src.Size.W)
		for x := range in[y] {
			v := src.At(x, y)
			in[y][x] = [3]float64{float64(v & 0xff), float64(v >> 8 & 0xff), float64(v >> 16)}
		}
	}
	return lines(transpose(lines(transpose(in), to.H)), to.W)
}

func transpose(in [][][3]float64) [][][3]float64 {
	out := make([][][3]float64, len(in[0]))
	for x := range out {
		for y := range in {
			out[x] = append(out[x], in[y][x])
		}
	}
	return out
}

// TestScaleKeepsWhite fails when weights do not sum to one.
func TestScaleKeepsWhite(t *testing.T) {
	t.Parallel()
	src := frame.New(deskhand.Size{W: 2301, H: 601})
	src.Fill(src.Bounds(), 0xffffff)
	for _, s := range []deskhand.Size{{W: 1, H: 1}, {W: 3, H: 600}, {W: 7, H: 3}, {W: 1456, H: 199}, {W: 2303, H: 1000}} {
		dst := frame.New(s)
		frame.Scale(dst, src)
		want := frame.New(s)
		want.Fill(want.Bounds(), 0xffffff)
		if !frame.Equal(dst, want) {
			t.Errorf("white scaled to %s is not white, but %06x at 0,0", s, dst.At(0, 0))
		}
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	a, b := scene("ramp", 67, 33, 4), scene("ramp", 67, 33, 12)
	if !frame.Equal(a, b) {
		t.Error("the unused byte or the stride made a difference")
	}
	b.Set(66, 32, b.At(66, 32)^1)
	if frame.Equal(a, b) {
		t.Error("a changed last pixel was not seen")
	}
	if frame.Equal(a, a.Crop(deskhand.ScreenRect{X1: 67, Y1: 32})) {
		t.Error("another size was not seen")
	}
}

func TestCropShares(t *testing.T) {
	t.Parallel()
	a := scene("ramp", 20, 10, 4)
	c := a.Crop(deskhand.ScreenRect{X0: 3, Y0: 2, X1: 20, Y1: 10})
	c.Set(16, 7, 0x123456)
	if a.At(19, 9) != 0x123456 || c.Size != (deskhand.Size{W: 17, H: 8}) {
		t.Errorf("crop is a copy or misplaced: %06x %s", a.At(19, 9), c.Size)
	}
	for _, r := range []deskhand.ScreenRect{{}, {X1: 21, Y1: 1}, {X0: -1, X1: 2, Y1: 2}, {X0: 5, X1: 4, Y1: 3}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v did not panic", r)
				}
			}()
			a.Crop(r)
		}()
	}
}

func TestOverlay(t *testing.T) {
	t.Parallel()
	img := frame.New(deskhand.Size{W: 4, H: 3})
	img.Fill(img.Bounds(), 0x0000ff)
	arrow := []uint32{0xffff0000, 0x80800000, 0, 0xff00ff00}
	frame.Overlay(img, arrow, deskhand.Size{W: 2, H: 2}, 1, 1)
	frame.Overlay(img, arrow, deskhand.Size{W: 2, H: 2}, -1, -1) // only its last pixel lands
	frame.Overlay(img, arrow, deskhand.Size{W: 2, H: 2}, 3, 2)   // only its first
	frame.Overlay(img, arrow, deskhand.Size{W: 2, H: 2}, 90, 90)
	want := map[[2]int]uint32{{1, 1}: 0xff0000, {2, 1}: 0x80007f, {1, 2}: 0x0000ff, {2, 2}: 0x00ff00, {0, 0}: 0x00ff00, {3, 2}: 0xff0000}
	for y := range 3 {
		for x := range 4 {
			w, ok := want[[2]int{x, y}]
			if !ok {
				w = 0x0000ff
			}
			if img.At(x, y) != w {
				t.Errorf("%d,%d is %06x, want %06x", x, y, img.At(x, y), w)
			}
		}
	}
}

func FuzzEncode(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9}, uint16(3), uint16(0), uint8(75))
	f.Add(bytes.Repeat([]byte{0, 0, 0, 0xff, 255, 255, 255, 0}, 40), uint16(7), uint16(5), uint8(1))
	f.Add(bytes.Repeat([]byte("deskhand"), 300), uint16(40), uint16(0), uint8(100))
	f.Fuzz(func(t *testing.T, pix []byte, w, slack uint16, quality uint8) {
		img := &frame.Image{Pix: pix, Stride: 4*int(w) + int(slack)}
		if w == 0 || len(pix) < 4*int(w) {
			return
		}
		img.Size = deskhand.Size{W: int(w), H: 1 + (len(pix)-4*int(w))/img.Stride}
		for _, format := range []string{"png", "jpeg", ""} {
			data, media, err := frame.Encode(nil, img, format, 1+int(quality)%100)
			if err != nil {
				t.Fatal(err)
			}
			got, err := frame.Decode(data)
			if err != nil || got.Size != img.Size {
				t.Fatalf("%q: %v, %v", format, err, got)
			}
			if media == "image/png" && !frame.Equal(got, img) {
				t.Fatal("png differs")
			}
		}
		big, back := frame.New(deskhand.Size{W: img.Size.W*2 + 1, H: img.Size.H + 3}), frame.New(deskhand.Size{W: 2, H: 2})
		frame.Scale(big, img)
		frame.Scale(back, big)
	})
}

func ExampleEncode() {
	img := frame.New(deskhand.Size{W: 2, H: 2})
	_, mediaType, err := frame.Encode(nil, img, "jpeg", 85)
	fmt.Println(mediaType, err)
	// Output: image/jpeg <nil>
}

// TestWorstPictureFits: nothing that a screen can show makes a picture of the
// largest size a model looks at that the API would not take.
func TestWorstPictureFits(t *testing.T) {
	t.Parallel()
	const mostTokens, patch, mostBase64 = 4784, 28, 10 << 20
	noise := frame.New(deskhand.Size{W: 2000, H: mostTokens * patch * patch / 2000})
	rand.NewChaCha8([32]byte{1}).Read(noise.Pix)
	data, _, err := frame.Encode(nil, noise, "", 0)
	if n := base64.StdEncoding.EncodedLen(len(data)); err != nil || n > mostBase64 {
		t.Errorf("%d bytes of base64, %v", n, err)
	}
}
