package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/deskhand/deskhand"
)

const (
	readyLimit = 10 * time.Second // for a program to become ready
	stopLimit  = 2 * time.Second  // for a program to end when asked; then it is killed
)

// process is a program of ours, leader of a process group.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when err is set
	err   error         // how it ended
}

func (p *process) pid() int              { return p.cmd.Process.Pid }
func (p *process) done() <-chan struct{} { return p.ended }

// stop asks the group to end, then ends it.
func (p *process) stop() {
	group := -p.pid()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		select {
		case <-p.ended:
			return
		default:
		}
		_ = syscall.Kill(group, sig)
		t := time.NewTimer(stopLimit)
		select {
		case <-p.ended:
		case <-t.C:
		}
		t.Stop()
	}
	<-p.ended
}

// program says how to start a process and how to see that it is ready.
type program struct {
	title string   // "the window manager"
	path  string   // empty when it is not installed
	args  []string // its name first
	env   []string
	dir   string
	log   *logFile
	files []*os.File // passed on as descriptors 3, 4, …; closed here after the start
	// ready returns when the program can be used. It gives up when ctx ends.
	ready func(ctx context.Context) error
}

// start starts p and returns when it is ready.
func (p program) start(ctx context.Context) (running, error) {
	r, err := p.launch()
	for _, f := range p.files {
		_ = f.Close()
	}
	if err != nil {
		return nil, err
	}
	if err := p.await(ctx, r); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

func (p program) launch() (*process, error) {
	if p.path == "" {
		return nil, deskhand.Errorf("", deskhand.NotFound, "%s is not installed", p.args[0])
	}
	p.log.begin()
	cmd := &exec.Cmd{Path: p.path, Args: p.args, Env: p.env, Dir: p.dir, ExtraFiles: p.files}
	cmd.Stdout, cmd.Stderr = p.log.input, p.log.input
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &process{cmd: cmd, ended: make(chan struct{})}
	go func() { // ends with the program, which stop waits for
		defer close(r.ended)
		r.err = cmd.Wait()
	}()
	return r, nil
}

// await returns when r is ready, has ended or takes too long.
func (p program) await(ctx context.Context, r *process) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	seen := make(chan error, 1)
	go func() { seen <- p.ready(ctx) }()
	var err error
	select {
	case err = <-seen:
	case <-r.ended:
		cancel()
		<-seen
		err = fmt.Errorf("%s ended while starting", p.title)
		if r.err != nil {
			err = fmt.Errorf("%s ended while starting (%w)", p.title, r.err)
		}
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%s did not become ready within %s", p.title, readyLimit)
	}
	if line := p.log.lastLine(); line != "" {
		err = fmt.Errorf("%w; its last words: %s", err, line)
	}
	return err
}
