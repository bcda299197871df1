package bwrap_test

import (
	"os"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand/guest"
	"github.com/deskhand/deskhand/sandbox/bwrap"
	"github.com/deskhand/deskhand/sandbox/sandboxtest"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "guest" {
		// Not os.Exit, which waits for a second under the race detector.
		syscall.Exit(guest.Main(os.Args[2:], os.Stdin, os.Stderr, nil))
	}
	if len(os.Args) > 1 && os.Args[1] == probeArg {
		probeMain()
		syscall.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// start starts a sandbox that ends with the test.
func start(t testing.TB, c bwrap.Config) *bwrap.Sandbox {
	t.Helper()
	s, err := bwrap.Start(t.Context(), c)
	if err != nil {
		if problems := bwrap.Check(t.Context()); len(problems) > 0 {
			t.Skipf("MISSING WALL: %s (%s)", problems[0].What, problems[0].Mend)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func TestSandbox(t *testing.T) { // not parallel: it counts descriptors
	sandboxtest.Run(t, func(t *testing.T) sandboxtest.Place {
		return sandboxtest.Place{Sandbox: start(t, bwrap.Config{}), Dir: bwrap.Home}
	})
}
