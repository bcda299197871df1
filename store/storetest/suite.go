// Package storetest is the suite that every store passes, also with a second
// process at work in the same directory, which is killed now and then.
package storetest

import (
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/store"
)

// Run checks that a store does what package store says. The test binary's
// TestMain must call Main.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, *fixture){
		"chain":        chain,
		"refused":      refused,
		"transition":   transition,
		"exact":        exact,
		"glance":       glance,
		"concurrent":   concurrent,
		"killed":       killed,
		"acknowledged": acknowledged,
		"lease":        lease,
		"prefix":       prefix,
		"list":         list,
		"remove":       remove,
		"blobs":        blobs,
		"drop blobs":   dropBlobs,
		"big":          big,
		"canceled":     canceled,
		"iterators":    iterators,
		"nothing yet":  nothingYet,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newFixture(t, open))
		})
	}
	// By itself, because it measures memory.
	t.Run("many", func(t *testing.T) { many(t, newFixture(t, open)) })
}

// fixture is a store in a fresh directory.
type fixture struct {
	store.Store
	t    *testing.T
	dir  string
	open Open
}

func newFixture(t *testing.T, open Open) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir(), open: open}
	f.Store = f.another()
	return f
}

// another opens the same directory once more.
func (f *fixture) another() store.Store {
	f.t.Helper()
	st, err := f.open(f.t.Context(), f.dir)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if err := st.Close(); err != nil {
			f.t.Error(err)
		}
	})
	return st
}

func (f *fixture) create() deskhand.TaskID {
	f.t.Helper()
	id := deskhand.NewTaskID()
	f.append(deskhand.NewEvent(id, deskhand.KindTaskCreated, deskhand.TaskCreated{Task: deskhand.Task{ID: id, Text: "do it"}}))
	return id
}

func (f *fixture) append(events ...deskhand.Event) []deskhand.Event {
	f.t.Helper()
	out, err := f.Append(f.t.Context(), events...)
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

func note(id deskhand.TaskID, text string) deskhand.Event {
	return deskhand.NewEvent(id, deskhand.KindNote, deskhand.Note{Text: text})
}

func picture(id deskhand.TaskID, h deskhand.Hash) deskhand.Event {
	return deskhand.NewEvent(id, deskhand.KindCallFinished, deskhand.CallFinished{CallID: "t1", Result: deskhand.Result{
		Content: []deskhand.Content{{Image: &deskhand.Image{Hash: h, MediaType: "image/png"}}},
	}})
}

func (f *fixture) events(id deskhand.TaskID) (out []deskhand.Event) {
	f.t.Helper()
	for e, err := range f.Events(f.t.Context(), id, 0) {
		if err != nil {
			f.t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

func (f *fixture) verify(id deskhand.TaskID) {
	f.t.Helper()
	if err := f.Verify(f.t.Context(), id); err != nil {
		f.t.Error(err)
	}
}

func wantCode(t *testing.T, what string, err error, code deskhand.Code) {
	t.Helper()
	if deskhand.CodeOf(err) != code {
		t.Errorf("%s: %v, want code %s", what, err, code)
	}
}
