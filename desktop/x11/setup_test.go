package x11

import (
	"os/exec"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/xvfb"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// display starts a display of its own for one test.
func display(t testing.TB, size deskhand.Size) *xvfb.Server {
	t.Helper()
	s, err := xvfb.Start(t.Context(), xvfb.Config{Size: size, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// open connects a driver, which is closed before the display.
func open(t testing.TB, s *xvfb.Server) *Desktop {
	t.Helper()
	d, err := Open(t.Context(), Config{Display: s.Display, Authority: s.Authority})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// program starts a program on the display and ends it with the test.
func program(t testing.TB, s *xvfb.Server, name string, args ...string) *exec.Cmd {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is not installed", name)
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(cmd.Environ(), "DISPLAY="+s.Display, "XAUTHORITY="+s.Authority, "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "NO_AT_BRIDGE=1", "HOME="+t.TempDir(), "GSETTINGS_BACKEND=memory")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

var small = deskhand.Size{W: 640, H: 480}
