package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/tool"
	"github.com/deskhand/deskhand/tool/computer"
)

// placed is a computer whose sandbox can be looked into.
type placed interface{ Sandbox() sandbox.Sandbox }

// computers makes the computers of this process's tasks.
type computers struct {
	app  *app
	plan plan
}

func (a *app) computers(p plan) engine.Computers {
	if p.task.Sandbox == "none" {
		loudly(a.stderr)
	}
	return computers{a, p}
}

// loudly warns of a desktop without walls.
func loudly(w io.Writer) {
	fmt.Fprintln(w, "WARNING: --sandbox none: there are NO walls. What the model does, it does as you, on this machine, with your files and your network.")
}

// Up implements engine.Computers.
func (c computers) Up(ctx context.Context, t deskhand.Task) (engine.Computer, error) {
	if c.plan.keep {
		return c.held(ctx, t)
	}
	m, err := c.app.machine(ctx, machineConfig{size: t.Screen, sandbox: t.Sandbox})
	if err != nil {
		return nil, err
	}
	return newComputer(m, c.plan.info, t.Toolset)
}

// held makes a computer of a desktop that a process of its own keeps up, also
// after the task and this process have ended.
func (c computers) held(ctx context.Context, t deskhand.Task) (engine.Computer, error) {
	h, err := c.app.hold(ctx, "task-"+string(t.ID), t.Screen, t.Sandbox)
	if err != nil {
		return nil, err
	}
	d, err := c.app.desktops()
	if err != nil {
		return nil, err
	}
	m := attached(d, h)
	return newComputer(m, c.plan.info, t.Toolset)
}

// kept is a machine as a task uses it.
type kept struct {
	*machine
	set *tool.Set

	mu   sync.Mutex
	told int64 // the newest notice that was told
}

func newComputer(m *machine, info model.Info, toolset string) (engine.Computer, error) {
	screen, err := computer.New(m.desk, computer.Config{Version: toolset})
	if err != nil {
		return nil, err
	}
	set, err := tool.NewSet(screen)
	return &kept{machine: m, set: set}, err
}

// Tools implements engine.Computer.
func (k *kept) Tools() *tool.Set { return k.set }

// noticeLimit bounds how long the guest may take to say what happened.
const noticeLimit = 2 * time.Second

// Notices implements engine.Computer.
func (k *kept) Notices() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), noticeLimit)
	defer cancel()
	h, err := k.place.Health(ctx, 0, k.told)
	if err != nil {
		return nil // whoever uses the machine next is told what is wrong with it
	}
	var texts []string
	for _, n := range h.Notices {
		texts, k.told = append(texts, n.Text), max(k.told, n.N)
	}
	return texts
}
