// Package enginetest is the suite that every engine passes, and the small
// world of fakes that it plays in: a model that is a function, computers that
// count what happens to them.
package enginetest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/agent"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/tool"
)

// World is what an engine under test is given.
type World struct {
	Model     model.Model
	ModelErr  error // of making the model
	Computers *Computers
	Gate      func(deskhand.Task) deskhand.Gate // nil: the engine's default
	Check     func(ctx context.Context, c engine.Computer, t deskhand.Task, ask agent.Ask) ([]deskhand.Checked, error)
	Keep      bool
	Dir       string // the state directory; "": a fresh one
}

// Model is a model that is a function.
type Model func(ctx context.Context, req model.Request, on func(model.Delta)) (model.Reply, error)

// Reply implements model.Model.
func (m Model) Reply(ctx context.Context, req model.Request, on func(model.Delta)) (model.Reply, error) {
	return m(ctx, req, on)
}

// Say returns a reply of one text that ends the turn.
func Say(text string) model.Reply {
	return replyOf("end_turn", map[string]any{"type": "text", "text": text})
}

// Ask returns a reply that calls plain tools by name, each with a fresh id.
func Ask(names ...string) model.Reply {
	var blocks []map[string]any
	for i, name := range names {
		blocks = append(blocks, map[string]any{"type": "tool_use", "id": fmt.Sprintf("toolu_%s_%d", deskhand.NewTaskID(), i), "name": name, "input": map[string]any{}})
	}
	return replyOf("tool_use", blocks...)
}

func replyOf(stop string, blocks ...map[string]any) model.Reply {
	raw, err := json.Marshal(blocks)
	if err != nil {
		panic(err) // unreachable: maps of strings
	}
	return model.Reply{Model: "fake", Content: raw, StopReason: stop, Usage: deskhand.Usage{Input: 10, Output: 1}}
}

// Turns returns a model that answers the nth request of each conversation with
// the nth reply.
func Turns(replies ...model.Reply) Model {
	return func(_ context.Context, req model.Request, on func(model.Delta)) (model.Reply, error) {
		n := 0
		for _, m := range req.Messages {
			if m.Role == model.Assistant {
				n++
			}
		}
		on(model.Delta{Text: "…"})
		return replies[n], nil
	}
}

// Computers makes fake computers and counts them.
type Computers struct {
	UpErr   error
	Notices []string // each computer's, told once
	Same    bool     // each computer says that it is the one before

	Stillborn bool          // each computer is gone as soon as it is up
	Gate      chan struct{} // what the tool gate waits for

	Open, Made, Acts atomic.Int64
}

// Up implements engine.Computers.
func (c *Computers) Up(ctx context.Context, _ deskhand.Task) (engine.Computer, error) {
	if err := cmp.Or(c.UpErr, ctx.Err()); err != nil {
		return nil, err
	}
	comp := &computer{world: c, notices: c.Notices, gone: make(chan struct{}), crashed: make(chan struct{})}
	set, err := tool.NewSet(
		fake{"act", func(context.Context) (deskhand.Result, error) {
			c.Acts.Add(1)
			return deskhand.Text("done"), nil
		}},
		fake{"hang", func(ctx context.Context) (deskhand.Result, error) {
			<-ctx.Done()
			return deskhand.Result{}, ctx.Err()
		}},
		// stuck heeds nothing but the end of its computer.
		fake{"stuck", func(context.Context) (deskhand.Result, error) {
			<-comp.gone
			return deskhand.Result{}, deskhand.Errorf("fake", deskhand.Unavailable, "the computer is gone")
		}},
		fake{"die", func(context.Context) (deskhand.Result, error) {
			return deskhand.Result{}, deskhand.Errorf("fake", deskhand.Unavailable, "the sandbox is gone")
		}},
		// crash ends its computer under its own feet.
		fake{"crash", func(context.Context) (deskhand.Result, error) {
			comp.crash()
			return deskhand.Result{}, deskhand.Errorf("fake", deskhand.Unavailable, "the sandbox is gone")
		}},
		fake{"gate", func(context.Context) (deskhand.Result, error) {
			<-c.Gate
			return deskhand.Text("done"), nil
		}},
		screen{},
		fake{"panic", func(context.Context) (deskhand.Result, error) { panic("a defect") }},
	)
	if err != nil {
		return nil, err
	}
	comp.tools = set
	c.Open.Add(1)
	c.Made.Add(1)
	if c.Stillborn {
		comp.crash()
	}
	return comp, nil
}

type computer struct {
	world *Computers
	tools *tool.Set
	gone  chan struct{}
	once  sync.Once

	crashed chan struct{}
	crash1  sync.Once

	mu      sync.Mutex
	notices []string
}

func (c *computer) Tools() *tool.Set { return c.tools }

func (c *computer) Notices() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.notices
	c.notices = nil
	return out
}

// Gone implements engine.Mortal.
func (c *computer) Gone() <-chan struct{} { return c.crashed }

// Survived implements engine.Survivor.
func (c *computer) Survived() bool { return c.world.Same }

func (c *computer) crash() { c.crash1.Do(func() { close(c.crashed) }) }

func (c *computer) Close() error {
	c.once.Do(func() {
		close(c.gone)
		c.world.Open.Add(-1)
	})
	return nil
}

// fake is a plain tool that is a function.
type fake struct {
	name string
	run  func(ctx context.Context) (deskhand.Result, error)
}

func (f fake) Spec() tool.Spec {
	return tool.Spec{Name: f.name, Entry: json.RawMessage(fmt.Sprintf(`{"name":%q}`, f.name))}
}

func (f fake) Run(ctx context.Context, _ deskhand.Call) (deskhand.Result, error) { return f.run(ctx) }

// picture is what a screen shows.
var picture = []byte("a picture")

// screen is a tool that can be looked at.
type screen struct{}

func (screen) Spec() tool.Spec {
	return tool.Spec{Name: "screen", Entry: json.RawMessage(`{"name":"screen"}`)}
}

func (screen) Run(context.Context, deskhand.Call) (deskhand.Result, error) {
	return deskhand.Text("ok"), nil
}

func (screen) Observe(context.Context) ([]deskhand.Content, error) {
	return []deskhand.Content{{Image: deskhand.NewImage("image/png", deskhand.Size{W: 1, H: 1}, picture)}}, nil
}
