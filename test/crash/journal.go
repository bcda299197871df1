package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/store/sqlite"
)

// journal is what the state directory holds of a task.
type journal []deskhand.Event

// read opens the state directory as any process would and returns the task's
// events. Their chain is checked.
func (p *place) read(ctx context.Context) (j journal, err error) {
	st, err := sqlite.Open(ctx, p.state())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if damage := st.Damage(); len(damage) > 0 {
		return nil, fmt.Errorf("the journal is damaged: %s", strings.Join(damage, " "))
	}
	for e, err := range st.Events(ctx, p.task, 0) {
		if err != nil {
			return nil, err
		}
		j = append(j, e)
	}
	return j, st.Verify(ctx, p.task)
}

// begins reports whether j begins with exactly these events.
func (j journal) begins(events []deskhand.Event) bool {
	return len(j) >= len(events) && slices.EqualFunc(j[:len(events)], events, func(a, b deskhand.Event) bool { return a.Hash() == b.Hash() })
}

// fate is what a journal says of a call.
type fate int

const (
	never    fate = iota // not asked for, or asked and refused or not reached
	running              // begun, not ended
	unknown              // begun, and nobody knows
	finished             // done
)

func (f fate) String() string {
	return [...]string{"never begun", "running", "unknown", "finished"}[f]
}

// place of a call in its script, as model/script writes it into the call's id:
// the reply, and the call in it. The looks between replies have another form.
var scripted = regexp.MustCompile(`^toolu_[0-9a-f]+_(\d+)_(\d+)$`)

// unknownWords are in the result of a call whose outcome nobody knows. The
// first are those of one that ran when the runtime died.
var unknownWords = []string{"outcome of this call is unknown", "outcome is unknown", "took effect is unknown"}

// fates returns what happened to the calls of a script, by reply and call.
func (j journal) fates(turns []turn) ([][]fate, error) {
	all := make([][]fate, len(turns))
	for i, t := range turns {
		all[i] = make([]fate, len(t.calls))
	}
	set := func(id string, f fate) error {
		m := scripted.FindStringSubmatch(id)
		if m == nil {
			return nil
		}
		t, _ := strconv.Atoi(m[1]) // digits
		c, _ := strconv.Atoi(m[2])
		if t >= len(all) || c >= len(all[t]) {
			return fmt.Errorf("call %s is not in the script", id)
		}
		if f == running && all[t][c] != never {
			return fmt.Errorf("call %s was begun twice", id)
		}
		all[t][c] = f
		return nil
	}
	for _, e := range j {
		var err error
		switch e.Kind {
		case deskhand.KindCallStarted:
			var d deskhand.CallStarted
			if err = json.Unmarshal(e.Data, &d); err == nil {
				err = set(d.Call.ID, running)
			}
		case deskhand.KindCallFinished:
			var d deskhand.CallFinished
			if err = json.Unmarshal(e.Data, &d); err == nil {
				err = set(d.CallID, fateOf(d.Result))
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func fateOf(r deskhand.Result) fate {
	switch {
	case !r.IsError:
		return finished
	case slices.ContainsFunc(r.Content, func(c deskhand.Content) bool {
		return slices.ContainsFunc(unknownWords, func(words string) bool { return strings.Contains(c.Text, words) })
	}):
		return unknown
	}
	return never
}

// bounds returns the fewest and the most that a page may have counted when a
// journal says this of the calls: what is finished happened once, what is
// unknown at most once, all else never.
func bounds(turns []turn, fates [][]fate) (least, most counts) {
	for t := range turns {
		for c, call := range turns[t].calls {
			for _, cell := range call.cells {
				switch fates[t][c] {
				case finished:
					least[cell]++
					most[cell]++
				case unknown, running:
					most[cell]++
				case never:
				}
			}
		}
	}
	return least, most
}

// count returns how many calls have a fate.
func count(fates [][]fate, of fate) (n int) {
	for _, calls := range fates {
		for _, f := range calls {
			if f == of {
				n++
			}
		}
	}
	return n
}

// last returns the status the task ended with, and why.
func (j journal) last() (s deskhand.TaskStatus) {
	for _, e := range j {
		if e.Kind == deskhand.KindTaskStatus {
			s = deskhand.TaskStatus{}
			_ = json.Unmarshal(e.Data, &s) // the store read it when it was written
		}
	}
	return s
}

// said returns the notes of the journal.
func (j journal) said() (all []string) {
	for _, e := range j {
		if e.Kind == deskhand.KindNote {
			var n deskhand.Note
			_ = json.Unmarshal(e.Data, &n) // likewise
			all = append(all, n.Text)
		}
	}
	return all
}
