package agent

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/tool"
)

// questionLife is how long an answer to a question counts.
const questionLife = 24 * time.Hour

// The rules by which the agent itself refuses a call that a person allowed.
const (
	ruleDrift = "agent:drift"
	ruleLate  = "agent:late"
)

// judge returns the verdict on c, and the events that must be recorded before
// anything comes of it.
func (a *Agent) judge(ctx context.Context, st *State, c *call) (deskhand.Verdict, []deskhand.Event, error) {
	if v := c.verdict; v != nil && v.Outcome != deskhand.Ask {
		return *v, nil, nil
	}
	if c.decision != nil {
		return a.honour(ctx, st, c)
	}
	if c.question != nil {
		v := c.question.Verdict
		v.Outcome = deskhand.Ask
		return v, nil, nil
	}
	target, err := a.aim(ctx, c.Call, false)
	j := a.Gate(c.Call, deskhand.Moment{Target: target, Unseen: err != nil, Plan: st.plan, Granted: st.granted, Reshaped: st.reshaped})
	if a.Before != nil {
		j.Verdict = a.Before(ctx, st.Task, c.Call, j.Verdict)
	}
	events := []deskhand.Event{a.verdict(st, c, j)}
	if j.Outcome != deskhand.Ask {
		return j.Verdict, events, nil
	}
	q, err := a.question(ctx, st, c, j)
	return j.Verdict, append(events, a.event(st, deskhand.KindApprovalAsked, q)), err
}

func (a *Agent) verdict(st *State, c *call, j deskhand.Judgement) deskhand.Event {
	return a.event(st, deskhand.KindCallJudged, deskhand.CallJudged{CallID: c.ID, Verdict: j.Verdict, Class: j.Class, Reshapes: j.Reshapes})
}

// question makes what a person is asked. Its nonce is of this question alone.
func (a *Agent) question(ctx context.Context, st *State, c *call, j deskhand.Judgement) (deskhand.ApprovalAsked, error) {
	q := deskhand.ApprovalAsked{
		Call: c.Call, Verdict: j.Verdict, Class: j.Class, Does: j.Does, Always: j.Always, Said: st.Result, Expires: a.now().Add(questionLife).UTC(),
	}
	q.Target, _ = a.aim(ctx, c.Call, true) // what cannot be seen is not shown, and said by the verdict
	if q.Target != nil && q.Target.Picture != nil {
		shown := []deskhand.Content{{Image: q.Target.Picture}}
		if err := a.keep(ctx, shown); err != nil {
			return q, err
		}
		q.Target.Picture = shown[0].Image
	}
	q.Pinned, _ = a.pin(ctx, c.Call) // what cannot be told now will not be the same then
	q.Nonce = nonce(q)
	return q, nil
}

func nonce(q deskhand.ApprovalAsked) deskhand.Hash {
	var once [16]byte
	rand.Read(once[:]) // never fails since Go 1.24
	data := append(once[:], q.Call.ID+q.Call.Toolset+q.Call.Name...)
	data = append(data, q.Call.Input...)
	if q.Target != nil {
		data = append(data, q.Target.State...)
	}
	data = append(data, q.Pinned...)
	return deskhand.HashOf(data)
}

// honour returns what a person's answer comes to by now. A yes counts for what
// the person saw: not later than it said, and not when that has changed.
func (a *Agent) honour(ctx context.Context, st *State, c *call) (deskhand.Verdict, []deskhand.Event, error) {
	d, q := c.decision, c.question
	if !d.Approve {
		return deskhand.Verdict{Outcome: deskhand.Deny, Rule: "person"}, nil, nil
	}
	if q.Nonce == "" { // a question of an older journal: nothing is bound to it
		return deskhand.Verdict{Outcome: deskhand.Allow, Rule: "person"}, nil, nil
	}
	refused := deskhand.Verdict{Outcome: deskhand.Deny}
	switch {
	case a.now().After(q.Expires):
		refused.Rule, refused.Reason = ruleLate, late
	case a.drifted(ctx, q):
		refused.Rule, refused.Reason = ruleDrift, drift
	default:
		return deskhand.Verdict{Outcome: deskhand.Allow, Rule: "person"}, nil, nil
	}
	return refused, []deskhand.Event{a.verdict(st, c, deskhand.Judgement{Verdict: refused})}, nil
}

// drifted reports whether what a call acts on is no longer what was asked about.
func (a *Agent) drifted(ctx context.Context, q *deskhand.ApprovalAsked) bool {
	now, err := a.aim(ctx, q.Call, false)
	if err != nil || (now == nil) != (q.Target == nil) {
		return true
	}
	if now != nil && now.State != q.Target.State {
		return true
	}
	pinned, err := a.pin(ctx, q.Call)
	return err != nil || pinned != q.Pinned
}

// pin returns what stands for that which a call depends on; empty: nothing does.
func (a *Agent) pin(ctx context.Context, c deskhand.Call) (pinned deskhand.Hash, err error) {
	t, _ := a.Tools.Find(c)
	pinner, ok := t.(tool.Pinner)
	if !ok {
		return "", nil
	}
	defer recovered(t.Spec().Name, &err)
	return pinner.Pin(ctx, c)
}

// aim returns what a call would act on. A call of a tool that acts on nothing
// that can be seen has no target.
func (a *Agent) aim(ctx context.Context, c deskhand.Call, picture bool) (target *deskhand.Target, err error) {
	t, _ := a.Tools.Find(c)
	aimer, ok := t.(tool.Aimer)
	if !ok {
		return nil, nil
	}
	defer recovered(t.Spec().Name, &err)
	return aimer.Aim(ctx, c, picture)
}
