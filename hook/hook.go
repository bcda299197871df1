// Package hook asks programs and endpoints of a person's own about what a task
// does: before a call, after it, when a person is asked, and at the end. A
// hook before a call can make the gate's verdict stricter and never milder.
// docs/hooks.md has the form of the file and of what is said both ways.
//
// It must never let a call pass because a hook could not be asked: what a hook
// before a call does not answer is a no, unless the file says that the hook is
// optional.
//
// Trust: the file is the person's own and is believed; it decides what runs.
// What a hook is told comes from a model that may have been misled: it reaches
// a command on its standard input only and an endpoint as a body only, never as
// an argument, a variable or an address. What a hook says is bounded, read
// strictly and made safe to show.
package hook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/plaintext"
	"github.com/deskhand/deskhand/sandbox"
)

// Point names when a hook is asked.
type Point string

// The points. Only an answer at BeforeCall changes anything.
const (
	BeforeCall Point = "before_call" // a call is allowed, or a person is to be asked about it
	AfterCall  Point = "after_call"  // a call has its result, also one that was refused
	Question   Point = "question"    // a person is asked
	End        Point = "end"         // nothing drives the task any more
)

var points = []Point{BeforeCall, AfterCall, Question, End}

// Config is what hooks need of their host.
type Config struct {
	// Place is where commands run: on this machine, outside every sandbox of a
	// task. Its environment is all that a command gets besides the variables
	// that its entry names. Default: a file with a command is refused.
	Place sandbox.Sandbox

	// Env returns a variable that an entry names. Default: there are none.
	Env func(name string) string

	// Failed hears of a hook that could not be asked, one sentence each. It may
	// be called concurrently. Default: nobody hears of it; a verdict says it anyway.
	Failed func(error)
}

// Hooks are those of one file. Methods may be called concurrently. A nil *Hooks
// has none.
type Hooks struct {
	config    Config
	hooks     []entry
	transport *http.Transport
	client    *http.Client
}

// entry is one hook.
type entry struct {
	name     string
	on       []Point
	tools    []string // patterns; none: every call
	command  []string
	env      []string
	url      string
	timeout  time.Duration
	optional bool
}

// Has reports whether any hook is asked at a point.
func (h *Hooks) Has(p Point) bool {
	return h != nil && slices.ContainsFunc(h.hooks, func(e entry) bool { return slices.Contains(e.on, p) })
}

// Close lets go of idle connections.
func (h *Hooks) Close() error {
	if h != nil {
		h.transport.CloseIdleConnections()
	}
	return nil
}

// weight orders outcomes; anything that is not in it denies.
var weight = map[deskhand.Outcome]int{deskhand.Allow: 1, deskhand.Ask: 2, deskhand.Deny: 3}

// Before returns the verdict on a call after every hook was asked that is to
// be, in the order of the file: v, or a stricter one with the hook as its rule.
// What is denied is not asked about. When ctx ends, it denies.
func (h *Hooks) Before(ctx context.Context, task deskhand.Task, call deskhand.Call, v deskhand.Verdict) deskhand.Verdict {
	if h == nil {
		return v
	}
	for _, e := range h.hooks {
		if v.Outcome != deskhand.Allow && v.Outcome != deskhand.Ask {
			return v
		}
		if !e.catches(BeforeCall, &call) {
			continue
		}
		m := moment(BeforeCall, task)
		m.Call, m.Verdict = callOf(call), &v
		said, err := h.ask(ctx, e, m)
		v = e.decide(v, said, h.failed(e, err), ctx.Err() != nil)
	}
	return v
}

// decide returns the stricter of a verdict and what the hook said.
func (e entry) decide(v deskhand.Verdict, said answer, err error, stopped bool) deskhand.Verdict {
	switch {
	case err != nil && e.optional && !stopped:
		v.Reason = joined(v.Reason, err.Error())
		return v
	case err != nil:
		return deskhand.Verdict{Outcome: deskhand.Deny, Rule: e.rule(), Reason: err.Error() + " Without its answer the call does not run."}
	case weight[said.decision] <= weight[v.Outcome]:
		return v
	}
	reason := fmt.Sprintf("The hook %q wants it so.", e.name)
	if said.reason != "" {
		reason = fmt.Sprintf("The hook %q says: %s", e.name, said.reason)
	}
	return deskhand.Verdict{Outcome: said.decision, Rule: e.rule(), Reason: reason}
}

