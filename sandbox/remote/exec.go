package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"syscall"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/guestapi"
	"github.com/deskhand/deskhand/sandbox"
)

// Exec starts a program inside.
func (s *Sandbox) Exec(ctx context.Context, cmd sandbox.Cmd) (sandbox.Process, error) {
	const op = "sandbox: exec"
	body, err := json.Marshal(cmd)
	if err != nil {
		return nil, deskhand.E(op, deskhand.Invalid, err)
	}
	c, err := s.upgrade(ctx, op, http.MethodPost, guestapi.Exec, guestapi.ExecProtocol, body)
	if err != nil {
		return nil, err
	}
	p := &process{
		conn: c, out: guestapi.NewFrameWriter(c), credit: guestapi.NewCredit(),
		exited: make(chan struct{}), over: make(chan struct{}),
	}
	p.stdout = guestapi.NewQueue(func(n int) { _ = p.out.Grant(guestapi.FrameStdout, n) })
	p.stderr = guestapi.NewQueue(func(n int) { _ = p.out.Grant(guestapi.FrameStderr, n) })
	p.stdin.p = p
	s.mu.Lock()
	if err = s.cause; err == nil {
		s.stream.Go(p.receive)
	}
	s.mu.Unlock()
	if err != nil {
		_ = c.Close()
		return nil, deskhand.E(op, "", err)
	}
	return p, nil
}

// process is a program behind the guest and its stream.
type process struct {
	conn           *conn
	out            *guestapi.FrameWriter
	stdin          input
	stdout, stderr *guestapi.Queue
	credit         *guestapi.Credit // of stdin

	exited chan struct{} // closed when exit or lost is set
	exit   sandbox.Exit
	over   chan struct{} // closed when the stream ended: nothing is left of the program, or the guest is lost

	mu     sync.Mutex
	ended  bool         // exited is closed
	lost   error        // why the stream ended before the program did
	killed []chan error // Kills that wait for an answer, in order
}

func (p *process) Stdin() io.WriteCloser { return &p.stdin }
func (p *process) Stdout() io.Reader     { return p.stdout }
func (p *process) Stderr() io.Reader     { return p.stderr }

// receive takes frames until the stream ends.
func (p *process) receive() {
	var buf []byte
	err := error(nil)
	for err == nil {
		var t guestapi.FrameType
		var payload []byte
		if t, payload, err = guestapi.ReadFrame(p.conn.r, &buf); err == nil {
			err = p.take(t, payload)
		}
	}
	cause := p.conn.sandbox.Err()
	if cause == nil {
		cause = deskhand.Errorf("", deskhand.Unavailable, "the program's stream broke: %w", err)
	}
	_ = p.conn.Close()
	p.credit.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	end := io.EOF
	if !p.ended {
		p.lost, end = cause, cause
		p.ended = true
		close(p.exited)
	}
	p.stdout.End(end)
	p.stderr.End(end)
	for _, k := range p.killed {
		// A stream that ended after the exit ended because nothing was left.
		k <- p.lost
	}
	p.killed = nil
	close(p.over)
}

func (p *process) take(t guestapi.FrameType, payload []byte) error {
	switch t {
	case guestapi.FrameStdout:
		return push(p.stdout, payload)
	case guestapi.FrameStderr:
		return push(p.stderr, payload)
	case guestapi.FrameExit:
		return p.setExit(payload)
	case guestapi.FrameKilled:
		return p.setKilled(payload)
	case guestapi.FrameWindow:
		stream, n, err := guestapi.ParseWindow(payload)
		if err != nil || stream != guestapi.FrameStdin {
			return errors.Join(err, errors.New("a window for no stream"))
		}
		return p.credit.Give(n)
	}
	return fmt.Errorf("a frame of unknown type %d", t)
}

func push(q *guestapi.Queue, payload []byte) error {
	if len(payload) == 0 {
		q.End(io.EOF)
		return nil
	}
	return q.Push(payload)
}

func (p *process) setExit(payload []byte) error {
	var exit sandbox.Exit
	if err := json.Unmarshal(payload, &exit); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		p.exit, p.ended = exit, true
		close(p.exited)
	}
	return nil
}

func (p *process) setKilled(payload []byte) error {
	var answer error
	if len(payload) > 0 {
		var f guestapi.Failure
		if err := json.Unmarshal(payload, &f); err != nil {
			return err
		}
		f.Message = trim("sandbox: kill", f.Message)
		answer = deskhand.E("sandbox: kill", "", f.Err())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.killed) > 0 {
		p.killed[0] <- answer
		p.killed = p.killed[1:]
	}
	return nil
}

// Wait returns when the program has ended.
func (p *process) Wait() (sandbox.Exit, error) {
	<-p.exited
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost != nil {
		return sandbox.Exit{}, deskhand.E("sandbox: wait", "", p.lost)
	}
	return p.exit, nil
}

// Signal sends sig to the process group.
func (p *process) Signal(sig syscall.Signal) error {
	if sig < 0 || sig > 64 {
		return deskhand.Errorf("sandbox: signal", deskhand.Invalid, "there is no signal %d", int(sig))
	}
	return p.send("sandbox: signal", guestapi.FrameSignal, []byte{byte(sig)})
}

// Kill ends the program and its descendants.
func (p *process) Kill() error {
	answer := make(chan error, 1)
	p.mu.Lock()
	select {
	case <-p.over:
		defer p.mu.Unlock()
		return deskhand.E("sandbox: kill", "", p.lost)
	default:
	}
	p.killed = append(p.killed, answer)
	p.mu.Unlock()
	_ = p.out.Write(guestapi.FrameKill, nil) // when it cannot be sent the stream ends, which answers
	return <-answer
}

// send sends a frame. After the stream's orderly end there is nobody left to
// mind it.
func (p *process) send(op string, t guestapi.FrameType, payload []byte) error {
	err := p.out.Write(t, payload)
	if err == nil {
		return nil
	}
	<-p.over
	p.mu.Lock()
	defer p.mu.Unlock()
	return deskhand.E(op, "", p.lost)
}

// input is the program's standard input.
type input struct {
	p      *process
	mu     sync.Mutex
	closed bool
}

func (i *input) Write(data []byte) (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return 0, io.ErrClosedPipe
	}
	sent := 0
	for sent < len(data) {
		n := i.p.credit.Take(min(len(data)-sent, guestapi.MaxFrame/2))
		if n == 0 || i.p.out.Write(guestapi.FrameStdin, data[sent:sent+n]) != nil {
			return sent, io.ErrClosedPipe // the program's end is gone
		}
		sent += n
	}
	return sent, nil
}

func (i *input) Close() error {
	i.p.credit.Close() // a Write that waits for credit ends
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return nil
	}
	i.closed = true
	return i.p.send("sandbox: stdin", guestapi.FrameStdinEnd, nil)
}
