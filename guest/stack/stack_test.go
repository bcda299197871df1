package stack

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// short returns a directory whose path leaves room for sockets.
func short(t testing.TB) string {
	dir, err := os.MkdirTemp("", "st")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// begin starts a stack in directories of its own.
func begin(t testing.TB, change ...func(*Config)) *Stack {
	t.Helper()
	c := Config{Size: deskhand.Size{W: 1280, H: 800}, Home: t.TempDir(), RuntimeDir: short(t), LogDir: t.TempDir()}
	for _, f := range change {
		f(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// await waits until the health is as wanted.
func await(t testing.TB, s *Stack, what string, is func(health) bool) health {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		news, h := s.Changed(), healthOf(s)
		if is(h) {
			return h
		}
		select {
		case <-news:
		case <-ctx.Done():
			t.Fatalf("%s: not within 20s: %+v", what, h)
		}
	}
}

func isReady(h health) bool { return h.ready }

func TestBecomesReady(t *testing.T) {
	t.Parallel()
	began := time.Now()
	s := begin(t)
	h := await(t, s, "ready", isReady)
	t.Logf("ready after %s", time.Since(began))
	if len(h.programs) != 4 || h.failed != "" || len(h.notices) != 0 {
		t.Errorf("health is %+v", h)
	}
	for _, p := range h.programs {
		if p.State != ready || p.PID == 0 || p.Restarts != 0 {
			t.Errorf("program is %+v", p)
		}
	}
}

// programs returns a directory in which the named programs are these scripts
// and, of the stack's programs, all others are themselves.
func programs(t testing.TB, scripts map[string]string) []string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{nameBus, nameManager, namePanel} {
		path := filepath.Join(dir, name)
		script, ours := scripts[name]
		switch {
		case ours && script == "":
			continue
		case ours:
			if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
				t.Fatal(err)
			}
		default:
			if err := os.WriteFile(path, []byte("#!/bin/sh\nexec /usr/bin/"+name+" \"$@\"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	return []string{dir}
}

func TestFailureIsASentence(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		scripts map[string]string
		want    string
	}{
		{"missing", map[string]string{"tint2": ""}, "The panel (tint2) could not be started: tint2 is not installed."},
		{"ends", map[string]string{"mutter": "echo one; echo two >&2; exit 3"}, "The window manager (mutter) could not be started: the window manager ended while starting (exit status 3); its last words: two."},
		{"no bus", map[string]string{"dbus-daemon": "echo >&3; exec /bin/sleep 30"}, "The message bus (dbus-daemon) could not be started: it did not say where it listens"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := begin(t, func(config *Config) { config.ProgramDir = programs(t, c.scripts) })
			h := await(t, s, "failed", func(h health) bool { return h.failed != "" })
			if !strings.HasPrefix(h.failed, c.want) || h.ready {
				t.Errorf("it says %q, want %q", h.failed, c.want)
			}
		})
	}
}

// TestBudgetIsUsedUp lets a panel die again and again after it was ready.
func TestBudgetIsUsedUp(t *testing.T) {
	t.Parallel()
	v := service{name: namePanel, title: "The panel", start: func(context.Context) (running, error) { return ended{}, nil }}
	s := &Stack{log: slog.New(slog.DiscardHandler)}
	var h health
	synctest.Test(t, func(t *testing.T) { // the pauses take no time
		s.board = newBoard(namePanel)
		s.supervise(t.Context(), v)
		h = healthOf(s)
	})
	if p := h.program(namePanel); p.State != failed || p.Restarts != maxRestarts {
		t.Errorf("program is %+v", p)
	}
	if h.failed != "The panel (tint2) keeps stopping; it was not started again." || len(h.notices) != maxRestarts {
		t.Errorf("health is %+v", h)
	}
}

// ended is a program that ends as soon as it is ready.
type ended struct{}

func (ended) pid() int { return 1 }
func (ended) stop()    {}
func (ended) done() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// TestEnvWhileTheServerIsDown: what starts while the X server is started again,
// such as a shell that lives on, can reach the one that comes.
func TestEnvWhileTheServerIsDown(t *testing.T) {
	t.Parallel()
	s := begin(t)
	before := await(t, s, "ready", isReady)
	env := s.Env()
	if !slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, "DISPLAY=:") }) {
		t.Fatalf("no display in %q", env)
	}
	if err := unix.Kill(before.program(nameServer).PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, s, "down", func(health) bool { return s.Desktop() == nil })
	if down := s.Env(); !slices.Equal(down, env) {
		t.Errorf("while it is down programs get %q, want %q", down, env)
	}
	await(t, s, "ready again", isReady)
	display := func(e string) bool { return strings.HasPrefix(e, "DISPLAY=:") }
	again := s.Env() // outside a sandbox somebody else may have taken the number by now
	if !slices.ContainsFunc(again, display) || !slices.Equal(slices.DeleteFunc(again, display), slices.DeleteFunc(env, display)) {
		t.Errorf("after it was started again programs get %q, want %q", again, env)
	}
}

// TestStartStop hammers the life of a stack.
func TestStartStop(t *testing.T) {
	t.Parallel()
	s := begin(t)
	if err := s.Start(t.Context()); deskhand.CodeOf(err) != deskhand.Conflict {
		t.Errorf("starting twice: %v", err)
	}
	await(t, s, "ready", isReady)
	if s.Desktop() == nil {
		t.Error("no desktop when ready")
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			s.Stop()
			if s.Desktop() != nil {
				t.Error("a desktop after Stop")
			}
			for _, e := range s.Env() {
				if strings.HasPrefix(e, "DISPLAY=") {
					t.Error("a display after Stop")
				}
			}
		})
	}
	all.Wait()
	for range 5 {
		begin(t).Stop() // in the middle of starting
	}
	never, err := New(Config{Home: t.TempDir(), RuntimeDir: short(t)})
	if err != nil {
		t.Fatal(err)
	}
	never.Stop()
}
