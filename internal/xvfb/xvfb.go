// Package xvfb starts and stops one X server in memory (Xvfb).
//
// Trust: a display is only as private as its cookie. Every server gets a fresh
// one, in a file only its owner can read, and the server listens on no network.
// Its abstract socket is seen by all who share the network namespace, so the
// cookie is the wall there.
package xvfb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/deskhand/deskhand"
)

// Named limits.
const (
	startLimit = 20 * time.Second // from exec to the number on -displayfd
	stopLimit  = 2 * time.Second  // from SIGTERM to SIGKILL
)

// Config says what display to make.
type Config struct {
	Size deskhand.Size // pixels; default 1280x800
	DPI  int           // dots an inch told to programs; default 96
	Dir  string        // private directory for Xauthority and xvfb.log; required by Start

	// GLX offers OpenGL. It costs 20 ms at the start, for Mesa's software
	// renderer. Default off: mutter and browsers render without it.
	GLX bool

	Stderr io.Writer // the server's messages; default the file xvfb.log in Dir
}

func (c Config) withDefaults() Config {
	if c.Size == (deskhand.Size{}) {
		c.Size = deskhand.Size{W: 1280, H: 800}
	}
	if c.DPI == 0 {
		c.DPI = 96
	}
	return c
}

// Arguments returns the arguments for Xvfb (without the program's name): the
// display number, with a newline, is written to the file descriptor displayFD
// when the server is ready, and clients need the cookie in authority.
func Arguments(c Config, displayFD int, authority string) []string {
	c = c.withDefaults()
	args := []string{
		"-displayfd", strconv.Itoa(displayFD),
		"-screen", "0", c.Size.String() + "x24",
		"-dpi", strconv.Itoa(c.DPI),
		"-auth", authority,
		// The abstract socket stays: binding it is what makes -displayfd choose a
		// number nobody has. Without it two servers take the same file socket.
		"-nolisten", "tcp",
		"-noreset",
		"-s", "0", "-dpms", // no screen saver: a blank picture after ten minutes helps nobody
		"+extension", "MIT-SHM", "+extension", "XTEST", "+extension", "DAMAGE", "+extension", "XFIXES",
		"+extension", "RANDR", "+extension", "COMPOSITE", "+extension", "RENDER",
	}
	if !c.GLX {
		args = append(args, "-extension", "GLX")
	}
	return args
}

// Server is a running Xvfb. Its methods may be called concurrently.
type Server struct {
	Display   string // ":N"
	Authority string // path of the Xauthority file
	PID       int

	cmd  *exec.Cmd
	done chan struct{}
	stop sync.Once
}

// Start starts a server on a free display and returns when it accepts clients.
// ctx bounds the start, not the server's life; Stop ends that. Codes: Invalid
// (the size), NotFound (no Xvfb), Unavailable (it did not come up), Canceled.
func Start(ctx context.Context, c Config) (*Server, error) {
	const op = "xvfb: start"
	c = c.withDefaults()
	if _, err := deskhand.ParseSize(c.Size.String()); err != nil {
		return nil, deskhand.E(op, "", err)
	}
	path, err := exec.LookPath("Xvfb")
	if err != nil {
		return nil, deskhand.Errorf(op, deskhand.NotFound, "Xvfb is not installed; install the package xvfb")
	}
	s := &Server{Authority: filepath.Join(c.Dir, "Xauthority"), done: make(chan struct{})}
	if err := WriteAuthority(s.Authority); err != nil {
		return nil, deskhand.E(op, deskhand.Internal, err)
	}
	ready, err := s.launch(path, c)
	if err != nil {
		return nil, deskhand.E(op, deskhand.Internal, err)
	}
	defer ready.Close()
	if s.Display, err = awaitDisplay(ctx, ready); err != nil {
		s.Stop()
		code := deskhand.Unavailable
		if ctx.Err() != nil {
			code = deskhand.Canceled
		}
		return nil, deskhand.Errorf(op, code, "Xvfb did not become ready (%w)%s", err, lastWords(c))
	}
	return s, nil
}

// launch runs the program and returns the reading end of its -displayfd.
func (s *Server) launch(path string, c Config) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	const displayFD = 3 // the first of ExtraFiles
	s.cmd = exec.Command(path, Arguments(c, displayFD, s.Authority)...)
	s.cmd.ExtraFiles = []*os.File{w}
	s.cmd.Stderr = c.Stderr
	s.cmd.WaitDelay = stopLimit // xkbcomp may outlive the server with the same stderr
	if c.Stderr == nil {
		log, err := os.OpenFile(logPath(c), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			r.Close()
			return nil, err
		}
		defer log.Close()
		s.cmd.Stderr = log
	}
	if err := s.cmd.Start(); err != nil {
		r.Close()
		return nil, err
	}
	s.PID = s.cmd.Process.Pid
	go func() {
		defer close(s.done)
		_ = s.cmd.Wait() // how it ended is in its log; that it ended is what Done says
	}()
	return r, nil
}

// awaitDisplay reads the display number that the server writes when it is
// ready. A server that dies closes the pipe, so this never waits for a corpse.
func awaitDisplay(ctx context.Context, ready *os.File) (string, error) {
	if err := ready.SetReadDeadline(time.Now().Add(startLimit)); err != nil {
		return "", err
	}
	defer context.AfterFunc(ctx, func() { _ = ready.SetReadDeadline(time.Unix(1, 0)) })()
	var text []byte
	buf := make([]byte, 16)
	for !strings.HasSuffix(string(text), "\n") {
		n, err := ready.Read(buf)
		text = append(text, buf[:n]...)
		switch {
		case ctx.Err() != nil:
			return "", ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded):
			return "", fmt.Errorf("no display number within %s", startLimit)
		case errors.Is(err, io.EOF):
			return "", errors.New("it ended at once")
		case err != nil:
			return "", err
		case len(text) > len(buf):
			return "", errors.New("it wrote something that is no display number")
		}
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n < 0 {
		return "", fmt.Errorf("it wrote %q for a display number", text)
	}
	return ":" + strconv.Itoa(n), nil
}

// Done is closed when the server has ended, whoever ended it.
func (s *Server) Done() <-chan struct{} { return s.done }

// Stop ends the server and returns when it is gone. It may be called twice.
func (s *Server) Stop() {
	s.stop.Do(func() {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails only when it is gone already
		limit := time.NewTimer(stopLimit)
		defer limit.Stop()
		select {
		case <-s.done:
		case <-limit.C:
			_ = s.cmd.Process.Kill()
		}
	})
	<-s.done
}

func logPath(c Config) string { return filepath.Join(c.Dir, "xvfb.log") }

// lastWords returns the last line of the server's log, to go into an error.
func lastWords(c Config) string {
	if c.Stderr != nil {
		return ""
	}
	raw, err := os.ReadFile(logPath(c))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	last := strings.ToValidUTF8(lines[len(lines)-1], "?")
	if last == "" {
		return ""
	}
	return ": " + last[:min(len(last), 200)]
}
