package bwrap_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deskhand/deskhand/internal/procfs"
	"github.com/deskhand/deskhand/sandbox/bwrap"
)

const canary = "canary-91c4e7"

// row prints one line of the table of attacks, and says when an attack is not
// real or not refused.
func row(t *testing.T, name string, without, with bool) {
	t.Helper()
	word := map[bool]string{true: "succeeded", false: "refused"}
	t.Logf("attack\t%-44s\twithout guard: %s\twith guard: %s", name, word[without], word[with])
	if !without {
		t.Errorf("%s: fails without walls: the attack is not real", name)
	}
	if with {
		t.Errorf("%s: succeeds inside", name)
	}
}

// victim is a program of the person's outside, with the canary in its environment.
func victim(t *testing.T) procfs.Process {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	cmd.Env = []string{"SECRET=" + canary}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	p, err := procfs.Read(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAttackFiles: F2 and F10. What a path of any form reaches of the host.
func TestAttackFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := filepath.Join(dir, "id_rsa")
	inside, outside := start(t, bwrap.Config{}), open(t)
	for _, a := range []struct{ name, script string }{
		{"F2 an absolute path, read", "cat " + secret},
		{"F10 /proc/self/root", "cat /proc/self/root" + secret},
		{"F10 /proc/PID/root", "cat /proc/$PPID/root" + secret},
		{"F10 /proc/self/cwd", "cd /; cat /proc/self/cwd" + secret},
		{"F10 a descriptor", "exec 7</; cat /proc/self/fd/7" + secret + " /dev/fd/7" + secret},
	} {
		if err := os.WriteFile(secret, []byte(canary), 0o644); err != nil {
			t.Fatal(err)
		}
		row(t, a.name, strings.Contains(sh(t, outside, a.script), canary), strings.Contains(sh(t, inside, a.script), canary))
	}
	written := func() bool {
		data, err := os.ReadFile(secret)
		if err := os.WriteFile(secret, []byte(canary), 0o644); err != nil {
			t.Fatal(err)
		}
		return err != nil || string(data) != canary
	}
	const overwrite = "mkdir -p $(dirname %[1]s); echo evil >%[1]s"
	sh(t, outside, fmt.Sprintf(overwrite, secret))
	without := written()
	sh(t, inside, fmt.Sprintf(overwrite, secret))
	row(t, "F2 an absolute path, written", without, written())
}

// TestAttackFixedNames: F19. Whoever guesses the name of a temporary file puts a
// link there first. What a sandbox makes in a folder that all may write has random names,
// and belongs to nobody else.
func TestAttackFixedNames(t *testing.T) {
	t.Parallel()
	shared, target := t.TempDir(), filepath.Join(t.TempDir(), "c")
	if err := os.Chmod(shared, 0o1777); err != nil { //nolint:gosec // as /tmp is
		t.Fatal(err)
	}
	for _, f := range []error{os.WriteFile(target, []byte(canary), 0o600), os.Symlink(target, shared+"/deskhand")} {
		if f != nil {
			t.Fatal(f)
		}
	}
	if err := os.WriteFile(shared+"/deskhand", []byte("evil"), 0o600); err != nil { // as a program with a fixed name does
		t.Fatal(err)
	}
	data, _ := os.ReadFile(target)
	without := string(data) != canary
	if err := os.WriteFile(target, []byte(canary), 0o600); err != nil {
		t.Fatal(err)
	}
	open := false
	var seen atomic.Int32
	stop := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			all, _ := os.ReadDir(shared)
			for _, e := range all {
				info, err := e.Info()
				if err != nil || e.Name() == "deskhand" {
					continue
				}
				seen.Add(1)
				open = open || !info.IsDir() || info.Mode().Perm() != 0o700
			}
		}
	})
	for n := 0; n < 3 || seen.Load() == 0 && n < 30; n++ {
		start(t, bwrap.Config{Dir: shared})
	}
	close(stop)
	looking.Wait()
	data, err := os.ReadFile(target)
	row(t, "F19 a link under a guessed name in /tmp", without, err != nil || string(data) != canary || open)
	if seen.Load() == 0 {
		t.Error("nothing was seen: nothing was raced")
	}
}

