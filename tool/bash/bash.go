// Package bash is the bash tool: a shell in the sandbox that keeps its
// directory, variables and jobs from one command to the next.
//
// Trust: commands are chosen by the model and are hostile by assumption. To
// confine them is the sandbox's job; this package bounds time and output, and
// keeps what a command prints from passing for the end of the command or for
// another command's output. docs/decisions/0012-bash-session.md says how, and
// where that ends.
package bash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/input"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/tool"
)

// Config bounds the shell.
type Config struct {
	Version   string        // entry of the tools array; default "bash_20250124"
	Timeout   time.Duration // of one command; default 2m
	MaxOutput int           // bytes kept of stdout, and of stderr, half from the start and half from the end; default 32768
	Dir       string        // where the shell starts; default the sandbox's home
	Env       []string      // NAME=value, added to the sandbox's environment; default none
}

func (c Config) withDefaults() Config {
	if c.Version == "" {
		c.Version = "bash_20250124"
	}
	if c.Timeout == 0 {
		c.Timeout = 2 * time.Minute
	}
	if c.MaxOutput == 0 {
		c.MaxOutput = 32 << 10
	}
	return c
}

// entries are the versions, with the beta header each needs.
var entries = map[string]string{
	"bash_20250124": "",
	"bash_20241022": "computer-use-2024-10-22",
}

// Versions returns the types of the tools array that this package can stand
// behind, the newest first.
func Versions() []string {
	kinds := slices.Sorted(maps.Keys(entries))
	slices.Reverse(kinds)
	return kinds
}

const (
	name       = "bash"
	maxCommand = 1 << 20 // bytes

	restarted = "Bash session restarted"
	noOutput  = "(no output)"
)

// Bash is the tool. Calls are performed one at a time. Close it when the task
// ends.
type Bash struct {
	sandbox sandbox.Sandbox
	config  Config
	spec    tool.Spec

	mu      sync.Mutex
	session *session   // nil: the next command starts one
	left    []*session // shells that ended by themselves; what they started may go on
	readers sync.WaitGroup
}

// New returns the bash tool on sb. The shell starts with the first command.
// Invalid: an unknown version, or limits that are none.
func New(sb sandbox.Sandbox, c Config) (*Bash, error) {
	c = c.withDefaults()
	beta, ok := entries[c.Version]
	if !ok {
		return nil, deskhand.Errorf("bash tool", deskhand.Invalid, "there is no version %q; the versions are %s", c.Version, strings.Join(Versions(), ", "))
	}
	if c.Timeout < 0 || c.MaxOutput < 0 {
		return nil, deskhand.Errorf("bash tool", deskhand.Invalid, "the time limit and the output limit must be positive")
	}
	entry, err := json.Marshal(struct {
		Type string `json:"type"`
		Name string `json:"name"`
	}{c.Version, name})
	if err != nil {
		return nil, deskhand.E("bash tool", deskhand.Internal, err)
	}
	return &Bash{sandbox: sb, config: c, spec: tool.Spec{Name: name, Entry: entry, Beta: beta}}, nil
}

// Spec describes the tool.
func (b *Bash) Spec() tool.Spec { return b.spec }

// Run performs one call. It returns an error when ctx ended or the sandbox is
// gone.
func (b *Bash) Run(ctx context.Context, call deskhand.Call) (deskhand.Result, error) {
	in, problem := read(call.Input)
	if problem != "" {
		return tool.InvalidInput(name, problem), nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if in.restart {
		return b.restart(in)
	}
	if err := b.ensure(ctx); err != nil {
		return b.explain(ctx, err)
	}
	done, err := b.session.run(ctx, in.command, b.config)
	if done.ended {
		b.left, b.session = append(b.left, b.session), nil
	}
	if err != nil {
		return b.explain(ctx, err)
	}
	return done.result(b.config), nil
}

type command struct {
	command string
	restart bool
}

// read reads the input strictly.
func read(raw json.RawMessage) (c command, problem string) {
	o := input.Read(raw)
	if value := o.Take("restart"); value != nil {
		var ok bool
		if c.restart, ok = input.Bool(value); !ok {
			o.Refuse("restart", "expected true or false")
		}
	}
	value := o.Take("command")
	if value == nil && c.restart {
		return c, o.Problem()
	}
	text, wrong := input.String(value)
	c.command = text
	switch {
	case wrong != "":
		o.Refuse("command", wrong)
	case strings.TrimSpace(text) == "" && !c.restart:
		o.Refuse("command", "is empty; there is nothing to run")
	case strings.ContainsRune(text, 0):
		o.Refuse("command", "contains a NUL character")
	case len(text) > maxCommand:
		o.Refuse("command", fmt.Sprintf("is longer than %d bytes; write it to a file and run that", maxCommand))
	}
	return c, o.Problem()
}

// restart ends the shell and everything it started. The next command starts a
// new one.
func (b *Bash) restart(in command) (deskhand.Result, error) {
	if err := b.drop(); err != nil {
		return deskhand.Result{}, err
	}
	if in.command != "" {
		return deskhand.Text(restarted + ". The command was not run; send it again without restart."), nil
	}
	return deskhand.Text(restarted), nil
}

// ensure starts the shell when there is none.
func (b *Bash) ensure(ctx context.Context) error {
	if b.session != nil {
		return nil
	}
	s, err := start(ctx, b.sandbox, b.config, &b.readers)
	if err != nil {
		return err
	}
	b.session = s
	return nil
}

// drop ends the shell, those before it, and everything they started.
func (b *Bash) drop() error {
	var errs []error
	if b.session != nil {
		b.left = append(b.left, b.session)
	}
	for _, s := range b.left {
		errs = append(errs, s.close())
	}
	b.session, b.left = nil, nil
	return errors.Join(errs...)
}

// failures are what the model can do something about, or at least know.
var failures = map[deskhand.Code]string{
	deskhand.NotFound:  "Error: There is no /bin/bash in the sandbox, or its starting directory is gone.",
	deskhand.Denied:    "Error: The sandbox does not allow /bin/bash to be started.",
	deskhand.OverLimit: "Error: The sandbox has no room for another process. The command was not run. Wait for something to end, or use restart, which ends everything the session started.",
}

// explain keeps what the model can use apart from what ends the run.
func (b *Bash) explain(ctx context.Context, err error) (deskhand.Result, error) {
	code := deskhand.CodeOf(err)
	if ctx.Err() != nil {
		code = deskhand.Canceled
	}
	if text, ok := failures[code]; ok {
		return deskhand.Failure(text), nil
	}
	return deskhand.Result{}, deskhand.E("bash", code, err)
}

// closeLimit bounds how long Close waits for the last output to be let go of. A
// program that left its session can hold it until the sandbox ends.
const closeLimit = 5 * time.Second

// Close ends the shell and what it started, and waits until nothing reads from
// it any more.
func (b *Bash) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.drop()
	idle := make(chan struct{})
	go func() {
		b.readers.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return err
	case <-time.After(closeLimit):
		return errors.Join(err, deskhand.Errorf("bash: close", deskhand.Unavailable, "a program still holds the output after %s", closeLimit))
	}
}
