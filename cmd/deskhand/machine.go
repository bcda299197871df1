package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/guest"
	"github.com/deskhand/deskhand/guest/stack"
	"github.com/deskhand/deskhand/machine"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/sandbox/egress"
	"github.com/deskhand/deskhand/tool/bash"
	"github.com/deskhand/deskhand/tool/computer"
	"github.com/deskhand/deskhand/tool/editor"
	"github.com/deskhand/deskhand/tool/skill"
)

// guestMain is the guest program with the display stack.
func guestMain(args []string, stdin io.Reader, stderr io.Writer) int {
	return guest.Main(args, stdin, stderr, stack.Open)
}

// computers makes the computers of this process's tasks.
type computers struct {
	app    *app
	info   model.Info
	keep   bool
	skills []skill.Skill
}

func (a *app) computers(p plan) engine.Computers {
	if p.task.Sandbox == string(machine.None) {
		loudly(a.stderr)
	}
	return computers{a, p.info, p.keep, p.skills}
}

// loudly warns of a desktop without walls.
func loudly(w io.Writer) {
	fmt.Fprintln(w, "WARNING: --sandbox none: there are NO walls. What the model does, it does as you, on this machine, with your files and your network.")
}

// Up implements engine.Computers.
func (c computers) Up(ctx context.Context, t deskhand.Task) (engine.Computer, error) {
	cfg := machine.Config{
		Driver: machine.Driver(t.Sandbox), Screen: t.Screen, Scale: t.Scale, Environ: withoutKeys(os.Environ()),
		Computer: computer.Config{Version: t.Toolset, Model: model.Screenshot(t.Screen, c.info)},
		Bash:     bash.Config{Version: c.info.Bash},
		Editor:   editor.Config{Version: c.info.Editor},
		More:     c.more(t),
	}
	if len(t.Allow) > 0 {
		rules, err := c.app.rules(t)
		if err != nil {
			return nil, err
		}
		cfg.Network = &egress.Config{Judge: rules}
	}
	if c.keep {
		return c.kept(ctx, t, cfg)
	}
	var err error
	if cfg.Logs, err = c.app.logs(t.ID); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Logs, 0o700); err != nil {
		return nil, deskhand.Errorf("", deskhand.Unavailable, "%s cannot be made (%s): point DESKHAND_HOME at a directory of your own", cfg.Logs, cause(err))
	}
	return machine.Up(ctx, cfg)
}

// logs is where the programs of a task's desktop write what they say; it stays
// until the task is removed.
func (a *app) logs(id deskhand.TaskID) (string, error) {
	home, err := a.homePath()
	return filepath.Join(home, "logs", string(id)), err
}

// kept makes a computer of a desktop that a process of its own keeps up, also
// after the task and this process have ended.
func (c computers) kept(ctx context.Context, t deskhand.Task, cfg machine.Config) (engine.Computer, error) {
	h, err := c.app.hold(ctx, "task-"+string(t.ID), t.Screen, t.Scale, t.Sandbox)
	if err != nil {
		return nil, err
	}
	d, err := c.app.desktops()
	if err != nil {
		return nil, err
	}
	return machine.Attach(ctx, d.attach(h), cfg)
}
