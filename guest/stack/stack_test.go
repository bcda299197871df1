package stack

import (
	"context"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

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
