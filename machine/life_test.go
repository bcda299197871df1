package machine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/guestapi"
	"github.com/deskhand/deskhand/internal/procfs"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/bwrap"
)

func program(t testing.TB, m *Machine, name string) guestapi.Program {
	t.Helper()
	h, err := m.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range h.Programs {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no program %q in %+v", name, h)
	return guestapi.Program{}
}

// TestKilledProgramsComeBack kills each program of the desktop and sees it
// come back, the desktop with it, and the model told.
func TestKilledProgramsComeBack(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, notice string
		dependents   []string // that start anew with it
	}{
		{"tint2", "The panel stopped and was started again.", nil},
		{"mutter", "The window manager stopped and was started again.", []string{"tint2"}},
		{"dbus-daemon", "The message bus stopped and was started again.", []string{"mutter", "tint2"}},
		{"Xvfb", "The display stopped and was started again. The windows that were open are gone.", []string{"dbus-daemon", "mutter", "tint2"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := up(t, Config{})
			before := map[string]int{}
			for _, name := range append([]string{c.name}, c.dependents...) {
				before[name] = program(t, m, name).PID
			}
			began := time.Now()
			output(t, m, "sh", "-c", "kill -KILL \"$(pidof "+c.name+")\"")
			var notices []string
			until(t, "a notice", func(context.Context) bool {
				notices = append(notices, m.Notices()...)
				return len(notices) > 0
			})
			t.Logf("noticed after %s", time.Since(began))
			if !slices.Contains(notices, c.notice) {
				t.Errorf("notices are %q", notices)
			}
			until(t, "ready", func(ctx context.Context) bool {
				h, err := m.Health(ctx)
				return err == nil && h.Ready
			})
			for name, pid := range before {
				if p := program(t, m, name); p.PID == pid || p.Restarts < 1 {
					t.Errorf("%s is %+v, was %d", name, p, pid)
				}
			}
			click(t, m, launcher(deskhand.Size{W: 1280, H: 800}, "calculator"))
			window(t, m, "Galculator")
			if more := m.Notices(); len(more) > 0 {
				t.Errorf("notices again: %q", more)
			}
		})
	}
}

