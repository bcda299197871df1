package sandboxtest

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
)

func testOutput(t *testing.T, p Place) {
	for _, c := range []struct {
		script, stdout, stderr string
		exit                   sandbox.Exit
	}{
		{script: "echo out; echo err >&2", stdout: "out\n", stderr: "err\n"},
		{script: "exit 7", exit: sandbox.Exit{Status: 7}},
		{script: "exit 255", exit: sandbox.Exit{Status: 255}},
		{script: "kill -TERM $$", exit: sandbox.Exit{Status: 143, Signal: syscall.SIGTERM}},
		{script: "kill -KILL $$", exit: sandbox.Exit{Status: 137, Signal: syscall.SIGKILL}},
		{script: `printf 'a\0b\xff'`, stdout: "a\x00b\xff"},
		{script: "cat", stdout: "", exit: sandbox.Exit{}},
		{script: "echo closed; exec >&- 2>&-; exit 4", stdout: "closed\n", exit: sandbox.Exit{Status: 4}},
	} {
		proc := p.start(t, c.script)
		if err := proc.Stdin().Close(); err != nil {
			t.Errorf("%s: closing stdin: %v", c.script, err)
		}
		stdout, stderr, exit := finish(t, proc)
		if stdout != c.stdout || stderr != c.stderr || exit != c.exit {
			t.Errorf("%s: got %q, %q, %+v; want %q, %q, %+v", c.script, stdout, stderr, exit, c.stdout, c.stderr, c.exit)
		}
	}
}

func testCommands(t *testing.T, p Place) {
	t.Run("dir", func(t *testing.T) {
		out, _, _ := finish(t, p.exec(t, sandbox.Cmd{Args: []string{"pwd"}, Dir: p.Dir}))
		if out != p.Dir+"\n" {
			t.Errorf("got %q, want %q", out, p.Dir)
		}
		out, _, _ = finish(t, p.exec(t, sandbox.Cmd{Args: []string{"bash", "-c", `[ "$PWD" = "$HOME" ] && echo home`}}))
		if out != "home\n" {
			t.Errorf("the default directory is not the home: %q", out)
		}
	})
	t.Run("env", func(t *testing.T) {
		cmd := sandbox.Cmd{Args: []string{"bash", "-c", `echo "$A|$B|${PATH:+path}"`}, Env: []string{"A=1", "B=x=y z", "A=2"}}
		if out, _, _ := finish(t, p.exec(t, cmd)); out != "2|x=y z|path\n" {
			t.Errorf("got %q", out)
		}
	})
	t.Run("arguments", func(t *testing.T) {
		args := []string{"", "a b", "$HOME", "`id`", "*", "-n", "\n", "é\x1b\u202e", "'\""}
		out, _, _ := finish(t, p.exec(t, sandbox.Cmd{Args: append([]string{"printf", `[%s]`}, args...)}))
		if want := "[" + strings.Join(args, "][") + "]"; out != want {
			t.Errorf("got %q, want %q", out, want)
		}
	})
	t.Run("group", func(t *testing.T) {
		out, _, _ := p.run(t, `[ $(ps -o pgid= -p $$) -eq $$ ] && echo leads`)
		if out != "leads\n" {
			t.Errorf("the program does not lead its process group: %q", out)
		}
	})
	t.Run("relative", func(t *testing.T) {
		p.run(t, "printf '#!/bin/sh\necho here' >prog; chmod +x prog")
		if out, _, _ := finish(t, p.exec(t, sandbox.Cmd{Args: []string{"./prog"}, Dir: p.Dir})); out != "here\n" {
			t.Errorf("got %q", out)
		}
	})
}

func testFailures(t *testing.T, p Place) {
	p.run(t, "touch plain; printf 'no program' >broken; chmod +x broken")
	for name, c := range map[string]struct {
		cmd  sandbox.Cmd
		want deskhand.Code
	}{
		"no program":       {sandbox.Cmd{}, deskhand.Invalid},
		"empty name":       {sandbox.Cmd{Args: []string{""}}, deskhand.Invalid},
		"unknown program":  {sandbox.Cmd{Args: []string{"no-such-program-anywhere"}}, deskhand.NotFound},
		"unknown path":     {sandbox.Cmd{Args: []string{"/no/such/program"}}, deskhand.NotFound},
		"unknown dir":      {sandbox.Cmd{Args: []string{"true"}, Dir: "/no/such/dir"}, deskhand.NotFound},
		"relative dir":     {sandbox.Cmd{Args: []string{"true"}, Dir: "tmp"}, deskhand.Invalid},
		"file for a dir":   {sandbox.Cmd{Args: []string{"true"}, Dir: p.Dir + "/plain"}, deskhand.NotFound},
		"not executable":   {sandbox.Cmd{Args: []string{p.Dir + "/plain"}}, deskhand.Denied},
		"a directory":      {sandbox.Cmd{Args: []string{p.Dir}}, deskhand.Denied},
		"not a program":    {sandbox.Cmd{Args: []string{p.Dir + "/broken"}}, deskhand.Invalid},
		"NUL":              {sandbox.Cmd{Args: []string{"echo", "a\x00b"}}, deskhand.Invalid},
		"too long":         {sandbox.Cmd{Args: []string{"true", strings.Repeat("x", 1<<20)}}, deskhand.Invalid},
		"NUL in the env":   {sandbox.Cmd{Args: []string{"true"}, Env: []string{"A=\x00"}}, deskhand.Invalid},
		"too long in all":  {sandbox.Cmd{Args: append([]string{"true"}, strings.Split(strings.Repeat(strings.Repeat("x", 1000)+",", 3000), ",")...)}, deskhand.Invalid},
		"newline in names": {sandbox.Cmd{Args: []string{"no\nsuch\x1b[31m"}}, deskhand.NotFound},
	} {
		_, err := p.Sandbox.Exec(t.Context(), c.cmd)
		wantCode(t, name, err, c.want)
		if err != nil && strings.ContainsAny(err.Error(), "\n\x1b\x00") {
			t.Errorf("%s: the error's text holds control characters: %q", name, err)
		}
	}
	_, err := p.Sandbox.Exec(canceled(t), sandbox.Cmd{Args: []string{"true"}})
	wantCode(t, "ended context", err, deskhand.Canceled)
}

