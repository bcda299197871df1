package guest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/guestapi"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/host"
)

// execLimit bounds the JSON of a command: the kernel's own limit on arguments
// and environment together is about as much.
const execLimit = 4 << 20

// exec starts a program and becomes its stream. The program lives as long as
// the stream: when the client goes away it is ended with all its descendants.
func (s *server) exec(w http.ResponseWriter, r *http.Request) error {
	if err := wantUpgrade(r, guestapi.ExecProtocol); err != nil {
		return err
	}
	var cmd sandbox.Cmd
	if err := decode(w, r, execLimit, &cmd); err != nil {
		return err
	}
	if s.config.Display != nil {
		cmd.Env = slices.Concat(s.config.Display.Env(), cmd.Env)
	}
	p, err := s.host.Start(r.Context(), cmd)
	if err != nil {
		return err
	}
	conn, br, release, err := s.upgrade(w, r, guestapi.ExecProtocol)
	if err != nil {
		s.end(p)
		return nil // the connection is gone
	}
	defer release()
	e := &execution{server: s, process: p, conn: conn, out: guestapi.NewFrameWriter(conn)}
	e.credit = map[guestapi.FrameType]*guestapi.Credit{guestapi.FrameStdout: guestapi.NewCredit(), guestapi.FrameStderr: guestapi.NewCredit()}
	e.stdin = guestapi.NewQueue(func(n int) { _ = e.out.Grant(guestapi.FrameStdin, n) })
	e.run(br)
	return nil
}

// end ends p whatever happens, and gives up what is left of its output.
func (s *server) end(p *host.Process) {
	if err := p.Close(); err != nil {
		s.log.Error("a program did not end", "err", err)
	}
}

// execution is one running program and its stream.
type execution struct {
	server  *server
	process *host.Process
	conn    net.Conn
	out     *guestapi.FrameWriter
	stdin   *guestapi.Queue
	credit  map[guestapi.FrameType]*guestapi.Credit
	kills   sync.WaitGroup
}

// run carries frames until the program and all its descendants are gone and
// read to the end, or the client is.
func (e *execution) run(br *bufio.Reader) {
	var pumps, input sync.WaitGroup
	input.Go(func() {
		_, _ = io.Copy(e.process.Stdin(), e.stdin)
		_ = e.process.Stdin().Close()
		e.stdin.Discard() // a program that stopped reading is not waited for
	})
	pumps.Go(func() { e.pump(guestapi.FrameStdout, e.process.Stdout()) })
	pumps.Go(func() { e.pump(guestapi.FrameStderr, e.process.Stderr()) })
	pumps.Go(func() {
		exit, _ := e.process.Wait()
		data, _ := json.Marshal(exit)
		_ = e.out.Write(guestapi.FrameExit, data)
		<-e.process.Gone()
	})
	finished := make(chan struct{})
	go func() {
		pumps.Wait()
		_ = e.conn.Close() // ends the receiver
		close(finished)
	}()
	e.receive(br)
	for _, c := range e.credit {
		c.Close()
	}
	e.stdin.End(io.EOF)
	e.server.end(e.process)
	<-finished
	input.Wait()
	e.kills.Wait()
}

// pump sends what r holds, as far as there is credit.
func (e *execution) pump(t guestapi.FrameType, r io.Reader) {
	buf := make([]byte, guestapi.MaxFrame/2)
	for {
		most := e.credit[t].Take(len(buf))
		if most == 0 {
			return // nobody reads it any more; end drains it
		}
		n, err := r.Read(buf[:most])
		if n > 0 && e.out.Write(t, buf[:n]) != nil {
			return
		}
		if n < most && e.credit[t].Give(most-n) != nil {
			return
		}
		if err != nil {
			_ = e.out.Write(t, nil)
			return
		}
	}
}

// receive obeys frames until the connection ends or breaks the protocol.
func (e *execution) receive(br *bufio.Reader) {
	var buf []byte
	for {
		t, p, err := guestapi.ReadFrame(br, &buf)
		if err != nil {
			return
		}
		if err := e.obey(t, p); err != nil {
			e.server.log.Warn("an exec stream broke the protocol", "err", err)
			return
		}
	}
}

var errFrame = errors.New("a frame that means nothing")

func (e *execution) obey(t guestapi.FrameType, p []byte) error {
	switch t {
	case guestapi.FrameStdin:
		return e.stdin.Push(p)
	case guestapi.FrameStdinEnd:
		e.stdin.End(io.EOF)
	case guestapi.FrameSignal:
		if len(p) != 1 {
			return errFrame
		}
		return e.process.Signal(syscall.Signal(p[0]))
	case guestapi.FrameKill:
		e.kills.Go(e.kill)
	case guestapi.FrameWindow:
		stream, n, err := guestapi.ParseWindow(p)
		if err != nil {
			return err
		}
		c, ok := e.credit[stream]
		if !ok {
			return errFrame
		}
		return c.Give(n)
	default:
		return errFrame
	}
	return nil
}

// kill ends the program and says so.
func (e *execution) kill() {
	var answer []byte
	if err := e.process.Kill(); err != nil {
		e.server.log.Error("a program did not end", "err", err)
		answer, _ = json.Marshal(guestapi.Failure{Code: string(deskhand.CodeOf(err)), Message: err.Error()})
	}
	_ = e.out.Write(guestapi.FrameKilled, answer)
}

// decode reads the body of r, all of it, so that the server notices when the
// client goes away.
func decode(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	data, err := body(w, r, limit)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return deskhand.Errorf("", deskhand.Invalid, "the body is not the JSON that is expected: %w", err)
	}
	return nil
}

func body(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, deskhand.Errorf("", deskhand.OverLimit, "the body is larger than %d bytes", limit)
	case errors.Is(err, context.Canceled):
		return nil, deskhand.E("", deskhand.Canceled, err)
	case err != nil:
		return nil, deskhand.Errorf("", deskhand.Invalid, "the body is cut short: %w", err)
	}
	return data, nil
}
