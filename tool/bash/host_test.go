package bash_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/deskhand/deskhand/sandbox"
)

// host is a sandbox without walls, with only what the tool needs of one.
type host struct{ sandbox.Sandbox }

type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    io.Reader
	err    io.Reader
	exited chan struct{}
}

func (host) Exec(_ context.Context, c sandbox.Cmd) (sandbox.Process, error) {
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Env = c.Dir, append(os.Environ(), c.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	inR, inW, _ := os.Pipe()
	outR, outW, _ := os.Pipe()
	errR, errW, _ := os.Pipe()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inR, outW, errW
	err := cmd.Start()
	for _, f := range []*os.File{inR, outW, errW} {
		_ = f.Close()
	}
	if err != nil {
		return nil, err
	}
	p := &process{cmd, inW, outR, errR, make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

func (p *process) Stdin() io.WriteCloser { return p.in }
func (p *process) Stdout() io.Reader     { return p.out }
func (p *process) Stderr() io.Reader     { return p.err }
func (p *process) Signal(sig syscall.Signal) error {
	return syscall.Kill(-p.cmd.Process.Pid, sig)
}

func (p *process) Wait() (sandbox.Exit, error) {
	<-p.exited
	return sandbox.Exit{Status: p.cmd.ProcessState.ExitCode()}, nil
}

// Kill ends the session of the program.
func (p *process) Kill() error {
	for left := true; left; {
		left = false
		stats, _ := filepath.Glob("/proc/[0-9]*/stat")
		for _, stat := range stats {
			raw, _ := os.ReadFile(stat)
			_, rest, _ := strings.Cut(string(raw), ") ")
			words := strings.Fields(rest)
			if len(words) > 3 && words[0] != "Z" && words[3] == strconv.Itoa(p.cmd.Process.Pid) {
				pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
				left = syscall.Kill(pid, syscall.SIGKILL) == nil || left
			}
		}
	}
	<-p.exited
	return nil
}

func home(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
