package local_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/engine/enginetest"
	"github.com/deskhand/deskhand/engine/local"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/store/sqlite"
)

// BenchmarkTurn measures what the runtime adds to a turn of one call: the loop,
// the journal on disk and a watcher.
func BenchmarkTurn(b *testing.B) {
	const turns = 1000
	st, err := sqlite.Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	replies := make([]model.Reply, turns)
	for i := range replies {
		replies[i] = enginetest.Ask("act")
	}
	replies[turns-1] = enginetest.Say("done")
	e, err := local.New(b.Context(), local.Config{
		Store: st, Computers: new(enginetest.Computers),
		Model: func(context.Context, deskhand.Task) (model.Model, func(deskhand.Usage) float64, error) {
			return enginetest.Turns(replies...), nil, nil
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	var peak uint64
	for b.Loop() {
		task, err := e.Start(b.Context(), deskhand.Task{
			Text: "do it", Permission: "trust",
			Guard: deskhand.Guard{Identical: -1, Cycles: -1, Clicks: -1, Idle: -1}, // it does go in circles
		})
		if err != nil {
			b.Fatal(err)
		}
		events, err := e.Watch(b.Context(), task.ID, 0)
		if err != nil {
			b.Fatal(err)
		}
		var m runtime.MemStats
		for ev := range events {
			if ev.Kind == deskhand.KindTurnStarted && ev.Seq%100 < 6 {
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapInuse+m.StackInuse)
			}
		}
		if got, err := st.Get(b.Context(), string(task.ID)); err != nil || got.Turns != turns || got.Status != deskhand.Done {
			b.Fatalf("it ended as %s after %d turns (%v)", got.Status, got.Turns, err)
		}
	}
	b.ReportMetric(float64(peak)/(1<<20), "MB-peak")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*turns), "µs/turn")
}
