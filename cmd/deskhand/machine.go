package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/guest"
	"github.com/deskhand/deskhand/guest/stack"
	"github.com/deskhand/deskhand/machine"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/sandbox/egress"
	"github.com/deskhand/deskhand/sandbox/folder"
	"github.com/deskhand/deskhand/secret"
	"github.com/deskhand/deskhand/secret/guard"
	"github.com/deskhand/deskhand/tool"
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
	parks  bool // the desktop outlives this process while its task waits
	skills []skill.Skill

	secrets *secret.Set
}

func (a *app) computers(p plan) engine.Computers {
	if p.task.Sandbox == string(machine.None) {
		loudly(a.stderr)
	}
	return computers{a, p.info, p.keep, p.parks, p.skills, p.secrets}
}

// loudly warns of a desktop without walls.
func loudly(w io.Writer) {
	fmt.Fprintln(w, "WARNING: --sandbox none: there are NO walls. What the model does, it does as you, on this machine, with your files and your network.")
}

// Up implements engine.Computers.
func (c computers) Up(ctx context.Context, t deskhand.Task) (engine.Computer, error) {
	if !slices.Equal(t.Secrets, c.secrets.Wanted()) {
		return nil, deskhand.Errorf("", deskhand.Unavailable, "the secrets of task %s are not loaded", t.ID)
	}
	cfg := machine.Config{
		Driver: machine.Driver(t.Sandbox), Screen: t.Screen, Scale: t.Scale, Environ: withoutKeys(os.Environ()),
		Computer: computer.Config{Version: t.Toolset, Model: model.Screenshot(t.Screen, c.info), Typing: typing(c.secrets)},
		Bash:     bash.Config{Version: c.info.Bash},
		Editor:   editor.Config{Version: c.info.Editor},
		More:     c.more(t),
		Guard:    func(t tool.Tool) tool.Tool { return guard.Tool(t, c.secrets) },
	}
	var err error
	if cfg.Container, err = c.app.container(); err != nil {
		return nil, err
	}
	if len(t.Allow) > 0 {
		rules, err := c.app.rules(t)
		if err != nil {
			return nil, err
		}
		cfg.Network = &egress.Config{Judge: rules}
	}
	if kept, err := c.attach(ctx, t, cfg); kept != nil || err != nil {
		return kept, err
	}
	if cfg.Logs, cfg.Dir, err = c.app.places(t.ID); err != nil {
		return nil, err
	}
	s, err := c.app.upSharing(ctx, t, cfg)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// logs makes the directory where the programs of a task's desktop write what they
// say; it stays until the task is removed.
func (a *app) logs(id deskhand.TaskID) (string, error) {
	home, err := a.homePath()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(home, "logs", string(id))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", deskhand.Errorf("", deskhand.Unavailable, "%s cannot be made (%s): point DESKHAND_HOME at a directory of your own", dir, cause(err))
	}
	return dir, nil
}

// desktopOf is the name of the desktop that is kept up for a task.
func desktopOf(id deskhand.TaskID) string { return "task-" + string(id) }

// letGo ends the desktop that was kept up for the case that a task waits, once
// it does not any more.
func (a *app) letGo(t deskhand.Task) error {
	if !t.Status.Ended() {
		return nil
	}
	d, err := a.desktops()
	if err != nil {
		return err
	}
	h, err := d.get(desktopOf(t.ID))
	switch {
	case deskhand.CodeOf(err) == deskhand.NotFound:
		return nil
	case err != nil || !h.Parked:
		return err
	}
	return d.end(h)
}

// abandon ends at once the desktop that was kept up for the case that a task waits.
func (a *app) abandon(id deskhand.TaskID) {
	d, err := a.desktops()
	if err != nil {
		return
	}
	if h, err := d.get(desktopOf(id)); err == nil && h.Parked {
		_ = unix.Kill(h.PID, unix.SIGKILL) // and everything on it dies with it
	}
}

// places makes the directories of a computer that is about to come up. The home
// of one that was killed is removed: a new desktop begins with an empty one.
func (a *app) places(id deskhand.TaskID) (logs, computer string, err error) {
	if computer, err = a.computer(id); err != nil {
		return "", "", err
	}
	if err := folder.Remove(computer); err != nil {
		return "", "", deskhand.Errorf("", deskhand.Unavailable, "the home of the task's last desktop, %s, cannot be removed (%s)", computer, cause(err))
	}
	if logs, err = a.logs(id); err != nil {
		return "", "", err
	}
	for _, dir := range []string{logs, computer} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", "", deskhand.Errorf("", deskhand.Unavailable, "%s cannot be made (%s): point DESKHAND_HOME at a directory of your own", dir, cause(err))
		}
	}
	return logs, computer, nil
}

// computer is where the home of a task's desktop is while that is up. Of a
// desktop that was killed it is left, until the task goes on or is removed.
func (a *app) computer(id deskhand.TaskID) (string, error) {
	home, err := a.homePath()
	return filepath.Join(home, "computers", string(id)), err
}

// survivor is a computer on a desktop that a process of its own keeps up.
type survivor struct {
	*machine.Machine
	told *listener
	same bool
}

// Survived implements engine.Survivor.
func (s *survivor) Survived() bool { return s.same }

// Notices implements engine.Computer.
func (s *survivor) Notices() []string { return append(s.Machine.Notices(), s.told.Notices()...) }

// attach returns the computer whose desktop a process of its own keeps up for
// the task, also after this process has ended. nil: there is none, and none is
// wanted.
func (c computers) attach(ctx context.Context, t deskhand.Task, cfg machine.Config) (engine.Computer, error) {
	d, err := c.app.desktops()
	if err != nil {
		return nil, err
	}
	cfg.Network = nil // it runs in the desktop's process
	for again := false; ; again = true {
		h, same, err := c.kept(ctx, d, t)
		if err != nil || h.Name == "" {
			return nil, err
		}
		told := d.told(h)
		if len(t.Allow) > 0 {
			cfg.Judged = told.Judged
		}
		m, err := machine.Attach(ctx, d.attach(h), cfg)
		switch {
		case err == nil:
			return &survivor{m, told, same}, nil
		case again || !h.ended(orderlyEnd):
			return nil, err
		}
		// What is on the desktop was killed, and the process that kept it up
		// has noticed by now: there is none any more.
	}
}

// kept returns the desktop that is kept up for the task, and whether it was
// there before. One without a name: there is none, and none is wanted.
func (c computers) kept(ctx context.Context, d desktops, t deskhand.Task) (h held, same bool, err error) {
	name := desktopOf(t.ID)
	h, err = d.await(ctx, name)
	switch same = err == nil; {
	case same:
	case deskhand.CodeOf(err) != deskhand.NotFound:
		return held{}, false, err
	case !c.keep && !(c.parks && t.Sandbox != string(machine.OCI)):
		return held{}, false, nil
	default:
		logs, err := c.app.logs(t.ID)
		if err != nil {
			return held{}, false, err
		}
		h, err = c.app.hold(ctx, desktopHoldCmd{Name: name, Size: t.Screen.String(), Scale: t.Scale, Sandbox: t.Sandbox, Logs: logs, Parked: !c.keep}, t)
		return h, false, err
	}
	return h, same, nil // an error would not have come here
}
