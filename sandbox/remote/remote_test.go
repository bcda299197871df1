package remote_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand/guest"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/host"
	"github.com/deskhand/deskhand/sandbox/remote"
	"github.com/deskhand/deskhand/sandbox/sandboxtest"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "guest" {
		// Not os.Exit, which waits for a second under the race detector.
		syscall.Exit(guest.Main(os.Args[2:], os.Stdin, os.Stderr, nil))
	}
	goleak.VerifyTestMain(m)
}

// inProcess is a sandbox behind a guest in this process.
type inProcess struct {
	*remote.Sandbox
	stop func() error
}

// Close ends the guest too, so that nothing of it is left to find.
func (s inProcess) Close() error {
	if err := s.Sandbox.Close(); err != nil {
		return err
	}
	return s.stop()
}

func serve(t *testing.T, token, clientToken string) inProcess {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "guest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	var ended error
	go func() {
		defer close(done)
		ended = guest.Run(ctx, guest.Config{Token: token, Host: host.Config{Keeper: []string{exe, "guest", "keep"}}}, l)
	}()
	s := remote.New(remote.Config{
		Token: clientToken,
		Dial: func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
		Walls: sandbox.Walls{Driver: "test"},
	})
	stop := func() error { cancel(); <-done; return ended }
	t.Cleanup(func() { _ = stop() })
	return inProcess{s, stop}
}

func TestSandbox(t *testing.T) { // not parallel: it counts descriptors
	sandboxtest.Run(t, func(t *testing.T) sandboxtest.Place {
		return sandboxtest.Place{Sandbox: serve(t, "secret", "secret"), Dir: t.TempDir()}
	})
}
