package local_test

import (
	"context"
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
	const turns = 100
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
	for b.Loop() {
		task, err := e.Start(b.Context(), deskhand.Task{Text: "do it", Permission: "trust"})
		if err != nil {
			b.Fatal(err)
		}
		events, err := e.Watch(b.Context(), task.ID, 0)
		if err != nil {
			b.Fatal(err)
		}
		for range events {
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*turns), "µs/turn")
}
