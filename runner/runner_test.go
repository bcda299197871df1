package runner_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/agent"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/desktop/fake"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/model/claude"
	"github.com/deskhand/deskhand/model/script"
	"github.com/deskhand/deskhand/runner"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const written = `
-- model --
get_weather {"location": "San Francisco, CA"}

-- expect --
contains "15 degrees in San Francisco, CA"
-- model --
type {"text": "15 degrees\n"}

-- expect --
no error
-- model --
It is written.
`

// plays serves a script and returns a client of it.
func plays(text string) (m model.Model, stop func(), err error) {
	server, err := script.New([]byte(text), script.Options{Name: "test"})
	if err != nil {
		return nil, nil, err
	}
	url, end, err := server.Serve(context.Background())
	if err != nil {
		return nil, nil, err
	}
	client, err := claude.New(claude.Config{BaseURL: url, APIKey: "a-key-of-no-worth"})
	return client, func() {
		_ = client.Close()
		_ = end()
	}, err
}

// A task with a tool, a question and a desktop of the program's own. With Claude
// instead of a script, m is claude.New(claude.FromEnvironment(os.Getenv)).
func Example() {
	m, stop, err := plays(written)
	if err != nil {
		panic(err)
	}
	defer stop()
	screen := fake.New(deskhand.Size{W: 1280, H: 800})
	task, err := note(context.Background(), m, screen)
	fmt.Println(task.Status, task.Result, err)
	fmt.Printf("%q\n", screen.Typed())
	// Output:
	// Something is to be typed. May it type {"text":"15 degrees\n"}?
	// done It is written. <nil>
	// "15 degrees\n"
}

// TestExampleIsShort holds the example to what the page promises, and the page
// to the example.
func TestExampleIsShort(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/library.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(source), "\nfunc note(")
	code = "func note(" + code
	if n := strings.Count(code, "\n"); n > 40 {
		t.Errorf("the example has %d lines, the page says 40", n)
	}
	if !strings.Contains(string(page), "```go\n"+code+"```") {
		t.Error("docs/library.md does not show the example as it is")
	}
}

// open opens a runner on a fake display.
func open(t *testing.T, text string, c runner.Config) (*runner.Runner, *fake.Desktop) {
	t.Helper()
	m, stop, err := plays(text)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	screen := fake.New(deskhand.Size{W: 1280, H: 800})
	c.Model = m
	if c.Desktop == nil {
		c.Desktop = func(context.Context, deskhand.Task) (desktop.Desktop, error) { return screen, nil }
	}
	r, err := runner.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return r, screen
}

const types = `
-- model --
type {"text": "secret"}

-- model --
As you say.
`

func askAll(deskhand.Task, deskhand.Call) deskhand.Verdict {
	return deskhand.Verdict{Outcome: deskhand.Ask, Rule: "all", Reason: "Every call asks."}
}

// TestApprovals: without somebody to ask the answer is no; an approval that
// fails leaves the task waiting.
func TestApprovals(t *testing.T) {
	t.Parallel()
	var seen []deskhand.Kind
	r, screen := open(t, types, runner.Config{Gate: askAll, Event: func(e deskhand.Event) { seen = append(seen, e.Kind) }})
	task, err := r.Run(t.Context(), deskhand.Task{Text: "type it"})
	if err != nil || task.Status != deskhand.Done || screen.Typed() != "" {
		t.Errorf("without an answer: %+v, %v, typed %q", task.Status, err, screen.Typed())
	}
	if len(seen) == 0 || seen[0] != deskhand.KindTaskCreated || seen[len(seen)-1] != deskhand.KindTaskStatus {
		t.Errorf("the events seen are %v", seen)
	}

	broken := errors.New("the telephone is broken")
	r, screen = open(t, types, runner.Config{Gate: askAll, Approve: func(context.Context, deskhand.Task, deskhand.ApprovalAsked) (deskhand.Decision, error) {
		return deskhand.Decision{Approve: true}, broken
	}})
	task, err = r.Run(t.Context(), deskhand.Task{Text: "type it"})
	if !errors.Is(err, broken) || task.Status != deskhand.Waiting || screen.Typed() != "" {
		t.Errorf("with a broken one: %+v, %v, typed %q", task.Status, err, screen.Typed())
	}
}

// TestGivenUp stops the task when its caller gives up.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	gaveUp := errors.New("the caller has gone home")
	r, _ := open(t, "-- model --\nwait {\"duration\": 200}\n", runner.Config{Event: func(e deskhand.Event) {
		if e.Kind == deskhand.KindCallStarted {
			cancel(gaveUp)
		}
	}})
	task, err := r.Run(ctx, deskhand.Task{Text: "wait"})
	if !errors.Is(err, gaveUp) || task.Status != deskhand.Stopped {
		t.Errorf("%s, %v", task.Status, err)
	}
}

// TestCheck looks at the end, and sends the model back once.
func TestCheck(t *testing.T) {
	t.Parallel()
	looks := 0
	r, _ := open(t, "-- model --\nDone.\n-- expect --\ncontains \"It is not there.\"\n-- model --\nNow it is.\n", runner.Config{
		Check: func(_ context.Context, on engine.Computer, task deskhand.Task, _ agent.Ask) ([]deskhand.Checked, error) {
			if on == nil || task.Text != "make it" {
				t.Errorf("looks at %v for %q", on, task.Text)
			}
			looks++
			if looks == 1 {
				return []deskhand.Checked{{Finding: deskhand.Refuted, Evidence: "It is not there."}}, nil
			}
			return []deskhand.Checked{{Finding: deskhand.Verified, Evidence: "It is there."}}, nil
		},
	})
	task, err := r.Run(t.Context(), deskhand.Task{Text: "make it", Criteria: []deskhand.Criterion{{Kind: "there", Want: "it"}}})
	if err != nil || task.Status != deskhand.Done || task.Finding != deskhand.Verified || looks != 2 {
		t.Errorf("%s, %s, %v after %d looks", task.Status, task.Finding, err, looks)
	}
}

// TestBadTasks checks what is refused, and that a desktop that cannot be had
// ends the task and not the runner.
func TestBadTasks(t *testing.T) {
	t.Parallel()
	if _, err := runner.New(t.Context(), runner.Config{}); deskhand.CodeOf(err) != deskhand.Invalid {
		t.Errorf("without a model: %v", err)
	}
	r, _ := open(t, types, runner.Config{Desktop: func(context.Context, deskhand.Task) (desktop.Desktop, error) {
		return nil, errors.New("there is no display")
	}})
	if _, err := r.Run(t.Context(), deskhand.Task{Text: " "}); deskhand.CodeOf(err) != deskhand.Invalid {
		t.Errorf("without a text: %v", err)
	}
	if _, err := r.Run(t.Context(), deskhand.Task{Text: "x", Model: "claude-sonnet-9"}); deskhand.CodeOf(err) != deskhand.NotFound {
		t.Errorf("an unknown model: %v", err)
	}
	if task, err := r.Run(t.Context(), deskhand.Task{Text: "x"}); err != nil || task.Status != deskhand.Failed {
		t.Errorf("without a display: %s, %v", task.Status, err)
	}
}
