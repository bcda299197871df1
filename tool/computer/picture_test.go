package computer_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/desktop/fake"
	"github.com/deskhand/deskhand/tool/computer"
)

func picture(t *testing.T, c deskhand.Content) image.Image {
	t.Helper()
	if c.Image == nil {
		t.Fatalf("no image but %q", c.Text)
	}
	m, _, err := image.Decode(bytes.NewReader(c.Image.Data))
	if err != nil {
		t.Fatal(err)
	}
	if got := (deskhand.Size{W: m.Bounds().Dx(), H: m.Bounds().Dy()}); got != c.Image.Size || c.Image.Hash != deskhand.HashOf(c.Image.Data) {
		t.Errorf("the image is %s and says %+v", got, c.Image)
	}
	return m
}

func TestScreenshotAndObserve(t *testing.T) {
	t.Parallel()
	tl, d := open(t, computer.Config{})
	observe := func() deskhand.Content {
		t.Helper()
		got, err := tl.Observe(context.Background())
		if err != nil || len(got) != 1 {
			t.Fatal(got, err)
		}
		return got[0]
	}
	picture(t, observe()) // the model has seen nothing yet
	d.Paint(200, 100, 400, 300, 0xff0000)
	r := run(t, tl, "screenshot", `{}`)
	m := picture(t, r.Content[0])
	if len(r.Content) != 1 || m.Bounds().Size() != (image.Point{X: 1024, Y: 768}) {
		t.Errorf("%v", m.Bounds())
	}
	if r, g, b, _ := m.At(200, 100).RGBA(); r < 0xf000 || g > 0x1000 || b > 0x1000 {
		t.Errorf("colour %x %x %x", r, g, b)
	}
	if got := observe(); got.Text != "The screen has not changed since the last screenshot." || got.Image != nil {
		t.Errorf("%+v", got)
	}
	picture(t, run(t, tl, "screenshot", `{}`).Content[0]) // asked for by name: always an image
	d.Paint(0, 0, 5, 5, 0x00ff00)
	picture(t, observe())
	if got := observe(); got.Text == "" {
		t.Errorf("%+v", got)
	}
}

func TestZoomShowsTheScreensOwnPixels(t *testing.T) {
	t.Parallel()
	tl, d := open(t, computer.Config{Format: desktop.PNG})
	d.Paint(0, 0, 2048, 1536, 0xffffff)
	d.Paint(301, 201, 1, 1, 0xff0000) // one pixel of the screen, half of one of the model's
	m := picture(t, run(t, tl, "zoom", `{"region":[150,100,151,101]}`).Content[0])
	if m.Bounds().Size() != (image.Point{X: 768, Y: 768}) {
		t.Fatalf("%v", m.Bounds())
	}
	red := func(x, y int) bool { r, g, _, _ := m.At(x, y).RGBA(); return r > 0xf000 && g < 0x1000 }
	if red(100, 100) || red(700, 100) || red(100, 700) || !red(700, 700) {
		t.Error("the pixel is not where it belongs")
	}
	for region, want := range map[string]string{
		"[0,0,1024,768]": "1024x768", "[0,0,1024,1]": "1024x1", "[0,0,1,768]": "1x768", "[0,0,512,384]": "1024x768",
		"[1023,767,1024,768]": "768x768", "[0,0,100,100]": "768x768", "[10,20,90,30]": "960x120", "[0,0,255,192]": "1020x768",
	} {
		if got := picture(t, run(t, tl, "zoom", `{"region":`+region+`}`).Content[0]).Bounds().Size(); fmt.Sprintf("%dx%d", got.X, got.Y) != want {
			t.Errorf("%s: %v, want %s", region, got, want)
		}
	}
}

func TestCursorPosition(t *testing.T) {
	t.Parallel()
	tl, d := open(t, computer.Config{})
	for _, p := range [][2]int{{0, 0}, {512, 384}, {1023, 767}, {1, 766}} {
		run(t, tl, "mouse_move", fmt.Sprintf(`{"coordinate":[%d,%d]}`, p[0], p[1]))
		if got, want := run(t, tl, "cursor_position", `{}`).Content[0].Text, fmt.Sprintf("X=%d,Y=%d", p[0], p[1]); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if err := d.Input(context.Background(), desktop.Action{Kind: desktop.Move, Point: at(2047, 0)}); err != nil {
		t.Fatal(err)
	}
	if got := run(t, tl, "cursor_position", `{}`).Content[0].Text; got != "X=1023,Y=0" {
		t.Errorf("got %s", got)
	}
}

// TestCornersLandOnTheirPixel: whatever the two sizes, the corners and the
// middle of the screenshot land inside the display, and on the pixel that the
// model is told the pointer is at.
func TestCornersLandOnTheirPixel(t *testing.T) {
	t.Parallel()
	screens := []deskhand.Size{{W: 800, H: 600}, {W: 1280, H: 800}, {W: 1366, H: 768}, {W: 1920, H: 1080}, {W: 2560, H: 1600}, {W: 3840, H: 2160}, {W: 1080, H: 1920}, {W: 1075, H: 1521}}
	models := []deskhand.Size{{W: 800, H: 600}, {W: 1280, H: 800}, {W: 1456, H: 819}, {W: 819, H: 1456}, {W: 924, H: 1307}, {W: 333, H: 217}}
	for _, s := range screens {
		for _, m := range models {
			d := fake.New(s)
			tl, err := computer.New(d, computer.Config{Model: m, Settle: brief})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range []deskhand.ModelPoint{{X: 0, Y: 0}, {X: m.W - 1, Y: 0}, {X: 0, Y: m.H - 1}, {X: m.W - 1, Y: m.H - 1}, {X: m.W / 2, Y: m.H / 2}, {X: m.W / 3, Y: m.H / 7}} {
				if r := run(t, tl, "mouse_move", fmt.Sprintf(`{"coordinate":[%d,%d]}`, p.X, p.Y)); r.IsError {
					t.Fatalf("%s shown as %s, %+v: %s", s, m, p, r.Content[0].Text)
				}
				got, err := d.Cursor(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				// the display pixels that the model's pixel covers
				if got.X < p.X*s.W/m.W || got.X > (p.X+1)*s.W/m.W || got.Y < p.Y*s.H/m.H || got.Y > (p.Y+1)*s.H/m.H {
					t.Errorf("%s shown as %s: %+v landed at %+v", s, m, p, got)
				}
				if told := run(t, tl, "cursor_position", `{}`).Content[0].Text; s.W >= m.W && s.H >= m.H && told != fmt.Sprintf("X=%d,Y=%d", p.X, p.Y) {
					t.Errorf("%s shown as %s: %+v is told as %s", s, m, p, told)
				}
			}
			for _, p := range []deskhand.ModelPoint{{X: m.W, Y: 0}, {X: 0, Y: m.H}, {X: -1, Y: 0}, {X: 0, Y: -1}} {
				if r := run(t, tl, "mouse_move", fmt.Sprintf(`{"coordinate":[%d,%d]}`, p.X, p.Y)); !r.IsError {
					t.Errorf("%s shown as %s: %+v was not refused", s, m, p)
				}
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
