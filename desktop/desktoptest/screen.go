package desktoptest

import (
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/frame"
)

// pattern is what the tests of pixels paint: areas on odd coordinates, so that
// an error of one pixel shows.
func (b Bench) pattern(t *testing.T) *frame.Image {
	t.Helper()
	if b.Paint == nil {
		return nil
	}
	size := b.size(t)
	img := frame.New(size)
	for _, p := range []struct {
		x, y, w, h int
		rgb        uint32
	}{
		{0, 0, size.W, size.H, 0x204060},
		{3, 5, 101, 67, 0xff0000}, {17, 11, 1, 1, 0x00ff00}, {18, 12, 1, 1, 0x0000ff},
		{201, 101, 33, 77, 0x123456}, {0, size.H - 1, size.W, 1, 0xffffff}, {size.W - 1, 0, 1, size.H, 0xfedcba},
	} {
		b.Paint(p.x, p.y, p.w, p.h, p.rgb)
		img.Fill(deskhand.ScreenRect{X0: p.x, Y0: p.y, X1: p.x + p.w, Y1: p.y + p.h}, p.rgb)
	}
	return img
}

// take takes a shot and decodes it.
func (b Bench) take(t *testing.T, shot desktop.Shot) (desktop.Picture, *frame.Image) {
	t.Helper()
	pic, err := b.Desktop.Screen(t.Context(), shot)
	if err != nil {
		t.Fatalf("%+v: %v", shot, err)
	}
	img, err := frame.Decode(pic.Data)
	if err != nil {
		t.Fatalf("%+v: %v", shot, err)
	}
	if pic.Size != img.Size || pic.Frame == 0 || pic.Unchanged {
		t.Fatalf("%+v: picture says size %s, frame %d, unchanged %t; data has %s", shot, pic.Size, pic.Frame, pic.Unchanged, img.Size)
	}
	return pic, img
}

func testSize(t *testing.T, b Bench) {
	size := b.size(t)
	if size.W < 320 || size.H < 240 {
		t.Fatalf("the display is %s, the suite needs 320x240", size)
	}
	if pic, _ := b.take(t, desktop.Shot{}); pic.Size != size {
		t.Errorf("a picture of the whole is %s, the display %s", pic.Size, size)
	}
}

func testPixels(t *testing.T, b Bench) {
	want := b.pattern(t)
	if want == nil {
		return
	}
	for _, r := range []deskhand.ScreenRect{
		{}, want.Bounds(), {X0: 2, Y0: 4, X1: 103, Y1: 73}, {X0: 17, Y0: 11, X1: 18, Y1: 12}, {X0: 16, Y0: 11, X1: 19, Y1: 14},
		{X0: want.Size.W - 1, Y0: want.Size.H - 1, X1: want.Size.W, Y1: want.Size.H}, {X1: want.Size.W, Y1: 1},
	} {
		_, got := b.take(t, desktop.Shot{Region: r, Format: desktop.PNG})
		if r.Empty() {
			r = want.Bounds()
		}
		if !frame.Equal(got, want.Crop(r)) {
			t.Errorf("region %v is not what was painted", r)
		}
	}
}

func testFormats(t *testing.T, b Bench) {
	b.pattern(t)
	_, exact := b.take(t, desktop.Shot{Format: desktop.PNG})
	area := deskhand.ScreenRect{X0: 40, Y0: 16, X1: 96, Y1: 64} // one colour in the pattern
	for format, media := range map[desktop.Format]string{desktop.PNG: "image/png", desktop.JPEG: "image/jpeg", desktop.Auto: ""} {
		for _, quality := range []int{0, 50, 100} {
			pic, img := b.take(t, desktop.Shot{Format: format, Quality: quality})
			if media != "" && pic.MediaType != media {
				t.Errorf("%q gave %s", format, pic.MediaType)
			}
			if got := distance(img.Crop(area), exact.Crop(area)); got > 12 {
				t.Errorf("%q at quality %d: a colour is off by %d", format, quality, got)
			}
		}
	}
}

