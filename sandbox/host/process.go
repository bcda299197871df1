package host

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/procfs"
	"github.com/deskhand/deskhand/sandbox"
)

// killLimit bounds how long Kill waits for what it killed. Only a program
// stuck in the kernel takes that long.
const killLimit = 10 * time.Second

// Process is a running program. It implements sandbox.Process.
//
// Kill with a keeper ends every descendant, also those that left the group and
// the session and lost their parents: orphans fall to the keeper. A program
// that kills its own keeper is then found by session and group only. Kill
// without a keeper finds descendants by descent, session and group; one that
// left all three (a second fork, setsid, and the first fork's parent gone)
// escapes until whoever built the walls ends everything.
type Process struct {
	pid    int    // of the program; it leads its group and session
	start  uint64 // with pid it names the program
	keeper int    // pid, 0 without

	stdin          *os.File
	stdout, stderr *output

	exited chan struct{} // closed when exit is set
	exit   sandbox.Exit
	gone   chan struct{} // closed when the program, and with a keeper all its descendants, are gone

	background sync.WaitGroup
	ending     sync.Mutex // one Kill at a time
}

var _ sandbox.Process = (*Process)(nil)

// Stdin is the program's input.
func (p *Process) Stdin() io.WriteCloser { return p.stdin }

// Stdout is the program's output.
func (p *Process) Stdout() io.Reader { return p.stdout }

// Stderr is the program's error output.
func (p *Process) Stderr() io.Reader { return p.stderr }

// PID is the number of the program.
func (p *Process) PID() int { return p.pid }

// Gone is closed when the program has ended and, with a keeper, none of its
// descendants is left.
func (p *Process) Gone() <-chan struct{} { return p.gone }

// Exited is closed when the program itself has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Wait returns when the program has ended.
func (p *Process) Wait() (sandbox.Exit, error) {
	<-p.exited
	return p.exit, nil
}

// Signal sends sig to the process group. Nothing happens when it is empty.
func (p *Process) Signal(sig syscall.Signal) error {
	if now, err := procfs.Read(p.pid); err == nil && now.Start != p.start {
		return nil // the number names somebody else now
	}
	if err := syscall.Kill(-p.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return deskhand.Errorf("sandbox: signal", deskhand.Internal, "%w", err)
	}
	return nil
}

// Kill ends the group, the session and every descendant, and waits for it.
func (p *Process) Kill() error {
	p.ending.Lock()
	defer p.ending.Unlock()
	switch ended, err := procfs.EndAll(p.members, time.Now().Add(killLimit)); {
	case err != nil:
		return deskhand.Errorf("sandbox: kill", deskhand.Internal, "the table of processes cannot be read: %w", err)
	case !ended:
		return deskhand.Errorf("sandbox: kill", deskhand.Unavailable, "the program's processes did not end within %s", killLimit)
	}
	select {
	case <-p.gone:
	case <-time.After(killLimit):
		return deskhand.Errorf("sandbox: kill", deskhand.Unavailable, "the ended program was not reaped within %s", killLimit)
	}
	p.background.Wait()
	return nil
}

// members returns what still runs of the program and its descendants.
func (p *Process) members() ([]procfs.Process, error) {
	all, err := procfs.List()
	if err != nil {
		return nil, err
	}
	roots := map[int]bool{}
	for _, one := range all {
		if one.PID == p.pid && one.Start != p.start {
			return kept(all, p.keeper), nil // the number was given away: group and session are empty
		}
		if one.PID == p.pid || one.Session == p.pid || one.Group == p.pid {
			roots[one.PID] = true
		}
	}
	found := running(all, roots)
	members := kept(all, p.keeper)
	for _, one := range members {
		delete(found, one.PID)
	}
	for _, one := range found {
		members = append(members, one)
	}
	return members, nil
}

