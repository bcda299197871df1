package claude_test

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	_ "image/jpeg"
	"iter"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go/v2"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/agent"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/desktop/fake"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/model/claude"
	"github.com/deskhand/deskhand/model/script"
	"github.com/deskhand/deskhand/sandbox/host"
	"github.com/deskhand/deskhand/tool"
	"github.com/deskhand/deskhand/tool/bash"
	"github.com/deskhand/deskhand/tool/computer"
	"github.com/deskhand/deskhand/tool/editor"
)

// generation is a model with its tools, and what is special to them.
type generation struct {
	model   string
	version string           // of the computer tool; empty: the model's best
	beta    string           // header of every request
	shot    deskhand.Size    // of every screenshot of a screen of 1920x1080
	calls   string           // of the script, beside those that all have
	does    []desktop.Action // what they do
	editor  string           // name of the editor
}

func screenPoint(x, y int) *deskhand.ScreenPoint { return &deskhand.ScreenPoint{X: x, Y: y} }

// generations are one model of each kind. The last is one that only a file of
// the person's knows.
func generations() []generation {
	high, low := deskhand.Size{W: 1920, H: 1080}, deskhand.Size{W: 1456, H: 819}
	const based, older = "str_replace_based_edit_tool", "str_replace_editor"
	left := desktop.ButtonLeft
	drag := desktop.Action{Kind: desktop.Drag, From: screenPoint(13, 27), Point: screenPoint(40, 53), Button: left}
	return []generation{
		{"claude-sonnet-5-5", "", "", high, `key {"text": "ctrl+s", "repeat": 2}` + "\n" + `zoom {"region": [0, 0, 100, 100]}`,
			[]desktop.Action{{Kind: desktop.Key, Keys: "ctrl+s", Count: 2}}, based},
		{"claude-opus-5", "", "", high, `triple_click {"coordinate": [10, 10], "text": "shift"}`,
			[]desktop.Action{{Kind: desktop.Click, Button: left, Count: 3, Point: screenPoint(10, 10), Modifiers: "shift"}}, based},
		{"claude-opus-5", "computer_20251124", "computer-use-2025-11-24", high, `zoom {"region": [0, 0, 100, 100]}`, nil, based},
		{"claude-opus-4-6", "", "computer-use-2025-11-24", low, `left_click_drag {"start_coordinate": [10, 20], "coordinate": [30, 40]}`, []desktop.Action{drag}, based},
		{"claude-sonnet-4-5", "", "computer-use-2025-01-24", low, `scroll {"scroll_direction": "down", "scroll_amount": 3, "coordinate": null}`,
			[]desktop.Action{{Kind: desktop.Scroll, Direction: desktop.Down, Count: 3}}, based},
		{"claude-of-2024", "", "computer-use-2024-10-22", low, `left_click_drag {"coordinate": [30, 40]}`, []desktop.Action{drag}, older},
	}
}

const of2024 = `[{"id": "claude-of-2024", "like": "claude-sonnet-4-5", "computer": ["computer_20241022"], "editor": "text_editor_20241022", "bash": "bash_20241022"}]`

// conversation is played to every generation.
const conversation = `
-- model --
screenshot {}
-- expect --
image
no error
-- model --
I act.
mouse_move {"coordinate": [10, 20]}
left_click {}
CALLS
type {"text": "héllo"}
-- expect --
contains "Clicked."
contains "Typed."
image
no error
-- model --
mouse_move {"coordinate": [5000, 1]}
type {"text": "never"}
bash {"command": "echo one > DIR/note; cat DIR/note"}
-- expect --
error "are outside display bounds"
error "Not executed: an earlier computer action in this turn failed."
contains "one"
-- model --
EDITOR {"command": "str_replace", "path": "DIR/note", "old_str": "one", "new_str": "two"}
EDITOR {"command": "view", "path": "DIR/note"}
cursor_position {}
-- expect --
contains "has been edited"
contains "two"
contains "X="
no error
UNDO
-- model --
Done.
`

const undo = `-- model --
EDITOR {"command": "undo_edit", "path": "DIR/note"}
-- expect --
contains "Last edit to DIR/note undone successfully."
no error`

