package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// book is what was played so far. A run of half an hour that is interrupted goes
// on where it was, with -book FILE: an entry is a task at a scale, or a fault.
// It may be used concurrently.
type book struct {
	file *os.File // nil: nothing is kept

	mu      sync.Mutex // guards entries and what is written
	entries []entry
}

// entry is one line of the file.
type entry struct {
	Order  string  `json:"order,omitempty"` // of the first line: what the book is for; of each sitting one
	Task   string  `json:"task,omitempty"`
	Scale  int     `json:"scale,omitempty"`
	Runs   []run   `json:"runs,omitempty"`
	Notice *notice `json:"notice,omitempty"`
}

// openBook reads the book of an order, if one is to be kept.
func openBook(o order) (*book, error) {
	b := &book{}
	if o.book == "" {
		return b, nil
	}
	data, err := os.ReadFile(o.book)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	mine := fmt.Sprintf("%d seeds, %d with xdotool", o.seeds, o.peerSeeds)
	for line := range bytes.Lines(data) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			break // an entry that was being written when the rig ended
		}
		if e.Order != "" && e.Order != mine {
			return nil, fmt.Errorf("%s is the book of another order (%s): give another file", o.book, e.Order)
		}
		b.entries = append(b.entries, e)
	}
	if b.file, err = os.Create(o.book); err != nil {
		return nil, err
	}
	old := b.entries
	b.entries = nil
	for _, e := range append(old, entry{Order: mine}) {
		if err := b.enter(e); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *book) close() error {
	if b.file == nil {
		return nil
	}
	return b.file.Close()
}

// enter adds an entry.
func (b *book) enter(e entry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries = append(b.entries, e)
	if b.file == nil {
		return nil
	}
	return json.NewEncoder(b.file).Encode(e)
}

// done reports whether the book has a task at a scale.
func (b *book) done(scale int, name string) bool {
	return b.has(func(e entry) bool { return e.Scale == scale && e.Task == name })
}

// tried reports whether the book has a fault.
func (b *book) tried(fault string) bool {
	return b.has(func(e entry) bool { return e.Notice != nil && e.Notice.Fault == fault })
}

func (b *book) has(want func(entry) bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.entries, want)
}

// report puts the entries together.
func (b *book) report(o order) report {
	b.mu.Lock()
	defer b.mu.Unlock()
	rep := report{order: o, sittings: 1}
	if b.file != nil {
		rep.sittings = 0
	}
	runs, begun := map[int]map[string]*run{}, false
	for _, e := range b.entries {
		if e.Order == "" && begun { // a sitting in which nothing was played is none
			rep.sittings++
		}
		begun = e.Order != ""
		if e.Notice != nil {
			rep.notices = append(rep.notices, *e.Notice)
		}
		for _, r := range e.Runs {
			if runs[r.Scale] == nil {
				runs[r.Scale] = map[string]*run{}
			}
			if runs[r.Scale][r.Actor] == nil {
				empty := newRun(r.Actor, r.Scale)
				runs[r.Scale][r.Actor] = &empty
			}
			runs[r.Scale][r.Actor].add(r)
		}
	}
	for _, scale := range o.scales {
		for _, actor := range []string{ours, theirs} {
			if r := runs[scale][actor]; r != nil && len(r.Outcomes) > 0 {
				rep.runs = append(rep.runs, *r)
			}
		}
	}
	return rep
}

// run is episodes of one actor at one scale.
type run struct {
	Actor    string                     `json:"actor"`
	Scale    int                        `json:"scale"`
	Outcomes []outcome                  `json:"outcomes"`
	Void     []outcome                  `json:"void,omitempty"` // episodes that no hand could be sure to pass, in whose place another seed was played
	Calls    map[string][]time.Duration `json:"calls"`          // how long calls took, by name
	Input    map[string][]time.Duration `json:"input"`          // of that, the input itself, by kind of action
	Load     []float64                  `json:"load,omitempty"` // of the machine, after each task
}

func newRun(actor string, scale int) run {
	return run{Actor: actor, Scale: scale, Calls: map[string][]time.Duration{}, Input: map[string][]time.Duration{}}
}

// add adds further episodes.
func (r *run) add(more run) {
	r.Outcomes, r.Void, r.Load = append(r.Outcomes, more.Outcomes...), append(r.Void, more.Void...), append(r.Load, more.Load...)
	for name, took := range more.Calls {
		r.Calls[name] = append(r.Calls[name], took...)
	}
	for kind, took := range more.Input {
		r.Input[kind] = append(r.Input[kind], took...)
	}
}
