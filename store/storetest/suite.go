// Package storetest is the suite that every store passes, also with a second
// process at work in the same directory, which is killed now and then.
package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/store"
)

// Run checks that a store does what package store says. The test binary's
// TestMain must call Main.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, *fixture){
		"chain":       chain,
		"refused":     refused,
		"transition":  transition,
		"exact":       exact,
		"glance":      glance,
		"concurrent":  concurrent,
		"killed":      killed,
		"lease":       lease,
		"prefix":      prefix,
		"list":        list,
		"remove":      remove,
		"blobs":       blobs,
		"big":         big,
		"many":        many,
		"canceled":    canceled,
		"iterators":   iterators,
		"nothing yet": nothingYet,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newFixture(t, open))
		})
	}
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

func chain(t *testing.T, f *fixture) {
	id := f.create()
	got := f.append(note(id, "one"), note(id, "two"))
	f.append(note(id, "three"))
	if got[0].Seq != 2 || got[1].Seq != 3 || got[1].Prev != got[0].Hash() {
		t.Errorf("appended as %+v", got)
	}
	events := f.events(id)
	if len(events) != 4 {
		t.Fatalf("%d events, want 4", len(events))
	}
	var prev deskhand.Hash
	for i, e := range events {
		if e.Seq != int64(i+1) || e.Prev != prev || e.Task != id {
			t.Errorf("event %d is %+v", i, e)
		}
		prev = e.Hash()
	}
	if got[1].Hash() != events[2].Hash() {
		t.Error("what Append returned is not what was stored")
	}
	f.verify(id)
}

func refused(t *testing.T, f *fixture) {
	id, fresh := f.create(), deskhand.NewTaskID()
	created := deskhand.NewEvent(id, deskhand.KindTaskCreated, deskhand.TaskCreated{})
	notJSON := note(id, "")
	notJSON.Data = json.RawMessage(`{"text":`)
	wrong := deskhand.NewEvent(id, deskhand.KindTurnStarted, "a text")
	for name, c := range map[string]struct {
		events []deskhand.Event
		code   deskhand.Code
	}{
		"first of a task": {[]deskhand.Event{note(fresh, "x")}, deskhand.NotFound},
		"created twice":   {[]deskhand.Event{created}, deskhand.Conflict},
		"created later":   {[]deskhand.Event{note(id, "x"), created}, deskhand.Conflict},
		"delta":           {[]deskhand.Event{deskhand.NewEvent(id, deskhand.KindModelDelta, deskhand.ModelDelta{})}, deskhand.Invalid},
		"two tasks":       {[]deskhand.Event{note(id, "x"), note(fresh, "x")}, deskhand.Invalid},
		"no kind":         {[]deskhand.Event{{Task: id, Data: json.RawMessage(`{}`)}}, deskhand.Invalid},
		"no id":           {[]deskhand.Event{note("../../etc", "x")}, deskhand.Invalid},
		"not JSON":        {[]deskhand.Event{note(id, "x"), notJSON}, deskhand.Invalid},
		"wrong data":      {[]deskhand.Event{note(id, "x"), wrong}, deskhand.Invalid},
	} {
		_, err := f.Append(t.Context(), c.events...)
		wantCode(t, name, err, c.code)
	}
	if n := len(f.events(id)); n != 1 {
		t.Errorf("%d events were stored of what was refused", n-1)
	}
	if out, err := f.Append(t.Context()); err != nil || len(out) != 0 {
		t.Errorf("appending nothing: %v, %v", out, err)
	}
	f.verify(id)
}

func transition(t *testing.T, f *fixture) {
	id := f.create()
	to := func(s deskhand.Status) deskhand.Event {
		return deskhand.NewEvent(id, deskhand.KindTaskStatus, deskhand.TaskStatus{To: s})
	}
	_, err := f.Append(t.Context(), note(id, "x"), to(deskhand.Done))
	wantCode(t, "queued to done", err, deskhand.Conflict)
	f.append(to(deskhand.Running), to(deskhand.Done))
	if n := len(f.events(id)); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
	if got, err := f.Get(t.Context(), string(id)); err != nil || got.Status != deskhand.Done {
		t.Errorf("it is %s, %v", got.Status, err)
	}
}

