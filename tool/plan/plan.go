// Package plan is the tool with which a model proposes what it will do, before
// it does it.
//
// The tool itself does nothing: that a call of it runs means that a person has
// accepted the plan, perhaps after changing it. What that lets the task do is
// said by the gate, from the journal.
//
// Trust: a plan is written by a model that may have been misled. It widens
// nothing before a person has read it.
package plan

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/tool"
)

const description = `Proposes a plan to the user, who reads it, may change it, and accepts or refuses it. Look around first where you need to: looking is always allowed. ` +
	`Call this before you act. Within an accepted plan you may act without asking; what goes beyond it, the user is asked about each time. ` +
	`Propose another plan when this one turns out not to be enough.`

// New returns the tool.
func New() tool.Tool {
	return tool.New(tool.NewSpec{Name: deskhand.PlanTool, Description: description}, accepted)
}

// accepted answers a plan that a person has accepted.
func accepted(_ context.Context, p deskhand.Plan) (deskhand.Result, error) {
	if len(p.Steps) == 0 || strings.TrimSpace(strings.Join(p.Steps, "")) == "" {
		return deskhand.Result{}, deskhand.Errorf("plan", deskhand.Invalid, "a plan needs steps")
	}
	text, err := json.Marshal(p)
	if err != nil {
		return deskhand.Result{}, deskhand.E("plan", deskhand.Internal, err)
	}
	return deskhand.Text("The user accepted this plan: " + string(text) + " Keep to it."), nil
}