// TestCloseLeavesNothing is not parallel: it counts what this process holds.
func TestCloseLeavesNothing(t *testing.T) {
	for _, driver := range []Driver{Bwrap, None} {
		t.Run(string(driver), func(t *testing.T) {
			up(t, Config{Driver: driver}).Close() // what is made once is made
			dir := t.TempDir()
			descriptors, routines := countDescriptors(t), runtime.NumGoroutine()
			m, err := Up(t.Context(), Config{Driver: driver, Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Sandbox().Exec(t.Context(), sandbox.Cmd{Args: []string{"sh", "-c", "setsid sleep 1000 & xterm & sleep 1000"}}); err != nil {
				t.Fatal(err)
			}
			click(t, m, launcher(deskhand.Size{W: 1280, H: 800}, "calculator"))
			window(t, m, "Galculator")
			window(t, m, "XTerm")
			inside := descendants(t)
			if len(inside) < 8 {
				t.Fatalf("only %d processes", len(inside))
			}
			began := time.Now()
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			t.Logf("closed after %s", time.Since(began))
			for _, p := range inside {
				if now, err := procfs.Read(p.PID); err == nil && now.Start == p.Start && !now.Ended() {
					t.Errorf("process %d goes on: %+v", p.PID, now)
				}
			}
			if n := countDescriptors(t); n > descriptors {
				t.Errorf("%d descriptors, were %d", n, descriptors)
			}
			until(t, "goroutines to end", func(context.Context) bool { return runtime.NumGoroutine() <= routines })
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			if _, err := m.Desktop().Size(t.Context()); deskhand.CodeOf(err) != deskhand.Unavailable {
				t.Errorf("after Close the desktop answers %v", err)
			}
			if err := m.Close(); err != nil {
				t.Errorf("closing twice: %v", err)
			}
		})
	}
}

func countDescriptors(t testing.TB) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func descendants(t testing.TB) []procfs.Process {
	t.Helper()
	all, err := procfs.List()
	if err != nil {
		t.Fatal(err)
	}
	return procfs.Below(all, os.Getpid())
}

func TestGuestIsSmall(t *testing.T) {
	t.Parallel()
	m := up(t, Config{})
	look(t, m, "small")
	h, err := m.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the guest holds %.1f MB", float64(h.RSS)/(1<<20))
	if h.RSS > 40<<20 && !raceDetector {
		t.Errorf("the guest holds %d bytes", h.RSS)
	}
}

// TestFailureNamesTheProgram replaces a program of the desktop by one that
// cannot work and reads why.
func TestFailureNamesTheProgram(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "mutter")
	if err := os.WriteFile(bad, []byte("#!/bin/sh\necho 'the moon is in the wrong house' >&2\nexit 7\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	m, err := Up(t.Context(), Config{Dir: dir, Binds: bind(bad, "/usr/bin/mutter")})
	if err == nil {
		m.Close()
		t.Fatal("it came up")
	}
	text := err.Error()
	if deskhand.CodeOf(err) != deskhand.Unavailable || !strings.Contains(text, "The window manager (mutter) could not be started") || !strings.Contains(text, "the moon is in the wrong house") {
		t.Errorf("error is %q (%s)", text, deskhand.CodeOf(err))
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestUpRefuses(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	cases := []struct {
		name string
		ctx  context.Context
		c    Config
		code deskhand.Code
	}{
		{"driver", t.Context(), Config{Driver: "vm"}, deskhand.Invalid},
		{"home", t.Context(), Config{Home: "/nonexistent"}, deskhand.Invalid},
		{"relative", t.Context(), Config{Dir: "here"}, deskhand.Invalid},
		{"screen", t.Context(), Config{Screen: deskhand.Size{W: 3, H: 3}}, deskhand.Unavailable},
		{"canceled", gone, Config{}, deskhand.Canceled},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, err := Up(c.ctx, c.c)
			if err == nil {
				m.Close()
			}
			if deskhand.CodeOf(err) != c.code {
				t.Errorf("%v has code %q, want %q", err, deskhand.CodeOf(err), c.code)
			}
		})
	}
}

// TestHomeIsKept sees that a home of the person's stays, with what was in it.
func TestHomeIsKept(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	mine := filepath.Join(home, ".gtkrc-2.0")
	if err := os.WriteFile(mine, []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := up(t, Config{Home: home})
	output(t, m, "sh", "-c", "echo done > $HOME/Documents/result")
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(mine); err != nil || string(data) != "# mine\n" {
		t.Errorf("settings of the person's: %q, %v", data, err)
	}
	if data, err := os.ReadFile(filepath.Join(home, "Documents/result")); err != nil || string(data) != "done\n" {
		t.Errorf("result: %q, %v", data, err)
	}
}

// TestLogsAreKept sees that logs stay where the caller wants them, and that a
// link left there by an earlier computer is not followed.
func TestLogsAreKept(t *testing.T) {
	t.Parallel()
	logs := t.TempDir()
	if err := up(t, Config{Logs: logs}).Close(); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(logs, "tint2.log")); err != nil || len(data) == 0 {
		t.Errorf("the panel's log: %d bytes, %v", len(data), err)
	}
	victim := filepath.Join(t.TempDir(), "victim")
	if err := errors.Join(os.WriteFile(victim, nil, 0o600), os.Remove(filepath.Join(logs, "guest.log")), os.Symlink(victim, filepath.Join(logs, "guest.log"))); err != nil {
		t.Fatal(err)
	}
	m, err := Up(t.Context(), Config{Logs: logs})
	if err == nil {
		m.Close()
		t.Fatal("a link was taken for the log")
	}
	if info, err := os.Stat(victim); err != nil || info.Size() != 0 {
		t.Errorf("the link's target: %v, %v", info, err)
	}
}

// TestRemoveTree sees that removal stops at mounts and links and does not stop
// at directories that were closed.
func TestRemoveTree(t *testing.T) {
	t.Parallel()
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "precious"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "it is")
	if err := os.MkdirAll(filepath.Join(dir, "shut"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "shut"), 0); err != nil {
		t.Fatal(err)
	}
	if err := removeTree(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(other, "precious")); err != nil {
		t.Error(err)
	}
	if err := removeTree(dir); err != nil {
		t.Errorf("removing what is not there: %v", err)
	}
	for path, want := range map[string]string{"/proc/1": "", "/proc": "/proc", "/": "/"} {
		if got, err := mountBelow(path); (got != "") != (want != "") || err != nil {
			t.Errorf("mount below %s: %q, %v", path, got, err)
		}
	}
}

func BenchmarkUp(b *testing.B) {
	var all []time.Duration
	for b.Loop() {
		began := time.Now()
		m, err := Up(b.Context(), Config{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, time.Since(began))
		b.StopTimer()
		if err := m.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
}

func bind(host, inside string) []bwrap.Bind { return []bwrap.Bind{{Host: host, Inside: inside}} }