// TestEveryGeneration plays a conversation through the whole loop to one model
// of each generation: real tools on a desktop in memory, the real client, and
// the strict server, whose rules nobody who wrote the tools wrote. Every request
// and reply is then read with the official types.
func TestEveryGeneration(t *testing.T) {
	t.Parallel()
	models, err := model.Catalogue{}.Merge("models.json", []byte(of2024))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range generations() {
		t.Run(g.model+" "+g.version, func(t *testing.T) {
			t.Parallel()
			info, err := models.Lookup(g.model)
			if err != nil {
				t.Fatal(err)
			}
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			src := strings.ReplaceAll(conversation, "UNDO", map[bool]string{true: undo}[g.editor == "str_replace_editor"])
			src = strings.NewReplacer("CALLS", g.calls, "EDITOR", g.editor, "DIR", dir).Replace(src)
			server, err := script.New([]byte(src), script.Options{Name: g.model, Models: models})
			if err != nil {
				t.Fatal(err)
			}
			p := &tap{Handler: server}
			client := serve(t, p, func(c *claude.Config) { c.Models = models })
			screen := &painting{Desktop: fake.New(deskhand.Size{W: 1920, H: 1080})}
			out, contents := drive(t, client, info, furnish(t, screen, info, g.version))
			if out.Status != deskhand.Done || out.Result != "Done." || len(server.Problems()) > 0 || server.Left() != 0 {
				t.Fatalf("it ended as %+v; problems %q; %d replies left", out, server.Problems(), server.Left())
			}
			g.sawRightSizes(t, p.bodies)
			g.did(t, screen.Applied())
			for i := range p.bodies {
				betas := []string{"context-management-2025-06-27", "compact-2026-01-12"}
				if !info.Compacts {
					betas = betas[:1]
				}
				if g.beta != "" {
					betas = append([]string{g.beta}, betas...)
				}
				if got, want := p.headers[i].Get("Anthropic-Beta"), strings.Join(betas, ","); got != want {
					t.Errorf("request %d has the beta header %q, want %q", i+1, got, want)
				}
				g.sdkKnows(t, p.bodies[i], p.replies[i], contents[i])
			}
		})
	}
}

// painting is a desktop on which something changes with every input.
type painting struct {
	*fake.Desktop
	n int
}

func (p *painting) Input(ctx context.Context, actions ...desktop.Action) error {
	p.n++
	p.Paint(20*p.n, 20, 10, 10, 0xF29F05)
	return p.Desktop.Input(ctx, actions...)
}

