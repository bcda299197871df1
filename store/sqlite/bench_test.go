package sqlite

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
)

// median runs f again and again and reports the median beside the mean.
func median(b *testing.B, f func()) {
	var took []time.Duration
	for b.Loop() {
		begun := time.Now()
		f()
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
}

func BenchmarkAppend(b *testing.B) {
	s := setup(b)
	id := create(b, s)
	data := deskhand.CallFinished{CallID: "t1", Result: deskhand.Text("Clicked.")}
	median(b, func() {
		if _, err := s.Append(b.Context(), deskhand.NewEvent(id, deskhand.KindCallFinished, data)); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkAppendTwo appends two events at once, as verdict and intent are.
func BenchmarkAppendTwo(b *testing.B) {
	s := setup(b)
	id := create(b, s)
	ev := deskhand.NewEvent(id, deskhand.KindCallFinished, deskhand.CallFinished{CallID: "t1", Result: deskhand.Text("Clicked.")})
	median(b, func() {
		if _, err := s.Append(b.Context(), ev, ev); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkAppendWithBlob stores a screenshot of 150 kB and the event that names it.
func BenchmarkAppendWithBlob(b *testing.B) {
	s := setup(b)
	id := create(b, s)
	shot := bytes.Repeat([]byte("screen"), 25_000)
	n := 0
	median(b, func() {
		n++
		copy(shot, fmt.Sprint(n))
		h, err := s.PutBlob(b.Context(), shot)
		if err != nil {
			b.Fatal(err)
		}
		res := deskhand.Result{Content: []deskhand.Content{{Image: &deskhand.Image{Hash: h, MediaType: "image/png"}}}}
		if _, err := s.Append(b.Context(), deskhand.NewEvent(id, deskhand.KindCallFinished, deskhand.CallFinished{Result: res})); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkOpen opens a store that is there, as every command does.
func BenchmarkOpen(b *testing.B) {
	dir := setup(b).dir
	for b.Loop() {
		s, err := Open(b.Context(), dir)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWitness measures what finding lost events costs an append.
func BenchmarkWitness(b *testing.B) {
	s := setup(b)
	id := create(b, s)
	n := int64(0)
	median(b, func() {
		n++
		s.witness(id, n)
	})
}
