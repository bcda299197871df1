package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/agent"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/model/claude"
	"github.com/deskhand/deskhand/model/script"
)

func main() {
	steps := flag.String("steps", "100,300", "lengths of the task in replies")
	ids := flag.String("models", "claude-sonnet-5-5,claude-opus-5-5,claude-haiku-5-5,claude-sonnet-4-5", "models")
	flag.Parse()
	if err := run(*steps, *ids); err != nil {
		fmt.Fprintln(os.Stderr, "cost:", err)
		os.Exit(1)
	}
}

func run(steps, ids string) error {
	fmt.Println("| model | steps | strategy | read from cache | written | not cached | output | $ | of deskhand's |\n|---|---|---|---|---|---|---|---|---|")
	for id := range strings.SplitSeq(ids, ",") {
		for n := range strings.SplitSeq(steps, ",") {
			var length int
			if _, err := fmt.Sscan(n, &length); err != nil || length < 1 {
				return fmt.Errorf("%q is not a number of steps", n)
			}
			if err := compare(id, length); err != nil {
				return err
			}
		}
	}
	return nil
}

func compare(id string, steps int) error {
	ours := 0.0
	for _, s := range strategies() {
		got, err := s.play(context.Background(), id, steps)
		if err != nil {
			return err
		}
		if ours == 0 {
			ours = got.cost
		}
		u, ends := got.usage, fmt.Sprintf("%.0f %%", 100*got.cost/ours)
		if got.failed != "" {
			ends = fmt.Sprintf("refused at step %d: %s", got.steps+1, got.failed)
		}
		fmt.Printf("| `%s` | %d | %s | %s | %s | %s | %s | %.2f | %s |\n", id, steps, s.name,
			thousands(u.CacheRead), thousands(u.CacheWrite), thousands(u.Input), thousands(u.Output), got.cost, ends)
	}
	return nil
}

func thousands(n int64) string { return fmt.Sprintf("%dk", (n+500)/1000) }

// strategy is a way to send a history.
type strategy struct {
	name string
	rows string // changes to the model's row in the catalogue that the client has; ID stands for its id
	keep int    // screenshots that stay at each turn; 0: all that the client sends
}

// kept is how many screenshots the strategy "keep the last N" keeps.
const kept = 3

func strategies() []strategy {
	const everything = `[{"id": "ID", "clears": false, "compacts": false, "preserved": true, "bounds": {"images": 1000000, "body": 1000000000, "image_bytes": 10000000}}]`
	return []strategy{
		{name: "deskhand", rows: `[]`},
		{name: "keep everything", rows: everything},
		{name: fmt.Sprintf("keep the last %d", kept), rows: everything, keep: kept},
	}
}

// outcome is what a task came to.
type outcome struct {
	usage  deskhand.Usage
	cost   float64
	steps  int    // that were taken
	failed string // why it ended before its end
	most   int64  // tokens of the longest prompt
}

const (
	perStep = 20 * time.Second // between two requests, so that the cache stays warm
	thought = 120              // bytes of thinking
	said    = 160              // bytes of words
)

// play plays a task of so many steps.
func (s strategy) play(ctx context.Context, id string, steps int) (outcome, error) {
	info, err := model.Lookup(id)
	if err != nil {
		return outcome{}, err
	}
	ours, err := s.catalogue(info)
	if err != nil {
		return outcome{}, err
	}
	clock := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	server, err := script.New(scriptOf(steps), script.Options{Name: "cost", Now: func() time.Time { return clock }})
	if err != nil {
		return outcome{}, err
	}
	client, err := claude.New(claude.Config{
		BaseURL: "http://stand-in", APIKey: "none", Models: ours, HTTPClient: &http.Client{Transport: direct{server}},
	})
	if err != nil {
		return outcome{}, err
	}
	defer func() { _ = client.Close() }() // it has no connections
	shot, err := screenshot()
	if err != nil {
		return outcome{}, err
	}
	var out outcome
	req := begin(info)
	if s.drops(info) {
		req.Betas = append(req.Betas, "thinking-binding-controls-2026-08-01")
	}
	for range steps + 1 {
		sent := s.prune(req)
		reply, err := client.Reply(ctx, sent, nil)
		if err != nil {
			out.failed = err.Error()
			return out, nil
		}
		out.usage, out.cost = out.usage.Add(reply.Usage), out.cost+reply.Cost(info.Cost)
		out.most = max(out.most, reply.Usage.Input+reply.Usage.CacheRead+reply.Usage.CacheWrite)
		out.steps++
		clock = clock.Add(perStep)
		req = next(req, reply, shot)
	}
	if p := server.Problems(); len(p) > 0 {
		return out, fmt.Errorf("%s, %s: the stand-in complains: %s", id, s.name, p[0])
	}
	return out, nil
}

