package local_test

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/png"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/engine/local"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/model/claude"
	"github.com/deskhand/deskhand/model/script"
	"github.com/deskhand/deskhand/tool"
)

// TestOverTheWire plays a hostile conversation through the real client against
// the strict server: whatever the model does wrong, the server finds nothing
// wrong with what it gets back, and only what may run runs.
func TestOverTheWire(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("testdata/hostile.txtar")
	if err != nil {
		t.Fatal(err)
	}
	server, err := script.New(src, script.Options{Name: "hostile.txtar"})
	if err != nil {
		t.Fatal(err)
	}
	url, stop, err := server.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client, err := claude.New(claude.Config{BaseURL: url, APIKey: "sk-test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	info, err := model.Lookup(model.Default)
	if err != nil {
		t.Fatal(err)
	}
	st := openStore(t, t.TempDir())
	comp := new(shell)
	e, err := local.New(t.Context(), local.Config{
		Store: st, Computers: comp,
		Model: func(context.Context, deskhand.Task) (model.Model, func(deskhand.Usage) float64, error) {
			return client, info.Cost, nil
		},
		Retry: model.RetryConfig{Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	task, err := e.Start(t.Context(), deskhand.Task{Text: "do it <now>", Model: model.Default, Permission: "trust"})
	if err != nil {
		t.Fatal(err)
	}
	events, err := e.Watch(t.Context(), task.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	failed, replies, cost := 0, 0, 0.0
	for ev := range events {
		switch ev.Kind {
		case deskhand.KindModelFailed:
			failed++
		case deskhand.KindModelReplied:
			var d deskhand.ModelReplied
			if err := json.Unmarshal(ev.Data, &d); err != nil {
				t.Fatal(err)
			}
			replies++
			cost += byTheTable(d.Usage)
		}
	}
	got, err := st.Get(t.Context(), string(task.ID))
	if err != nil || got.Status != deskhand.Done || got.Result != "All done." || got.Usage.Output == 0 {
		t.Errorf("it ended as %+v, %v", got, err)
	}
	if replies < 3 || got.Usage.CacheRead == 0 || math.Abs(got.CostUSD-cost) > 1e-9 {
		t.Errorf("%d replies cost $%f, want $%f", replies, got.CostUSD, cost)
	}
	if p := server.Problems(); len(p) != 0 || server.Left() != 0 || failed != 2 {
		t.Errorf("the server complains of %q, has %d replies left; %d attempts failed", p, server.Left(), failed)
	}
	if want := []string{"left_click", "type", "bash", "bash", "key", "key"}; !slices.Equal(comp.ran, want) {
		t.Errorf("ran %q, want %q", comp.ran, want)
	}
	if err := st.Verify(t.Context(), task.ID); err != nil {
		t.Error(err)
	}
}

// byTheTable is what the published prices make of a reply of the default model,
// in US dollars: $2 for a million tokens of input, $10 for as many of output, a
// quarter more for what is written to the cache and a tenth for what is read.
func byTheTable(u deskhand.Usage) float64 {
	return (2*float64(u.Input) + 2*1.25*float64(u.CacheWrite) + 2*0.1*float64(u.CacheRead) + 10*float64(u.Output)) / 1e6
}

// shell is a computer whose tools remember what ran.
type shell struct {
	mu  sync.Mutex
	ran []string
}

func (s *shell) Up(context.Context, deskhand.Task) (engine.Computer, error) { return s, nil }
func (s *shell) Notices() []string                                          { return nil }
func (s *shell) Close() error                                               { return nil }

func (s *shell) Tools() *tool.Set {
	set, err := tool.NewSet(
		computerTool{s, tool.Spec{Name: "computer", Toolset: true, Entry: json.RawMessage(`{"type":"computer_toolset_20260801"}`), Halt: "Not executed: an earlier computer action in this turn failed."}},
		recorded{s, tool.Spec{Name: "bash", Entry: json.RawMessage(`{"type":"bash_20250124","name":"bash"}`)}},
	)
	if err != nil {
		panic(err) // unreachable: two names
	}
	return set
}

type recorded struct {
	s    *shell
	spec tool.Spec
}

func (r recorded) Spec() tool.Spec { return r.spec }

func (r recorded) Run(_ context.Context, c deskhand.Call) (deskhand.Result, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.s.ran = append(r.s.ran, c.Name)
	switch {
	case strings.Contains(string(c.Input), "Nope"):
		return deskhand.Failure("no such key"), nil
	case strings.Contains(string(c.Input), `"fail"`):
		return deskhand.Failure("exit status 1"), nil
	}
	return deskhand.Text("ok"), nil
}

type computerTool recorded

func (c computerTool) Spec() tool.Spec { return c.spec }

func (c computerTool) Run(ctx context.Context, call deskhand.Call) (deskhand.Result, error) {
	return recorded(c).Run(ctx, call)
}

// Observe shows a black screen.
func (c computerTool) Observe(context.Context) ([]deskhand.Content, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 64, 48))); err != nil {
		return nil, err
	}
	return []deskhand.Content{{Image: deskhand.NewImage("image/png", deskhand.Size{W: 64, H: 48}, b.Bytes())}}, nil
}
