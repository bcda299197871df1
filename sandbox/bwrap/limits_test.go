package bwrap_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/bwrap"
)

// small are limits that tests reach without burdening the machine.
var small = bwrap.Limits{Memory: 1 << 30, Processes: 100, Scratch: 8 << 20, FileSize: 4 << 20, Files: 200}

// needs skips, with the reason, where this machine has no way to bound what.
func needs(t *testing.T, what string) {
	t.Helper()
	if _, missing, err := bwrap.Bounds(); slices.Contains(missing, what) {
		t.Skipf("this machine lets us bound no %s of a sandbox as a whole (%v)", what, err)
	}
}

// roomy has none of the limits that the attacks meet: there each must succeed.
var roomy = bwrap.Limits{Memory: 4 << 30, Processes: 4000, Scratch: 1 << 30, FileSize: 1 << 30, Files: 100_000}

// TestAttackLimits lets programs take more than they may, with room and without.
func TestAttackLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, attack, full, short string // short: a regular expression
	}{
		{"P5 memory of one process", "python3 -c 'b = bytearray(1536 << 20); print(\"got\", len(b))' 2>&1; echo $?", "got 1610612736", "MemoryError|^137"},
		{"P7 size of a file", "dd if=/dev/zero of=f bs=1M count=6 2>/dev/null; stat -c %s f", "6291456", "4194304"},
		{"P7 room in /tmp", "head -c 20M /dev/zero | split -b 3M - /tmp/x; du -sm /tmp | cut -f1", "20", "8"},
		{"P7 room at home", "head -c 20M /dev/zero | split -b 3M - x; du -sm . | cut -f1", "2", "8"},
		{"P10 open files", "python3 -c '\nn = 0\ntry:\n  keep = []\n  while n < 5000: keep.append(open(\"/dev/null\")); n += 1\nexcept OSError as e: print(\"stopped:\", e.strerror)\nprint(n)' 2>&1", "5000", "stopped: Too many open files"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			big := start(t, bwrap.Config{Limits: roomy})
			free := sh(t, big, "ulimit -n hard; "+c.attack)
			if !strings.Contains(free, c.full) {
				t.Errorf("with room: %q, want %q: the attack is not real", free, c.full)
			}
			out := sh(t, start(t, bwrap.Config{Limits: small}), "ulimit -n hard; "+c.attack)
			if !regexp.MustCompile(c.short).MatchString(out) {
				t.Errorf("with limits: %q, want %q", out, c.short)
			}
			t.Logf("attack\t%-44s\twithout guard: %s\twith guard: %s", c.name, lastLine(free), lastLine(out))
		})
	}
}

// TestMemoryOfAll takes more memory in many processes than all may have: the
// hogs are ended, the guest is not, and it is counted.
func TestMemoryOfAll(t *testing.T) {
	t.Parallel()
	needs(t, "memory")
	s := start(t, bwrap.Config{Limits: bwrap.Limits{Memory: 400 << 20}})
	out := sh(t, s, `for i in 1 2 3 4; do python3 -c '
import time
b = bytearray(150 << 20)
for i in range(0, len(b), 4096): b[i] = 1
time.sleep(3)' & pids="$pids $!"; done; for p in $pids; do wait $p; echo $?; done`)
	if n := strings.Count(out, "137"); n < 1 || n > 4 {
		t.Errorf("the hogs ended with %q, want some killed", strings.Fields(out))
	}
	if n, err := s.Kills(); err != nil || n < 1 {
		t.Errorf("Kills: %d, %v", n, err)
	}
	if out := sh(t, s, "echo alive"); out != "alive\n" {
		t.Errorf("the guest after it: %q", out)
	}
}

// TestForkBomb checks that a fork bomb fills only its own sandbox, and that the
// sandbox can still be ended.
func TestForkBomb(t *testing.T) {
	t.Parallel()
	s := start(t, bwrap.Config{Limits: small})
	if os.Getuid() == 0 { // root's processes are not counted by limits of users
		needs(t, "processes")
	}
	p, err := s.Exec(t.Context(), sandbox.Cmd{Args: []string{"bash", "-c", "bomb() { bomb | bomb & }; bomb; for i in {1..40}; do (while :; do sleep 0.01 & done) & done; sleep 1000"}})
	if err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 200)
	n, _ := p.Stderr().Read(line)
	if text := string(line[:n]); !strings.Contains(text, "fork: ") {
		t.Errorf("the bomb says %q, want that it could not fork", text)
	}
	// Much at once, so that the guest would like to have more threads than it
	// has and cannot start any.
	var busy sync.WaitGroup
	for range 60 {
		busy.Go(func() {
			if _, _, err := s.ReadFile(t.Context(), "/usr/bin/bash", 0, 0); err != nil {
				t.Errorf("the guest beside a fork bomb: %v", err)
			}
			if p, err := s.Exec(t.Context(), sandbox.Cmd{Args: []string{"true"}}); err == nil { // it may be refused
				_ = p.Kill()
			}
		})
	}
	busy.Wait()
	if _, err := s.Health(t.Context(), 0, -1); err != nil {
		t.Errorf("the guest beside a fork bomb: %v", err)
	}
	if err := p.Kill(); err != nil {
		t.Errorf("ending the bomb: %v", err)
	}
	if out := sh(t, s, "echo alive"); out != "alive\n" {
		t.Errorf("after it: %q", out)
	}
}

// TestEndedFirst checks whom the kernel ends when memory runs out, and that no
// program leaves its memory in a core file.
func TestEndedFirst(t *testing.T) {
	t.Parallel()
	s := start(t, bwrap.Config{})
	if out := sh(t, s, "ulimit -Hc"); out != "0\n" {
		t.Errorf("core files may have %q blocks", out)
	}
	if out := sh(t, s, "cat /proc/self/oom_score_adj /proc/1/oom_score_adj"); out != "500\n0\n" {
		t.Errorf("what a call starts and the guest have %q, want 500 and 0", strings.Fields(out))
	}
}
