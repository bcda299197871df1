package cgroup

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// group makes a group, or skips with the reason why this machine lets us make none.
func group(t *testing.T, l Limits, need string) *Group {
	t.Helper()
	g, err := New(l)
	if err != nil {
		t.Skipf("no control group can be made here: %v", err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		for _, dir := range g.dirs {
			if _, err := os.Stat(dir); err == nil {
				t.Errorf("%s is left", dir)
			}
		}
	})
	if !slices.Contains(g.Bounds(), need) {
		t.Skipf("%s cannot be bounded here, only %q", need, g.Bounds())
	}
	return g
}

func run(argv []string) (string, error) {
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	return string(out), err
}

// TestMemory lets a program take more memory than the group may have: it must
// work outside and be ended inside, and nothing else may be.
func TestMemory(t *testing.T) {
	t.Parallel()
	g := group(t, Limits{Memory: 64 << 20, Processes: 50}, "memory")
	hog := []string{"python3", "-c", "b = bytearray(256 << 20); print(len(b))"}
	if out, err := run(hog); err != nil || out != "268435456\n" {
		t.Fatalf("without a group: %q, %v: the attack is not real", out, err)
	}
	out, err := run(g.Command(hog))
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Success() || strings.Contains(out, "268435456") {
		t.Errorf("in the group: %q, %v", out, err)
	}
	if n, err := g.Kills(); err != nil || n < 1 {
		t.Errorf("Kills: %d, %v", n, err)
	}
	if out, err := run(g.Command([]string{"echo", "$(still) here; it's 5"})); err != nil || out != "$(still) here; it's 5\n" {
		t.Errorf("after it: %q, %v", out, err)
	}
}

// TestProcesses starts more processes than the group may have.
func TestProcesses(t *testing.T) {
	t.Parallel()
	g := group(t, Limits{Processes: 20}, "processes")
	many := []string{"python3", "-c", `import os, signal
pids = []
try:
    for _ in range(60):
        pid = os.fork()
        if pid == 0: signal.pause()
        pids.append(pid)
except OSError: pass
print(len(pids))
for pid in pids: os.kill(pid, 9); os.waitpid(pid, 0)`}
	if out, err := run(many); err != nil || out != "60\n" {
		t.Fatalf("without a group: %q, %v: the attack is not real", out, err)
	}
	if out, err := run(g.Command(many)); err != nil || out != "19\n" {
		t.Errorf("in the group: %q, %v", out, err)
	}
}

// TestTidy removes what a dead process left, and nothing of a living one.
func TestTidy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	for name, stays := range map[string]bool{
		prefix + itoa(dead.Process.Pid) + "-aa": false, prefix + itoa(os.Getpid()) + "-bb": true,
		prefix + "x-cc": true, "other-" + itoa(dead.Process.Pid): true,
	} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		tidy(dir)
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != stays {
			t.Errorf("%s: %v, want it to stay: %v", name, err, stays)
		}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

// TestPlaces reads the ways in which machines mount control groups.
func TestPlaces(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cgroup, mountinfo string
		want              places
	}{
		"version 2, systemd": {
			"0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope\n",
			"30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
			places{v1: map[string]string{}, v2: []string{
				"/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope",
				"/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice",
				"/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service",
				"/sys/fs/cgroup/user.slice/user-1000.slice", "/sys/fs/cgroup/user.slice", "/sys/fs/cgroup"}},
		},
		"both": {
			"9:name=systemd:/\n8:pids:/\n4:memory:/a/b\n2:cpu,cpuacct:/\n0::/\n",
			"40 30 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n41 30 0:31 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n" +
				"42 30 0:32 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n43 30 0:33 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			places{v2: []string{"/sys/fs/cgroup/unified"}, v1: map[string]string{
				"memory": "/sys/fs/cgroup/memory/a/b", "pids": "/sys/fs/cgroup/pids", "cpu": "/sys/fs/cgroup/cpu", "cpuacct": "/sys/fs/cgroup/cpu"}},
		},
		"in a container": {
			"4:memory:/docker/abc\n",
			"40 30 0:30 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			places{v1: map[string]string{"memory": "/sys/fs/cgroup/memory"}},
		},
		"outside of the mount": {
			"0::/../other\n", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
			places{v1: map[string]string{}, v2: []string{"/sys/fs/cgroup"}},
		},
		"none": {"", "1 0 8:1 / / rw - ext4 /dev/vda rw\n", places{v1: map[string]string{}}},
	} {
		dir := t.TempDir()
		for file, text := range map[string]string{"cgroup": c.cgroup, "mountinfo": c.mountinfo} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := placesOf(dir)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\ngot  %q, %v\nwant %q", name, got, err, c.want)
		}
	}
}
