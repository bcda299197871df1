package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
)

const (
	nearShare  = 0.8 // of a bound, from which on the model is told what is left
	firstReply = 200 // tokens of a reply, before there was one
)

// meter is what a State knows of spending beyond the sums in its Task.
type meter struct {
	last    deskhand.Usage     // of the last reply
	replies int64              // in the conversation
	output  int64              // tokens of those
	warned  map[string]float64 // the limit that the model was warned of, by bound
}

func (m *meter) replied(u deskhand.Usage) {
	m.last = u
	m.replies++
	m.output += u.Output
}

func (st *State) consulted(_ deskhand.Event, d deskhand.ModelConsulted) error {
	st.Task.Usage = st.Task.Usage.Add(d.Usage)
	st.Task.CostUSD += d.CostUSD
	return nil
}

func (st *State) near(_ deskhand.Event, d deskhand.BudgetNear) error {
	if st.meter.warned == nil {
		st.meter.warned = map[string]float64{}
	}
	st.meter.warned[d.Bound] = d.Limit
	st.tell(d.Text)
	return nil
}

func (st *State) raised(_ deskhand.Event, d deskhand.BudgetRaised) error {
	st.Task.Budget = d.Budget
	return nil
}

// upcoming returns what the next request of the conversation takes at least:
// the last prompt from the cache, what came since as new, and a reply as long as
// the ones before.
func (a *Agent) upcoming(st *State) deskhand.Usage {
	added := st.next()
	for _, c := range st.texts[st.sealed:] {
		added.Blocks = append(added.Blocks, model.Block{Text: c.Text, Image: c.Image})
	}
	if st.meter.replies == 0 {
		entries, _ := a.Tools.Entries()
		return aside(model.Request{System: st.System, Tools: entries, Messages: []model.Message{added}})
	}
	last := st.meter.last
	return deskhand.Usage{
		CacheRead:  last.Input + last.CacheRead + last.CacheWrite,
		CacheWrite: last.Output + added.Tokens(),
		Output:     st.meter.output / st.meter.replies,
	}
}

// aside returns what a request takes at least of which nothing was sent before.
func aside(req model.Request) deskhand.Usage {
	return deskhand.Usage{Input: req.Tokens(), Output: firstReply}
}

// A bound is one field of a Budget, with how a person reads an amount of it.
var bounds = []struct {
	name  string
	turns bool // is about the conversation alone
	limit func(deskhand.Budget) float64
	spent func(st *State, now time.Time) float64
	next  func(next deskhand.Usage, usd float64) float64 // of a request
	words func(float64) string
}{
	{
		"turns", true, func(b deskhand.Budget) float64 { return float64(b.MaxTurns) },
		func(st *State, _ time.Time) float64 { return float64(st.Task.Turns) },
		func(deskhand.Usage, float64) float64 { return 1 },
		plural("turn"),
	},
	{
		"time", false, func(b deskhand.Budget) float64 { return b.MaxTime.Seconds() },
		func(st *State, now time.Time) float64 { return st.elapsed(now).Seconds() },
		func(deskhand.Usage, float64) float64 { return 0 }, // nobody knows
		func(s float64) string {
			return time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
		},
	},
	{
		"tokens", false, func(b deskhand.Budget) float64 { return float64(b.MaxTokens) },
		func(st *State, _ time.Time) float64 { return float64(st.Task.Usage.Total()) },
		func(next deskhand.Usage, _ float64) float64 { return float64(next.Total()) },
		plural("token"),
	},
	{
		"cost", false, func(b deskhand.Budget) float64 { return b.MaxCostUSD },
		func(st *State, _ time.Time) float64 { return st.Task.CostUSD },
		func(_ deskhand.Usage, usd float64) float64 { return usd },
		func(usd float64) string { return fmt.Sprintf("$%.4f", usd) },
	},
}

func plural(noun string) func(float64) string {
	return func(n float64) string {
		if n == 1 {
			return "1 " + noun
		}
		return fmt.Sprintf("%.0f %ss", n, noun)
	}
}

