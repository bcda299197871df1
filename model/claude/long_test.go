package claude_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/agent"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/model/claude"
	"github.com/deskhand/deskhand/model/script"
	"github.com/deskhand/deskhand/tool"
)

// camera is a computer that shows a few screens in turn, of a size in pixels and
// with so many bytes of noise in them.
type camera struct {
	size    deskhand.Size
	noise   int
	shots   int
	screens [4]*deskhand.Image
}

func (c *camera) Spec() tool.Spec {
	return tool.Spec{Name: "computer", Toolset: true, Entry: toolset(), Halt: "Not executed."}
}

func (c *camera) Run(context.Context, deskhand.Call) (deskhand.Result, error) {
	c.shots++
	n := uint32(c.shots%len(c.screens)) + 1
	shown := &c.screens[n-1]
	if *shown != nil {
		return c.see(*shown), nil
	}
	img := image.NewPaletted(image.Rect(0, 0, c.size.W, c.size.H), color.Palette{
		color.RGBA{uint8(n), uint8(n >> 8), 7, 255}, color.RGBA{255, 255, 255, 255},
	})
	for i := range min(c.noise*8, len(img.Pix)) { // one bit each
		n ^= n << 13
		n ^= n >> 17
		n ^= n << 5
		img.Pix[i] = uint8(n >> 9 & 1)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return deskhand.Result{}, err
	}
	*shown = deskhand.NewImage("image/png", c.size, b.Bytes())
	return c.see(*shown), nil
}

// see is a result that no other is equal to, so that nothing goes in circles.
func (c *camera) see(img *deskhand.Image) deskhand.Result {
	return deskhand.Result{Content: []deskhand.Content{{Text: fmt.Sprintf("Screenshot %d.", c.shots)}, {Image: img}}}
}

// wire notes what the requests of a long task are like, and keeps the newest.
type wire struct {
	http.Handler
	last           string // messages of the newest request
	images, length int    // the most of any
	rewritten      int    // requests that do not begin as the one before did
	t              *testing.T
}

func (w *wire) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	if _, err := body.ReadFrom(r.Body); err != nil {
		return
	}
	now := messages(w.t, body.Bytes())
	if w.last != "" && !strings.HasPrefix(now, w.last) {
		w.rewritten++
	}
	w.last = now
	w.images = max(w.images, bytes.Count(body.Bytes(), []byte(`"type":"image"`)))
	w.length = max(w.length, body.Len())
	r.Body = readCloser{&body}
	w.Handler.ServeHTTP(out, r)
}

type readCloser struct{ *bytes.Buffer }

func (readCloser) Close() error { return nil }

// TestLongTask takes hundreds of screenshots through the whole loop. The strict
// server has the bounds of the API and refuses what breaks them, and any change
// of what was sent that thinking is bound to. Every so often the task is taken
// up again from its journal by another client.
func TestLongTask(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, model, rows string
		turns, words      int
		camera            camera
		cleared           []deskhand.ClearedWhat // that must have come about, and no other
		steps             int                    // the most requests that may begin anew
	}{
		{"cleared, then summed up", "claude-sonnet-5-5", `[{"id": "claude-sonnet-5-5", "prices": [{"up_to": 80000, "input": 1, "output": 5}, {"input": 2, "output": 10}]}]`,
			120, 160, camera{size: deskhand.Size{W: 1280, H: 800}},
			[]deskhand.ClearedWhat{deskhand.ClearedResults, deskhand.ClearedHistory}, 3},
		{"six hundred and more", "claude-sonnet-5-5", `[]`, 660, 0, camera{size: deskhand.Size{W: 28, H: 28}, shots: 500},
			[]deskhand.ClearedWhat{deskhand.ClearedImages}, 1},
		{"neither, history may be edited", "claude-opus-5", `[{"id": "claude-opus-5", "clears": false, "compacts": false, "bounds": {"images": 60, "body": 33554432, "image_bytes": 5000000}}]`,
			130, 0, camera{size: deskhand.Size{W: 280, H: 280}}, []deskhand.ClearedWhat{deskhand.ClearedImages}, 130 / 25},
		{"neither, thinking is bound", "claude-opus-5-5", `[{"id": "claude-opus-5-5", "clears": false, "compacts": false, "bounds": {"images": 60, "body": 33554432, "image_bytes": 5000000}}]`,
			130, 0, camera{size: deskhand.Size{W: 280, H: 280}}, []deskhand.ClearedWhat{deskhand.ClearedImages}, 4},
		{"large pictures", "claude-sonnet-5-5", `[{"id": "claude-sonnet-5-5", "bounds": {"images": 600, "body": 1048576, "image_bytes": 100000}}]`, 150, 0,
			camera{size: deskhand.Size{W: 560, H: 280}, noise: 12_000}, []deskhand.ClearedWhat{deskhand.ClearedImages}, 6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			models, err := model.Catalogue{}.Merge("models.json", []byte(tt.rows))
			if err != nil {
				t.Fatal(err)
			}
			info, err := models.Lookup(tt.model)
			if err != nil {
				t.Fatal(err)
			}
			var src strings.Builder
			for i := range tt.turns {
				fmt.Fprintf(&src, "-- model --\nthinking: what next, %d?\nLooking, turn %d.%s\nscreenshot {}\n", i, i, strings.Repeat(" More words.", tt.words))
			}
			src.WriteString("-- model --\nDone.\n")
			server, err := script.New([]byte(src.String()), script.Options{Name: tt.name, Models: models})
			if err != nil {
				t.Fatal(err)
			}
			w := &wire{Handler: server, t: t}
			another := func() model.Model { return serve(t, w, func(c *claude.Config) { c.Models = models }) }
			replies := takeUpAgain(t, another, info, &tt.camera, 97)
			if p := server.Problems(); len(p) > 0 || server.Left() > 0 || tt.camera.shots != tt.turns {
				t.Fatalf("problems %.500q; %d replies left; %d screenshots", p, server.Left(), tt.camera.shots)
			}
			seen := map[deskhand.ClearedWhat]bool{}
			for _, r := range replies {
				for _, c := range r.Cleared {
					seen[c.What] = true
				}
			}
			for _, what := range tt.cleared {
				if !seen[what] {
					t.Errorf("no %s were cleared", what)
				}
				delete(seen, what)
			}
			if len(seen) > 0 {
				t.Errorf("also cleared: %v", seen)
			}
			if w.rewritten > tt.steps || w.images > info.Bounds.Images || w.length > info.Bounds.Body {
				t.Errorf("%d requests began anew (at most %d), the most images %d, the longest %d bytes", w.rewritten, tt.steps, w.images, w.length)
			}
		})
	}
}

