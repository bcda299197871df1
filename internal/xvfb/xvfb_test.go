package xvfb

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/xwire"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, c Config) *Server {
	t.Helper()
	c.Dir = t.TempDir()
	s, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func TestStartedServerNeedsItsCookie(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Size: deskhand.Size{W: 640, H: 480}})
	info, err := os.Stat(s.Authority)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("authority file: %v, %v", info.Mode(), err)
	}
	c, err := xwire.Dial(t.Context(), xwire.Config{Display: s.Display, Authority: s.Authority})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Setup.Width != 640 || c.Setup.Height != 480 || c.Setup.Depth != 24 {
		t.Errorf("screen is %dx%d, depth %d", c.Setup.Width, c.Setup.Height, c.Setup.Depth)
	}
	if c, err := xwire.Dial(t.Context(), xwire.Config{Display: s.Display}); err == nil {
		c.Close()
		t.Error("a client without the cookie was let in")
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := WriteAuthority(other); err != nil {
		t.Fatal(err)
	}
	if c, err := xwire.Dial(t.Context(), xwire.Config{Display: s.Display, Authority: other}); err == nil {
		c.Close()
		t.Error("a client with another cookie was let in")
	}
}

func TestStopEndsTheServerAndItsSocket(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	s.Stop()
	s.Stop()
	select {
	case <-s.Done():
	default:
		t.Error("Stop returned before the server was gone")
	}
	if _, err := os.Stat("/tmp/.X11-unix/X" + s.Display[1:]); err == nil {
		t.Error("the socket is still there")
	}
}

func TestKilledServerIsNoticed(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("Done was not closed")
	}
}

func TestStartFailsPlainly(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	cases := []struct {
		name string
		ctx  context.Context
		conf Config
		code deskhand.Code
	}{
		{"size", t.Context(), Config{Size: deskhand.Size{W: 99999, H: 1}, Dir: t.TempDir()}, deskhand.Invalid},
		{"canceled", gone, Config{Dir: t.TempDir()}, deskhand.Canceled},
		{"no directory", t.Context(), Config{Dir: "/nonexistent"}, deskhand.Internal},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, err := Start(c.ctx, c.conf)
			if err == nil {
				s.Stop()
			}
			if deskhand.CodeOf(err) != c.code {
				t.Errorf("%v has code %q, want %q", err, deskhand.CodeOf(err), c.code)
			}
		})
	}
}

func TestCookiesAreFresh(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a")
	seen := map[string]bool{}
	for range 3 {
		if err := WriteAuthority(path); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(raw), protocol) || seen[string(raw)] {
			t.Fatalf("entry %q", raw)
		}
		seen[string(raw)] = true
	}
}

func BenchmarkStart(b *testing.B) {
	for _, glx := range []bool{false, true} {
		b.Run(map[bool]string{false: "plain", true: "glx"}[glx], func(b *testing.B) {
			for b.Loop() {
				s, err := Start(b.Context(), Config{Dir: b.TempDir(), GLX: glx})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				s.Stop()
				b.StartTimer()
			}
		})
	}
}
