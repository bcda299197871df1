package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/deskhand/deskhand"
)

const (
	maxPeriod = 4               // turns of the longest cycle that is looked for
	patience  = 10              // times the limit, for what may well be in order
	slowTurn  = 2 * time.Second // a turn whose calls took so long has waited for something
	calmTurns = 5               // turns with progress in a row after which a notice is forgotten
	idleTurn  = 10              // of a turn without progress; one that only looks counts 1
	maxTraces = 4096            // turns that are remembered, whatever the limits
)

// trace is what a turn did and what came of it.
type trace struct {
	calls [8]byte // digest of what was asked for; of looks only when there is nothing else
	words [8]byte // digest of what the tools said
	shows string  // hash of the newest picture; empty: there was none yet
	waits bool    // it only looked, or took its time
}

// same reports whether t is b over again: the same calls, the same words, and
// the same to see.
func (t trace) same(b trace) bool {
	return t.calls == b.calls && t.words == b.words && t.shows == b.shows
}

// again reports whether t asks for what b asked for and got something else.
// Whoever only looks at what changes does not repeat himself.
func (t trace) again(b trace) bool { return t.calls == b.calls && !t.waits }

// watch notices when a task goes in circles. It is folded from events, so that
// a task that is taken up again stands where it stood.
type watch struct {
	traces []trace       // of turns with calls, newest last
	shown  string        // hash of the newest picture
	took   time.Duration // by the calls of the turn under way
	clicks int           // in a row that drew nothing
	idle   int           // in tenths of a turn
	good   int           // turns with progress in a row
	step   int           // notices given
}

// steps are what is done at the first notice, the second and each after.
var steps = []deskhand.Step{deskhand.StepTell, deskhand.StepAsk, deskhand.StepStop}

// turn takes in a turn whose calls are all answered.
func (w *watch) turn(calls []call, keep int) {
	t, acted, worked := traceOf(calls, w.took)
	if t.shows == "" {
		t.shows = w.shown // there was nothing new to see
	}
	w.took, w.shown = 0, t.shows
	for _, c := range calls {
		switch c.result.Effect {
		case deskhand.EffectNone:
			w.clicks++
		case deskhand.EffectSome:
			w.clicks = 0
		}
	}
	seen := slices.ContainsFunc(w.traces, t.same)
	switch {
	case worked && !seen:
		w.idle = 0
		w.good++
	case acted:
		w.idle, w.good = w.idle+idleTurn, 0
	case t.shows == "" || slices.ContainsFunc(w.traces, func(b trace) bool { return b.shows == t.shows }):
		w.idle, w.good = w.idle+1, 0
	}
	if w.good >= calmTurns {
		w.step = 0
	}
	w.traces = append(w.traces, t)
	w.traces = w.traces[max(0, len(w.traces)-keep):]
}

// traceOf also says whether a call did more than look, and whether one of those worked.
func traceOf(calls []call, took time.Duration) (t trace, acted, worked bool) {
	asked, looked, said := sha256.New(), sha256.New(), sha256.New()
	for _, c := range calls {
		line := fmt.Appendf(nil, "%q %q %s\n", c.Toolset, c.Name, compact(c.Input))
		looked.Write(line)
		if c.result.Effect != deskhand.EffectLook {
			acted = true
			worked = worked || !c.result.IsError && c.result.Effect != deskhand.EffectNone
			asked.Write(line)
			if len(c.result.Content) > 0 { // the first is the tool's own word; what was seen comes after
				fmt.Fprintf(said, "%t %q\n", c.result.IsError, c.result.Content[0].Text)
			}
		}
		for _, content := range slices.Concat(c.result.Content, c.observed) {
			if content.Image != nil {
				t.shows = string(content.Image.Hash)
			}
		}
	}
	if !acted {
		asked = looked
	}
	t.waits = !acted || took >= slowTurn
	copy(t.calls[:], asked.Sum(nil))
	copy(t.words[:], said.Sum(nil))
	return t, acted, worked
}

func compact(raw json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}

