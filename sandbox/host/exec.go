package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
)

const opExec = "sandbox: exec"

// Exec starts a program in a session and process group of its own.
func (s *Sandbox) Exec(ctx context.Context, cmd sandbox.Cmd) (sandbox.Process, error) {
	p, err := s.Start(ctx, cmd)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Start is Exec that returns the driver's own type.
func (s *Sandbox) Start(ctx context.Context, cmd sandbox.Cmd) (*Process, error) {
	if err := s.open(ctx, opExec); err != nil {
		return nil, err
	}
	ready, err := s.prepare(ctx, cmd)
	if err != nil {
		return nil, err
	}
	p, err := start(ctx, ready)
	if err != nil {
		return nil, fail(ctx, opExec, cmd.Args[0], err)
	}
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.processes[p] = true
		s.background.Go(func() { s.forget(p) })
	}
	s.mu.Unlock()
	if closed { // while it started: Close did not see it
		return nil, errors.Join(deskhand.Errorf(opExec, deskhand.Unavailable, "the sandbox is closed"), p.Close())
	}
	return p, nil
}

// forget drops p once it is gone and read to the end.
func (s *Sandbox) forget(p *Process) {
	<-p.gone
	_ = p.stdin.Close()
	<-p.stdout.closed
	<-p.stderr.closed
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.processes, p)
}

// launch is a Cmd in which everything is decided.
type launch struct {
	path   string
	args   []string
	dir    string
	env    []string
	keeper []string
}

// prepare finds the program and the directory, so that what is missing has a
// name before anything starts.
func (s *Sandbox) prepare(ctx context.Context, cmd sandbox.Cmd) (launch, error) {
	if len(cmd.Args) == 0 || cmd.Args[0] == "" {
		return launch{}, deskhand.Errorf(opExec, deskhand.Invalid, "there is no program to start")
	}
	for _, text := range slices.Concat(cmd.Args, cmd.Env, []string{cmd.Dir}) {
		if strings.ContainsRune(text, 0) {
			return launch{}, deskhand.Errorf(opExec, deskhand.Invalid, "an argument holds a NUL byte")
		}
	}
	l := launch{args: cmd.Args, dir: cmd.Dir, keeper: s.config.Keeper}
	if l.dir == "" {
		l.dir = s.config.Home
	}
	if !filepath.IsAbs(l.dir) {
		return launch{}, deskhand.Errorf(opExec, deskhand.Invalid, "the directory %q is not absolute", l.dir)
	}
	if info, err := os.Stat(l.dir); err != nil {
		return launch{}, fail(ctx, opExec, l.dir, err)
	} else if !info.IsDir() {
		return launch{}, deskhand.Errorf(opExec, deskhand.NotFound, "%q is not a directory", l.dir)
	}
	l.env = merge(s.config.Env, cmd.Env)
	var err error
	if l.path, err = find(cmd.Args[0], l.dir, lookup(l.env, "PATH")); err != nil {
		return launch{}, fail(ctx, opExec, cmd.Args[0], err)
	}
	return l, nil
}

// find returns the path of program as a program that stands in dir with this
// PATH would find it.
func find(program, dir, path string) (string, error) {
	if strings.Contains(program, "/") {
		if !filepath.IsAbs(program) {
			program = filepath.Join(dir, program)
		}
		return program, executable(program)
	}
	err := error(syscall.ENOENT)
	for _, d := range filepath.SplitList(path) {
		if !filepath.IsAbs(d) {
			continue // a relative entry would run what somebody left lying about
		}
		switch e := executable(filepath.Join(d, program)); {
		case e == nil:
			return filepath.Join(d, program), nil
		case errors.Is(e, os.ErrPermission):
			err = e
		}
	}
	return "", err
}

func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
		return syscall.EACCES
	}
	return nil
}

// merge returns base with more added; the last of a name counts.
func merge(base, more []string) []string {
	last := map[string]int{}
	all := slices.Concat(base, more)
	for i, e := range all {
		name, _, _ := strings.Cut(e, "=")
		last[name] = i
	}
	var merged []string
	for i, e := range all {
		if name, _, ok := strings.Cut(e, "="); ok && last[name] == i {
			merged = append(merged, e)
		}
	}
	return merged
}