// over returns the first bound that a request would break that takes at least
// next, or nil. A turn is a request of the conversation.
func (a *Agent) over(st *State, turn bool, next deskhand.Usage) *deskhand.BudgetReached {
	now, usd := a.now(), a.cost(next)
	for _, b := range bounds {
		s := deskhand.Spending{Bound: b.name, Limit: b.limit(st.Task.Budget), Spent: b.spent(st, now), Estimate: b.next(next, usd)}
		if b.turns && !turn || s.Limit <= 0 || s.Spent < s.Limit && s.Spent+s.Estimate <= s.Limit {
			continue
		}
		text := fmt.Sprintf("The limit of %s was reached", b.words(s.Limit))
		if s.Spent < s.Limit {
			text = fmt.Sprintf("The next request would break the limit of %s: it takes at least %s, after %s", b.words(s.Limit), b.words(s.Estimate), b.words(s.Spent))
		}
		return &deskhand.BudgetReached{Spending: s, Text: text + ". Raise it, and the task goes on."}
	}
	return nil
}

// budget checks the task's bounds before the next request of the conversation.
// The outcome is Running when it may be sent. Once a bound, the model is told
// when most of it is spent.
func (a *Agent) budget(ctx context.Context, st *State) (Outcome, error) {
	if reached := a.over(st, true, a.upcoming(st)); reached != nil {
		return a.exhausted(ctx, st, reached)
	}
	now := a.now()
	for _, b := range bounds {
		s := deskhand.Spending{Bound: b.name, Limit: b.limit(st.Task.Budget), Spent: b.spent(st, now)}
		if s.Limit <= 0 || s.Spent < nearShare*s.Limit || st.meter.warned[b.name] == s.Limit {
			continue
		}
		text := fmt.Sprintf("Most of this task's budget is spent: %s of %s. Do what matters most first, and say in your result what is left undone.",
			b.words(s.Spent), b.words(s.Limit))
		if err := a.append(ctx, st, deskhand.KindBudgetNear, deskhand.BudgetNear{Spending: s, Text: text}); err != nil {
			return Outcome{}, err
		}
	}
	return goingOn, nil
}

// exhausted parks the task: nothing of it is lost, and a raised budget lets it go on.
func (a *Agent) exhausted(ctx context.Context, st *State, reached *deskhand.BudgetReached) (Outcome, error) {
	return Outcome{Status: deskhand.Exhausted, Reason: reached.Text}, a.append(ctx, st, deskhand.KindBudgetReached, reached)
}

// brokeBudget is why a request beside the conversation was not sent.
type brokeBudget struct{ reached *deskhand.BudgetReached }

func (e *brokeBudget) Error() string { return e.reached.Text }

// Ask sends a request beside a task's conversation.
type Ask func(ctx context.Context, why string, req model.Request) (model.Reply, error)

// beside returns an Ask whose requests count to the task's budget, which is
// checked before each, and are repeated and recorded like the conversation's.
// Model and Image of a request are filled in.
func (a *Agent) beside(st *State) Ask {
	return func(ctx context.Context, why string, req model.Request) (model.Reply, error) {
		if reached := a.over(st, false, aside(req)); reached != nil {
			return model.Reply{}, &brokeBudget{reached}
		}
		req.Model, req.Image = st.Task.Model, a.Blobs.Blob
		begun := a.now()
		reply, err := a.send(ctx, st, st.Task.Turns, req, nil)
		if err != nil {
			return reply, err
		}
		text := reply.Text
		for _, c := range reply.Calls {
			text += fmt.Sprintf("\n%s %s", c.Name, c.Input)
		}
		return reply, a.append(ctx, st, deskhand.KindModelConsulted, deskhand.ModelConsulted{
			Why: why, Model: reply.Model, Reply: text, Usage: reply.Usage, CostUSD: reply.Cost(a.cost),
			DurationMS: a.now().Sub(begun).Milliseconds(), RequestID: reply.RequestID,
		})
	}
}
