package stack

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// The programs, as Health names them.
const (
	nameServer  = "Xvfb"
	nameBus     = "dbus-daemon"
	nameManager = "mutter"
	namePanel   = "tint2"
)

// backdrop is the colour of the empty desktop. One colour costs next to nothing
// in a screenshot.
const backdrop = 0x3F6C8A

// dpi is the density that all toolkits take for a magnification of 1.
const dpi = 96

// Each stands on the one before, and is started again with it:
//
//	Xvfb
//	session D-Bus   what it starts must find the display
//	mutter          ends itself when the bus goes
//	tint2           when a window manager comes, it builds itself anew, visibly;
//	                started after it, it does so once

func (s *Stack) bus(d *open) service {
	address := "unix:path=" + s.files.bus
	return service{
		name: nameBus, title: "The message bus",
		start: func(ctx context.Context) (running, error) {
			if err := os.Remove(s.files.bus); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, err
			}
			r, w, err := os.Pipe()
			if err != nil {
				return nil, err
			}
			defer r.Close()
			return program{
				title: "the message bus", env: s.environment(d.server), dir: s.config.Home, log: s.logs[nameBus],
				path:  s.find(nameBus),
				args:  []string{nameBus, "--session", "--nofork", "--nopidfile", "--nosyslog", "--address=" + address, "--print-address=3"},
				files: []*os.File{w},
				ready: func(ctx context.Context) error { return readLine(ctx, r) },
			}.start(ctx)
		},
		with: func(ctx context.Context, _ running) { s.supervise(ctx, s.manager(d)) },
	}
}

// readLine returns when r has given a line.
func readLine(ctx context.Context, r *os.File) error {
	stop := context.AfterFunc(ctx, func() { _ = r.Close() })
	defer stop()
	line, err := bufio.NewReader(r).ReadString('\n')
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("it did not say where it listens: %w", err)
	case strings.TrimSpace(line) == "":
		return errors.New("it did not say where it listens")
	}
	return nil
}

func (s *Stack) manager(d *open) service {
	return service{
		name: nameManager, title: "The window manager",
		start: program{
			title: "the window manager", env: s.environment(d.server), dir: s.config.Home, log: s.logs[nameManager],
			path:  s.find(nameManager),
			args:  []string{nameManager, "--x11", "--sm-disable"},
			ready: d.session.awaitManager,
		}.start,
		with: func(ctx context.Context, _ running) { s.supervise(ctx, s.panel(d)) },
	}
}

func (s *Stack) panel(d *open) service {
	p := program{
		title: "the panel", env: s.environment(d.server), dir: s.config.Home, log: s.logs[namePanel],
		path: s.find(namePanel),
		args: []string{namePanel, "-c", s.files.panel},
		ready: func(ctx context.Context) error {
			if err := d.session.awaitPanel(ctx); err != nil {
				return err
			}
			return s.awaitPaint(ctx, d.desktop)
		},
	}
	return service{
		name: namePanel, title: "The panel",
		start: p.start,
	}
}