// takeUpAgain drives a task to its end. After every so many turns all that is in
// memory is dropped, and the task is taken up from its journal with a new client.
func takeUpAgain(t *testing.T, another func() model.Model, info model.Info, c *camera, every int) []deskhand.ModelReplied {
	t.Helper()
	set, err := tool.NewSet(c)
	if err != nil {
		t.Fatal(err)
	}
	j := begun(info.ID)
	seed(t, j, c)
	out := agent.Outcome{Status: deskhand.Running}
	for out.Status == deskhand.Running {
		a := &agent.Agent{
			Model: another(), Tools: set, Journal: j, Blobs: j, Cost: info.Cost,
			Gate: func(deskhand.Call, deskhand.Moment) deskhand.Judgement {
				return deskhand.Judgement{Verdict: deskhand.Verdict{Outcome: deskhand.Allow}}
			},
		}
		st, err := agent.Fold(j.Events(t.Context(), "abcdefgh", 0))
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n < every && out.Status == deskhand.Running; n++ {
			if out, err = a.Turn(t.Context(), st); err != nil {
				t.Fatal(err)
			}
		}
	}
	if out.Status != deskhand.Done {
		t.Fatalf("it ended as %+v", out)
	}
	return repliesOf(j.events)
}

// seed writes the turns that took the camera's first screenshots.
func seed(t *testing.T, j *memoryJournal, c *camera) {
	t.Helper()
	done := c.shots
	for c.shots = 0; c.shots < done; {
		res, err := c.Run(t.Context(), deskhand.Call{})
		if err != nil {
			t.Fatal(err)
		}
		img := *res.Content[1].Image
		j.blobs[img.Hash], img.Data = img.Data, nil
		res.Content[1].Image = &img
		id := fmt.Sprintf("seed_%d", c.shots)
		content := fmt.Sprintf(`[{"type":"text","text":"Looking."},{"type":"tool_use","id":%q,"toolset_name":"computer","name":"screenshot","input":{}}]`, id)
		j.put(deskhand.NewEvent("abcdefgh", deskhand.KindTurnStarted, deskhand.TurnStarted{Turn: c.shots}))
		j.put(deskhand.NewEvent("abcdefgh", deskhand.KindModelReplied, deskhand.ModelReplied{Turn: c.shots, Content: json.RawMessage(content), StopReason: "tool_use"}))
		j.put(deskhand.NewEvent("abcdefgh", deskhand.KindCallFinished, deskhand.CallFinished{Turn: c.shots, CallID: id, Result: res}))
	}
}

func repliesOf(events []deskhand.Event) []deskhand.ModelReplied {
	var all []deskhand.ModelReplied
	for _, e := range events {
		var r deskhand.ModelReplied
		if e.Kind == deskhand.KindModelReplied && json.Unmarshal(e.Data, &r) == nil {
			all = append(all, r)
		}
	}
	return all
}
