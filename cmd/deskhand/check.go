package main

import (
	"context"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/agent"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/evidence"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/sandbox"
)

// placed is a computer that can be looked into.
type placed interface {
	Sandbox() sandbox.Sandbox
	Desktop() desktop.Desktop
}

// checker returns what looks at the criteria of tasks that a model of this kind works on.
func checker(info model.Info) func(context.Context, engine.Computer, deskhand.Task, agent.Ask) ([]deskhand.Checked, error) {
	return func(ctx context.Context, c engine.Computer, t deskhand.Task, ask agent.Ask) ([]deskhand.Checked, error) {
		p := evidence.Place{Picture: model.Screenshot(t.Screen, info), Ask: ask}
		if place, ok := c.(placed); ok {
			p.Sandbox, p.Desktop = place.Sandbox(), place.Desktop()
		}
		return evidence.Check(ctx, p, t.Criteria)
	}
}

// criteria reads what must be so at the end of a task.
func criteria(flags []string) ([]deskhand.Criterion, error) {
	var out []deskhand.Criterion
	for _, text := range flags {
		c, err := evidence.Parse(text)
		if err != nil {
			return nil, usage("--check: %s", err)
		}
		out = append(out, c)
	}
	return out, nil
}
