package claude_test

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"testing"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/model/claude"
	"github.com/deskhand/deskhand/model/script"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// play starts a script and a client for it. Both end with the test.
func play(t *testing.T, src string) (*claude.Client, *script.Server) {
	t.Helper()
	server, err := script.New([]byte(src), script.Options{Name: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	url, stop, err := server.Serve(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	client, err := claude.New(claude.Config{BaseURL: url, APIKey: "sk-test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return client, server
}

func toolset() json.RawMessage { return json.RawMessage(`{"type":"computer_toolset_20260801"}`) }

// request is a first request of a task with the usual tools.
func request(task string) model.Request {
	return model.Request{
		Model:  model.Default,
		System: "You operate a computer.",
		Tools: []json.RawMessage{
			toolset(),
			json.RawMessage(`{"type":"bash_20250124","name":"bash"}`),
		},
		Messages: []model.Message{{Role: model.User, Blocks: []model.Block{{Text: task}}}},
	}
}

// answer adds a reply and the results of its calls to a request.
func answer(req model.Request, reply model.Reply, results ...deskhand.Result) model.Request {
	var blocks []model.Block
	for i, call := range reply.Calls {
		blocks = append(blocks, model.Block{CallID: call.ID, Toolset: call.Toolset, Result: results[i]})
	}
	req.Messages = append(req.Messages[:len(req.Messages):len(req.Messages)],
		model.Message{Role: model.Assistant, Raw: reply.Content}, model.Message{Role: model.User, Blocks: blocks})
	return req
}

// screen is a screenshot with a rectangle of one colour on grey.
func screen(t *testing.T, w, h int, box image.Rectangle, c color.RGBA) *deskhand.Image {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, color.RGBA{200, 200, 200, 255})
			if image.Pt(x, y).In(box) {
				img.Set(x, y, c)
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return deskhand.NewImage("image/png", deskhand.Size{W: w, H: h}, b.Bytes())
}

func picture(img *deskhand.Image) deskhand.Result {
	return deskhand.Result{Content: []deskhand.Content{{Image: img}}}
}

func TestConversation(t *testing.T) {
	t.Parallel()
	client, server := play(t, `Opens a thing by its colour.
-- model --
thinking: I should look first.
I'll take a look.
screenshot {}
-- expect --
image
no error
-- model --
left_click {"coordinate": "@color #F29F05 +1,-2"}
bash {"command": "echo 'héllo <&> world' | tee /tmp/a-rather-long-file-name"}
-- expect --
contains "Clicked."
-- model --
Done: clicked.
`)
	req := request("open the thing")
	var deltas, thoughts string
	on := func(d model.Delta) { deltas += d.Text; thoughts += d.Thinking }
	reply, err := client.Reply(t.Context(), req, on)
	if err != nil {
		t.Fatal(err)
	}
	if reply.StopReason != "tool_use" || reply.Text != "I'll take a look." || deltas != reply.Text || thoughts != "I should look first." {
		t.Errorf("reply %+v, deltas %q, thoughts %q", reply, deltas, thoughts)
	}
	if len(reply.Calls) != 1 || reply.Calls[0].Toolset != "computer" || reply.Calls[0].Name != "screenshot" || string(reply.Calls[0].Input) != "{}" {
		t.Fatalf("calls %+v", reply.Calls)
	}
	req = answer(req, reply, picture(screen(t, 1280, 800, image.Rect(100, 200, 140, 220), color.RGBA{0xF2, 0x9F, 0x05, 255})))
	reply, err = client.Reply(t.Context(), req, on)
	if err != nil {
		t.Fatal(err)
	}
	if len(reply.Calls) != 2 || string(reply.Calls[0].Input) != `{"coordinate":[121,208]}` ||
		string(reply.Calls[1].Input) != `{"command":"echo 'héllo <&> world' | tee /tmp/a-rather-long-file-name"}` || reply.Calls[1].Toolset != "" {
		t.Fatalf("calls %s", reply.Content)
	}
	req = answer(req, reply, deskhand.Text("Clicked."), deskhand.Text("héllo <&> world"))
	reply, err = client.Reply(t.Context(), req, nil)
	if err != nil {
		t.Fatal(err)
	}
	if reply.StopReason != "end_turn" || reply.Text != "Done: clicked." || len(reply.Calls) != 0 {
		t.Errorf("reply %+v", reply)
	}
	if reply.Usage.CacheRead == 0 {
		t.Errorf("nothing read from the cache: %+v", reply.Usage)
	}
	if p := server.Problems(); len(p) != 0 || server.Left() != 0 {
		t.Errorf("problems %q, %d replies left", p, server.Left())
	}
}
