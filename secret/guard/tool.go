package guard

import (
	"context"
	"io"
	"slices"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/secret"
	"github.com/deskhand/deskhand/tool"
)

// What a model is told of a call that does not run. Nothing in it depends on a
// secret.
const (
	carried = "The call carries the value of a secret, which must not leave. Nothing was done. Write {{secret:NAME}} in a text that is typed, or ask the person to enter it."
	notHere = "A secret can be filled in only by typing it, into a window that the person bound it to. Nothing was done. Ask the person to enter it."
	noSuch  = "This task has no secret of that name. Nothing was done."
	noPlace = "This secret is not bound to any window, so it cannot be typed. Nothing was done. Ask the person to enter it."
	pages   = "This secret is bound to a web page, and which page has the focus cannot be told on this desktop. Nothing was done. Ask the person to enter it."
)

// Filler is a tool that can fill secrets in.
type Filler interface {
	// Fills reports whether a reference in this call is replaced by the value,
	// and only where the secret may go.
	Fills(call deskhand.Call) bool
}

// Tool returns t behind a guard: a call whose input shows a secret's value is
// answered with a refusal and does not run, nor does one that refers to a secret
// unless t is a Filler and fills it in.
func Tool(t tool.Tool, s *secret.Set) tool.Tool {
	if len(s.Names()) == 0 {
		return t
	}
	g := guarded{t, s}
	o, sees := t.(tool.Observer)
	a, aims := t.(tool.Aimer)
	switch { // what t can do besides, the guarded tool can
	case sees && aims:
		return struct {
			guarded
			tool.Observer
			tool.Aimer
		}{g, o, a}
	case sees:
		return struct {
			guarded
			tool.Observer
		}{g, o}
	case aims:
		return struct {
			guarded
			tool.Aimer
		}{g, a}
	}
	return g
}

type guarded struct {
	tool.Tool
	secrets *secret.Set
}

// Run implements tool.Tool.
func (g guarded) Run(ctx context.Context, call deskhand.Call) (deskhand.Result, error) {
	if _, leaks := g.secrets.Leaks(call.Input); leaks {
		return deskhand.Failure(carried), nil
	}
	names, err := secret.Refers(call.Input)
	if err != nil {
		return deskhand.Result{}, err
	}
	known := g.secrets.Names()
	f, fills := g.Tool.(Filler)
	switch {
	case slices.ContainsFunc(names, func(n string) bool { return !slices.Contains(known, n) }):
		return deskhand.Failure(noSuch), nil
	case len(names) > 0 && !(fills && f.Fills(call)):
		return deskhand.Failure(notHere), nil
	}
	return g.Tool.Run(ctx, call)
}

// Close closes the tool, when it can be closed.
func (g guarded) Close() error {
	if c, ok := g.Tool.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Typing returns how a text with references is typed: as input for the desktop,
// which looks at the focus before it types any of it. Errors are in fixed words
// for a model.
func Typing(s *secret.Set) func(text string) ([]desktop.Action, error) {
	return func(text string) ([]desktop.Action, error) {
		parts, targets, err := s.Fill(text)
		if err != nil {
			return nil, err
		}
		var into []desktop.Place
		for _, t := range targets {
			if t.Program != "" {
				into = append(into, desktop.Place{Program: t.Program, Title: t.Title})
			}
		}
		switch {
		case targets == nil: // no secret
		case len(targets) == 0:
			return nil, deskhand.Errorf("", deskhand.Denied, noPlace)
		case len(into) == 0:
			return nil, deskhand.Errorf("", deskhand.Denied, pages)
		}
		var out []desktop.Action
		for _, p := range parts {
			out = append(out, desktop.Action{Kind: desktop.Type, Text: p.Text, Into: into, Covered: p.Secret})
		}
		return out, nil
	}
}
