package remote_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/procfs"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/remote"
	"github.com/deskhand/deskhand/sandbox/sandboxtest"
)

// bare launches the guest without walls.
func bare(t *testing.T) remote.LaunchConfig {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return remote.LaunchConfig{
		Argv: []string{exe, "guest"}, Env: []string{"PATH=/usr/bin:/bin", "HOME=" + t.TempDir()},
		Walls: sandbox.Walls{Driver: "none"}, StopLimit: 5 * time.Second,
	}
}

func TestLaunch(t *testing.T) { // not parallel: it counts descriptors
	sandboxtest.Run(t, func(t *testing.T) sandboxtest.Place {
		s, err := remote.Launch(t.Context(), bare(t))
		if err != nil {
			t.Fatal(err)
		}
		return sandboxtest.Place{Sandbox: s, Dir: t.TempDir()}
	})
}

// TestLaunchFails checks that a program which is no guest is named, and that
// nothing is left of it.
func TestLaunchFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		argv []string
		want string
	}{
		"says why":  {[]string{"/bin/sh", "-c", "echo 'no walls today' >&2; exit 3"}, `exit status 3): "no walls today"`},
		"silent":    {[]string{"/bin/true"}, "exit status 0"},
		"no file":   {[]string{"/no/such/file"}, "no such file"},
		"no answer": {[]string{"/bin/sh", "-c", "trap '' TERM; (setsid sleep 1000 &); while :; do sleep 0.1; done"}, "did not answer within 300ms"},
		"settings":  {[]string{os.Args[0], "guest"}, "settings"},
	} {
		config := bare(t)
		config.Argv, config.StartLimit, config.StopLimit = c.argv, 300*time.Millisecond, 100*time.Millisecond
		if name == "settings" {
			config.Guest, config.StartLimit = "not an object", 10*time.Second
		}
		s, err := remote.Launch(t.Context(), config)
		if s != nil || deskhand.CodeOf(err) != deskhand.Unavailable || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	config := bare(t)
	config.Argv = []string{"/bin/sleep", "1000"}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := remote.Launch(ctx, config); deskhand.CodeOf(err) != deskhand.Canceled {
		t.Errorf("ended context: %v", err)
	}
	config.Dir = "/no/such/dir"
	if _, err := remote.Launch(t.Context(), config); deskhand.CodeOf(err) != deskhand.Unavailable {
		t.Errorf("no directory: %v", err)
	}
}

// TestSocketHasNoPath checks that nothing is left in the directory of the
// socket, and that its path may be long.
func TestSocketHasNoPath(t *testing.T) {
	t.Parallel()
	config := bare(t)
	config.Dir = filepath.Join(t.TempDir(), strings.Repeat("long/", 40))
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := remote.Launch(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(config.Dir); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if _, err := s.Stat(t.Context(), "/"); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestHungGuest stops the guest: Close must end everything all the same.
func TestHungGuest(t *testing.T) {
	t.Parallel()
	config := bare(t)
	config.StopLimit = 100 * time.Millisecond
	s, err := remote.Launch(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	h, err := s.Health(t.Context(), 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Exec(t.Context(), sandbox.Cmd{Args: []string{"bash", "-c", "trap '' TERM; (setsid sleep 1000 &); echo $$; while :; do sleep 1; done"}})
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(p.Stdout(), &pid); err != nil {
		t.Fatal(err)
	}
	below, err := procfs.List()
	if err != nil {
		t.Fatal(err)
	}
	below = procfs.Below(below, h.PID)
	if len(below) < 3 { // keeper, bash, sleep
		t.Fatalf("below the guest: %+v", below)
	}
	if err := syscall.Kill(h.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	both.Wait()
	for _, one := range below {
		if now, err := procfs.Read(one.PID); err == nil && now.Start == one.Start && !now.Ended() {
			t.Errorf("left: %+v", now)
		}
	}
}

// TestHost is not a test: it is the host process that TestHostDies kills.
func TestHost(t *testing.T) {
	if os.Getenv("REMOTE_TEST_HOST") == "" {
		return
	}
	s, err := remote.Launch(context.Background(), bare(t))
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Exec(context.Background(), sandbox.Cmd{Args: []string{"bash", "-c", "(setsid sleep 1000 &); echo ready; sleep 1000"}})
	if err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(p.Stdout()).ReadString('\n')
	fmt.Print(line)
	select {}
}

// TestHostDies kills the host of a guest without walls: the guest must end
// what it started.
func TestHostDies(t *testing.T) {
	t.Parallel()
	host := exec.Command(os.Args[0], "-test.run=^TestHost$")
	host.Env = append(os.Environ(), "REMOTE_TEST_HOST=1")
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	all, err := procfs.List()
	if err != nil || line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	var handles []procfs.Handle
	for _, p := range procfs.Below(all, host.Process.Pid) {
		h, err := procfs.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		handles = append(handles, h)
	}
	if len(handles) < 4 { // guest, keeper, bash, sleep
		t.Fatalf("only %d processes below the host", len(handles))
	}
	_ = host.Process.Kill()
	_ = host.Wait()
	for _, h := range handles {
		if !h.Wait(10 * time.Second) {
			t.Error("a process outlives the host")
			_ = h.Signal(syscall.SIGKILL)
		}
		_ = h.Close()
	}
}

// TestWrongToken checks what a wrong token leads to.
func TestWrongToken(t *testing.T) {
	t.Parallel()
	s := serve(t, "right", "wrong")
	defer s.Sandbox.Close()
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"Stat": func() error { _, err := s.Stat(ctx, "/"); return err },
		"Exec": func() error { _, err := s.Exec(ctx, sandbox.Cmd{Args: []string{"true"}}); return err },
		"Dial": func() error { _, err := s.Dial(ctx, "tcp", "127.0.0.1:1"); return err },
	} {
		if err := call(); deskhand.CodeOf(err) != deskhand.Unauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHTTP checks the client that desktop/remote is given.
func TestHTTP(t *testing.T) {
	t.Parallel()
	s := serve(t, "right", "right")
	res, err := s.HTTP().Get("http://anything/v1/cursor")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	var f struct{ Code string }
	if json.Unmarshal(body, &f) != nil || f.Code != string(deskhand.Unavailable) {
		t.Errorf("got %s", body)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	_, err = s.HTTP().Get("http://anything/v1/cursor")
	var known *deskhand.Error
	if !errors.As(err, &known) || known.Code != deskhand.Unavailable || known.Error() != "the sandbox is closed" {
		t.Errorf("after Close: %v", err)
	}
}