// exact checks that what is read is what was written, to the byte.
func exact(t *testing.T, f *fixture) {
	id := f.create()
	at := time.Date(2026, 3, 29, 1, 59, 59, 123456789, time.FixedZone("somewhere", -(3*3600+1800)))
	for name, data := range map[string]string{
		"html":          `{"text":"a<b>&c"}`,
		"escaped":       `{"text":"a\u003cb \/ \ud83d\ude00 \u0000"}`,
		"separators":    "{\"text\":\"\u2028\u2029\"}",
		"not utf-8":     "{\"text\":\"\xff\xfe\"}",
		"numbers":       `{"text":"","n":[1e400,-0,0.1000,12345678901234567890]}`,
		"keys":          `{"text":"a","z":1,"a":2,"text":"b"}`,
		"looks like it": `{"text":"\"hash\":\"` + strings.Repeat("a", 64) + `\""}`,
	} {
		e := deskhand.Event{Task: id, Kind: deskhand.KindNote, Time: at, Data: json.RawMessage(data)}
		stored := f.append(e)[0]
		all := f.events(id)
		read := all[len(all)-1]
		if string(read.Data) != data || string(stored.Data) != data {
			t.Errorf("%s: wrote %s, read %s", name, data, read.Data)
		}
		if !read.Time.Equal(at) || read.Time.Location() != time.UTC || stored.Hash() != read.Hash() {
			t.Errorf("%s: wrote %v, read %v", name, at, read.Time)
		}
	}
	spaced := f.append(deskhand.Event{Task: id, Kind: deskhand.KindNote, Data: json.RawMessage("{\n \"text\" : \"a b\" }")})[0]
	all := f.events(id)
	if last := all[len(all)-1]; last.Hash() != spaced.Hash() || string(last.Data) != `{"text":"a b"}` {
		t.Errorf("white space: %s", last.Data)
	}
	f.verify(id)
}

