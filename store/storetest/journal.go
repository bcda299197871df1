package storetest

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/store"
)

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
		Permission: "trust", Sandbox: "bwrap", Scale: 2, Memory: "/m", Tools: "/t", Folders: []deskhand.Folder{{Path: "/f", Mode: deskhand.ReadOnly}}, Unlock: []string{".bashrc"}, Secrets: []string{"github"}, Budget: deskhand.Budget{MaxTurns: 7, MaxTime: time.Minute + 1, MaxTokens: 9, MaxCostUSD: 1.5},
		Criteria: []deskhand.Criterion{{Kind: "file", Want: "/a"}}, Guard: deskhand.Guard{Identical: 1, Cycles: 2, Clicks: 3, Idle: 4, Rechecks: 5},
		Skills: []string{"/s"},
	}
	use := deskhand.Usage{Input: 1, Output: 2, CacheRead: 3, CacheWrite: 4, CacheWrite1h: 5}
	out := f.append(
		deskhand.NewEvent(id, deskhand.KindTaskCreated, deskhand.TaskCreated{Task: want}),
		deskhand.NewEvent(id, deskhand.KindTaskStatus, deskhand.TaskStatus{To: deskhand.Running}),
		deskhand.NewEvent(id, deskhand.KindTurnStarted, deskhand.TurnStarted{Turn: 1}),
		deskhand.NewEvent(id, deskhand.KindModelReplied, deskhand.ModelReplied{Content: json.RawMessage(`[]`), Usage: use, CostUSD: 0.1}),
		deskhand.NewEvent(id, deskhand.KindModelReplied, deskhand.ModelReplied{Content: json.RawMessage(`[]`), Usage: use, CostUSD: 0.2}),
		deskhand.NewEvent(id, deskhand.KindCallStarted, deskhand.CallStarted{Call: deskhand.Call{Input: json.RawMessage(`{}`)}}),
		deskhand.NewEvent(id, deskhand.KindModelConsulted, deskhand.ModelConsulted{Usage: use, CostUSD: 0.5}),
		deskhand.NewEvent(id, deskhand.KindBudgetRaised, deskhand.BudgetRaised{Budget: deskhand.Budget{MaxTurns: 8}}),
		deskhand.NewEvent(id, deskhand.KindOutcomeChecked, deskhand.OutcomeChecked{Finding: deskhand.Verified}),
		deskhand.NewEvent(id, deskhand.KindTaskStatus, deskhand.TaskStatus{To: deskhand.Done, Result: "done"}),
	)
	want.Budget, want.Finding = deskhand.Budget{MaxTurns: 8}, deskhand.Verified
	want.Status, want.Result, want.Turns, want.Calls = deskhand.Done, "done", 1, 1
	want.Usage, want.CostUSD = use.Add(use).Add(use), 0.1
	want.CostUSD += 0.2
	want.CostUSD += 0.5
	want.Created, want.Updated = out[0].Time, out[9].Time
	for _, st := range []store.Store{f, f.another()} {
		got, err := st.Get(t.Context(), string(id))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v\nwant %+v", got, err, want)
		}
	}
	f.verify(id)
}
