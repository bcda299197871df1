package host

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/procfs"
	"github.com/deskhand/deskhand/sandbox"
)

// statusFD is where a keeper finds the pipe on which it reports.
const statusFD = 3

// report is one line of a keeper: first how the start went, then how the
// program ended.
type report struct {
	PID   int           `json:"pid,omitempty"`
	Start uint64        `json:"start,omitempty"`
	Errno syscall.Errno `json:"errno,omitempty"`
	Exit  *sandbox.Exit `json:"exit,omitempty"`
}

// startKept starts the keeper and waits until it has started the program.
func (p *Process) startKept(ctx context.Context, c *exec.Cmd, l launch) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	c.Path = l.keeper[0]
	c.Args = append(append([]string{}, l.keeper...), append([]string{l.path}, l.args...)...)
	c.ExtraFiles = []*os.File{w}
	err = c.Start()
	if err := errors.Join(err, w.Close()); err != nil {
		return errors.Join(err, r.Close())
	}
	p.keeper = c.Process.Pid
	stop := context.AfterFunc(ctx, func() { _ = c.Process.Kill() })
	lines := json.NewDecoder(r)
	var first report
	err = lines.Decode(&first)
	if !stop() || err != nil || first.Errno != 0 {
		_ = c.Process.Kill()
		_ = c.Wait()
		switch {
		case ctx.Err() != nil:
			err = ctx.Err()
		case err == nil:
			err = first.Errno
		default: // a program that kills everything it can may be that fast
			err = deskhand.Errorf(opExec, deskhand.Unavailable, "the program's keeper was killed while it started the program")
		}
		return errors.Join(err, r.Close())
	}
	p.pid, p.start = first.PID, first.Start
	p.background.Go(func() {
		p.exit = sandbox.Exit{Status: 128 + int(syscall.SIGKILL), Signal: syscall.SIGKILL} // if somebody killed the keeper
		var last report
		if lines.Decode(&last) == nil && last.Exit != nil {
			p.exit = *last.Exit
		}
		close(p.exited)
		_ = r.Close()
		_ = c.Wait()
		close(p.gone)
	})
	return nil
}

// Keep is the keeper: a program that starts args[0] with the arguments
// args[1:] (the first is the name it is called by), reports on descriptor 3,
// and stays until every descendant has ended, as the parent of all orphans.
// It returns its exit status.
func Keep(args []string) int {
	if len(args) < 2 {
		return 2
	}
	// Not Ignore, which the program would inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	unix.CloseOnExec(statusFD)
	status := json.NewEncoder(os.NewFile(statusFD, "status"))
	errno := func(err error) int {
		var e syscall.Errno
		if !errors.As(err, &e) {
			e = syscall.EIO
		}
		_ = status.Encode(report{Errno: e})
		return 1
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return errno(err)
	}
	// When memory runs out the kernel is to end what a call started, not the
	// display or whoever looks after them.
	if err := oomScore(firstToGo); err != nil {
		return errno(err)
	}
	pid, err := syscall.ForkExec(args[0], args[1:], &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return errno(err)
	}
	if err := errors.Join(letGo(), oomScore(asOthers)); err != nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		return errno(err)
	}
	now, err := procfs.Read(pid)
	if err != nil {
		return errno(err)
	}
	_ = status.Encode(report{PID: pid, Start: now.Start})
	for {
		var s syscall.WaitStatus
		switch ended, err := syscall.Wait4(-1, &s, 0, nil); {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 0
		case ended == pid:
			exit := exitOf(s)
			_ = status.Encode(report{Exit: &exit})
		}
	}
}

// Values of oom_score_adj: what is added to a process's share of memory, in
// thousandths, when one has to be ended.
const (
	firstToGo = "500"
	asOthers  = "0"
)

// oomScore says how soon this process, and what it starts, is ended when memory
// runs out.
func oomScore(adjust string) error {
	return os.WriteFile("/proc/self/oom_score_adj", []byte(adjust), 0)
}

// letGo gives up the program's input and output, whose ends would otherwise
// never be seen.
func letGo() error {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	for fd := range 3 {
		err = errors.Join(err, unix.Dup3(null, fd, 0))
	}
	return errors.Join(err, unix.Close(null))
}
