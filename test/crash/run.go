package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/deskhand/deskhand"
)

const (
	processLimit = 3 * time.Minute  // for one process that drives the task
	commandLimit = time.Minute      // for a command that looks or tidies up
	showLimit    = 30 * time.Second // for the page to show what it counted
	openLimit    = 90 * time.Second // for the browser to come up
	pollEvery    = 100 * time.Millisecond
)

// place is a state directory with its model: what a task lives in, whatever
// process drives it.
type place struct {
	program string // deskhand
	dir     string
	player  *player
	task    deskhand.TaskID // once it is known
	shows   []func() error  // ends of what shows the page
	looked  <-chan error    // that the page was looked at, at the end of a scenario

	reopened <-chan error // that the page was there again, where a scenario waits for it
}

// newPlace makes a place for a task that is played by a script. Its close
// ends every desktop in it.
func newPlace(program string, src []byte) (*place, error) {
	dir, err := os.MkdirTemp("", "crash-")
	if err != nil {
		return nil, err
	}
	p, err := newPlayer(src)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &place{program: program, dir: dir, player: p}, nil
}

func (p *place) close(ctx context.Context) error {
	var errs []error
	for _, end := range p.shows {
		errs = append(errs, end())
	}
	_, err := p.command(context.WithoutCancel(ctx), "desktop", "rm", "--all")
	p.player.close()
	return errors.Join(append(errs, err, os.RemoveAll(p.dir))...)
}

func (p *place) state() string { return filepath.Join(p.dir, "state") }

// environ is that of every process: nothing in it reaches a real model.
func (p *place) environ() []string {
	var env []string
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); !strings.HasPrefix(name, "ANTHROPIC_") && !strings.HasPrefix(name, "AWS_") && name != "DESKHAND_HOME" {
			env = append(env, v)
		}
	}
	return append(env, "DESKHAND_HOME="+p.state(), "ANTHROPIC_BASE_URL="+p.player.server.URL, "ANTHROPIC_API_KEY=sk-crash")
}

// command runs a short command and returns what it printed.
func (p *place) command(ctx context.Context, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.program, args...)
	cmd.Env = p.environ()
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("deskhand %s: %w: %s", strings.Join(args, " "), err, said.String())
	}
	return out, err
}

// desktop is the name of the task's desktop.
func (p *place) desktop() string { return "task-" + string(p.task) }

// counted returns what the page shows: what reached it, whatever the model and
// the journal say. not shown: there is no page.
func (p *place) counted(ctx context.Context) (c counts, shown bool, err error) {
	file := filepath.Join(p.dir, "shot.png")
	if _, err := p.command(ctx, "desktop", "shot", p.desktop(), "-o", file, "--force"); err != nil {
		return c, false, err
	}
	png, err := os.ReadFile(file)
	if err != nil {
		return c, false, err
	}
	return readCounts(png)
}

// await looks at the page until it counted as much as want in every cell. It
// returns what it saw last; what is missing is for the caller to judge.
func (p *place) await(ctx context.Context, want counts) (c counts, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, showLimit, fmt.Errorf("the page did not count %s within %s", want, showLimit))
	defer cancel()
	for {
		got, shown, err := p.counted(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			return got, err
		case ctx.Err() != nil:
			return c, nil
		case shown && got.covers(want):
			return got, nil
		case shown:
			c = got
		}
		if !pause(ctx, pollEvery) {
			return c, nil
		}
	}
}

// covers reports whether c counted at least want in every cell.
func (c counts) covers(want counts) bool {
	for cell := range c {
		if c[cell] < want[cell] {
			return false
		}
	}
	return true
}

// pause waits between two looks. It reports whether there is time left.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// process is one process that drives the task, as its reader sees it.
type process struct {
	cmd    *exec.Cmd
	events []deskhand.Event // acknowledged: read from its pipe, without what is only streamed
	errors bytes.Buffer
}

// line is an event as --output stream-json prints it.
type line struct {
	V int `json:"v"`
	deskhand.Event
}

// drive starts deskhand with args and hands it and each event to then, which
// may kill it. It returns when the process has ended and all it wrote is read.
func (p *place) drive(ctx context.Context, then func(*process, deskhand.Event) error, args ...string) (*process, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, processLimit, fmt.Errorf("deskhand %s took longer than %s", args[0], processLimit))
	defer cancel()
	r := &process{cmd: exec.CommandContext(ctx, p.program, args...)}
	r.cmd.Env, r.cmd.Stderr = p.environ(), &r.errors
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return r, err
	}
	if err := r.cmd.Start(); err != nil {
		return r, err
	}
	err = p.follow(ctx, r, out, then)
	if err != nil {
		_ = r.cmd.Process.Kill()
		_, _ = io.Copy(io.Discard, out)
	}
	ended := r.cmd.Wait()
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err == nil && !r.killed() && ended != nil {
		err = fmt.Errorf("deskhand %s: %w: %s", args[0], ended, r.errors.String())
	}
	return r, err
}

// follow reads a process's events to their end, and shows the page on each
// computer before the model is heard.
func (p *place) follow(ctx context.Context, r *process, out io.Reader, then func(*process, deskhand.Event) error) error {
	lines := bufio.NewReader(out)
	for {
		raw, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // what a death cut in the middle was not acknowledged
		} else if err != nil {
			return err
		}
		var e line
		if err := json.Unmarshal(raw, &e); err != nil {
			return fmt.Errorf("a line of the output is no event: %w", err)
		}
		if e.Kind == deskhand.KindModelDelta {
			continue
		}
		if p.task == "" {
			p.task = e.Task
		}
		r.events = append(r.events, e.Event)
		if e.Kind == deskhand.KindComputerReady {
			if err := p.show(ctx); err != nil {
				return err
			}
		}
		if then != nil {
			if err := then(r, e.Event); err != nil {
				return err
			}
		}
	}
}

// kill ends the process as kill -9 does.
func (r *process) kill() error { return r.cmd.Process.Signal(syscall.SIGKILL) }

// killed reports whether it died so.
func (r *process) killed() bool {
	status, ok := r.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// start runs the task in a process of its own.
func (p *place) start(ctx context.Context, then func(*process, deskhand.Event) error) (*process, error) {
	return p.drive(ctx, then, "run", "--keep", "--permission", "trust", "--size", screen.String(), "--output", "stream-json",
		"--stuck", "identical=0,cycles=0,clicks=0,idle=0", "count what arrives")
}

// resume goes on with the task in another process.
func (p *place) resume(ctx context.Context) (*process, error) {
	return p.drive(ctx, nil, "task", "resume", string(p.task), "--keep", "--output", "stream-json")
}
