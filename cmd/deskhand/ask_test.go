package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/engine/enginetest"
	"github.com/deskhand/deskhand/engine/local"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/store"
	"github.com/deskhand/deskhand/store/sqlite"
	"github.com/deskhand/deskhand/transcript"
)

const fourTurns = `-- model --
bash {"command": "true"}
-- model --
bash {"command": "echo again"}
-- model --
bash {"command": "echo and again"}
-- model --
Done at last.
`

const round = `-- model --
bash {"command": "echo round"}
-- model --
bash {"command": "echo round"}
-- model --
bash {"command": "echo round"}
-- model --
bash {"command": "echo round"}
-- model --
Out of it.
`

const deletes = `-- model --
bash {"command": "touch /tmp/x"}
-- model --
bash {"command": "rm /tmp/x"}
-- expect --
contains "The user says: Keep it."
-- model --
Kept.
`

const twice = `-- model --
bash {"command": "touch /tmp/x"}
-- model --
bash {"command": "touch /tmp/x"}
-- model --
Both done.
`

// TestAsks runs tasks on a terminal that stand still, and answers what is asked.
func TestAsks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		flags  []string
		talk   [][2]string // wait for this, type that; what begins with "!" is run in another terminal, for the task
		shows  string
		status int
	}{
		"budget raised": {
			fourTurns,
			[]string{"--max-turns", "1"},
			[][2]string{
				{"yes raises the limit to 2 turns", "perhaps\r"}, {"type yes, no, or a number of turns", "1\r"},
				{"1 turn is spent already", "yes\r"}, {"yes raises the limit to 4 turns", "3\r"},
				{"yes raises the limit to 6 turns", "YES\r"},
			},
			"Done at last.", exitDone,
		},
		"budget kept": {fourTurns, []string{"--max-turns", "1"}, [][2]string{{"Go on?", "no\r"}}, "exhausted · ", exitBudget},
		"budget, interrupted": {
			fourTurns,
			[]string{"--max-turns", "1"},
			[][2]string{{"Go on?", "\x03"}}, "stopped · ", exitInterrupted,
		},
		"budget raised elsewhere": {
			fourTurns,
			[]string{"--max-turns", "1"},
			[][2]string{{"Go on?", "!resume --max-turns 9"}},
			"Done at last.", exitDone,
		},
		"stopped elsewhere": {fourTurns, []string{"--max-turns", "1"}, [][2]string{{"Go on?", "!stop"}}, "stopped · ", exitStopped},
		"stuck, told how": {
			round,
			[]string{"--stuck", "identical=2"},
			[][2]string{{"Type what to do next", "Leave the circle.\r"}},
			"Out of it.", exitDone,
		},
		"call allowed": {
			deletes,
			[]string{"--permission", "ask"},
			[][2]string{
				{"May it do this? bash touch /tmp/x", "perhaps\r"}, {"type yes, task, always, no", "no wait\r"},
				{"type yes, task, always, no", "yes\r"}, {"May it do this? bash rm /tmp/x", "no: Keep it.\r"},
			},
			"Kept.", exitDone,
		},
		"call allowed for the task": {
			twice,
			[]string{"--permission", "ask"},
			[][2]string{{"task allows it for this task", "task\r"}}, "Both done.", exitDone,
		},
		"call allowed always, elsewhere": {
			twice,
			[]string{"--permission", "ask"},
			[][2]string{{"it saves bash(touch /tmp/x)", "!answer always"}}, "Both done.", exitDone,
		},
		"call, interrupted": {
			deletes,
			[]string{"--permission", "ask"},
			[][2]string{{"May it do this?", "\x03"}}, "stopped · ", exitInterrupted,
		},
		"stuck, left": {round, []string{"--stuck", "identical=2"}, [][2]string{{"How should it go on?", "no\r"}}, "waiting · ", exitWaiting},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTerminal(t)
			run := runOnTerminal(t, x, c.script, c.flags...)
			for _, step := range c.talk {
				x.waitFor(t, step[0])
				if command, other := strings.CutPrefix(step[1], "!"); other {
					elsewhere(t, run, x, command)
				} else {
					x.typing(t, step[1])
				}
			}
			x.waitFor(t, c.shows)
			err := run.Wait()
			var exit *exec.ExitError
			if status := run.ProcessState.ExitCode(); status != c.status || err != nil && !errors.As(err, &exit) {
				t.Errorf("exit status %d (%v), want %d: %s", status, err, c.status, x.shown())
			}
		})
	}
}

// elsewhere runs a command of deskhand task on the task that run shows on x.
func elsewhere(t *testing.T, run *exec.Cmd, x *terminal, command string) {
	t.Helper()
	id := regexp.MustCompile(`task (\w+) · `).FindStringSubmatch(x.shown())
	args := strings.Fields("task " + command)
	args = slices.Insert(args, 2, id[1])
	if args[1] == "answer" {
		args = append(args, "--model", "script:"+filepath.Join(run.Dir, "model.txtar"))
	}
	if args[1] == "resume" { // which has to have a model, though it asks none
		args = append(args, "--model", "script:"+filepath.Join(run.Dir, "model.txtar"))
	}
	c := exec.CommandContext(t.Context(), "deskhand", args...)
	c.Env = run.Env
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%q: %v, %s", args, err, out)
	}
}

// unrecorded is a store that takes no end of a task: its disk is full.
type unrecorded struct{ store.Store }

func (u unrecorded) Append(ctx context.Context, events ...deskhand.Event) ([]deskhand.Event, error) {
	for _, e := range events {
		if e.Kind == deskhand.KindModelReplied || e.Kind == deskhand.KindTaskStatus && strings.Contains(string(e.Data), `"from":"running"`) {
			return nil, deskhand.Errorf("store: append", deskhand.Unavailable, "the disk is full")
		}
	}
	return u.Store.Append(ctx, events...)
}

// TestEndNotRecorded follows a task of whose end nothing could be written.
func TestEndNotRecorded(t *testing.T) {
	t.Parallel()
	st, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	full := unrecorded{st}
	e, err := local.New(t.Context(), local.Config{
		Store: full, Computers: new(enginetest.Computers),
		Model: func(context.Context, deskhand.Task) (model.Model, func(deskhand.Usage) float64, error) {
			return enginetest.Turns(enginetest.Say("done")), nil, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	a := newApp(strings.NewReader(""), io.Discard, io.Discard, func(string) string { return "" })
	s := &session{app: a, store: full, engine: e, plan: plan{task: deskhand.Task{Text: "do it", Permission: "trust"}}}
	err = s.drive(t.Context(), a, outcomeView{io.Discard, transcript.New()})
	if deskhand.CodeOf(err) != deskhand.Unavailable || !strings.Contains(err.Error(), "could not be recorded") {
		t.Errorf("it ended with %v", err)
	}
}

// runOnTerminal starts the program on a terminal of its own, to play a script.
func runOnTerminal(t *testing.T, x *terminal, script string, flags ...string) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "model.txtar")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	run := exec.CommandContext(ctx, "deskhand", append([]string{"run", "--model", "script:" + file, "--size", "640x480"}, append(flags, "go")...)...)
	run.Dir = dir
	run.Env = append(os.Environ(), "DESKHAND_HOME="+dir+"/state", "DESKHAND_PERMISSION=trust", "HOME="+dir, "LANG=C.UTF-8", "TERM=xterm", "NO_COLOR=1")
	run.Stdin, run.Stdout, run.Stderr = x.tty, x.tty, x.tty
	run.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	return run
}