// furnish makes the tools that fit a model, as a task does, and more.
func furnish(t *testing.T, d desktop.Desktop, info model.Info, version string, more ...tool.Tool) *tool.Set {
	t.Helper()
	if version == "" {
		version = info.Computer[0]
	}
	place := host.New(host.Config{})
	screen, err := computer.New(d, computer.Config{
		Version: version, Model: model.Screenshot(deskhand.Size{W: 1920, H: 1080}, info),
		Settle: desktop.Wait{First: time.Nanosecond, Quiet: time.Nanosecond, Limit: time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	shell, err := bash.New(place, bash.Config{Version: info.Bash})
	if err != nil {
		t.Fatal(err)
	}
	files, err := editor.New(place, editor.Config{Version: info.Editor})
	if err != nil {
		t.Fatal(err)
	}
	set, err := tool.NewSet(append([]tool.Tool{screen, shell, files}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errorOf(shell.Close(), place.Close(), d.Close()); err != nil {
			t.Error(err)
		}
	})
	return set
}

// drive takes turns until the task has ended, and returns what the model said.
func drive(t *testing.T, m model.Model, info model.Info, tools *tool.Set) (agent.Outcome, []json.RawMessage) {
	t.Helper()
	j := &memoryJournal{blobs: map[deskhand.Hash][]byte{}}
	task := deskhand.Task{ID: "abcdefgh", Text: "do it", Model: info.ID}
	j.put(deskhand.NewEvent(task.ID, deskhand.KindTaskCreated, deskhand.TaskCreated{Task: task, System: agent.System("")}))
	j.put(deskhand.NewEvent(task.ID, deskhand.KindHumanMessage, deskhand.HumanMessage{Text: task.Text}))
	j.put(deskhand.NewEvent(task.ID, deskhand.KindTaskStatus, deskhand.TaskStatus{From: deskhand.Queued, To: deskhand.Running}))
	a := &agent.Agent{
		Model: m, Tools: tools, Journal: j, Blobs: j, Cost: info.Cost,
		Gate: func(deskhand.Call, deskhand.Moment) deskhand.Judgement {
			return deskhand.Judgement{Verdict: deskhand.Verdict{Outcome: deskhand.Allow}}
		},
	}
	st, err := agent.Fold(j.Events(t.Context(), task.ID, 0))
	if err != nil {
		t.Fatal(err)
	}
	out := agent.Outcome{Status: deskhand.Running}
	for out.Status == deskhand.Running {
		if out, err = a.Turn(t.Context(), st); err != nil {
			t.Fatal(err)
		}
	}
	var contents []json.RawMessage
	for _, e := range j.events {
		var data deskhand.ModelReplied
		if e.Kind == deskhand.KindModelReplied && json.Unmarshal(e.Data, &data) == nil {
			contents = append(contents, data.Content)
		}
	}
	return out, contents
}

// memoryJournal keeps a task in memory.
type memoryJournal struct {
	events []deskhand.Event
	blobs  map[deskhand.Hash][]byte
}

func (j *memoryJournal) put(e deskhand.Event) deskhand.Event {
	e.Seq = int64(len(j.events) + 1)
	j.events = append(j.events, e)
	return e
}

func (j *memoryJournal) Append(_ context.Context, events ...deskhand.Event) (out []deskhand.Event, err error) {
	for _, e := range events {
		out = append(out, j.put(e))
	}
	return out, nil
}

func (j *memoryJournal) Events(_ context.Context, _ deskhand.TaskID, after int64) iter.Seq2[deskhand.Event, error] {
	return func(yield func(deskhand.Event, error) bool) {
		for _, e := range slices.Clone(j.events[after:]) {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (j *memoryJournal) PutBlob(_ context.Context, data []byte) (deskhand.Hash, error) {
	hash := deskhand.HashOf(data)
	j.blobs[hash] = slices.Clone(data)
	return hash, nil
}

func (j *memoryJournal) Blob(_ context.Context, hash deskhand.Hash) ([]byte, error) {
	return j.blobs[hash], nil
}

// sawRightSizes checks that every screenshot has the size that the entry
// announces and the model looks at unscaled.
func (g generation) sawRightSizes(t *testing.T, bodies [][]byte) {
	t.Helper()
	var last struct {
		Tools []struct {
			W int `json:"display_width_px"`
			H int `json:"display_height_px"`
		}
		Messages []struct {
			Content []struct {
				Type    string
				Content []struct {
					Type   string
					Source struct{ Data []byte }
				}
			}
		}
	}
	if err := json.Unmarshal(bodies[len(bodies)-1], &last); err != nil {
		t.Fatal(err)
	}
	if told := (deskhand.Size{W: last.Tools[0].W, H: last.Tools[0].H}); g.beta != "" && told != g.shot || g.beta == "" && told != (deskhand.Size{}) {
		t.Errorf("the entry says %s, want %s", told, g.shot)
	}
	sizes := map[string]int{}
	for _, m := range last.Messages {
		for _, block := range m.Content {
			for _, c := range block.Content {
				if c.Type == "image" {
					sizes[sizeOf(t, c.Source.Data).String()]++
				}
			}
		}
	}
	// the one asked for, and one after each of the batches that did something
	if sizes[g.shot.String()] < 2 {
		t.Errorf("pictures are %v, want %s", sizes, g.shot)
	}
}

// did checks what was done to the desktop: coordinates in its own pixels.
func (g generation) did(t *testing.T, got []desktop.Action) {
	t.Helper()
	scale := deskhand.Scale{Model: g.shot, Screen: deskhand.Size{W: 1920, H: 1080}}
	to, err := scale.ToScreen(deskhand.ModelPoint{X: 10, Y: 20})
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Concat(
		[]desktop.Action{{Kind: desktop.Move, Point: &to}, {Kind: desktop.Click, Button: desktop.ButtonLeft, Count: 1}},
		g.does, []desktop.Action{{Kind: desktop.Type, Text: "héllo"}})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("did %+v\nwant %+v", got, want)
	}
}

// sdkKnows reads a request and its reply with the official types.
func (g generation) sdkKnows(t *testing.T, body, events []byte, content json.RawMessage) {
	t.Helper()
	params := new(anthropic.BetaMessageNewParams) // its superset, with context management
	if err := json.Unmarshal(body, params); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(params)
	if err != nil {
		t.Fatal(err)
	}
	var sent, read map[string]any
	if err := errorOf(json.Unmarshal(body, &sent), json.Unmarshal(again, &read)); err != nil {
		t.Fatal(err)
	}
	delete(sent, "stream") // an option of the SDK's, not a field
	if !reflect.DeepEqual(sent, read) {
		t.Errorf("a request lost something in the SDK's types:\n%.2000s\n%.2000s", body, again)
	}
	plain, beta := new(anthropic.Message), new(anthropic.BetaMessage)
	for line := range strings.SplitSeq(string(events), "\n") {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok || strings.Contains(data, `"ping"`) {
			continue
		}
		var one anthropic.MessageStreamEventUnion
		var other anthropic.BetaRawMessageStreamEventUnion
		if err := errorOf(json.Unmarshal([]byte(data), &one), json.Unmarshal([]byte(data), &other), plain.Accumulate(one), beta.Accumulate(other)); err != nil {
			t.Fatal(err)
		}
	}
	for _, raw := range []string{plain.RawJSON(), beta.RawJSON()} {
		var whole struct{ Content json.RawMessage }
		if err := json.Unmarshal([]byte(raw), &whole); err != nil {
			t.Fatal(err)
		}
		if string(whole.Content) != string(content) {
			t.Errorf("the SDK put together\n%s\nand we\n%s", whole.Content, content)
		}
	}
}

func sizeOf(t *testing.T, data []byte) deskhand.Size {
	t.Helper()
	c, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return deskhand.Size{W: c.Width, H: c.Height}
}
