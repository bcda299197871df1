package main

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// build builds deskhand, as the rig kills real processes of the real program.
func build(t *testing.T) string {
	t.Helper()
	if missing := needed(); missing != "" {
		t.Skipf("there is no %s, so no desktop with a page that counts: NOT TESTED", missing)
	}
	file := filepath.Join(t.TempDir(), "deskhand")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", file, "../../cmd/deskhand").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return file
}

// began is the boundary after the nth start of a call.
func began(n int) boundary {
	return func(events []deskhand.Event) bool {
		seen := 0
		for _, e := range events {
			if e.Kind == deskhand.KindCallStarted {
				seen++
			}
		}
		return seen == n
	}
}

// TestKilled kills the runtime at two events of the matrix, and what takes the
// most with it while a call runs. make crash kills at all events, and all parts.
func TestKilled(t *testing.T) {
	program := build(t)
	for _, tt := range []struct {
		name string
		when boundary
	}{
		{"while the desktop comes up", after(4)},
		{"while a click runs", began(2)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := killRuntime(t.Context(), program, tt.when)
			if err != nil {
				t.Error(err)
			}
			if r.at.Kind == "" || r.ended {
				t.Errorf("it was not killed: %+v", r)
			}
			t.Logf("killed after %d events (%d read, %d stored): %d finished, %d unknown; counted %s",
				r.at.Seq, r.acked, r.stored, count(r.fates, finished), count(r.fates, unknown), r.counted)
		})
	}
	for _, s := range scenarios() {
		if !s.quick {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			r, err := s.play(t.Context(), program)
			if err != nil {
				t.Error(err)
			}
			t.Logf("%d finished, %d unknown; counted %s", count(r.fates, finished), count(r.fates, unknown), r.counted)
		})
	}
}

// TestJudge sees that an action which happened twice, or not at all, is found.
func TestJudge(t *testing.T) {
	t.Parallel()
	turns := []turn{{calls: []asked{pointed("left_click", clickOne), pointed("left_click", clickTwo), pointed("left_click", clickThree)}}}
	least, most := bounds(turns, [][]fate{{finished, unknown, never}})
	for _, tt := range []struct {
		one, two, three int
		held            bool
	}{
		{1, 0, 0, true}, {1, 1, 0, true}, {0, 0, 0, false}, {2, 0, 0, false}, {1, 2, 0, false}, {1, 1, 1, false},
	} {
		var got counts
		got[clickOne], got[clickTwo], got[clickThree] = tt.one, tt.two, tt.three
		if err := judgeCounts(got, least, most); (err == nil) != tt.held {
			t.Errorf("%v: %v", got, err)
		}
	}
}

// TestReadCounts reads pictures: a page, one that is partly hidden, and none.
func TestReadCounts(t *testing.T) {
	t.Parallel()
	img := image.NewRGBA(image.Rect(0, 0, screen.W, screen.H))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.RGBA{0xf0, 0xe0, 0xd0, 0xff}), image.Point{}, draw.Src)
	read := func() (counts, bool) {
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		c, shown, err := readCounts(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		return c, shown
	}
	if _, shown := read(); shown {
		t.Error("a page without cells counts as shown")
	}
	for cell := range cells {
		at := middle(cell)
		draw.Draw(img, image.Rect(at.X-60, at.Y-50, at.X+60, at.Y+50), image.NewUniform(shades[cell%4]), image.Point{}, draw.Src)
	}
	draw.Draw(img, image.Rect(30, 30, 60, 60), image.Black, image.Point{}, draw.Src) // a pointer over the first
	got, shown := read()
	if !shown {
		t.Fatal("the page is not seen")
	}
	for cell, n := range got {
		if n != cell%4 {
			t.Errorf("cell %d counts %d, want %d", cell, n, cell%4)
		}
	}
	if _, _, err := readCounts([]byte("no picture")); err == nil {
		t.Error("no picture was read")
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"-deskhand", "x", "-every", "0"}, {"-deskhand", "x", "more"}, {"-nope"}} {
		var out, errs bytes.Buffer
		if status := obey(t.Context(), args, &out, &errs); status != exitUsage || out.Len() > 0 || errs.Len() == 0 {
			t.Errorf("%q: status %d, %q, %q", args, status, out.String(), errs.String())
		}
	}
}
