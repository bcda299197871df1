// Package runner puts deskhand into a Go program: it assembles a journal, an
// engine and a computer for each task, runs tasks, and asks the program what a
// person would be asked. Everything in it can be done with the packages below
// it; this is the short way.
//
// Trust: the program is the host's side. It holds the key, the journal and the
// approvals; what the model does, it does on the computer that the task is given.
// A desktop of one's own has no walls but those that its maker built.
package runner

import (
	"context"
	"errors"
	"os"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/engine/local"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/store/sqlite"
	"github.com/deskhand/deskhand/tool"
)

// Config says what a Runner is made of.
type Config struct {
	// Model answers requests, such as a claude.Client. Required. It stays open.
	Model model.Model
	// Models is what is known of models: tools, pictures, prices. Default: the built-in catalogue.
	Models model.Catalogue

	// Dir is the state directory: the journals of all tasks and their pictures.
	// Default: a temporary one, removed by Close.
	Dir string

	// Desktop returns the display that a task works on, and is closed with the
	// task; the computer tool acts on it, and there is neither shell nor files
	// but what Tools offers. Default: a new virtual desktop behind the walls of
	// bubblewrap, with shell and editor.
	Desktop func(ctx context.Context, t deskhand.Task) (desktop.Desktop, error)
	// Program is the deskhand program, which is the guest behind those walls.
	// Default: "deskhand" on the PATH.
	Program string
	// Tools are further tools of every task. Those that can be closed are not. Default: none.
	Tools []tool.Tool

	// Gate says which calls run, are refused, or are put to Approve. It must not
	// wait. Default: every call runs.
	Gate func(t deskhand.Task, c deskhand.Call) deskhand.Verdict
	// Approve answers what the gate asks. It may take as long as it likes: the
	// task waits, in the journal. ctx is that of Run. An error leaves the task
	// waiting and is returned by Run. Default: the answer is no.
	Approve func(ctx context.Context, t deskhand.Task, q deskhand.ApprovalAsked) (deskhand.Decision, error)
	// Check looks at the task's Criteria after the model said that it is done; a
	// task of which one is not so goes back to the model once. Default: nobody looks.
	Check local.Check

	// Event gets every event of a task as it happens, in order, also the
	// model.delta that are stored nowhere. Run waits for it. Default: nobody watches.
	Event func(deskhand.Event)
}

func (c Config) withDefaults() Config {
	if c.Program == "" {
		c.Program = "deskhand"
	}
	if c.Gate == nil {
		c.Gate = func(deskhand.Task, deskhand.Call) deskhand.Verdict {
			return deskhand.Verdict{Outcome: deskhand.Allow, Rule: "runner:everything"}
		}
	}
	if c.Approve == nil {
		c.Approve = func(context.Context, deskhand.Task, deskhand.ApprovalAsked) (deskhand.Decision, error) {
			return deskhand.Decision{By: "nobody"}, nil
		}
	}
	if c.Event == nil {
		c.Event = func(deskhand.Event) {}
	}
	return c
}

// Runner runs tasks. Its methods may be called concurrently.
type Runner struct {
	cfg    Config
	store  *sqlite.Store
	engine engine.Engine
	remove string // the temporary state directory; empty when it is the caller's
}

// New opens a Runner. Invalid: the configuration is incomplete. Unavailable,
// Conflict: the state directory cannot be used.
func New(ctx context.Context, c Config) (*Runner, error) {
	const op = "runner"
	c = c.withDefaults()
	if c.Model == nil {
		return nil, deskhand.Errorf(op, deskhand.Invalid, "a runner needs a model")
	}
	r := &Runner{cfg: c}
	if c.Dir == "" {
		dir, err := os.MkdirTemp("", "deskhand-")
		if err != nil {
			return nil, deskhand.Errorf(op, deskhand.Unavailable, "no temporary state directory can be made: %w", err)
		}
		r.cfg.Dir, r.remove = dir, dir
	}
	var err error
	if r.store, err = sqlite.Open(ctx, r.cfg.Dir); err != nil {
		return nil, errors.Join(deskhand.E(op, "", err), r.Close())
	}
	r.engine, err = local.New(ctx, local.Config{
		Store: r.store, Computers: computers{r.cfg}, Model: r.model, Check: c.Check,
		Gate: func(t deskhand.Task) deskhand.Gate {
			return func(call deskhand.Call, _ deskhand.Moment) deskhand.Judgement {
				return deskhand.Judgement{Verdict: c.Gate(t, call)}
			}
		},
	})
	if err != nil {
		return nil, errors.Join(deskhand.E(op, "", err), r.Close())
	}
	return r, nil
}
