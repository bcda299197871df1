package machine

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"os"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/guest"
	"github.com/deskhand/deskhand/guest/stack"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "guest" {
		// Not os.Exit, which waits for a second under the race detector.
		syscall.Exit(guest.Main(os.Args[2:], os.Stdin, os.Stderr, stack.Open))
	}
	if len(os.Args) > 1 && os.Args[1] == "full" {
		syscall.Exit(full(os.Args[2]))
	}
	goleak.VerifyTestMain(m)
}

// up makes a computer that goes with the test.
func up(t testing.TB, c Config) *Machine {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	m, err := Up(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return m
}

// look takes a picture; with DESKHAND_SHOTS set it is kept in that directory.
func look(t testing.TB, m *Machine, name string) image.Image {
	t.Helper()
	p, err := m.Desktop().Screen(t.Context(), desktop.Shot{Format: desktop.PNG})
	if err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("DESKHAND_SHOTS"); dir != "" {
		if err := os.WriteFile(dir+"/"+name+".png", p.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	img, err := png.Decode(bytes.NewReader(p.Data))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func colourAt(img image.Image, x, y int) uint32 {
	r, g, b, _ := img.At(x, y).RGBA()
	return r>>8<<16 | g>>8<<8 | b>>8
}

// until asks again until yes, for 20 seconds.
func until(t testing.TB, what string, yes func(ctx context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !yes(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within 20s", what)
		}
	}
}

// window waits for a window of that class.
func window(t testing.TB, m *Machine, class string) (found desktop.Window) {
	t.Helper()
	until(t, "a window of "+class, func(ctx context.Context) bool {
		all, err := m.Desktop().Windows(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range all {
			if w.Class == class {
				found = w
				return true
			}
		}
		return false
	})
	return found
}

// settle waits until the display is quiet.
func settle(t testing.TB, m *Machine) {
	t.Helper()
	s, err := m.Desktop().Settle(t.Context(), desktop.Wait{Quiet: 300 * time.Millisecond, Limit: 10 * time.Second})
	if err != nil || !s.Quiet {
		t.Fatalf("the display does not settle: %+v, %v", s, err)
	}
}

func click(t testing.TB, m *Machine, p deskhand.ScreenPoint) {
	t.Helper()
	if err := m.Desktop().Input(t.Context(), desktop.Action{Kind: desktop.Click, Point: &p}); err != nil {
		t.Fatal(err)
	}
}

// launcher is the place of the launcher of kind. All programs but an office
// are installed where these tests run.
func launcher(size deskhand.Size, kind stack.Kind) deskhand.ScreenPoint {
	for i, l := range stack.Looks() {
		if l.Kind == kind {
			return stack.PanelOf(size, 1).Launcher(size, i)
		}
	}
	panic("no such kind")
}

func TestPanelShowsLaunchers(t *testing.T) {
	t.Parallel()
	for _, size := range []deskhand.Size{{W: 1280, H: 800}, {W: 1024, H: 768}, {W: 1920, H: 1080}} {
		t.Run(size.String(), func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			m := up(t, Config{Screen: size})
			t.Logf("up after %s", time.Since(began))
			img := look(t, m, "ready-"+size.String())
			if img.Bounds().Dx() != size.W || img.Bounds().Dy() != size.H {
				t.Fatalf("the screen has %v", img.Bounds())
			}
			panel := stack.PanelOf(size, 1)
			for _, l := range stack.Looks() {
				if l.Kind == stack.Office {
					continue
				}
				p := launcher(size, l.Kind)
				if got := colourAt(img, p.X-panel.Icon/2+panel.Icon/8, p.Y); got != l.Colour {
					t.Errorf("%s: colour %06x at %v, want %06x", l.Kind, got, p, l.Colour)
				}
			}
		})
	}
}

func TestClickOpensEditor(t *testing.T) {
	t.Parallel()
	m := up(t, Config{})
	click(t, m, launcher(deskhand.Size{W: 1280, H: 800}, stack.Editor))
	w := window(t, m, "Mousepad")
	settle(t, m)
	look(t, m, "editor")
	t.Logf("%+v", w)
}
