// Package memory is the memory tool: notes that outlive a task, in a directory
// of the host that the model sees as /memories.
//
// It lies outside the sandbox, because a sandbox ends with its task. Nothing
// else of the host can be reached through it: paths are read strictly, walked
// below an os.Root, and links of either kind are refused.
//
// Trust: paths and texts come from a model that may have been misled, and what
// it writes here it reads again in later tasks. A memory belongs to one project
// and is no instruction; show it to people, and never share it between them.
package memory

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/tool"
)

// Config says where a project's memory lies and how large it may grow.
type Config struct {
	Dir      string        // of the host; made when it is not there. Required
	MaxFile  int           // bytes of one file; default 1 MiB
	MaxTotal int64         // bytes of all files; default 32 MiB
	MaxFiles int           // files and directories; default 1000
	Wait     time.Duration // for another process to be done with its call; default 10s
	Log      *slog.Logger  // default: nothing is logged
}

func (c Config) withDefaults() Config {
	if c.MaxFile == 0 {
		c.MaxFile = 1 << 20
	}
	if c.MaxTotal == 0 {
		c.MaxTotal = 32 << 20
	}
	if c.MaxFiles == 0 {
		c.MaxFiles = 1000
	}
	if c.Wait == 0 {
		c.Wait = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

const (
	op   = "memory tool"
	kind = "memory_20250818"
	name = "memory"
)

// Memory is the tool. Calls are performed one at a time, also those of other
// processes that have the same directory open. Close it when the task ends.
type Memory struct {
	config Config
	spec   tool.Spec

	mu   sync.Mutex
	root *os.Root
}

// New opens the memory in c.Dir. Invalid: no directory, or limits that are
// none. Unavailable: it cannot be made or opened.
func New(c Config) (*Memory, error) {
	c = c.withDefaults()
	if c.Dir == "" || c.MaxFile < 0 || c.MaxTotal < 0 || c.MaxFiles < 0 || c.Wait < 0 {
		return nil, deskhand.Errorf(op, deskhand.Invalid, "a memory needs a directory and limits that are positive")
	}
	entry, err := json.Marshal(struct {
		Type string `json:"type"`
		Name string `json:"name"`
	}{kind, name})
	if err != nil {
		return nil, deskhand.E(op, deskhand.Internal, err)
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, deskhand.Errorf(op, deskhand.Unavailable, "the directory of the memory cannot be made: %w", err)
	}
	root, err := os.OpenRoot(c.Dir)
	if err != nil {
		return nil, deskhand.Errorf(op, deskhand.Unavailable, "the directory of the memory cannot be opened: %w", err)
	}
	m := &Memory{config: c, spec: tool.Spec{Name: name, Entry: entry}, root: root}
	if err := m.locked(context.Background(), m.sweep); err != nil {
		return nil, errors.Join(deskhand.E(op, deskhand.Unavailable, err), root.Close())
	}
	return m, nil
}

// Spec describes the tool.
func (m *Memory) Spec() tool.Spec { return m.spec }

// Close lets go of the directory. What is in it stays.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.root.Close()
}

// Run performs one call. It returns an error only when ctx ended. A memory that
// cannot be reached is told to the model, which can go on without it.
func (m *Memory) Run(ctx context.Context, call deskhand.Call) (deskhand.Result, error) {
	if ctx.Err() != nil {
		return deskhand.Result{}, deskhand.E(op, deskhand.Canceled, context.Cause(ctx))
	}
	c, a, problem := read(call.Input)
	if problem != "" {
		return tool.InvalidInput(name, problem), nil
	}
	var text string
	err := m.locked(ctx, func() (err error) {
		text, err = c.run(m, a)
		return err
	})
	var said refusal
	switch {
	case err != nil && ctx.Err() != nil: // told to stop while it waited; nothing was done
		return deskhand.Result{}, deskhand.E(op, deskhand.Canceled, err)
	case err == nil:
		return deskhand.Text(text), nil
	case errors.As(err, &said):
		return deskhand.Failure(string(said)), nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return deskhand.Failure(noRoom), nil
	}
	m.config.Log.WarnContext(ctx, "memory call failed", "tool", name, "action", a.command, "err", err)
	return deskhand.Failure(unreachable), nil
}
