package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/plaintext"
	"github.com/deskhand/deskhand/transcript"
)

// A question is what the person at the terminal is asked when a task stands
// still that could go on.
type question struct {
	text string
	// goOn takes the line that was typed. An error for which
	// the person can type something else is Invalid.
	goOn func(ctx context.Context, line string) error
	// noIsAnswer: goOn takes "no", too. Else that leaves the task as it stands.
	noIsAnswer bool
}

// leaves reports whether the person leaves the task as it stands.
func (q question) leaves(line string) bool { return isNo(line) && !q.noIsAnswer }

// askPoll is how often a question looks whether it was answered elsewhere: the
// task was resumed, told something or stopped from another terminal.
const askPoll = 200 * time.Millisecond

// ask asks the person at the terminal how to go on with a task that stands
// still, and reports whether it does. Where nobody can be asked it does not.
func (f *following) ask(ctx context.Context, task deskhand.Task) (goesOn bool, err error) {
	q := f.question(task)
	text, isText := f.view.(*textView)
	if q == nil || !isText || text.typist == nil || f.ending() {
		return false, nil
	}
	text.screen.Busy("")
	text.screen.Line(bold, q.text)
	elsewhere := time.NewTicker(askPoll)
	defer elsewhere.Stop()
	for {
		select {
		case <-elsewhere.C:
			now, err := f.store.Get(ctx, string(f.id))
			if err != nil || now.Status != task.Status {
				return err == nil, err // what happened is there to be shown
			}
		case <-f.signals:
			f.signal(ctx)
			return false, nil
		case line := <-f.typed:
			if q.leaves(line) {
				return false, nil
			}
			switch err := q.goOn(ctx, line); deskhand.CodeOf(err) {
			case deskhand.Invalid:
				text.remark(err.Error())
			case deskhand.Conflict: // somebody else answered a moment before
				text.remark(err.Error())
				return true, nil
			default:
				return err == nil, err
			}
		}
	}
}

// pausing reports whether the task is about to stand still, and the person was
// told so: from then on what is typed is an answer.
func (f *following) pausing() bool { return f.reached != nil || f.stuck || f.asked != nil }

// ending reports whether the task is to end rather than to go on.
func (f *following) ending() bool { return f.interrupted != nil || f.broken != nil }

// question returns what is asked about a task that stands still, if anything.
func (f *following) question(task deskhand.Task) *question {
	switch {
	case task.Status == deskhand.Exhausted && f.reached != nil:
		spent := *f.reached
		unit := limits[spent.Bound]
		return &question{
			text: fmt.Sprintf("Go on? yes raises the limit to %s; %s is the new limit in all; no leaves the task for deskhand task resume.",
				unit.words(doubled(spent)), unit.example),
			goOn: func(ctx context.Context, line string) error { return f.raise(ctx, task, spent, line) },
		}
	case task.Status == deskhand.Waiting && f.asked != nil:
		q := *f.asked
		return &question{text: choices(q), goOn: func(ctx context.Context, line string) error { return f.decide(ctx, q, line) }, noIsAnswer: true}
	case task.Status == deskhand.Waiting && f.stuck:
		return &question{
			text: "Type what to do next, and it goes on; no leaves the task for deskhand task message.",
			goOn: func(ctx context.Context, line string) error { return f.engine.Say(ctx, f.id, line) },
		}
	}
	return nil
}

// choices says how a question about a call can be answered.
func choices(q deskhand.ApprovalAsked) string {
	if len(q.Always) == 0 {
		return "yes, no, or no: and what to tell the model."
	}
	return plaintext.Line(fmt.Sprintf("yes, no, or no: and what to tell the model; task allows it for this task, always from now on (it saves %s).", strings.Join(q.Always, " and ")))
}

func (f *following) decide(ctx context.Context, q deskhand.ApprovalAsked, line string) error {
	d, err := readAnswer(line)
	if err != nil {
		return err
	}
	return f.answer(ctx, f.id, q, d)
}

// raise gives the bound that was reached the limit that a person typed.
func (f *following) raise(ctx context.Context, task deskhand.Task, spent deskhand.BudgetReached, line string) error {
	unit, limit := limits[spent.Bound], doubled(spent)
	if !isYes(line) {
		var err error
		if limit, err = unit.read(strings.TrimSpace(line)); err != nil {
			return usage("type yes, no, or %s", unit.example)
		}
		if !(limit > spent.Spent) {
			return usage("%s is spent already: the new limit in all must be more", unit.words(spent.Spent))
		}
	}
	b := task.Budget
	unit.set(&b, limit)
	if err := f.engine.Raise(ctx, f.id, b, whoami()); err != nil {
		return err
	}
	return f.engine.Resume(ctx, f.id)
}

// doubled returns a limit that is twice the one that was reached, or more where
// the next request takes more.
func doubled(spent deskhand.BudgetReached) float64 {
	return max(2*spent.Limit, spent.Spent+spent.Estimate)
}

// limits is how a person reads and types the limit of a bound of a Budget.
var limits = map[string]struct {
	example string
	words   func(float64) string
	read    func(string) (float64, error)
	set     func(*deskhand.Budget, float64)
}{
	"turns": {
		"a number of turns", func(n float64) string { return plural(int(n), "turn") }, whole,
		func(b *deskhand.Budget, n float64) { b.MaxTurns = int(n) },
	},
	"tokens": {
		"a number of tokens", func(n float64) string { return plural(int(n), "token") }, whole,
		func(b *deskhand.Budget, n float64) { b.MaxTokens = int64(n) },
	},
	"time": {
		"a time such as 1h30m", func(s float64) string { return seconds(s).String() },
		func(s string) (float64, error) {
			d, err := time.ParseDuration(s)
			return d.Seconds(), err
		},
		func(b *deskhand.Budget, s float64) { b.MaxTime = seconds(s) },
	},
	"cost": {
		"an amount such as $2.50", transcript.Dollars,
		func(s string) (float64, error) {
			usd, err := strconv.ParseFloat(strings.TrimPrefix(s, "$"), 64)
			return usd, cmp.Or(err, finite(usd))
		},
		func(b *deskhand.Budget, usd float64) { b.MaxCostUSD = usd },
	},
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond)
}

func whole(s string) (float64, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	return float64(n), err
}

// finite refuses what is a number for the machine alone.
func finite(n float64) error {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return strconv.ErrRange
	}
	return nil
}

func isYes(line string) bool { return oneOf(line, "y", "yes") }
func isNo(line string) bool  { return oneOf(line, "n", "no") }

func oneOf(line string, words ...string) bool {
	for _, w := range words {
		if strings.EqualFold(strings.TrimSpace(line), w) {
			return true
		}
	}
	return false
}

// remember keeps what a question may be about.
func (f *following) remember(e deskhand.Event) error {
	f.seq = max(f.seq, e.Seq)
	switch e.Kind {
	case deskhand.KindBudgetReached:
		f.reached = new(deskhand.BudgetReached)
		return json.Unmarshal(e.Data, f.reached)
	case deskhand.KindStuckNoticed:
		var d deskhand.StuckNoticed
		err := json.Unmarshal(e.Data, &d)
		f.stuck = d.Step == deskhand.StepAsk
		return err
	case deskhand.KindApprovalAsked:
		f.asked = new(deskhand.ApprovalAsked)
		return json.Unmarshal(e.Data, f.asked)
	case deskhand.KindTaskStatus:
		var d deskhand.TaskStatus
		err := json.Unmarshal(e.Data, &d)
		if d.To == deskhand.Running {
			f.reached, f.stuck, f.asked = nil, false, nil
		}
		return err
	}
	return nil
}
