// Package computer is the computer tool: what a model may do with a mouse, a
// keyboard and a screen, over one desktop.Desktop.
//
// Two tables say it all. The actions (action.go) are what can be done, each
// once: how it becomes input, how it is acknowledged, what is said when it
// fails. A version (version.go) is a list of members: the name the model uses,
// the fields it may give, and the action behind it. A toolset's members are
// called by name; a single tool's are named in the input, as its action.
//
// Trust: names and input come from a model that may have been misled. Input is
// read strictly and in full before anything moves; a coordinate outside the
// screenshot is refused, never clamped. What comes back is fixed words, so that
// nothing of the runtime or of the screen leaks through an error's text.
package computer

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/plaintext"
	"github.com/deskhand/deskhand/tool"
)

// Config says how the tool shows itself to the model.
type Config struct {
	Version    string         // entry of the tools array; default "computer_toolset_20260801"
	Model      deskhand.Size  // of every screenshot, and the space of every coordinate; default the display's size, required by single tools
	Display    *int           // X display number that a single tool's entry names; default none
	ZoomBudget deskhand.Size  // largest picture of a zoom; default Model
	Disabled   []string       // members withheld; default none
	Format     desktop.Format // of pictures; default desktop.Auto
	Quality    int            // of JPEG, 1 to 100; default the driver's
	// Typing returns how a text is typed, when not as it is: with secrets in the
	// place of references. Its errors are told to the model. Default: as it is.
	Typing func(text string) ([]desktop.Action, error)
	Settle desktop.Wait // after an action and before a picture; default First 40ms, Quiet 40ms, Limit 1.5s
}

func (c Config) withDefaults() Config {
	if c.Version == "" {
		c.Version = toolset20260801
	}
	if c.Settle.First == 0 {
		c.Settle.First = 40 * time.Millisecond
	}
	if c.Settle.Quiet == 0 {
		c.Settle.Quiet = 40 * time.Millisecond
	}
	if c.Settle.Limit == 0 {
		c.Settle.Limit = 1500 * time.Millisecond
	}
	return c
}

const op = "computer tool"

// maxFailure is the longest text of an error result, in characters.
const maxFailure = 4096

// Computer is the tool. Calls are performed one at a time.
type Computer struct {
	desktop desktop.Desktop
	config  Config
	version version
	spec    tool.Spec

	mu      sync.Mutex
	scale   deskhand.Scale // zero until the display was first asked for its size
	frame   uint64         // content shown to the model last; 0 before the first picture
	since   uint64         // content after the last input, or of the first picture; 0 before either
	settled time.Time      // when the display was last seen to be still
}

// New returns the computer tool on d. It does not talk to d yet. Invalid: an
// unknown version, a member to disable that does not exist, nothing left, or a
// single tool without the size of its screenshots.
func New(d desktop.Desktop, c Config) (*Computer, error) {
	c = c.withDefaults()
	v, ok := named(c.Version)
	if !ok {
		return nil, deskhand.Errorf(op, deskhand.Invalid, "there is no version %q; the versions are %s", c.Version, strings.Join(Versions(), ", "))
	}
	for _, name := range c.Disabled {
		if _, ok := v.members[name]; !ok {
			return nil, deskhand.Errorf(op, deskhand.Invalid, "%s has no member %q to disable", c.Version, name)
		}
	}
	spec, err := v.spec(c)
	if err != nil {
		return nil, err
	}
	return &Computer{desktop: d, config: c, version: v, spec: spec}, nil
}

// Spec describes the tool.
func (c *Computer) Spec() tool.Spec { return c.spec }

// Run performs one call. It returns an error only when ctx ended or the
// desktop was told to stop.
func (c *Computer) Run(ctx context.Context, call deskhand.Call) (deskhand.Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, args, refusal := c.version.read(call, c.config.Disabled)
	if refusal != "" {
		return failure(refusal), nil
	}
	result, err := c.perform(ctx, m, args)
	if err == nil {
		return result, nil
	}
	return explain(ctx, m.action, args, err)
}

func (c *Computer) perform(ctx context.Context, m member, a args) (deskhand.Result, error) {
	if err := c.measure(ctx); err != nil {
		return deskhand.Result{}, err
	}
	act := actions[m.action]
	if act.special != nil {
		r, err := act.special(ctx, c, a)
		if act.looks && err == nil {
			r.Effect = deskhand.EffectLook
		}
		return r, err
	}
	input, err := act.input(c.scale, a)
	if err != nil {
		return deskhand.Result{}, err
	}
	if m.action == typeText && c.config.Typing != nil {
		return c.typeParts(ctx, a)
	}
	return c.apply(ctx, a.fill(act.done), input)
}

// apply has the desktop perform input and waits for what comes of it. Whether
// something was drawn since the last input is told to the runtime, so that what
// comes late counts too; that nothing was, only of clicks and drags: typing may
// rightly show nothing.
func (c *Computer) apply(ctx context.Context, done string, input ...desktop.Action) (deskhand.Result, error) {
	wait := c.config.Settle
	wait.Since = c.since
	if err := c.desktop.Input(ctx, input...); err != nil {
		return deskhand.Result{}, err
	}
	s := c.settle(ctx, wait)
	c.since = s.Frame
	r := deskhand.Text(done)
	switch {
	case wait.Since == 0 || s.Frame == 0: // it cannot be told
	case s.Changed:
		r.Effect = deskhand.EffectSome
	case input[0].Kind == desktop.Click || input[0].Kind == desktop.Drag:
		r.Effect = deskhand.EffectNone
	}
	return r, nil
}

// measure learns the size of the display, once.
func (c *Computer) measure(ctx context.Context) error {
	if c.scale.Screen != (deskhand.Size{}) {
		return nil
	}
	size, err := c.desktop.Size(ctx)
	if err != nil {
		return err
	}
	c.scale = deskhand.Scale{Model: c.config.Model, Screen: size}
	if c.scale.Model == (deskhand.Size{}) {
		c.scale.Model = size
	}
	return nil
}

// settle waits until the display is still, within bounds. The action before it
// was performed, whatever becomes of the wait; a display that is gone will say
// so at the next call, and nothing was seen of it.
func (c *Computer) settle(ctx context.Context, wait desktop.Wait) desktop.Settled {
	s, err := c.desktop.Settle(ctx, wait)
	c.settled = time.Time{}
	if err != nil {
		return desktop.Settled{}
	}
	if s.Quiet {
		c.settled = time.Now()
	}
	return s
}

func failure(text string) deskhand.Result {
	return deskhand.Failure(plaintext.Short(text, maxFailure))
}