func testSignals(t *testing.T, p Place) {
	proc := p.start(t, "trap 'echo caught; exit 5' USR1; echo ready; while :; do sleep 0.05; done")
	if got := line(t, proc.Stdout()); got != "ready" {
		t.Fatalf("got %q", got)
	}
	if err := proc.Signal(syscall.SIGUSR1); err != nil {
		t.Fatalf("Signal: %v", err)
	}
	if out, _, exit := finish(t, proc); out != "caught\n" || exit.Status != 5 {
		t.Errorf("got %q, %+v", out, exit)
	}
	within(t, "Signal after the end", func() {
		if err := proc.Signal(syscall.SIGUSR1); err != nil {
			t.Errorf("Signal after the end: %v", err)
		}
	})
	group := p.start(t, "sleep 1000 | sleep 1000")
	if err := group.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, _, exit := finish(t, group); exit.Signal != syscall.SIGTERM {
		t.Errorf("got %+v, want the group to end by SIGTERM", exit)
	}
}

func testInput(t *testing.T, p Place) {
	const size = 10 << 20
	proc := p.start(t, "cat")
	data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	var sent sync.WaitGroup
	sent.Go(func() {
		if n, err := proc.Stdin().Write(data); n != size || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
		_ = proc.Stdin().Close()
	})
	out, _, _ := finish(t, proc)
	sent.Wait()
	if out != string(data) {
		t.Errorf("%d bytes came back of %d, or others", len(out), size)
	}
	if _, err := proc.Stdin().Write([]byte("x")); err == nil {
		t.Error("Write after Close succeeded")
	}
	deaf := p.start(t, "exec <&-; sleep 0.2; exit 6")
	within(t, "a Write that nobody reads", func() { _, _ = deaf.Stdin().Write(data) })
	if _, _, exit := finish(t, deaf); exit.Status != 6 {
		t.Errorf("got %+v", exit)
	}
}

// testFlood reads a hundred megabytes.
func testFlood(t *testing.T, p Place) {
	const size = 100 << 20
	proc := p.start(t, fmt.Sprintf("head -c %d /dev/zero; echo end >&2", size))
	n, err := io.Copy(io.Discard, proc.Stdout())
	if n != size || err != nil {
		t.Errorf("%d bytes, %v; want %d", n, err, size)
	}
	if got := line(t, proc.Stderr()); got != "end" {
		t.Errorf("got %q", got)
	}
}

// testBackPressure checks that a program whose output nobody reads is held up.
func testBackPressure(t *testing.T, p Place) {
	const script = `
import fcntl, os, select, sys
fcntl.fcntl(1, fcntl.F_SETFL, os.O_NONBLOCK)
total = 0
while select.select([], [1], [], 0.5)[1]:
    try: total += os.write(1, b"x" * 65536)
    except BlockingIOError: pass
    if total > 64 << 20: break
print(total, file=sys.stderr)
`
	proc := p.exec(t, sandbox.Cmd{Args: []string{"python3", "-c", script}})
	var total int
	if _, err := fmt.Sscan(line(t, proc.Stderr()), &total); err != nil {
		t.Fatal(err)
	}
	if total < 1 || total > 2<<20 {
		t.Errorf("the program could write %d bytes that nobody read", total)
	}
	if out, _, _ := finish(t, proc); len(out) != total {
		t.Errorf("%d bytes came of %d", len(out), total)
	}
}

// testStreams checks that a stream which nobody reads holds up no other.
func testStreams(t *testing.T, p Place) {
	proc := p.start(t, "head -c 5000000 /dev/zero & head -c 5000000 /dev/zero >&2; wait; exit 3")
	within(t, "stderr beside a full stdout", func() {
		if n, _ := io.CopyN(io.Discard, proc.Stderr(), 5000000); n != 5000000 {
			t.Errorf("%d bytes of stderr", n)
		}
	})
	if out, _, exit := finish(t, proc); len(out) != 5000000 || exit.Status != 3 {
		t.Errorf("%d bytes of stdout, %+v", len(out), exit)
	}
}

func testConcurrent(t *testing.T, p Place) {
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			proc, err := p.Sandbox.Exec(t.Context(), sandbox.Cmd{Args: []string{"bash", "-c", fmt.Sprintf("echo %d; exit %d", i, i)}})
			if err != nil {
				t.Error(err)
				return
			}
			var waits sync.WaitGroup
			out, _ := io.ReadAll(proc.Stdout())
			for range 3 {
				waits.Go(func() {
					if exit, err := proc.Wait(); exit.Status != i || err != nil {
						t.Errorf("%d: %+v, %v", i, exit, err)
					}
				})
			}
			waits.Wait()
			if string(out) != fmt.Sprintf("%d\n", i) {
				t.Errorf("%d: %q", i, out)
			}
			_, _ = io.ReadAll(proc.Stderr())
		})
	}
	within(t, "the end of all programs", all.Wait)
}
