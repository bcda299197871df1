package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/deskhand/deskhand"
)

// The defaults of deskhand.Guard.
const (
	defaultRechecks  = 1
	defaultIdentical = 3
	defaultCycles    = 3
	defaultClicks    = 5
	defaultIdle      = 15
)

// limitOf reads a field of a Guard: 0 is the default, less is never.
func limitOf(n, standard int) int {
	switch {
	case n == 0:
		return standard
	case n < 0:
		return 0
	}
	return n
}

// claimed reports whether the model said that it is done, and nobody has looked
// yet whether that is so.
func (st *State) claimed() bool {
	return len(st.Task.Criteria) > 0 && st.checked == nil && ends[st.stop] && len(st.texts) == 0 && len(st.calls) == 0 &&
		st.silent == 0 && st.botched == 0
}

func (st *State) outcome(_ deskhand.Event, d deskhand.OutcomeChecked) error {
	st.checked = &d
	if d.Again {
		st.rechecks++
		st.tell(d.Text)
	}
	return nil
}

// conclude ends the task whose model said that it is done. What the model says
// is not evidence: where the task has criteria, they are looked at.
func (a *Agent) conclude(ctx context.Context, st *State) (Outcome, error) {
	done := Outcome{Status: deskhand.Done, Result: st.Result}
	if len(st.Task.Criteria) == 0 {
		return done, nil
	}
	items, err := a.look(ctx, st)
	if err != nil {
		return a.unlooked(ctx, st, err)
	}
	d := deskhand.OutcomeChecked{Finding: deskhand.FindingOf(items), Items: items}
	turnsLeft := st.Task.Budget.MaxTurns == 0 || st.Task.Turns < st.Task.Budget.MaxTurns
	if d.Finding == deskhand.Refuted && turnsLeft && st.rechecks < limitOf(st.Task.Guard.Rechecks, defaultRechecks) {
		d.Again, d.Text = true, fmt.Sprintf(notSo, refuted(items))
	}
	if err := a.append(ctx, st, deskhand.KindOutcomeChecked, d); err != nil {
		return Outcome{}, err
	}
	switch {
	case d.Again:
		return goingOn, nil
	case d.Finding == deskhand.Refuted:
		return Outcome{Status: deskhand.Failed, Reason: "The outcome was checked: " + refuted(items), Result: st.Result}, nil
	}
	return done, nil
}

// look looks at the task's criteria. Pictures are kept before any event names them.
func (a *Agent) look(ctx context.Context, st *State) ([]deskhand.Checked, error) {
	if a.Check == nil {
		var items []deskhand.Checked
		for _, c := range st.Task.Criteria {
			items = append(items, deskhand.Checked{Criterion: c, Finding: deskhand.NotVerified, Evidence: "Nothing here can look at it."})
		}
		return items, nil
	}
	items, err := a.Check(ctx, st.Task, a.beside(st))
	if err != nil {
		return nil, err
	}
	for i := range items {
		if items[i].Image == nil {
			continue
		}
		content := []deskhand.Content{{Image: items[i].Image}}
		if err := a.keep(ctx, content); err != nil {
			return nil, &journalError{err}
		}
		items[i].Image = content[0].Image
	}
	return items, nil
}

// unlooked is what becomes of a task at whose criteria nobody could look.
func (a *Agent) unlooked(ctx context.Context, st *State, err error) (Outcome, error) {
	var broke *brokeBudget
	var lost *journalError
	switch {
	case errors.As(err, &broke):
		return a.exhausted(ctx, st, broke.reached)
	case errors.As(err, &lost):
		return Outcome{}, lost.error
	case ctx.Err() != nil:
		return stopped(ctx), nil //nolint:nilerr // the outcome says why
	}
	return Outcome{Status: deskhand.Failed, Reason: "The outcome could not be checked: " + sentence(err), Result: st.Result}, nil
}

// refuted says what was found not to be so.
func refuted(items []deskhand.Checked) string {
	var parts []string
	for _, i := range items {
		if i.Finding == deskhand.Refuted {
			parts = append(parts, fmt.Sprintf("the check %q failed: %s", i.Criterion, i.Evidence))
		}
	}
	return strings.Join(parts, " ")
}
