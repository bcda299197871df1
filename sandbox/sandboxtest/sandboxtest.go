// Package sandboxtest is the suite that every sandbox driver passes. It runs
// real programs (bash, coreutils, setsid, python3) in the place under test.
//
// Trust: for tests only; it starts programs that misbehave on purpose.
package sandboxtest

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
)

// Place is a sandbox under test.
type Place struct {
	Sandbox sandbox.Sandbox
	Dir     string // inside: an empty directory that programs may write
}

// Open makes a fresh place. The suite closes it.
type Open func(t *testing.T) Place

// limit bounds every single wait of the suite.
const limit = 30 * time.Second

// Run checks everything that package sandbox promises.
func Run(t *testing.T, open Open) {
	t.Run("leaks", func(t *testing.T) { testLeaks(t, open) }) // first and alone: it counts descriptors
	for name, f := range map[string]func(*testing.T, Place){
		"output": testOutput, "commands": testCommands, "signals": testSignals, "input": testInput, "failures": testFailures,
		"flood": testFlood, "back-pressure": testBackPressure, "streams": testStreams, "concurrent": testConcurrent,
		"kill": testKill, "kill-ended": testKillEnded, "kill-storm": testKillStorm,
		"dial": testDial, "dial-failures": testDialFailures,
		"write": testWrite, "names": testNames, "atomic": testAtomic, "special": testSpecial, "links": testLinks,
		"guards": testGuards, "bounds": testBounds, "list": testList,
		"close": testClose,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := open(t)
			t.Cleanup(func() {
				if err := p.Sandbox.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			f(t, p)
		})
	}
}

// run runs a shell script to its end and returns what it printed.
func (p Place) run(t *testing.T, script string) (stdout, stderr string, exit sandbox.Exit) {
	t.Helper()
	return finish(t, p.start(t, script))
}

// start starts a shell script in p.Dir.
func (p Place) start(t *testing.T, script string) sandbox.Process {
	t.Helper()
	return p.exec(t, sandbox.Cmd{Args: []string{"bash", "-c", script}, Dir: p.Dir})
}

func (p Place) exec(t *testing.T, cmd sandbox.Cmd) sandbox.Process {
	t.Helper()
	proc, err := p.Sandbox.Exec(t.Context(), cmd)
	if err != nil {
		t.Fatalf("Exec %q: %v", cmd.Args, err)
	}
	return proc
}

// finish reads a program to its end.
func finish(t *testing.T, proc sandbox.Process) (stdout, stderr string, exit sandbox.Exit) {
	t.Helper()
	var out, errOut []byte
	var both sync.WaitGroup
	both.Go(func() { out, _ = io.ReadAll(proc.Stdout()) })
	both.Go(func() { errOut, _ = io.ReadAll(proc.Stderr()) })
	within(t, "the end of the program's output", both.Wait)
	exit, err := proc.Wait()
	if err != nil {
		t.Fatalf("Wait: %v", err)
	}
	return string(out), string(errOut), exit
}

// line reads one line of r.
func line(t *testing.T, r io.Reader) string {
	t.Helper()
	var b strings.Builder
	within(t, "a line of output", func() {
		one := make([]byte, 1)
		for {
			n, err := r.Read(one)
			if n == 1 && one[0] == '\n' || err != nil {
				return
			}
			b.Write(one[:n])
		}
	})
	return b.String()
}

// within runs f and fails the test when it does not return.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("%s did not come within %s", what, limit)
	}
}

// wantCode checks the class of err.
func wantCode(t *testing.T, what string, err error, want deskhand.Code) {
	t.Helper()
	if got := deskhand.CodeOf(err); got != want {
		t.Errorf("%s: code %q (%v), want %q", what, got, err, want)
	}
}

// testLeaks checks that a place leaves no descriptor behind.
func testLeaks(t *testing.T, open Open) {
	use := func() {
		p := open(t)
		p.run(t, "echo out; echo err >&2")
		proc := p.start(t, "sleep 1000")
		if err := proc.Kill(); err != nil {
			t.Errorf("Kill: %v", err)
		}
		_, _, _ = finish(t, proc)
		_ = proc.Stdin().Close()
		p.start(t, "yes") // neither read nor ended
		if _, err := p.Sandbox.WriteFile(t.Context(), p.Dir+"/f", []byte("x"), sandbox.WriteOptions{}); err != nil {
			t.Error(err)
		}
		_, err := p.Sandbox.Dial(t.Context(), "unix", p.Dir+"/nothing")
		wantCode(t, "Dial", err, deskhand.NotFound)
		if err := p.Sandbox.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	use() // what is opened once and kept, such as the poller
	before := descriptors(t)
	use()
	if after := descriptors(t); after != before {
		t.Errorf("descriptors before:\n%s\nafter:\n%s", before, after)
	}
}

func descriptors(t *testing.T) string {
	t.Helper()
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range dir {
		// The number of a pipe or socket changes; its kind does not.
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if kind, _, _ := strings.Cut(to, ":"); err == nil && !strings.HasPrefix(to, "/proc/") {
			b.WriteString(kind + "\n")
		}
	}
	return b.String()
}

// testClose checks that Close ends everything and that nothing works after.
func testClose(t *testing.T, p Place) {
	proc := p.start(t, "trap '' TERM HUP INT; echo ready; while :; do sleep 1; done")
	if got := line(t, proc.Stdout()); got != "ready" {
		t.Fatalf("got %q", got)
	}
	within(t, "Close", func() {
		if err := p.Sandbox.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	within(t, "the end of the program", func() { _, _ = proc.Wait() })
	within(t, "the end of its output", func() { _, _ = io.Copy(io.Discard, proc.Stdout()) })
	within(t, "Kill after Close", func() { _ = proc.Kill() })
	ctx := t.Context()
	_, err := p.Sandbox.Exec(ctx, sandbox.Cmd{Args: []string{"true"}})
	wantCode(t, "Exec", err, deskhand.Unavailable)
	_, err = p.Sandbox.Dial(ctx, "tcp", "127.0.0.1:1")
	wantCode(t, "Dial", err, deskhand.Unavailable)
	_, err = p.Sandbox.Stat(ctx, "/")
	wantCode(t, "Stat", err, deskhand.Unavailable)
	_, _, err = p.Sandbox.ReadFile(ctx, "/etc/passwd", 0, 0)
	wantCode(t, "ReadFile", err, deskhand.Unavailable)
	_, err = p.Sandbox.WriteFile(ctx, p.Dir+"/f", nil, sandbox.WriteOptions{})
	wantCode(t, "WriteFile", err, deskhand.Unavailable)
	_, err = p.Sandbox.ReadDir(ctx, "/")
	wantCode(t, "ReadDir", err, deskhand.Unavailable)
	if err := p.Sandbox.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// canceled returns a context that has ended.
func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("no more"))
	return ctx
}
