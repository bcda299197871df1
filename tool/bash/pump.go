package bash

import (
	"bufio"
	"context"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/excerpt"
	"github.com/deskhand/deskhand/sandbox"
)

// startLimit bounds the start of a program in the sandbox.
const startLimit = 10 * time.Second

// pump is a small program whose output pipes carry one command's output. The
// shell opens them through /proc, so that every command has pipes of its own:
// what a background program prints later stays in the pipes it was born with.
// When the command has ended, the pump writes the end markers behind all that
// was printed, and goes.
type pump struct {
	process  sandbox.Process
	pid      string
	out, err *excerpt.Excerpt
}

// pumpScript says the pump's number, waits for a marker, and writes it to both
// streams.
const pumpScript = `printf '%s\n' $$; IFS= read -r marker; printf %s "$marker"; printf %s "$marker" >&2`

func startPump(ctx context.Context, sb sandbox.Sandbox, limit int, readers *sync.WaitGroup) (*pump, error) {
	process, err := sb.Exec(ctx, sandbox.Cmd{Args: []string{"/bin/sh", "-c", pumpScript}})
	if err != nil {
		return nil, err
	}
	p := &pump{process: process, out: excerpt.New(limit), err: excerpt.New(limit)}
	pid := make(chan string, 1)
	readers.Go(func() {
		r := bufio.NewReader(process.Stdout())
		line, _ := r.ReadString('\n') // at its end: empty, which says it all
		pid <- strings.TrimSpace(line)
		p.out.Drain(r)
	})
	readers.Go(func() { p.err.Drain(process.Stderr()) })
	select {
	case p.pid = <-pid:
	case <-ctx.Done():
	case <-time.After(startLimit):
	}
	if !isNumber(p.pid) {
		_ = process.Kill() // the error below matters more
		return nil, deskhand.Errorf("bash: output", deskhand.OverLimit, "the program that carries a command's output did not start within %s", startLimit)
	}
	return p, nil
}

// spare is a pump that is being started for the next command, while the model
// thinks: it takes longer than the rest of a short command.
type spare struct {
	ready chan struct{} // closed when pump and err are set
	pump  *pump
	err   error
}

func (s *session) preparePump(limit int) {
	next := &spare{ready: make(chan struct{})}
	s.next = next
	s.readers.Go(func() {
		defer close(next.ready)
		next.pump, next.err = startPump(context.Background(), s.sandbox, limit, s.readers) // bounded by startLimit
	})
}

// takePump returns a pump for a command: the spare one, or a new one when that
// did not start or did not live.
func (s *session) takePump(ctx context.Context, limit int) (*pump, error) {
	if next := s.next; next != nil {
		select {
		case <-next.ready:
		case <-ctx.Done():
			return nil, deskhand.E("bash: output", deskhand.Canceled, context.Cause(ctx))
		}
		s.next = nil
		if next.err == nil && !closed(next.pump.out.Sealed()) && !closed(next.pump.err.Sealed()) {
			return next.pump, nil
		}
	}
	return startPump(ctx, s.sandbox, limit, s.readers)
}

// dropPump ends the spare pump.
func (s *session) dropPump() error {
	next := s.next
	s.next = nil
	if next == nil {
		return nil
	}
	<-next.ready
	if next.err != nil {
		return nil // it never was
	}
	return next.pump.process.Kill()
}

// finish marks the end of the streams and waits until all that was printed
// before it has been read.
func (p *pump) finish() error {
	marker := nonce()
	p.out.Expect(marker)
	p.err.Expect(marker)
	_, err := io.WriteString(p.process.Stdin(), marker+"\n")
	if err == nil {
		err = p.process.Stdin().Close()
	}
	limit := time.After(startLimit)
	for _, c := range []*excerpt.Excerpt{p.out, p.err} {
		select {
		case <-c.Sealed():
		case <-limit: // the pump was killed while others hold its pipes
			c.Seal()
		}
	}
	if err != nil {
		return p.process.Kill()
	}
	return nil
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
