package host_test

import (
	"os"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand/sandbox/host"
	"github.com/deskhand/deskhand/sandbox/sandboxtest"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "keep" {
		// Not os.Exit, which waits for a second under the race detector.
		syscall.Exit(host.Keep(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

func TestSandbox(t *testing.T) { // not parallel: it counts descriptors
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	sandboxtest.Run(t, func(t *testing.T) sandboxtest.Place {
		return sandboxtest.Place{Sandbox: host.New(host.Config{Keeper: []string{exe, "keep"}}), Dir: t.TempDir()}
	})
}