// drops reports whether the strategy changes what thinking is bound to, and so
// must let it be dropped.
func (s strategy) drops(info model.Info) bool { return s.keep > 0 && info.Preserved }

// catalogue is what the strategy's client knows of the model.
func (s strategy) catalogue(info model.Info) (model.Catalogue, error) {
	c, err := model.Catalogue{}.Merge("strategy", []byte(strings.ReplaceAll(s.rows, "ID", info.ID)))
	if err != nil || !s.drops(info) {
		return c, err
	}
	thinking := strings.TrimSuffix(info.Thinking.Send, "}") + `,"block_binding":{"prefix_mismatch_behavior":"drop_block"}}`
	row, err := json.Marshal([]map[string]any{{"id": info.ID, "thinking": map[string]any{
		"send": json.RawMessage(thinking), "accepts": info.Thinking.Accepts, "default": info.Thinking.Default,
	}}})
	if err != nil {
		return c, err
	}
	return c.Merge("strategy", row)
}

// direct hands requests to a handler in this process.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	d.ServeHTTP(rec, r)
	return rec.Result(), nil
}

func scriptOf(steps int) []byte {
	var b bytes.Buffer
	for i := range steps {
		fmt.Fprintf(&b, "-- model --\nthinking: %s\n%s\n%s\n", fill(thought, i), fill(said, i), `left_click {"coordinate": [640, 400]}`)
		fmt.Fprintf(&b, "screenshot {}\n")
	}
	b.WriteString("-- model --\nDone.\n")
	return b.Bytes()
}

func fill(length, i int) string {
	return fmt.Sprintf("Step %d. %s", i, strings.Repeat("The form is open. ", length/18))
}

// begin is the first request of a task, with the tools that deskhand gives.
func begin(info model.Info) model.Request {
	entry := `{"type":"computer_toolset_20260801"}`
	var betas []string
	if info.Computer[0] != model.ComputerToolset {
		entry = fmt.Sprintf(`{"type":%q,"name":"computer","display_width_px":1280,"display_height_px":800}`, info.Computer[0])
		betas = []string{map[string]string{model.Computer20251124: "computer-use-2025-11-24", model.Computer20250124: "computer-use-2025-01-24"}[info.Computer[0]]}
	}
	return model.Request{
		Model: info.ID, System: agent.System(""), Betas: betas,
		Tools: []json.RawMessage{
			json.RawMessage(entry), json.RawMessage(fmt.Sprintf(`{"type":%q,"name":"bash"}`, info.Bash)),
			json.RawMessage(fmt.Sprintf(`{"type":%q,"name":"str_replace_based_edit_tool"}`, info.Editor)),
		},
		Messages: []model.Message{{Role: model.User, Blocks: []model.Block{{Text: "Enter the forty invoices of the folder into the form, one after the other."}}}},
	}
}

// next is the request after a reply: its calls answered, the last with a picture.
func next(req model.Request, reply model.Reply, shot *deskhand.Image) model.Request {
	m := model.Message{Role: model.User}
	for i, c := range reply.Calls {
		res := deskhand.Text("Clicked.")
		if i == len(reply.Calls)-1 {
			res = deskhand.Result{Content: []deskhand.Content{{Image: shot}}}
		}
		m.Blocks = append(m.Blocks, model.Block{CallID: c.ID, Toolset: c.Toolset, Result: res})
	}
	req.Messages = append(slices.Clip(req.Messages), model.Message{Role: model.Assistant, Raw: reply.Content}, m)
	req.Cleared = 0
	for _, c := range reply.Cleared {
		if c.What == deskhand.ClearedResults {
			req.Cleared = c.Count
		}
	}
	return req
}

// screenshot is the picture after every step. It may be the same one: what is
// counted is its size, and its result differs by the call it answers.
func screenshot() (*deskhand.Image, error) {
	size := deskhand.Size{W: 1280, H: 800}
	img := image.NewPaletted(image.Rect(0, 0, size.W, size.H), color.Palette{color.White})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, err
	}
	return deskhand.NewImage("image/png", size, b.Bytes()), nil
}

// prune leaves out all but the newest pictures, as the strategy "keep the last
// N" does at each turn, and lets thinking be dropped where it is bound.
func (s strategy) prune(req model.Request) model.Request {
	if s.keep == 0 {
		return req
	}
	req.Messages = slices.Clone(req.Messages)
	left := s.keep
	for i := len(req.Messages) - 1; i >= 0; i-- {
		m := &req.Messages[i]
		m.Blocks = slices.Clone(m.Blocks)
		for j := len(m.Blocks) - 1; j >= 0; j-- {
			r := &m.Blocks[j].Result
			r.Content = slices.Clone(r.Content)
			for k, c := range r.Content {
				if c.Image == nil {
					continue
				}
				if left--; left < 0 {
					r.Content[k] = deskhand.Content{Text: "[Image omitted]"}
				}
			}
		}
	}
	return req
}
