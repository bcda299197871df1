package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/engine/local"
	"github.com/deskhand/deskhand/machine"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/model/claude"
	"github.com/deskhand/deskhand/sandbox/bwrap"
	"github.com/deskhand/deskhand/store"
	"github.com/deskhand/deskhand/store/sqlite"
	"github.com/deskhand/deskhand/tool"
	"github.com/deskhand/deskhand/tool/computer"
)

// screen is the display of every run.
var screen = deskhand.Size{W: 1280, H: 800}

// rig is everything that one run needs: a computer with the pages and the
// browser, and the loop that drives it.
type rig struct {
	machine *machine.Machine
	pages   *program
	base    string // URL of the pages
	browser *browser
	hand    *watched // the desktop, on the way from the tool
	player  *player
	client  *claude.Client
	store   store.Store
	engine  engine.Engine
	info    model.Info
	source  string // of the oracles

	computer computer.Config            // of the tool; default: its own
	took     map[string][]time.Duration // of calls, by name
	closes   []func() error
}

// newRig brings everything up. pages is a folder of the host, or empty.
func newRig(ctx context.Context, pages string, scale int) (_ *rig, err error) {
	r := &rig{took: map[string][]time.Duration{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if err := r.openComputer(ctx, pages, scale); err != nil {
		return nil, err
	}
	return r, r.openLoop(ctx)
}

// openComputer brings up the machine, the pages and the browser.
func (r *rig) openComputer(ctx context.Context, pages string, scale int) (err error) {
	c := machine.Config{Screen: screen}
	args := []string{"deskhand", pagesCommand}
	if pages != "" {
		c.Binds = []bwrap.Bind{{Host: pages, Inside: miniwobInside}}
		args = append(args, "-dir", miniwobInside)
	}
	if r.machine, err = machine.Up(ctx, c); err != nil {
		return err
	}
	r.closes = append(r.closes, r.machine.Close)
	if r.pages, r.base, err = launch(ctx, r.machine.Sandbox(), "http://", args...); err != nil {
		return err
	}
	r.closes = append(r.closes, r.pages.stop)
	if r.browser, err = openBrowser(ctx, r.machine.Sandbox(), scale); err != nil {
		return err
	}
	r.closes = append(r.closes, r.browser.close)
	r.hand = &watched{Desktop: r.machine.Desktop(), took: map[string][]time.Duration{}}
	return nil
}

// openLoop makes what drives the computer: the model, the store, the engine.
func (r *rig) openLoop(ctx context.Context) (err error) {
	if r.player, err = newPlayer(); err != nil {
		return err
	}
	r.closes = append(r.closes, r.player.close)
	if r.client, err = claude.New(claude.Config{BaseURL: r.player.url, APIKey: "none"}); err != nil {
		return err
	}
	r.closes = append(r.closes, r.client.Close)
	dir, err := os.MkdirTemp("", "fidelity-")
	if err != nil {
		return err
	}
	r.closes = append(r.closes, func() error { return os.RemoveAll(dir) })
	if r.store, err = sqlite.Open(ctx, dir); err != nil {
		return err
	}
	r.closes = append(r.closes, r.store.Close)
	if r.info, err = model.Lookup(model.Default); err != nil {
		return err
	}
	r.engine, err = local.New(ctx, local.Config{
		Store: r.store, Computers: r,
		Model: func(context.Context, deskhand.Task) (model.Model, func(deskhand.Usage) float64, error) {
			return r.client, r.info.Cost, nil
		},
		Retry: model.RetryConfig{Attempts: 1},
	})
	if err != nil {
		return err
	}
	r.closes = append(r.closes, r.engine.Close)
	r.source, err = oracleSource()
	return err
}

// close ends everything, the newest first.
func (r *rig) close() error {
	var errs []error
	for i := len(r.closes) - 1; i >= 0; i-- {
		errs = append(errs, r.closes[i]())
	}
	r.closes = nil
	return errors.Join(errs...)
}

// Up implements engine.Computers: every task gets the one computer there is.
func (r *rig) Up(context.Context, deskhand.Task) (engine.Computer, error) {
	c, err := computer.New(desktop.Desktop(r.hand), r.computer)
	if err != nil {
		return nil, err
	}
	set, err := tool.NewSet(c)
	return shared{set}, err
}

// shared is a computer that outlives its task.
type shared struct{ tools *tool.Set }

func (s shared) Tools() *tool.Set { return s.tools }
func (shared) Notices() []string  { return nil }
func (shared) Close() error       { return nil }

// play runs one conversation: source is the model.
func (r *rig) play(ctx context.Context, text string, source next) error {
	r.player.begin(source)
	task, err := r.engine.Start(ctx, deskhand.Task{
		Text: text, Model: model.Default, Toolset: model.ComputerToolset, Screen: screen, Permission: "trust", Sandbox: string(machine.Bwrap),
	})
	if err != nil {
		return err
	}
	events, err := r.engine.Watch(ctx, task.ID, 0)
	if err != nil {
		return err
	}
	names, failures := map[string]string{}, []error{}
	for e := range events {
		if err := r.note(e, names); err != nil {
			failures = append(failures, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return errors.Join(err, r.engine.Stop(context.WithoutCancel(ctx), task.ID, "The episode took too long."))
	}
	return errors.Join(append(failures, r.player.end())...)
}

// note takes from an event how long a call took, and what went wrong.
func (r *rig) note(e deskhand.Event, names map[string]string) error {
	switch e.Kind {
	case deskhand.KindCallStarted:
		var d deskhand.CallStarted
		if err := json.Unmarshal(e.Data, &d); err != nil {
			return err
		}
		names[d.Call.ID] = d.Call.Name
	case deskhand.KindCallFinished:
		var d deskhand.CallFinished
		if err := json.Unmarshal(e.Data, &d); err != nil {
			return err
		}
		name := names[d.CallID]
		if d.Result.IsError {
			return fmt.Errorf("%s: %s", name, d.Result.Content[0].Text)
		}
		r.took[name] = append(r.took[name], time.Duration(d.DurationMS)*time.Millisecond)
	case deskhand.KindTaskStatus:
		var d deskhand.TaskStatus
		if err := json.Unmarshal(e.Data, &d); err != nil {
			return err
		}
		if d.To == deskhand.Failed || d.To == deskhand.Stopped {
			return fmt.Errorf("the task %s: %s", d.To, d.Reason)
		}
	}
	return nil
}