// distance returns the largest difference of a channel.
func distance(a, b *frame.Image) int {
	far := 0
	for y := range a.Size.H {
		for x := range a.Size.W {
			for shift := 0; shift < 24; shift += 8 {
				d := int(a.At(x, y)>>shift&0xff) - int(b.At(x, y)>>shift&0xff)
				far = max(far, d, -d)
			}
		}
	}
	return far
}

func testScaled(t *testing.T, b Bench) {
	whole := b.size(t)
	for _, size := range []deskhand.Size{{W: 100, H: 75}, {W: 1, H: 1}, {W: whole.W + 13, H: whole.H - 7}, {W: 640, H: 31}} {
		if pic, _ := b.take(t, desktop.Shot{Size: size}); pic.Size != size {
			t.Errorf("asked for %s, got %s", size, pic.Size)
		}
	}
	if b.pattern(t) == nil {
		return
	}
	for _, size := range []deskhand.Size{{W: 20, H: 15}, {W: 160, H: 120}} { // of 80x60 inside the red area
		shot := desktop.Shot{Region: deskhand.ScreenRect{X0: 21, Y0: 9, X1: 101, Y1: 69}, Size: size, Format: desktop.PNG}
		_, img := b.take(t, shot)
		want := frame.New(size)
		want.Fill(want.Bounds(), 0xff0000)
		if got := distance(img, want); got > 1 {
			t.Errorf("a red area scaled to %s is off by %d", size, got)
		}
	}
}

func testPointer(t *testing.T, b Bench) {
	b.pattern(t)
	b.input(t, desktop.Action{Kind: desktop.Move, Point: at(60, 40)})
	around := deskhand.ScreenRect{X0: 20, Y0: 15, X1: 100, Y1: 70}
	_, without := b.take(t, desktop.Shot{Region: around, Format: desktop.PNG})
	_, with := b.take(t, desktop.Shot{Region: around, Format: desktop.PNG, Cursor: true})
	if b.Paint == nil {
		return
	}
	red := frame.New(around.Size())
	red.Fill(red.Bounds(), 0xff0000)
	if !frame.Equal(without, red) {
		t.Error("the pointer was drawn without being asked for")
	}
	if frame.Equal(with, red) {
		t.Error("the pointer was not drawn")
	}
}

func testShotsRefused(t *testing.T, b Bench) {
	size := b.size(t)
	for _, shot := range []desktop.Shot{
		{Region: deskhand.ScreenRect{X1: size.W + 1, Y1: 10}},
		{Region: deskhand.ScreenRect{X0: -1, X1: 10, Y1: 10}},
		{Region: deskhand.ScreenRect{X0: 10, Y0: 10, X1: 10, Y1: 20}},
		{Region: deskhand.ScreenRect{X0: 10, Y0: 20, X1: 20, Y1: 10}},
		{Size: deskhand.Size{W: 10}}, {Size: deskhand.Size{W: -5, H: -5}}, {Size: deskhand.Size{W: 1 << 20, H: 1 << 20}},
		{Format: "bmp"}, {Quality: 101}, {Quality: -1},
	} {
		_, err := b.Desktop.Screen(t.Context(), shot)
		isCode(t, "a shot that is wrong", err, deskhand.Invalid)
	}
}

func testUnchanged(t *testing.T, b Bench) {
	if b.Paint == nil {
		return
	}
	b.Paint(0, 0, 50, 50, 0x111111)
	first, _ := b.take(t, desktop.Shot{})
	again, err := b.Desktop.Screen(t.Context(), desktop.Shot{Since: first.Frame})
	if err != nil {
		t.Fatal(err)
	}
	if !again.Unchanged || again.Data != nil || again.Frame != first.Frame {
		t.Errorf("nothing was drawn, yet unchanged is %t with %d bytes, frame %d after %d", again.Unchanged, len(again.Data), again.Frame, first.Frame)
	}
	b.Paint(10, 10, 1, 1, 0xffffff)
	after, _ := b.take(t, desktop.Shot{Since: first.Frame})
	if after.Frame == first.Frame {
		t.Error("one pixel was drawn, yet the frame has the same number")
	}
	if pic, _ := b.take(t, desktop.Shot{Since: first.Frame}); pic.Frame != after.Frame {
		t.Errorf("the same content is frame %d and %d", after.Frame, pic.Frame)
	}
}