// running returns, by number, what has not ended of the roots and below them.
func running(all []procfs.Process, roots map[int]bool) map[int]procfs.Process {
	found := map[int]procfs.Process{}
	for _, one := range all {
		if roots[one.PID] && !one.Ended() {
			found[one.PID] = one
		}
	}
	for root := range roots {
		for _, one := range procfs.Below(all, root) {
			if !one.Ended() {
				found[one.PID] = one
			}
		}
	}
	return found
}

// kept returns what runs below keeper.
func kept(all []procfs.Process, keeper int) []procfs.Process {
	if keeper == 0 {
		return nil
	}
	var running []procfs.Process
	for _, one := range procfs.Below(all, keeper) {
		if !one.Ended() {
			running = append(running, one)
		}
	}
	return running
}

// Close is Kill, and gives up input and output that was not read.
func (p *Process) Close() error { return errors.Join(p.Kill(), p.closePipes()) }

func (p *Process) closePipes() error {
	return errors.Join(ignoreClosed(p.stdin.Close()), p.stdout.close(), p.stderr.close())
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// output is the reading end of a pipe, closed at its end so that a program
// read to the end leaves no descriptor behind.
type output struct {
	f      *os.File
	once   sync.Once
	closed chan struct{}
}

func newOutput(f *os.File) *output { return &output{f: f, closed: make(chan struct{})} }

func (o *output) Read(p []byte) (int, error) {
	n, err := o.f.Read(p)
	if err == io.EOF || errors.Is(err, os.ErrClosed) {
		_ = o.close() // nothing was written that could be lost
		return n, io.EOF
	}
	return n, err
}

func (o *output) close() error {
	var err error
	o.once.Do(func() {
		err = ignoreClosed(o.f.Close())
		close(o.closed)
	})
	return err
}

// pipes are the three pipes of a program, with both ends.
type pipes struct{ in, out, err [2]*os.File }

func newPipes() (*pipes, error) {
	var p pipes
	for _, pair := range []*[2]*os.File{&p.in, &p.out, &p.err} {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, errors.Join(err, p.close(0), p.close(1))
		}
		pair[0], pair[1] = r, w
	}
	return &p, nil
}

// close closes the program's ends (0) or ours (1).
func (p *pipes) close(side int) error {
	var errs []error
	for i, pair := range []*[2]*os.File{&p.in, &p.out, &p.err} {
		f := pair[side]
		if i > 0 {
			f = pair[1-side]
		}
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// start starts l, through a keeper when it has one.
func start(ctx context.Context, l launch) (*Process, error) {
	io, err := newPipes()
	if err != nil {
		return nil, err
	}
	p := &Process{
		stdin: io.in[1], stdout: newOutput(io.out[0]), stderr: newOutput(io.err[0]),
		exited: make(chan struct{}), gone: make(chan struct{}),
	}
	c := &exec.Cmd{
		Path: l.path, Args: l.args, Dir: l.dir, Env: append([]string{}, l.env...),
		Stdin: io.in[0], Stdout: io.out[1], Stderr: io.err[1],
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if len(l.keeper) > 0 {
		err = p.startKept(ctx, c, l)
	} else {
		err = p.startPlain(c)
	}
	if err := errors.Join(err, io.close(0)); err != nil {
		return nil, errors.Join(err, p.closePipes())
	}
	return p, nil
}

func (p *Process) startPlain(c *exec.Cmd) error {
	if err := c.Start(); err != nil {
		return err
	}
	p.pid = c.Process.Pid
	if now, err := procfs.Read(p.pid); err == nil {
		p.start = now.Start
	}
	p.background.Go(func() {
		_ = c.Wait() // the status says it all
		p.exit = exitOf(c.ProcessState.Sys().(syscall.WaitStatus))
		close(p.exited)
		close(p.gone)
	})
	return nil
}

// exitOf turns a wait status into the project's form.
func exitOf(s syscall.WaitStatus) sandbox.Exit {
	if s.Signaled() {
		return sandbox.Exit{Status: 128 + int(s.Signal()), Signal: s.Signal()}
	}
	return sandbox.Exit{Status: s.ExitStatus()}
}
