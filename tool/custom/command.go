package custom

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/excerpt"
	"github.com/deskhand/deskhand/sandbox"
)

// startFailures are what stood in the way of a program.
var startFailures = map[deskhand.Code]string{
	deskhand.NotFound:  "Error: The program of %s is not there. Go on without it.",
	deskhand.Denied:    "Error: The program of %s may not be started. Go on without it.",
	deskhand.Invalid:   "Error: The program of %s cannot be started. Go on without it.",
	deskhand.OverLimit: "Error: There is no room for another process, so %s was not run. Wait for something to end.",
}

// exec runs the command with the input on its standard input. Whatever it
// started ends with the call.
func (e entry) exec(ctx context.Context, place sandbox.Sandbox, in json.RawMessage) (deskhand.Result, error) {
	limited, cancel := e.bounded(ctx)
	defer cancel()
	p, err := place.Exec(limited, sandbox.Cmd{Args: e.command})
	if err != nil {
		return e.notStarted(ctx, limited, err)
	}
	r := e.run(limited, p, in)
	switch {
	case ctx.Err() != nil:
		return deskhand.Result{}, deskhand.E(op, deskhand.Canceled, context.Cause(ctx))
	case errors.Is(context.Cause(limited), errTimeout) && !r.exited:
		return e.late(), r.err
	case r.err != nil:
		return deskhand.Result{}, deskhand.E(op, "", r.err)
	}
	return r.result(), nil
}

func (e entry) notStarted(ctx, limited context.Context, err error) (deskhand.Result, error) {
	if ctx.Err() != nil {
		return deskhand.Result{}, deskhand.E(op, deskhand.Canceled, err)
	}
	if errors.Is(context.Cause(limited), errTimeout) {
		return e.late(), nil
	}
	if text, known := startFailures[deskhand.CodeOf(err)]; known {
		return deskhand.Failure(fmt.Sprintf(text, e.name)), nil
	}
	return deskhand.Result{}, deskhand.E(op, "", err)
}

// ran is how a command ended.
type ran struct {
	out, errs *excerpt.Excerpt
	exit      sandbox.Exit
	exited    bool // by itself
	err       error
}

// run feeds p, and returns when nothing of it is left.
func (e entry) run(ctx context.Context, p sandbox.Process, in json.RawMessage) ran {
	r := ran{out: excerpt.New(e.maxOutput), errs: excerpt.New(e.maxOutput)}
	r.exit, r.exited, r.err = sandbox.Attend(ctx, p, append(bytes.Clone(in), '\n'), r.out.Drain, r.errs.Drain)
	return r
}

// result words it as the bash tool does: a status other than 0 is an error.
func (r ran) result() deskhand.Result {
	var parts []string
	if out := r.out.Text(); out != "" {
		parts = append(parts, strings.TrimRight(out, "\n"))
	}
	if errs := r.errs.Text(); errs != "" {
		parts = append(parts, "[stderr]\n"+strings.TrimRight(errs, "\n"))
	}
	if len(parts) == 0 {
		parts = []string{noOutput}
	}
	if r.exit.Status != 0 {
		parts = append(parts, fmt.Sprintf("exit code: %d", r.exit.Status))
	}
	result := deskhand.Text(strings.Join(parts, "\n"))
	result.IsError = r.exit.Status != 0
	return result
}

const noOutput = "(no output)"
