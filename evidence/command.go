package evidence

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
)

const (
	commandLimit = 2 * time.Minute
	maxOutput    = 64 << 10 // bytes kept of what a program writes
)

// lookAtCommand runs a shell line, without any start-up file that may have been
// written inside.
func lookAtCommand(ctx context.Context, s *scene, want string) (found, error) {
	if s.place.Sandbox == nil {
		return found{}, unavailable("nothing can be run here")
	}
	out, exit, err := run(ctx, s.place.Sandbox, commandLimit, nil, "/bin/bash", "--noprofile", "--norc", "-c", want)
	if err != nil {
		return found{}, err
	}
	says := ""
	if len(out) > 0 {
		says = " It said " + quote(tail(string(out))) + "."
	}
	if exit.Status != 0 {
		return refuted("The command ended with status %d.%s", exit.Status, says)
	}
	return verified("The command ended with status 0.%s", says)
}

// tail returns the end of text, where programs say what went wrong.
func tail(text string) string {
	return text[max(0, len(text)-maxQuote):]
}

// run runs a program to its end and returns the end of what it wrote, at most
// maxOutput. When limit is over it is killed, with all that it started.
func run(ctx context.Context, sb sandbox.Sandbox, limit time.Duration, input []byte, args ...string) ([]byte, sandbox.Exit, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errors.New("it did not end within "+limit.String()))
	defer cancel()
	p, err := sb.Exec(ctx, sandbox.Cmd{Args: args})
	if err != nil {
		return nil, sandbox.Exit{}, err
	}
	var work sync.WaitGroup
	defer work.Wait()
	killed := make(chan error, 1)
	unhook := context.AfterFunc(ctx, func() { killed <- p.Kill() })
	work.Go(func() {
		_, _ = p.Stdin().Write(input) // a program that reads no further says so by its status
		_ = p.Stdin().Close()
	})
	var mu sync.Mutex
	var out []byte
	drain := func(r io.Reader) {
		buf := make([]byte, 4096)
		for {
			n, err := r.Read(buf)
			mu.Lock()
			out = append(out, buf[:n]...)
			out = out[max(0, len(out)-maxOutput):]
			mu.Unlock()
			if err != nil {
				return
			}
		}
	}
	var reading sync.WaitGroup
	reading.Go(func() { drain(p.Stdout()) })
	reading.Go(func() { drain(p.Stderr()) })
	reading.Wait()
	exit, err := p.Wait()
	if !unhook() {
		return nil, exit, errors.Join(deskhand.E("", deskhand.Unavailable, context.Cause(ctx)), <-killed)
	}
	return out, exit, err
}
