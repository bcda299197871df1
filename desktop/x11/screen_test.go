package x11

import (
	"bytes"
	"image"
	"image/color"
	_ "image/jpeg"
	_ "image/png"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/xvfb"
	"github.com/jezek/xgb/xproto"
)

// paint fills a rectangle of the witness's window.
func (w *witness) paint(x, y, width, height int, rgb uint32) {
	w.t.Helper()
	gc, err := xproto.NewGcontextId(w.conn)
	w.must(err)
	w.must(xproto.CreateGCChecked(w.conn, gc, xproto.Drawable(w.win), xproto.GcForeground, []uint32{rgb}).Check())
	w.must(xproto.PolyFillRectangleChecked(w.conn, xproto.Drawable(w.win), gc,
		[]xproto.Rectangle{{X: int16(x), Y: int16(y), Width: uint16(width), Height: uint16(height)}}).Check())
	w.must(xproto.FreeGCChecked(w.conn, gc).Check())
}

// shot takes a picture and decodes it with the standard library.
func shot(t testing.TB, d *Desktop, s desktop.Shot) (image.Image, desktop.Picture) {
	t.Helper()
	p, err := d.Screen(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if p.Unchanged {
		return nil, p
	}
	img, kind, err := image.Decode(bytes.NewReader(p.Data))
	if err != nil || "image/"+kind != p.MediaType || img.Bounds().Dx() != p.Size.W || img.Bounds().Dy() != p.Size.H {
		t.Fatalf("picture of %v is %v, a %s (%s): %v", p.Size, img.Bounds(), kind, p.MediaType, err)
	}
	return img, p
}

func rgbAt(img image.Image, x, y int) uint32 {
	c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
	return uint32(c.R)<<16 | uint32(c.G)<<8 | uint32(c.B)
}

// drivers are a driver on shared memory and one on the socket.
func drivers(t *testing.T, s *xvfb.Server) map[string]*Desktop {
	t.Helper()
	plain, err := Open(t.Context(), Config{Display: s.Display, Authority: s.Authority, NoSharedMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { plain.Close() })
	shared := open(t, s)
	if shared.screen.grab.op == 0 || plain.screen.grab.op != 0 {
		t.Fatal("shared memory is used where it should not be, or not where it should")
	}
	return map[string]*Desktop{"shared memory": shared, "socket": plain}
}

func TestPicturesShowTheDisplay(t *testing.T) {
	t.Parallel()
	s := display(t, small)
	w := newWitness(t, s)
	for name, d := range drivers(t, s) {
		w.paint(0, 0, 640, 480, 0x102030)
		w.paint(100, 50, 20, 10, 0xff8000)
		do(t, d, desktop.Action{Kind: desktop.Move, Point: at(600, 400)})
		img, p := shot(t, d, desktop.Shot{Format: desktop.PNG})
		if p.Size != small || p.Frame == 0 {
			t.Errorf("%s: %v, frame %d", name, p.Size, p.Frame)
		}
		for _, c := range []struct {
			x, y int
			want uint32
		}{{0, 0, 0x102030}, {99, 50, 0x102030}, {100, 50, 0xff8000}, {119, 59, 0xff8000}, {120, 59, 0x102030}, {600, 400, 0x102030}} {
			if got := rgbAt(img, c.x, c.y); got != c.want {
				t.Errorf("%s: (%d, %d) is %06x, want %06x", name, c.x, c.y, got, c.want)
			}
		}
		img, _ = shot(t, d, desktop.Shot{Format: desktop.PNG, Region: deskhand.ScreenRect{X0: 98, Y0: 48, X1: 130, Y1: 64}})
		if rgbAt(img, 1, 2) != 0x102030 || rgbAt(img, 2, 2) != 0xff8000 {
			t.Errorf("%s: the region is off", name)
		}
		img, _ = shot(t, d, desktop.Shot{Format: desktop.PNG, Region: deskhand.ScreenRect{X0: 100, Y0: 50, X1: 120, Y1: 60}, Size: deskhand.Size{W: 200, H: 100}})
		if rgbAt(img, 100, 50) != 0xff8000 {
			t.Errorf("%s: the scaled region is off", name)
		}
		_, p = shot(t, d, desktop.Shot{Format: desktop.JPEG, Size: deskhand.Size{W: 320, H: 240}})
		if p.MediaType != "image/jpeg" {
			t.Errorf("%s: %s", name, p.MediaType)
		}
	}
}

func TestCursorIsDrawn(t *testing.T) {
	t.Parallel()
	s := display(t, small)
	d, w := open(t, s), newWitness(t, s)
	w.paint(0, 0, 640, 480, 0x808080)
	for _, p := range []*deskhand.ScreenPoint{at(300, 200), at(0, 0), at(639, 479)} {
		do(t, d, desktop.Action{Kind: desktop.Move, Point: p})
		with, _ := shot(t, d, desktop.Shot{Format: desktop.PNG, Cursor: true})
		without, _ := shot(t, d, desktop.Shot{Format: desktop.PNG})
		differ, far := 0, 0
		for y := range 480 {
			for x := range 640 {
				if rgbAt(with, x, y) != rgbAt(without, x, y) {
					differ++
					if x < p.X-32 || x > p.X+32 || y < p.Y-32 || y > p.Y+32 {
						far++
					}
				}
			}
		}
		if differ == 0 || far > 0 {
			t.Errorf("at %v: %d pixels differ, %d of them far away", *p, differ, far)
		}
	}
}

func TestUnchangedIsHonest(t *testing.T) {
	t.Parallel()
	s := display(t, small)
	w := newWitness(t, s)
	for name, d := range drivers(t, s) {
		w.paint(0, 0, 640, 480, 0x102030)
		do(t, d, desktop.Action{Kind: desktop.Move, Point: at(5, 5)})
		_, first := shot(t, d, desktop.Shot{Cursor: true})
		again := func(what string, cursor, unchanged bool) {
			t.Helper()
			if _, p := shot(t, d, desktop.Shot{Cursor: cursor, Since: first.Frame}); p.Unchanged != unchanged || unchanged == (p.Data != nil) {
				t.Errorf("%s: %s, cursor %v: unchanged is %v, frame %d after %d", name, what, cursor, p.Unchanged, p.Frame, first.Frame)
			}
		}
		again("nothing happened", true, true)
		w.paint(10, 10, 1, 1, 0x102030)
		again("the same was drawn again", true, true)
		w.paint(10, 10, 1, 1, 0xffffff)
		w.paint(10, 10, 1, 1, 0x102030)
		again("drawn and taken back", true, true)
		do(t, d, desktop.Action{Kind: desktop.Move, Point: at(6, 5)})
		again("the pointer moved", false, true)
		again("the pointer moved", true, false)
		w.paint(639, 479, 1, 1, 0xffffff)
		again("one pixel was drawn", false, false)
		if _, p := shot(t, d, desktop.Shot{Since: first.Frame + 1000}); p.Unchanged {
			t.Errorf("%s: unchanged since a frame to come", name)
		}
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	s := display(t, small)
	d, w := open(t, s), newWitness(t, s)
	settle := func(wait desktop.Wait) desktop.Settled {
		t.Helper()
		got, err := d.Settle(t.Context(), wait)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	const ms = time.Millisecond
	still := settle(desktop.Wait{})
	if !still.Quiet || still.Changed || still.Waited < 40*ms || still.Waited > 500*ms {
		t.Errorf("a still display: %+v", still)
	}
	if got := settle(desktop.Wait{First: 120 * ms}); !got.Quiet || got.Changed || got.Waited < 120*ms {
		t.Errorf("nothing came: %+v", got)
	}
	w.paint(0, 0, 5, 5, 0xff0000)
	if got := settle(desktop.Wait{Since: still.Frame, First: time.Second}); !got.Quiet || !got.Changed || got.Waited > 500*ms || got.Frame == still.Frame {
		t.Errorf("drawn before: %+v", got)
	}
	before := settle(desktop.Wait{})

	draw := func(n int, gap time.Duration) (wait func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range n {
				timer := time.NewTimer(gap)
				<-timer.C
				w.paint(0, 0, 50, 50, uint32(0x1000+i))
			}
		}()
		return func() { <-done }
	}
	join := draw(5, 60*ms)
	if got := settle(desktop.Wait{Quiet: 200 * ms, Limit: 10 * time.Second}); !got.Quiet || !got.Changed || got.Waited < 480*ms || got.Frame == before.Frame {
		t.Errorf("drawing for 300 ms: %+v", got)
	}
	join()
	join = draw(1, 100*ms)
	if got := settle(desktop.Wait{First: 10 * time.Second, Limit: 20 * time.Second}); !got.Quiet || !got.Changed || got.Waited < 130*ms || got.Waited > 5*time.Second {
		t.Errorf("waiting for a first change: %+v", got)
	}
	join()
	join = draw(40, 10*ms)
	if got := settle(desktop.Wait{Quiet: 150 * ms, Limit: 200 * ms}); got.Quiet || !got.Changed || got.Waited < 200*ms || got.Waited > 390*ms {
		t.Errorf("an animation: %+v", got)
	}
	join()
}
