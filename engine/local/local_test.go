package local_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/engine/enginetest"
	"github.com/deskhand/deskhand/engine/local"
	"github.com/deskhand/deskhand/guest"
	"github.com/deskhand/deskhand/guest/stack"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/store"
	"github.com/deskhand/deskhand/store/sqlite"
)

func TestMain(m *testing.M) {
	if args := os.Getenv(dieVariable); args != "" {
		if err := drivePlay(strings.Split(args, "\n")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "guest" {
		// Not os.Exit, which waits for a second under the race detector.
		syscall.Exit(guest.Main(os.Args[2:], os.Stdin, os.Stderr, stack.Open))
	}
	goleak.VerifyTestMain(m)
}

func splitNul(raw []byte) []string { return strings.Split(string(raw), "\x00") }

func dataOf[T any](t *testing.T, ev deskhand.Event) (d T) {
	t.Helper()
	if err := json.Unmarshal(ev.Data, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestEngine(t *testing.T) { // not parallel: part of it measures time
	enginetest.Run(t, func(t *testing.T, w enginetest.World) (engine.Engine, store.Store) {
		if w.Dir == "" {
			w.Dir = t.TempDir()
		}
		st := openStore(t, w.Dir)
		return newEngine(t, st, w), st
	})
}

func openStore(t testing.TB, dir string) *sqlite.Store {
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
