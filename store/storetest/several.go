package storetest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/store"
)

// concurrent has goroutines, two stores and a second process append at once.
func concurrent(t *testing.T, f *fixture) {
	const writers, each = 4, 20
	id := f.create()
	p := Start(t, nil, "append", f.dir, string(id), fmt.Sprint(each))
	var wg sync.WaitGroup
	for w := range writers {
		st := []store.Store{f, f.another()}[w%2]
		wg.Go(func() {
			for i := range each {
				if _, err := st.Append(t.Context(), note(id, fmt.Sprint(w, " ", i)), note(id, "and")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if line := p.Line(); line != "appended" {
		t.Error(line)
	}
	p.End()
	events := f.events(id)
	if want := 1 + writers*each*2 + each; len(events) != want {
		t.Errorf("%d events, want %d", len(events), want)
	}
	for i, e := range events {
		var d deskhand.Note
		if json.Unmarshal(e.Data, &d) == nil && d.Text == "and" && events[i-1].Kind == deskhand.KindNote {
			var before deskhand.Note
			if json.Unmarshal(events[i-1].Data, &before) == nil && before.Text == "and" {
				t.Errorf("event %d: appends of several events were mixed", i)
			}
		}
	}
	f.verify(id)
}

// killed kills a process between its blob and the event that names it.
func killed(t *testing.T, f *fixture) {
	id := f.create()
	p := Start(t, nil, "blob", f.dir, "a picture")
	h := deskhand.Hash(p.Line())
	p.Kill()
	if data, err := f.Blob(t.Context(), h); err != nil || string(data) != "a picture" {
		t.Errorf("the orphan reads %q, %v", data, err)
	}
	f.append(note(id, "life goes on"))
	if again, err := f.PutBlob(t.Context(), []byte("a picture")); err != nil || again != h {
		t.Errorf("stored again as %s, %v", again, err)
	}
	f.append(picture(id, h))
	f.verify(id)
}

// acknowledged kills a process while it appends: what it was told is stored is
// there, and whatever else is there is whole.
func acknowledged(t *testing.T, f *fixture) {
	id := f.create()
	for range 5 {
		p := Start(t, nil, "chatter", f.dir, string(id))
		for range 10 {
			p.Line()
		}
		last, err := strconv.ParseInt(p.LastLine(), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		events := f.events(id)
		if n := int64(len(events)); n < last || n > last+1 {
			t.Errorf("%d events are there, %d were acknowledged", n, last)
		}
		f.verify(id)
	}
}

func lease(t *testing.T, f *fixture) {
	id := f.create()
	release, err := f.Lease(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	other := f.another()
	_, err = other.Lease(t.Context(), id)
	wantCode(t, "a lease that is held here", err, deskhand.Conflict)
	p := Start(t, nil, "lease", f.dir, string(id))
	if line := p.Line(); !strings.Contains(line, "failed") {
		t.Errorf("a second process got the lease: %s", line)
	}
	p.Kill()
	release()
	release()

	p = Start(t, nil, "lease", f.dir, string(id))
	if line := p.Line(); line != "held" {
		t.Fatal(line)
	}
	_, err = f.Lease(t.Context(), id)
	wantCode(t, "a lease that another process holds", err, deskhand.Conflict)
	if err := f.Remove(t.Context(), id); deskhand.CodeOf(err) != deskhand.Conflict {
		t.Errorf("removing a task that is driven: %v", err)
	}
	if _, err := f.Append(t.Context(), note(id, "psst")); err != nil {
		t.Errorf("appending to a task that another process drives: %v", err)
	}
	p.Kill()
	release, err = f.Lease(t.Context(), id)
	if err != nil {
		t.Fatalf("after its holder was killed: %v", err)
	}
	release()
	_, err = f.Lease(t.Context(), "../../etc")
	wantCode(t, "a lease of nothing", err, deskhand.NotFound)
}
