package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/excerpt"
	"github.com/deskhand/deskhand/internal/input"
	"github.com/deskhand/deskhand/sandbox"
)

const (
	maxAnswer = 64 << 10 // bytes of an answer
	maxStderr = 4 << 10  // bytes of what a command says on standard error
	exitBlock = 2        // the exit status of a command that says no
)

var errTooMuch = fmt.Errorf("it said more than %d kB", maxAnswer>>10)

// run asks a command. It and all that it started are gone when run returns.
func (h *Hooks) run(ctx context.Context, e entry, body []byte) (answer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p, err := h.config.Place.Exec(ctx, sandbox.Cmd{Args: e.command, Env: h.env(e)})
	if err != nil {
		return answer{}, startFailure(err)
	}
	var out []byte
	var tooMuch atomic.Bool
	read := func(r io.Reader) {
		out, _ = io.ReadAll(io.LimitReader(r, maxAnswer+1)) // what was read before an error is judged
		if len(out) > maxAnswer {
			tooMuch.Store(true)
			cancel()
			_, _ = io.Copy(io.Discard, r)
		}
	}
	errs := excerpt.New(maxStderr)
	exit, ended, err := sandbox.Attend(ctx, p, body, read, errs.Drain)
	switch {
	case err != nil:
		return answer{}, errors.New("its program could not be watched")
	case tooMuch.Load():
		return answer{}, errTooMuch
	case !ended:
		return answer{}, context.Cause(ctx)
	case exit.Status == exitBlock:
		return answer{deskhand.Deny, strings.TrimSpace(errs.Text())}, nil
	case exit.Signal != 0:
		return answer{}, fmt.Errorf("the signal %d ended its program", int(exit.Signal))
	case exit.Status != 0:
		return answer{}, fmt.Errorf("its program ended with status %d", exit.Status)
	}
	return parse(out)
}

// startFailures are what stood in the way of a program.
var startFailures = map[deskhand.Code]string{
	deskhand.NotFound:  "its program is not there",
	deskhand.Denied:    "its program may not be started",
	deskhand.OverLimit: "there is no room for another process",
}

func startFailure(err error) error {
	if text, known := startFailures[deskhand.CodeOf(err)]; known {
		return errors.New(text)
	}
	return errors.New("its program cannot be started")
}

// env returns the variables that an entry names and that are set.
func (h *Hooks) env(e entry) []string {
	var all []string
	for _, name := range e.env {
		if value := h.config.Env(name); value != "" {
			all = append(all, name+"="+value)
		}
	}
	return all
}

// errElsewhere is a redirect that is not followed: the person named one address.
var errElsewhere = errors.New("a redirect to elsewhere")

// request asks an endpoint.
func (h *Hooks) request(ctx context.Context, e entry, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return answer{}, errors.New("a request could not be composed")
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := h.client.Do(req)
	if err != nil { // its text holds the address
		if errors.Is(err, errElsewhere) {
			return answer{}, errors.New("its endpoint sends on to another place, which is not followed")
		}
		return answer{}, errors.New("its endpoint cannot be reached")
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return answer{}, errors.New("its endpoint broke off its answer")
	case len(said) > maxAnswer:
		return answer{}, errTooMuch
	case resp.StatusCode/100 != 2:
		return answer{}, fmt.Errorf("its endpoint answered with status %d", resp.StatusCode)
	}
	return parse(said)
}

// parse reads an answer. It is strict: a misspelt member must not turn a no into
// nothing.
func parse(raw []byte) (answer, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return answer{}, nil
	}
	o := input.Read(raw)
	if o.Broken() || !utf8.Valid(raw) {
		return answer{}, errors.New(`what it said is not an object of JSON such as {"decision": "deny", "reason": "…"}`)
	}
	decision, problem := input.String(o.Take("decision"))
	if weight[deskhand.Outcome(decision)] == 0 && problem == "" {
		problem = "expected allow, ask or deny"
	}
	if problem != "" {
		o.Refuse("decision", problem)
	}
	reason := ""
	if raw := o.Take("reason"); raw != nil {
		if reason, problem = input.String(raw); problem != "" {
			o.Refuse("reason", problem)
		}
	}
	if problem := o.Problem(); problem != "" {
		return answer{}, fmt.Errorf("what it said cannot be used (%s)", problem)
	}
	return answer{deskhand.Outcome(decision), reason}, nil
}
