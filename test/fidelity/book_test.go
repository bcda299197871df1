package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestABookGoesOn interrupts a run in the middle of an entry and goes on: what
// was entered is there, and what was not is played again.
func TestABookGoesOn(t *testing.T) {
	o := order{seeds: 5, peerSeeds: 2, scales: []int{1, 2}, book: filepath.Join(t.TempDir(), "book")}
	b := openTestBook(t, o)
	first := newRun(ours, 2)
	first.Outcomes = []outcome{{Task: "click-test", Seed: 1, Passed: true, Most: most{Reward: 1}}}
	first.Calls["left_click"] = []time.Duration{time.Second}
	enter(t, b, entry{Task: "click-test", Scale: 2, Runs: []run{first}})
	enter(t, b, entry{Notice: &notice{Fault: "shift-ignored", Own: []string{"own-typing"}, OwnOf: 6}})
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(o.book, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"task":"half-wr`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	b = openTestBook(t, o)
	if !b.done(2, "click-test") || b.done(1, "click-test") || !b.tried("shift-ignored") || b.tried("character-lost") {
		t.Errorf("the book has %+v", b.entries)
	}
	second := newRun(ours, 2)
	second.Outcomes = []outcome{{Task: "click-menu", Seed: 1, Reason: "missed"}}
	second.Calls["left_click"] = []time.Duration{3 * time.Second}
	enter(t, b, entry{Task: "click-menu", Scale: 2, Runs: []run{second}})
	rep := b.report(o)
	if len(rep.runs) != 1 || len(rep.runs[0].Outcomes) != 2 || len(rep.runs[0].Calls["left_click"]) != 2 || rep.failed() != 1 || rep.sittings != 2 || len(rep.notices) != 1 {
		t.Errorf("the report is %+v", rep)
	}
	var page bytes.Buffer
	if err := rep.write(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| deskhand | 2× | MiniWoB++ | 2 | 2 | 1 | 1 |", "| shift-ignored | 1 of 6 | 0 of 0 | own-typing |", "- deskhand 2× click-menu, seed 1: missed"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, &page)
		}
	}
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
	o.seeds = 3
	if _, err := openBook(o); err == nil {
		t.Error("the book of another order was taken")
	}
}

func openTestBook(t *testing.T, o order) *book {
	t.Helper()
	b, err := openBook(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func enter(t *testing.T, b *book, e entry) {
	t.Helper()
	if err := b.enter(e); err != nil {
		t.Fatal(err)
	}
}

// TestAFaultThatNobodyNoticesFailsTheRun is about the run's exit status.
func TestAFaultThatNobodyNoticesFailsTheRun(t *testing.T) {
	r := report{notices: []notice{{Fault: "a", Own: []string{"own-pixel"}}, {Fault: "b"}}}
	if got := r.unseen(); len(got) != 1 || got[0] != "b" {
		t.Errorf("nobody noticed %q", got)
	}
}
