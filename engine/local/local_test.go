package local_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/engine/enginetest"
	"github.com/deskhand/deskhand/engine/local"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/store"
	"github.com/deskhand/deskhand/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEngine(t *testing.T) { // not parallel: part of it measures time
	enginetest.Run(t, func(t *testing.T, w enginetest.World) (engine.Engine, store.Store) {
		st := openStore(t, t.TempDir())
		return newEngine(t, st, w), st
	})
}

func openStore(t *testing.T, dir string) *sqlite.Store {
	t.Helper()
	st, err := sqlite.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

func newEngine(t *testing.T, st store.Store, w enginetest.World) *local.Engine {
	t.Helper()
	e, err := local.New(t.Context(), local.Config{
		Store: st, Computers: w.Computers, Gate: w.Gate, Check: w.Check, Keep: w.Keep,
		Model: func(context.Context, deskhand.Task) (model.Model, func(deskhand.Usage) float64, error) {
			return w.Model, nil, w.ModelErr
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}
