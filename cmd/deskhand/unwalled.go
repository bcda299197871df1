package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/guest/stack"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/host"
	"github.com/deskhand/deskhand/sandbox/remote"
)

// unwalled builds a machine without walls: the guest is an ordinary process of
// this user. Its home is a directory of its own, which is a courtesy and not a wall.
func (a *app) unwalled(ctx context.Context, c machineConfig) (*machine, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, deskhand.E("machine", deskhand.Internal, err)
	}
	dir, err := os.MkdirTemp("", "deskhand-")
	if err != nil {
		return nil, deskhand.E("machine", deskhand.Internal, err)
	}
	cleanup := func() error { return os.RemoveAll(dir) }
	home, runtime, logs := filepath.Join(dir, "home"), filepath.Join(dir, "run"), c.logs
	if logs == "" {
		logs = filepath.Join(dir, "logs")
	}
	for _, d := range []string{home, runtime, logs} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, errors.Join(deskhand.E("machine", deskhand.Internal, err), cleanup())
		}
	}
	settings := struct {
		Home  string       `json:"home"`
		Stack stack.Config `json:"stack"`
	}{home, stack.Config{Size: c.size, Home: home, RuntimeDir: runtime, LogDir: logs}}
	env := append(host.Env(withoutKeys(os.Environ())), "HOME="+home, "XDG_RUNTIME_DIR="+runtime)
	place, err := remote.Launch(ctx, remote.LaunchConfig{
		Argv: []string{exe, "guest"}, Env: env, Guest: settings, Log: c.log,
		Walls: sandbox.Walls{Driver: "host", Present: []string{}, Missing: []string{"user", "mount", "pid", "ipc", "uts", "network"}},
	})
	if err != nil {
		return nil, errors.Join(err, cleanup())
	}
	return &machine{place: place, cleanup: cleanup}, nil
}
