package runner_test

import (
	"context"
	"fmt"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/runner"
	"github.com/deskhand/deskhand/tool"
)

// note lets a model work on a desktop of the program's own, with a tool of the
// program's own, and asks before anything is typed.
func note(ctx context.Context, m model.Model, screen desktop.Desktop) (deskhand.Task, error) {
	type input struct {
		Location string `json:"location" doc:"The city and state, e.g. San Francisco, CA"`
	}
	weather := tool.New(tool.NewSpec{
		Name:        "get_weather",
		Description: "Get the current weather in a given location",
	}, func(_ context.Context, in input) (deskhand.Result, error) {
		return deskhand.Text("15 degrees in " + in.Location), nil
	})
	r, err := runner.New(ctx, runner.Config{
		Model: m,
		Tools: []tool.Tool{weather},
		Desktop: func(context.Context, deskhand.Task) (desktop.Desktop, error) {
			return screen, nil
		},
		Gate: func(_ deskhand.Task, c deskhand.Call) deskhand.Verdict {
			if c.Name == "type" {
				return deskhand.Verdict{Outcome: deskhand.Ask, Rule: "typing", Reason: "Something is to be typed."}
			}
			return deskhand.Verdict{Outcome: deskhand.Allow, Rule: "the rest"}
		},
		Approve: func(_ context.Context, _ deskhand.Task, q deskhand.ApprovalAsked) (deskhand.Decision, error) {
			fmt.Printf("%s May it %s %s?\n", q.Verdict.Reason, q.Call.Name, q.Call.Input)
			return deskhand.Decision{Approve: true, By: "the example"}, nil
		},
	})
	if err != nil {
		return deskhand.Task{}, err
	}
	defer r.Close()
	return r.Run(ctx, deskhand.Task{Text: "Write the weather of San Francisco into the open window."})
}
