package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	remotedesktop "github.com/deskhand/deskhand/desktop/remote"
	"github.com/deskhand/deskhand/guest"
	"github.com/deskhand/deskhand/guest/stack"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/bwrap"
	"github.com/deskhand/deskhand/sandbox/remote"
)

// guestMain is the guest program with the display stack of this machine.
func guestMain(args []string, stdin io.Reader, stderr io.Writer) int {
	return guest.Main(args, stdin, stderr, func(config json.RawMessage, log *slog.Logger) (guest.Display, error) {
		return stack.Parse(config, log)
	})
}

// machineConfig says what machine to build.
type machineConfig struct {
	size    deskhand.Size
	sandbox string    // "bwrap" or "none"
	logs    string    // directory for logs, made when it is not there; empty: none are kept
	log     io.Writer // gets what the machine's first program complains of; nil: nobody
}

// machine is a sandbox with a display that is ready.
type machine struct {
	place   *remote.Sandbox
	desk    desktop.Desktop
	cleanup func() error
}

// machine builds a machine and returns when its display is ready. When it does
// not become ready, nothing is left of it.
func (a *app) machine(ctx context.Context, c machineConfig) (*machine, error) {
	if c.logs != "" {
		if err := os.MkdirAll(c.logs, 0o700); err != nil {
			return nil, deskhand.E("machine", deskhand.Internal, err)
		}
	}
	build := map[string]func(context.Context, machineConfig) (*machine, error){"bwrap": walled, "none": a.unwalled}[c.sandbox]
	m, err := build(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := awaitDesktop(ctx, m.place); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	m.desk = remotedesktop.New(m.place.HTTP(), "")
	return m, nil
}

func walled(ctx context.Context, c machineConfig) (*machine, error) {
	s, err := bwrap.Start(ctx, bwrap.Config{
		Logs: c.logs, Log: c.log, Environ: os.Environ(),
		Stack: stack.Config{Size: c.size, Home: bwrap.Home, RuntimeDir: bwrap.Runtime, LogDir: bwrap.Logs},
	})
	if err != nil {
		return nil, err
	}
	return &machine{place: s.Sandbox, cleanup: func() error { return nil }}, nil
}

// readyLimit bounds how long a display may take; readyPoll is how long the
// guest may keep one question waiting.
const (
	readyLimit = 60 * time.Second
	readyPoll  = 10 * time.Second
)

// awaitDesktop returns when the display of a place is ready.
func awaitDesktop(ctx context.Context, place *remote.Sandbox) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyLimit, errors.New("the desktop was not ready in time"))
	defer cancel()
	for {
		h, err := place.Health(ctx, readyPoll, -1)
		switch {
		case err != nil && ctx.Err() != nil:
			return deskhand.E("desktop: start", deskhand.Unavailable, context.Cause(ctx))
		case err != nil:
			return err
		case h.Failed != "":
			return deskhand.Errorf("desktop: start", deskhand.Unavailable, "%s; deskhand doctor says what is missing", h.Failed)
		case h.Ready:
			return nil
		}
	}
}

// Sandbox returns the place behind the walls.
func (m *machine) Sandbox() sandbox.Sandbox { return m.place }

// Close ends everything on the machine.
func (m *machine) Close() error { return errors.Join(m.place.Close(), m.cleanup()) }