// rounds returns how often the last turns went around a cycle of period turns,
// by one way of comparing, and whether one of them waited.
func (w *watch) rounds(period int, same func(t, b trace) bool) (n int, waits bool) {
	i := len(w.traces) - 1
	for ; i >= period && same(w.traces[i], w.traces[i-period]); i-- {
		waits = waits || w.traces[i].waits
	}
	return (len(w.traces) - 1 - i + period) / period, waits
}

// circling reports whether the task goes around a cycle of period turns, limit
// times, and how often it did. What waits for something, and what repeats calls
// whose outcome differs, may be in order: it gets its patience.
func (w *watch) circling(period, limit int) (int, bool) {
	if limit == 0 || len(w.traces) < 2*period {
		return 0, false
	}
	last := len(w.traces) - 1
	if n, waits := w.rounds(period, trace.same); n >= limit && (!waits || n >= patience*limit) {
		return n, period == 1 || !w.traces[last].same(w.traces[last-1])
	}
	n, _ := w.rounds(period, trace.again)
	return n, n >= patience*limit && (period == 1 || !w.traces[last].again(w.traces[last-1]))
}

// notice returns the watch that has run out, how often what it looks for was
// seen, and in which words. An empty name: none has.
func (w *watch) notice(g deskhand.Guard) (name string, count int, seen string) {
	if n, ok := w.circling(1, limitOf(g.Identical, defaultIdentical)); ok {
		return "identical", n, fmt.Sprintf("the same calls were made in %d turns in a row, and nothing new came of it", n)
	}
	for period := 2; period <= maxPeriod; period++ {
		if n, ok := w.circling(period, limitOf(g.Cycles, defaultCycles)); ok {
			return "cycle", n, fmt.Sprintf("the same %d turns were taken %d times over, one after the other", period, n)
		}
	}
	if limit := limitOf(g.Clicks, defaultClicks); limit > 0 && w.clicks >= limit {
		return "clicks", w.clicks, fmt.Sprintf("nothing on the screen changed after each of the last %d clicks", w.clicks)
	}
	if limit := limitOf(g.Idle, defaultIdle); limit > 0 && w.idle >= limit*idleTurn {
		n := w.idle / idleTurn
		return "idle", n, fmt.Sprintf("nothing that is new came of the last %d turns", n)
	}
	return "", 0, ""
}

// keep is how many traces the limits of g need.
func keep(g deskhand.Guard) int {
	most := max(limitOf(g.Identical, defaultIdentical), limitOf(g.Cycles, defaultCycles), limitOf(g.Idle, defaultIdle))
	return min(maxTraces, maxPeriod*patience*most)
}

// unstick does something about a task that goes in circles. The outcome is
// Running when it goes on.
func (a *Agent) unstick(ctx context.Context, st *State) (Outcome, error) {
	name, count, seen := st.watch.notice(st.Task.Guard)
	if name == "" {
		return goingOn, nil
	}
	d := deskhand.StuckNoticed{Watch: name, Count: count, Step: steps[min(st.watch.step, len(steps)-1)]}
	out := goingOn
	switch d.Step {
	case deskhand.StepTell:
		d.Text = fmt.Sprintf(circles, seen)
	case deskhand.StepAsk:
		d.Text = fmt.Sprintf("The task goes in circles: %s. The model was told, and it did not help. How should it go on?", seen)
		out = Outcome{Status: deskhand.Waiting, Reason: d.Text}
	default:
		d.Text = fmt.Sprintf("The task still goes in circles: %s. It was ended before it costs more.", seen)
		out = Outcome{Status: deskhand.Failed, Reason: d.Text}
	}
	return out, a.append(ctx, st, deskhand.KindStuckNoticed, d)
}

func (st *State) stuck(e deskhand.Event, d deskhand.StuckNoticed) error {
	switch d.Step {
	case deskhand.StepTell:
		st.tell(d.Text)
	case deskhand.StepAsk:
		st.lostWay = e.Seq
	}
	st.watch = watch{step: st.watch.step + 1, shown: st.watch.shown}
	return nil
}