func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + " " + b
}

func (e entry) rule() string { return "hook:" + e.name }

// After tells of a call's result.
func (h *Hooks) After(ctx context.Context, task deskhand.Task, call deskhand.Call, v deskhand.Verdict, r deskhand.Result) {
	m := moment(AfterCall, task)
	m.Call, m.Verdict, m.Result = callOf(call), &v, resultOf(r)
	h.tell(ctx, m, &call)
}

// Asked is a question to a person.
type Asked struct {
	About   string            `json:"about"` // "call", "stuck" or "budget"
	Text    string            `json:"text"`  // one sentence
	Call    *deskhand.Call    `json:"-"`     // with About "call"
	Verdict *deskhand.Verdict `json:"-"`     // likewise
}

// Question tells that a person is asked.
func (h *Hooks) Question(ctx context.Context, task deskhand.Task, q Asked) {
	m := moment(Question, task)
	m.Question, m.Verdict = &q, q.Verdict
	if q.Call != nil {
		m.Call = callOf(*q.Call)
	}
	h.tell(ctx, m, q.Call)
}

// Ended is how a task stands that nothing drives any more.
type Ended struct {
	Status deskhand.Status `json:"status"` // done, failed or stopped
	Reason string          `json:"reason,omitempty"`
	Result string          `json:"result,omitempty"`
	Events int64           `json:"events"` // number of the journal's last event
	Head   deskhand.Hash   `json:"head"`   // its hash, to be kept elsewhere
}

// End tells that a task has ended.
func (h *Hooks) End(ctx context.Context, task deskhand.Task, how Ended) {
	m := moment(End, task)
	m.End = &how
	h.tell(ctx, m, nil)
}

// tell asks every hook of the moment's point whose answer changes nothing.
func (h *Hooks) tell(ctx context.Context, m Moment, call *deskhand.Call) {
	if h == nil {
		return
	}
	for _, e := range h.hooks {
		if e.catches(m.Point, call) {
			_, err := h.ask(ctx, e, m)
			_ = h.failed(e, err)
		}
	}
}

// failed words why a hook could not be asked, and says it.
func (h *Hooks) failed(e entry, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("The hook %q could not be asked: %w.", e.name, err) //nolint:staticcheck,revive // a sentence for a person
	if h.config.Failed != nil {
		h.config.Failed(err)
	}
	return err
}

// catches reports whether the hook is asked at a point about a call; nil is none.
func (e entry) catches(p Point, call *deskhand.Call) bool {
	if !slices.Contains(e.on, p) {
		return false
	}
	if len(e.tools) == 0 {
		return true
	}
	return call != nil && slices.ContainsFunc(e.tools, func(pattern string) bool {
		ok, _ := path.Match(pattern, toolName(*call)) // patterns were checked
		return ok
	})
}

// toolName is a call's tool as patterns name it.
func toolName(c deskhand.Call) string {
	if c.Toolset == "" {
		return c.Name
	}
	return c.Toolset + "." + c.Name
}

// answer is what a hook said. Without a decision it has nothing against it.
type answer struct {
	decision deskhand.Outcome
	reason   string
}

// errTimeout is why the context of a hook that took too long ended.
var errTimeout = errors.New("it did not answer in time")

// ask asks one hook. An error says why there is no answer, without a full stop.
func (h *Hooks) ask(ctx context.Context, e entry, m Moment) (answer, error) {
	body, err := m.encode()
	if err != nil {
		return answer{}, errors.New("what it is to be told cannot be written")
	}
	limited, cancel := context.WithTimeoutCause(ctx, e.timeout, errTimeout)
	defer cancel()
	var said answer
	if e.url != "" {
		said, err = h.request(limited, e, body)
	} else {
		said, err = h.run(limited, e, body)
	}
	switch {
	case err == nil: // it answered before the limit
	case ctx.Err() != nil:
		return answer{}, errors.New("the task was stopped")
	case errors.Is(context.Cause(limited), errTimeout):
		return answer{}, fmt.Errorf("it did not answer within %s", e.timeout)
	}
	said.reason = plaintext.Line(plaintext.Short(said.reason, maxReason))
	return said, err
}

// maxReason bounds a reason, in characters.
const maxReason = 500
