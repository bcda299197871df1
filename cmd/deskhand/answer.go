package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/user"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/agent"
	"github.com/deskhand/deskhand/store"
)

type taskAnswerCmd struct {
	driver
	Answer  string `arg:"" enum:"yes,no,task,always" help:"yes, no, task (also for the like in this task) or always (also saves the rule that the question offers)."`
	Comment string `placeholder:"TEXT" help:"What to tell the model with it."`
	Plan    string `placeholder:"FILE" help:"Accept this plan instead of the one that was proposed; deskhand task plan prints that one."`
}

// Run answers what a task waits for.
func (c *taskAnswerCmd) Run(ctx context.Context, a *app) error {
	s, t, err := a.steering(ctx, c.ID, c.Model, c.Keep)
	if err != nil {
		return err
	}
	if s.plan.blind != nil && (c.Comment != "" || c.Plan != "") {
		return s.plan.blind
	}
	q, err := openQuestion(ctx, s.store, t.ID)
	if err != nil {
		return err
	}
	d := answers[c.Answer]
	d.By, d.Comment = whoami(), c.Comment
	if c.Plan != "" {
		if d.Plan, err = readPlan(c.Plan, q, d); err != nil {
			return err
		}
	}
	return c.drive(ctx, a, s, t.ID, func() error { return s.answer(ctx, t.ID, q, d) },
		fmt.Sprintf("Answered; task %s goes on where its desktop is.", t.ID))
}

type taskPlanCmd struct {
	ID string `arg:"" help:"Task id, or its beginning."`
}

// Run prints the plan that waits for an answer, else the one that was accepted last.
func (c *taskPlanCmd) Run(ctx context.Context, a *app) error {
	st, t, err := a.task(ctx, c.ID)
	if err != nil {
		return err
	}
	state, err := agent.Fold(st.Events(ctx, t.ID, 0))
	if err != nil {
		return err
	}
	p := state.Plan()
	if q, waits := state.Question(); waits && q.Call.Name == deskhand.PlanTool {
		p = new(deskhand.Plan)
		if err := json.Unmarshal(q.Call.Input, p); err != nil {
			return deskhand.E("plan", deskhand.Invalid, err)
		}
	}
	if p == nil {
		return deskhand.Errorf("", deskhand.NotFound, "task %s has no plan", t.ID)
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(p)
}

const maxPlan = 1 << 20 // bytes

// readPlan reads the plan that a person accepts instead of the proposed one.
func readPlan(file string, q deskhand.ApprovalAsked, d deskhand.Decision) (*deskhand.Plan, error) {
	if q.Call.Name != deskhand.PlanTool || !d.Approve {
		return nil, usage("--plan goes with yes to a plan that was proposed")
	}
	data, err := readFile(file, maxPlan, "--plan")
	if err != nil {
		return nil, err
	}
	p := new(deskhand.Plan)
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(p); err != nil || len(p.Steps) == 0 {
		return nil, usage("%s is not a plan: print the proposed one with deskhand task plan, and change that", file)
	}
	return p, nil
}

// openQuestion returns what a task asks about a call. Conflict: it asks nothing.
func openQuestion(ctx context.Context, j store.Journal, id deskhand.TaskID) (deskhand.ApprovalAsked, error) {
	st, err := agent.Fold(j.Events(ctx, id, 0))
	if err != nil {
		return deskhand.ApprovalAsked{}, err
	}
	q, waits := st.Question()
	if !waits {
		return q, deskhand.Errorf("", deskhand.Conflict, "task %s does not wait for this answer: nothing is asked, or it was answered already", id)
	}
	return q, nil
}

// whoami names who answers, for the journal.
func whoami() string {
	u, err := user.Current()
	if err != nil {
		return "somebody"
	}
	return u.Username
}
