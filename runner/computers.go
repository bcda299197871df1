package runner

import (
	"context"
	"errors"
	"os/exec"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/machine"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/tool"
	"github.com/deskhand/deskhand/tool/bash"
	"github.com/deskhand/deskhand/tool/computer"
	"github.com/deskhand/deskhand/tool/editor"
)

// computers makes the computer of each task.
type computers struct{ cfg Config }

// Up implements engine.Computers.
func (c computers) Up(ctx context.Context, t deskhand.Task) (engine.Computer, error) {
	info, err := c.cfg.Models.Lookup(t.Model)
	if err != nil {
		return nil, err
	}
	screen := computer.Config{Version: t.Toolset, Model: model.Screenshot(t.Screen, info)}
	if c.cfg.Desktop != nil {
		return c.own(ctx, t, info, screen)
	}
	program, err := exec.LookPath(c.cfg.Program)
	if err != nil {
		return nil, deskhand.Errorf("runner", deskhand.Invalid, "the program %q that runs inside the sandbox is not there: set Config.Program to the path of deskhand", c.cfg.Program)
	}
	return machine.Up(ctx, machine.Config{
		Binary: program, Driver: machine.Driver(t.Sandbox), Screen: t.Screen, Scale: t.Scale, Computer: screen,
		Bash: bash.Config{Version: info.Bash}, Editor: editor.Config{Version: info.Editor},
		More: func(sandbox.Sandbox) ([]tool.Tool, error) { return kept(c.cfg.Tools), nil },
	})
}

// own makes a computer of a desktop that the program provides.
func (c computers) own(ctx context.Context, t deskhand.Task, info model.Info, screen computer.Config) (engine.Computer, error) {
	d, err := c.cfg.Desktop(ctx, t)
	if err != nil {
		return nil, err
	}
	size, err := d.Size(ctx)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	screen.Model = model.Screenshot(size, info)
	eyes, err := computer.New(d, screen)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	tools, err := tool.NewSet(append([]tool.Tool{eyes}, c.cfg.Tools...)...)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return own{d, tools}, nil
}

// own is a computer that is a desktop and nothing else.
type own struct {
	desktop desktop.Desktop
	tools   *tool.Set
}

func (o own) Tools() *tool.Set  { return o.tools }
func (o own) Notices() []string { return nil }
func (o own) Close() error      { return o.desktop.Close() }

// lent is a tool that outlives the computer: what can be closed is the caller's.
type lent struct{ tool.Tool }

func kept(tools []tool.Tool) []tool.Tool {
	var out []tool.Tool
	for _, t := range tools {
		if o, sees := t.(tool.Observer); sees {
			out = append(out, struct {
				lent
				tool.Observer
			}{lent{t}, o})
			continue
		}
		out = append(out, lent{t})
	}
	return out
}
