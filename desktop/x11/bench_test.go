package x11

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
)

// percentiles runs f b.N times and reports the median and the 95th percentile.
func percentiles(b *testing.B, f func() error) {
	b.Helper()
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds()), "p95-µs")
}

var full = deskhand.Size{W: 1280, H: 800}

func BenchmarkInput(b *testing.B) {
	d := open(b, display(b, full))
	at := deskhand.ScreenPoint{X: 100, Y: 100}
	for name, a := range map[string]desktop.Action{
		"click":           {Kind: desktop.Click, Point: &at},
		"move":            {Kind: desktop.Move, Point: &at},
		"key":             {Kind: desktop.Key, Keys: "ctrl+s"},
		"type100":         {Kind: desktop.Type, Text: strings.Repeat("Hello, wor", 10)},
		"type1000":        {Kind: desktop.Type, Text: strings.Repeat("Hello, wor", 100)},
		"type1000foreign": {Kind: desktop.Type, Text: strings.Repeat("Grüße, €", 125)},
	} {
		b.Run(name, func(b *testing.B) {
			percentiles(b, func() error { return d.Input(b.Context(), a) })
		})
	}
}

func BenchmarkScreen(b *testing.B) {
	d := open(b, display(b, full))
	first, err := d.Screen(b.Context(), desktop.Shot{Format: desktop.PNG, Cursor: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("capture", func(b *testing.B) {
		percentiles(b, func() error { return d.screen.capture(b.Context()) })
	})
	for name, shot := range map[string]desktop.Shot{
		"unchanged":   {Since: first.Frame + 1, Cursor: true},
		"auto":        {Cursor: true},
		"png":         {Cursor: true, Format: desktop.PNG},
		"jpeg":        {Cursor: true, Format: desktop.JPEG},
		"scaled-jpeg": {Cursor: true, Format: desktop.JPEG, Size: deskhand.Size{W: 1024, H: 640}},
	} {
		if shot.Since != 0 {
			shot.Since = first.Frame
		}
		b.Run(name, func(b *testing.B) {
			percentiles(b, func() error {
				p, err := d.Screen(b.Context(), shot)
				if err == nil && p.Unchanged != (shot.Since != 0) {
					b.Fatal("unchanged is", p.Unchanged)
				}
				return err
			})
		})
	}
}

// BenchmarkLargeScreen shows the largest usual display the way a model sees it.
func BenchmarkLargeScreen(b *testing.B) {
	d := open(b, display(b, deskhand.Size{W: 3840, H: 2160}))
	b.ReportAllocs()
	percentiles(b, func() error {
		_, err := d.Screen(b.Context(), desktop.Shot{Cursor: true, Size: deskhand.Size{W: 2000, H: 1125}})
		return err
	})
}

func BenchmarkSettle(b *testing.B) {
	d := open(b, display(b, full))
	percentiles(b, func() error {
		_, err := d.Settle(b.Context(), desktop.Wait{})
		return err
	})
}
