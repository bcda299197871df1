package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/plaintext"
)

// app is one run of the program: parse, run, close. Everything it takes from
// the process it is given, so that tests drive the same wiring.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) string
	exit           func(status int) // ends the program at once

	args    grammar
	chosen  *kong.Context // nil when help was printed instead
	closers []func() error
}

func newApp(stdin io.Reader, stdout, stderr io.Writer, env func(string) string) *app {
	return &app{stdin: stdin, stdout: stdout, stderr: stderr, env: env, exit: os.Exit}
}

// main is the program: it returns the exit status and has printed what there is to say.
func (a *app) main(ctx context.Context, args []string) int {
	err := a.parse(args)
	if err == nil && a.chosen != nil {
		err = a.run(ctx)
	}
	err = errors.Join(err, a.close())
	if text := a.sentence(err); text != "" {
		fmt.Fprintln(a.stderr, "deskhand: "+text)
	}
	return exitStatus(err)
}

// parse reads the command line. After help was asked for and printed, a.chosen is nil.
func (a *app) parse(args []string) error {
	helped := false
	parser, err := kong.New(&a.args,
		kong.Name("deskhand"),
		kong.Description("deskhand lets Claude operate a computer: a task in plain words, done on a real desktop in a sandbox."),
		kong.Writers(a.stdout, a.stderr),
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Vars{"model": defaultModel(), "permissions": "ask,plan,auto,trust"},
		kong.Bind(a),
	)
	if err != nil {
		return deskhand.E("command line", deskhand.Internal, err)
	}
	if len(args) == 0 {
		return usage(`say what to do, for example: deskhand run "Save a picture of a cat". "deskhand --help" lists the rest`)
	}
	chosen, err := parser.Parse(args)
	if helped {
		return nil
	}
	if err != nil {
		return usage("%s. %q explains", strings.TrimRight(err.Error(), "."), strings.Join(append(helpFor(err), "--help"), " "))
	}
	a.chosen = chosen
	return nil
}

// helpFor returns the command whose help fits a mistake.
func helpFor(err error) []string {
	var wrong *kong.ParseError
	words := []string{"deskhand"}
	if errors.As(err, &wrong) && wrong.Context != nil {
		for _, part := range wrong.Context.Path {
			if part.Command != nil {
				words = append(words, part.Command.Name)
			}
		}
	}
	return words
}

func (a *app) run(ctx context.Context) error {
	a.chosen.BindTo(ctx, (*context.Context)(nil))
	return a.chosen.Run()
}

// onClose registers f to run at the end, last registered first.
func (a *app) onClose(f func() error) { a.closers = append(a.closers, f) }

func (a *app) close() error {
	var errs []error
	for _, f := range slices.Backward(a.closers) {
		errs = append(errs, f())
	}
	a.closers = nil
	return errors.Join(errs...)
}

// sentence returns what to print of err: one line, free of anything that could
// act on a terminal; empty when everything was said already.
func (a *app) sentence(err error) string {
	var said *outcome
	if err == nil || errors.As(err, &said) {
		return ""
	}
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "?") {
		text += "."
	}
	return plaintext.Line(text)
}

// say prints one line for a person on stderr.
func (a *app) say(format string, args ...any) {
	fmt.Fprintln(a.stderr, plaintext.Line(fmt.Sprintf(format, args...)))
}

// home returns the state directory, made when it is not there.
func (a *app) home() (string, error) {
	dir, err := a.homePath()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", usage("the state directory %s cannot be made (%s): point DESKHAND_HOME at a directory of your own", dir, cause(err))
	}
	return dir, nil
}

// homePath returns where the state directory is or would be.
func (a *app) homePath() (string, error) {
	dir := a.env("DESKHAND_HOME")
	if dir == "" {
		state := a.env("XDG_STATE_HOME")
		if !filepath.IsAbs(state) { // the XDG specification: a relative path is ignored
			user := a.env("HOME")
			if user == "" {
				return "", usage("there is no HOME: point DESKHAND_HOME at a directory of your own")
			}
			state = filepath.Join(user, ".local", "state")
		}
		dir = filepath.Join(state, "deskhand")
	}
	return filepath.Abs(dir)
}

// cause returns why a file operation failed, without repeating path and operation.
func cause(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