// TestAttackProcesses: P1, P2, P4, P11, P14, P16, P23.
func TestAttackProcesses(t *testing.T) {
	t.Parallel()
	inside, outside := start(t, bwrap.Config{Limits: small}), open(t)
	dead := func(p procfs.Process, within time.Duration) bool { // a signal takes its time
		h, err := procfs.Open(p)
		if err != nil {
			return true
		}
		defer func() { _ = h.Close() }()
		return h.Wait(within)
	}
	one, two := victim(t), victim(t)
	sh(t, outside, fmt.Sprint("kill -9 ", one.PID))
	without := dead(one, 30*time.Second)
	sh(t, inside, fmt.Sprintf("kill -9 %d; kill -9 -1", two.PID))
	row(t, "P1 kill -9 of the person's programs", without, dead(two, time.Second))

	three := victim(t)
	look := fmt.Sprintf("tr '\\0' '\\n' </proc/%d/environ; cat /proc/[0-9]*/environ | tr '\\0' '\\n'", three.PID)
	row(t, "P2 the memory of the person's programs", strings.Contains(sh(t, outside, look), canary), strings.Contains(sh(t, inside, look), canary))

	if os.Getuid() != 0 || !missing(t, "processes") {
		const many = "for i in $(seq 300); do sleep 20 & done 2>/dev/null; pids=$(jobs -p); ps -o pid= -p ${pids//[$'\\n']/,} | wc -l; kill $pids 2>/dev/null"
		count := func(out string) int {
			n, _ := strconv.Atoi(strings.TrimSpace(lastLine(out)))
			return n
		}
		roomyOne := start(t, bwrap.Config{Limits: roomy})
		row(t, "P4 300 processes at once, of 100", count(sh(t, roomyOne, many)) >= 300, count(sh(t, inside, many)) >= 100)
	}

	row(t, "P14 new privileges by a set-user-id program", strings.Contains(sh(t, outside, "grep NoNewPrivs /proc/self/status"), "\t0"), !strings.Contains(sh(t, inside, "grep NoNewPrivs /proc/self/status"), "\t1"))

	const core = "ulimit -c unlimited; cd; sh -c 'kill -SEGV $$'; [ \"$(ulimit -c)\" = unlimited ] && echo may"
	row(t, "P16 memory left in a core file", strings.Contains(sh(t, outside, core), "may"), strings.Contains(sh(t, inside, core), "may"))

	home := t.TempDir()
	const plant = "mkdir -p ~/.config/autostart && echo evil >~/.config/autostart/x.desktop; test -s ~/.config/autostart/x.desktop && echo planted"
	planted := func() bool {
		data, err := os.ReadFile(home + "/.config/autostart/x.desktop")
		return err == nil && bytes.Contains(data, []byte("evil"))
	}
	sh(t, open(t, "HOME="+home), plant)
	without = planted()
	if err := os.RemoveAll(home + "/.config"); err != nil {
		t.Fatal(err)
	}
	sh(t, start(t, bwrap.Config{Env: []string{"OLDHOME=" + home}}), plant+"; HOME=$OLDHOME; "+plant)
	row(t, "P23 something started with the next session", without, planted())
}

// missing reports whether this machine lets us bound no what.
func missing(t *testing.T, what string) bool {
	t.Helper()
	_, all, _ := bwrap.Bounds()
	for _, m := range all {
		if m == what {
			t.Logf("MISSING WALL: %s: nothing was tried", what)
			return true
		}
	}
	return false
}

func lastLine(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1]
}

// TestAttackOutlive: P11. A program that left its session goes on after the
// stop; nothing inside does.
func TestAttackOutlive(t *testing.T) {
	t.Parallel()
	script := func(mark string) []string {
		return []string{"bash", "-c", "setsid nohup bash -c 'trap \"\" TERM HUP INT; while :; do sleep 0.05; done; : " + mark + "' >/dev/null 2>&1 & echo started"}
	}
	running := func(mark string) (found []procfs.Process) {
		all, err := procfs.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.PID))
			if bytes.Contains(data, []byte(": "+mark)) && !p.Ended() {
				found = append(found, p)
			}
		}
		return found
	}
	off, on := fmt.Sprintf("outlive-off-%d", os.Getpid()), fmt.Sprintf("outlive-on-%d", os.Getpid())
	args := script(off)
	cmd := exec.Command(args[0], args[1:]...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	left := running(off)
	for _, p := range left {
		if h, err := procfs.Open(p); err == nil {
			_, _ = h.Signal(9), h.Close()
		}
	}
	s, err := bwrap.Start(t.Context(), bwrap.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if out := output(t, s, script(on)...); !strings.Contains(out, "started") {
		t.Errorf("%q", out)
	}
	if len(running(on)) == 0 {
		t.Error("it does not run")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	row(t, "P11 a program that left its session", len(left) > 0, len(running(on)) > 0)
}
