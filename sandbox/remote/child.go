package remote

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/overlay"
	"github.com/deskhand/deskhand/internal/procfs"
)

const (
	// endWait is how long a broken connection waits to learn that the program died.
	endWait = time.Second
	// killWait is how long killed processes may take to be gone.
	killWait = 10 * time.Second
	// tailSize is how much of standard error is kept to explain an end.
	tailSize = 8 << 10
)

// child is the program that Launch started: the walls with the guest inside.
type child struct {
	cmd   *exec.Cmd
	stdin *os.File // its end ends the guest
	tail  *tail
	done  chan struct{} // closed when the program has ended
	ended error         // how; read after done

	mu      sync.Mutex
	stopped bool
	inside  []procfs.Handle // the processes right below: the first one inside the walls
}

// startChild starts c.Argv with the listener, when there is one, as descriptor 3.
//
// The kernel ties "die with the parent" to the thread that started the child,
// not to the process, so that this thread is kept until the child has ended.
func startChild(c LaunchConfig, listener *os.File) (*child, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	ch := &child{stdin: w, tail: &tail{to: c.Log}, done: make(chan struct{})}
	ch.cmd = &exec.Cmd{
		Path: c.Argv[0], Args: c.Argv, Env: append([]string{}, c.Env...), Dir: "/",
		Stdin: r, Stderr: ch.tail, ExtraFiles: append([]*os.File{listener}, c.Files...), // without one, descriptor 3 is closed
		// A session of its own: Ctrl-C in a terminal is for this program, which
		// ends the sandbox in order.
		// SIGTERM is for a guest without walls, which then ends what it started;
		// walls ask the kernel for SIGKILL themselves.
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM},
		WaitDelay:   endWait,
	}
	if c.Mounts {
		overlay.Attributes(ch.cmd.SysProcAttr)
	}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := ch.cmd.Start()
		started <- err
		if err == nil {
			ch.ended = ch.cmd.Wait()
			if ch.ended == nil {
				ch.ended = errors.New("exit status 0")
			}
			close(ch.done)
		}
	}()
	err = <-started
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return ch, nil
}

// hold takes hold of the first process inside the walls, whose end is the end
// of everything inside.
func (ch *child) hold() error {
	all, err := procfs.List()
	if err != nil {
		return deskhand.Errorf("", deskhand.Internal, "the table of processes cannot be read: %w", err)
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	for _, p := range procfs.Below(all, ch.cmd.Process.Pid) {
		if p.Parent != ch.cmd.Process.Pid {
			continue
		}
		h, err := procfs.Open(p)
		if errors.Is(err, unix.ESRCH) {
			continue
		} else if err != nil {
			return deskhand.Errorf("", deskhand.Internal, "the sandbox's first process cannot be held: %w", err)
		}
		ch.inside = append(ch.inside, h)
	}
	return nil
}

// stop asks the guest to end, kills everything when it does not within limit,
// and returns when nothing is left.
func (ch *child) stop(limit time.Duration) error {
	ch.mu.Lock()
	again := ch.stopped
	ch.stopped = true
	ch.mu.Unlock()
	if again {
		<-ch.done
		return nil
	}
	_ = ch.stdin.Close()
	if !ch.wait(limit) {
		if err := ch.kill(); err != nil {
			return err
		}
	}
	// When the walls were killed by somebody else, what was inside is dying.
	ch.mu.Lock()
	defer ch.mu.Unlock()
	var errs []error
	for _, h := range ch.inside {
		_ = h.Signal(unix.SIGKILL)
		if !h.Wait(killWait) {
			errs = append(errs, deskhand.Errorf("sandbox: close", deskhand.Unavailable, "the sandbox's first process did not end within %s", killWait))
		}
		errs = append(errs, h.Close())
	}
	ch.inside = nil
	return errors.Join(errs...)
}

// kill stops the program, so that it starts nothing more, kills everything
// below it and then the program itself.
func (ch *child) kill() error {
	_ = ch.cmd.Process.Signal(syscall.SIGSTOP)
	ended, err := procfs.EndBelow(ch.cmd.Process.Pid, time.Now().Add(killWait))
	if err == nil && !ended {
		err = deskhand.Errorf("sandbox: close", deskhand.Unavailable, "processes of the sandbox did not end within %s of being killed", killWait)
	}
	_ = ch.cmd.Process.Kill()
	if !ch.wait(killWait) {
		err = errors.Join(err, deskhand.Errorf("sandbox: close", deskhand.Unavailable, "the sandbox did not end within %s of being killed", killWait))
	}
	return err
}

func (ch *child) wait(limit time.Duration) bool {
	select {
	case <-ch.done:
		return true
	case <-time.After(limit):
		return false
	}
}

// tail keeps the last bytes that were written, and passes all on.
type tail struct {
	mu  sync.Mutex
	buf []byte
	to  io.Writer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.to != nil {
		_, _ = t.to.Write(p) // a full disk under the log must not end the sandbox
	}
	t.buf = append(t.buf, p...)
	if len(t.buf) > tailSize {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-tailSize:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.buf))
}
