package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
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

// TestAsks runs tasks on a terminal that stand still, and answers what is asked.
func TestAsks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		flags  []string
		talk   [][2]string // wait for this, type that
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
		"stuck, told how": {
			round,
			[]string{"--stuck", "identical=2"},
			[][2]string{{"Type what to do next", "Leave the circle.\r"}},
			"Out of it.", exitDone,
		},
		"stuck, left": {round, []string{"--stuck", "identical=2"}, [][2]string{{"How should it go on?", "no\r"}}, "waiting · ", exitWaiting},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTerminal(t)
			run := runOnTerminal(t, x, c.script, c.flags...)
			for _, step := range c.talk {
				x.waitFor(t, step[0])
				x.typing(t, step[1])
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
	run.Env = append(os.Environ(), "DESKHAND_HOME="+dir+"/state", "HOME="+dir, "LANG=C.UTF-8", "TERM=xterm", "NO_COLOR=1")
	run.Stdin, run.Stdout, run.Stderr = x.tty, x.tty, x.tty
	run.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	return run
}