func glance(t *testing.T, f *fixture) {
	id := deskhand.NewTaskID()
	want := deskhand.Task{
		ID: id, Text: "a<b", Model: "m", Toolset: "t", Screen: deskhand.Size{W: 1280, H: 800}, Effort: "low", System: "s",
		Permission: "trust", Sandbox: "bwrap", Budget: deskhand.Budget{MaxTurns: 7, MaxTime: time.Minute + 1, MaxCostUSD: 1.5},
	}
	use := deskhand.Usage{Input: 1, Output: 2, CacheRead: 3, CacheWrite: 4, CacheWrite1h: 5}
	out := f.append(
		deskhand.NewEvent(id, deskhand.KindTaskCreated, deskhand.TaskCreated{Task: want}),
		deskhand.NewEvent(id, deskhand.KindTaskStatus, deskhand.TaskStatus{To: deskhand.Running}),
		deskhand.NewEvent(id, deskhand.KindTurnStarted, deskhand.TurnStarted{Turn: 1}),
		deskhand.NewEvent(id, deskhand.KindModelReplied, deskhand.ModelReplied{Content: json.RawMessage(`[]`), Usage: use, CostUSD: 0.1}),
		deskhand.NewEvent(id, deskhand.KindModelReplied, deskhand.ModelReplied{Content: json.RawMessage(`[]`), Usage: use, CostUSD: 0.2}),
		deskhand.NewEvent(id, deskhand.KindCallStarted, deskhand.CallStarted{Call: deskhand.Call{Input: json.RawMessage(`{}`)}}),
		deskhand.NewEvent(id, deskhand.KindTaskStatus, deskhand.TaskStatus{To: deskhand.Done, Result: "done"}),
	)
	want.Status, want.Result, want.Turns, want.Calls = deskhand.Done, "done", 1, 1
	want.Usage, want.CostUSD = use.Add(use), 0.1
	want.CostUSD += 0.2
	want.Created, want.Updated = out[0].Time, out[6].Time
	for _, st := range []store.Store{f, f.another()} {
		got, err := st.Get(t.Context(), string(id))
		if err != nil || got != want {
			t.Errorf("got %+v, %v\nwant %+v", got, err, want)
		}
	}
	f.verify(id)
}

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
		if json.Unmarshal(e.Data, &d); d.Text == "and" && events[i-1].Kind == deskhand.KindNote {
			var before deskhand.Note
			if json.Unmarshal(events[i-1].Data, &before); before.Text == "and" {
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

func prefix(t *testing.T, f *fixture) {
	ids := []deskhand.TaskID{"aaaabbbb", "aaaacccc", "zzzzzzzz"}
	for _, id := range ids {
		f.append(deskhand.NewEvent(id, deskhand.KindTaskCreated, deskhand.TaskCreated{}))
	}
	for id, want := range map[string]deskhand.TaskID{"aaaab": ids[0], "aaaacccc": ids[1], "z": ids[2]} {
		if got, err := f.Get(t.Context(), id); err != nil || got.ID != want {
			t.Errorf("%q is %s, %v", id, got.ID, err)
		}
	}
	for id, code := range map[string]deskhand.Code{
		"aaaa": deskhand.Conflict, "b": deskhand.NotFound, "": deskhand.NotFound, "%": deskhand.NotFound,
		"zzzzzzzzz": deskhand.NotFound, "_": deskhand.NotFound, "\xff": deskhand.NotFound,
	} {
		_, err := f.Get(t.Context(), id)
		wantCode(t, fmt.Sprintf("%q", id), err, code)
	}
}

func list(t *testing.T, f *fixture) {
	var want []deskhand.TaskID
	for range 5 {
		want = append([]deskhand.TaskID{f.create()}, want...)
	}
	f.append(note(want[3], "an old task is touched"))
	for limit, n := range map[int]int{0: 5, 2: 2, 9: 5} {
		got, err := f.List(t.Context(), limit)
		if err != nil || len(got) != n {
			t.Fatalf("%d of %d tasks, %v", len(got), limit, err)
		}
		for i, task := range got {
			if task.ID != want[i] {
				t.Errorf("task %d is %s, want %s", i, task.ID, want[i])
			}
		}
	}
}

func remove(t *testing.T, f *fixture) {
	gone, stays := f.create(), f.create()
	put := func(text string) deskhand.Hash {
		h, err := f.PutBlob(t.Context(), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	own, both, again := put("own"), put("both"), put("again")
	f.append(picture(gone, own), picture(gone, both), picture(gone, again), picture(gone, own))
	f.append(picture(stays, both))
	put("again") // by somebody whose event is still to come
	if err := f.Remove(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	_, err := f.Get(t.Context(), string(gone))
	wantCode(t, "a removed task", err, deskhand.NotFound)
	_, err = f.Blob(t.Context(), own)
	wantCode(t, "its picture", err, deskhand.NotFound)
	for _, h := range []deskhand.Hash{both, again} {
		if _, err := f.Blob(t.Context(), h); err != nil {
			t.Errorf("a picture that is wanted: %v", err)
		}
	}
	f.append(picture(stays, again))
	f.verify(stays)
	wantCode(t, "removing it again", f.Remove(t.Context(), gone), deskhand.NotFound)
	if err := f.Remove(t.Context(), stays); err != nil {
		t.Fatal(err)
	}
	for _, h := range []deskhand.Hash{both, again} {
		_, err := f.Blob(t.Context(), h)
		wantCode(t, "a picture nobody names", err, deskhand.NotFound)
	}
}

func blobs(t *testing.T, f *fixture) {
	for _, data := range [][]byte{{}, []byte("x"), bytes.Repeat([]byte("picture "), 100_000)} {
		for range 2 {
			h, err := f.PutBlob(t.Context(), data)
			if err != nil || h != deskhand.HashOf(data) {
				t.Fatalf("stored as %s, %v", h, err)
			}
			got, err := f.another().Blob(t.Context(), h)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("read %d of %d bytes, %v", len(got), len(data), err)
			}
		}
	}
	for _, h := range []deskhand.Hash{"", "../../../etc/passwd", deskhand.HashOf([]byte("nobody"))} {
		_, err := f.Blob(t.Context(), h)
		wantCode(t, string(h), err, deskhand.NotFound)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := f.PutBlob(t.Context(), []byte("all at once")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

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

// many iterates over 10,000 events and watches what that takes.
func many(t *testing.T, f *fixture) {
	const total, batch, size, limit = 10_000, 500, 4000, 12 << 20 // of 40 MB in all
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
	var seen, most uint64
	for e, err := range f.Events(t.Context(), id, 1) {
		if err != nil || e.Seq != int64(seen)+2 {
			t.Fatalf("event %d after %d: %v", e.Seq, seen, err)
		}
		if seen++; seen%2000 == 0 {
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
	for e := range f.Events(t.Context(), id, 10_000) {
		t.Errorf("an event from beyond the end: %d", e.Seq)
	}
	for _, err := range f.Events(t.Context(), "aaaaaaaa", 0) {
		wantCode(t, "an unknown task", err, deskhand.NotFound)
	}
	wantCode(t, "verifying an unknown task", f.Verify(t.Context(), "aaaaaaaa"), deskhand.NotFound)
}

func nothingYet(t *testing.T, f *fixture) {
	if got, err := f.List(t.Context(), 0); err != nil || len(got) != 0 {
		t.Errorf("a fresh store lists %v, %v", got, err)
	}
	_, err := f.Get(t.Context(), "aaaa")
	wantCode(t, "get", err, deskhand.NotFound)
	if err := errors.Join(f.another().Verify(t.Context(), f.create())); err != nil {
		t.Error(err)
	}
}
