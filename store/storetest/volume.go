package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
)

func big(t *testing.T, f *fixture) {
	id := f.create()
	text := strings.Repeat("0123456789", 500_000)
	f.append(note(id, text), note(id, "small"), note(id, text))
	events := f.events(id)
	var d deskhand.Note
	if err := json.Unmarshal(events[3].Data, &d); err != nil || d.Text != text {
		t.Errorf("%d bytes came back, %v", len(d.Text), err)
	}
	f.verify(id)
}

// many iterates over many events, and over large ones, and watches what that takes.
func many(t *testing.T, f *fixture) {
	bounded(t, f, 10_000, 500, 2000) // 20 MB in all
	bounded(t, f, 25, 5, 1_000_000)
}

func bounded(t *testing.T, f *fixture, total, batch, size int) {
	const limit = 8 << 20
	id := f.create()
	text := strings.Repeat("x", size)
	for range total / batch {
		var events []deskhand.Event
		for range batch {
			events = append(events, note(id, text))
		}
		f.append(events...)
	}
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	var seen int
	var most uint64
	for e, err := range f.Events(t.Context(), id, 1) {
		if err != nil || e.Seq != int64(seen)+2 {
			t.Fatalf("event %d after %d: %v", e.Seq, seen, err)
		}
		if seen++; seen%(total/5) == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
	}
	if seen != total {
		t.Errorf("%d events, want %d", seen, total)
	}
	if most > before.HeapAlloc+limit {
		t.Errorf("iterating took %d bytes", most-before.HeapAlloc)
	}
}

func canceled(t *testing.T, f *fixture) {
	id := f.create()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.Append(ctx, note(id, "x"))
	wantCode(t, "append", err, deskhand.Canceled)
	_, err = f.List(ctx, 0)
	wantCode(t, "list", err, deskhand.Canceled)
	for _, err := range f.Events(ctx, id, 0) {
		wantCode(t, "events", err, deskhand.Canceled)
	}
	if n := len(f.events(id)); n != 1 {
		t.Errorf("%d events", n)
	}
}

func iterators(t *testing.T, f *fixture) {
	id := f.create()
	for i := range 600 {
		f.append(note(id, fmt.Sprint(i)))
	}
	n := 0
	for e, err := range f.Events(t.Context(), id, 100) { // and write meanwhile, and read
		if err != nil || e.Seq != int64(101+n) {
			t.Fatalf("event %d: %v", e.Seq, err)
		}
		if n++; n == 3 {
			f.append(note(id, "meanwhile"))
			if got := len(f.events(id)); got != 602 {
				t.Errorf("%d events", got)
			}
		}
	}
	if n != 502 {
		t.Errorf("%d events after the hundredth, want 502", n)
	}
	for range f.Events(t.Context(), id, 0) {
		break
	}
	for e, err := range f.Events(t.Context(), id, 10_000) {
		t.Errorf("an event from beyond the end: %d, %v", e.Seq, err)
	}
	for _, err := range f.Events(t.Context(), "aaaaaaaa", 0) {
		wantCode(t, "an unknown task", err, deskhand.NotFound)
	}
	wantCode(t, "verifying an unknown task", f.Verify(t.Context(), "aaaaaaaa"), deskhand.NotFound)
}
