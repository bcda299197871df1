// Package custom makes tools of a file: a command or an HTTP endpoint that a
// person describes, with the schema of its input. docs/tools.md has the form.
//
// Trust: the file is the person's own and is believed; it decides what runs,
// where, and with which secrets. The input comes from a model that may have been
// misled: it is checked against the schema before anything runs, reaches a
// command on its standard input only and an endpoint as query or body only, and
// never becomes a program, an argument, a host or a header. What comes back is
// hostile text: bounded, made safe to show, and rid of the secrets. Failures are
// told in fixed words, without an address, path or header.
package custom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/tool"
)

const op = "custom tools"

// Set is the tools of one file, checked and not yet made. It is immutable.
type Set struct{ entries []entry }

// entry is one tool of a file.
type entry struct {
	name, description string
	schema            json.RawMessage
	command           []string
	onHost            bool
	endpoint          *endpoint // nil: command
	timeout           time.Duration
	maxOutput         int // bytes
}

// Names returns the names of the tools in the order of the file.
func (s Set) Names() []string { return s.names(func(entry) bool { return true }) }

// OnHost returns the names of the commands that run without walls.
func (s Set) OnHost() []string { return s.names(func(e entry) bool { return e.onHost }) }

func (s Set) names(which func(entry) bool) []string {
	var names []string
	for _, e := range s.entries {
		if which(e) {
			names = append(names, e.name)
		}
	}
	return names
}

// Tools makes the tools. Commands run in inside, those that the file puts on
// the host in host; the tools close neither. Invalid: a command for the host,
// and there is none.
func (s Set) Tools(inside, host sandbox.Sandbox) ([]tool.Tool, error) {
	var made []tool.Tool
	for _, e := range s.entries {
		t, err := e.tool(inside, host)
		if err != nil {
			return nil, deskhand.E(op, "", err)
		}
		made = append(made, t)
	}
	return made, nil
}

func (e entry) tool(inside, host sandbox.Sandbox) (tool.Tool, error) {
	spec := tool.NewSpec{Name: e.name, Description: e.description}
	if e.endpoint != nil {
		transport := newTransport()
		client := &http.Client{Transport: transport, CheckRedirect: sameOrigin}
		t, err := tool.FromSchema(spec, e.schema, func(ctx context.Context, in json.RawMessage) (deskhand.Result, error) {
			return e.request(ctx, client, in)
		})
		return requesting{t, transport}, err
	}
	place := inside
	if e.onHost {
		place = host
	}
	if place == nil {
		return nil, deskhand.Errorf("", deskhand.Invalid, "%s: there is no place to run its command", e.name)
	}
	return tool.FromSchema(spec, e.schema, func(ctx context.Context, in json.RawMessage) (deskhand.Result, error) {
		return e.exec(ctx, place, in)
	})
}

// requesting is a tool that lets go of its connections at the end.
type requesting struct {
	tool.Tool
	transport *http.Transport
}

var _ io.Closer = requesting{}

// Close closes the idle connections.
func (r requesting) Close() error {
	r.transport.CloseIdleConnections()
	return nil
}

// late answers a call that took too long.
func (e entry) late() deskhand.Result {
	return deskhand.Failure(fmt.Sprintf("Error: %s did not finish within %s. It was stopped.", e.name, seconds(e.timeout)))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%g seconds", d.Seconds()) }

// errTimeout is why the context of a call that took too long ended.
var errTimeout = errors.New("the tool's time limit was reached")

// bounded returns ctx with the entry's time limit.
func (e entry) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, e.timeout, errTimeout)
}
