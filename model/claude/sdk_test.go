package claude_test

import (
	"fmt"
	"image"
	"image/color"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/option"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/model/script"
)

// TestStandInServesTheSDK has the official client talk to the stand-in, with
// its own types in both directions, whole and streamed.
func TestStandInServesTheSDK(t *testing.T) {
	t.Parallel()
	server, err := script.New([]byte("-- model --\nthinking: hm\nLooking.\nscreenshot {}\n-- model --\nDone.\n"), script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	defer web.Close()
	client := anthropic.NewClient(option.WithoutEnvironmentDefaults(), option.WithBaseURL(web.URL), option.WithAPIKey("k"))
	params := anthropic.MessageNewParams{
		Model: anthropic.ModelClaudeSonnet5_5, MaxTokens: 1000,
		Tools:    []anthropic.ToolUnionParam{{OfComputerToolset20260801: &anthropic.ComputerToolset20260801Param{}}},
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("look"))},
	}
	first, err := client.Messages.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	call := first.Content[len(first.Content)-1]
	if first.StopReason != anthropic.StopReasonToolUse || call.Name != "screenshot" || call.ToolsetName != "computer" {
		t.Fatalf("reply %s", first.RawJSON())
	}
	params.Messages = append(params.Messages, first.ToParam(), anthropic.NewUserMessage(anthropic.ContentBlockParamUnion{
		OfToolResult: &anthropic.ToolResultBlockParam{
			ToolUseID: call.ID, ToolsetName: anthropic.String("computer"),
			Content: []anthropic.ToolResultBlockParamContentUnion{{OfText: &anthropic.TextBlockParam{Text: "a picture"}}},
		},
	}))
	stream := client.Messages.NewStreaming(t.Context(), params)
	var second anthropic.Message
	for stream.Next() {
		if err := second.Accumulate(stream.Current()); err != nil {
			t.Fatal(err)
		}
	}
	if stream.Err() != nil || second.StopReason != anthropic.StopReasonEndTurn || second.Content[0].Text != "Done." {
		t.Errorf("reply %s, %v", second.RawJSON(), stream.Err())
	}
	if problems := server.Problems(); len(problems) > 0 {
		t.Errorf("problems %q", problems)
	}
}

// BenchmarkReply is a turn late in a task: 50 screenshots in the history.
func BenchmarkReply(b *testing.B) {
	req := request("a long task")
	shot := screen(&testing.T{}, 1280, 800, image.Rect(0, 0, 640, 800), color.RGBA{9, 9, 9, 255})
	shot.Data = append(shot.Data, make([]byte, 150<<10)...) // as heavy as a real one
	for i := range 50 {
		id := fmt.Sprintf("toolu_%d", i)
		req.Messages = append(req.Messages,
			model.Message{Role: model.Assistant, Raw: []byte(`[{"type":"tool_use","id":"` + id + `","name":"screenshot","toolset_name":"computer","input":{}}]`)},
			model.Message{Role: model.User, Blocks: []model.Block{{CallID: id, Toolset: "computer", Result: deskhand.Result{Content: []deskhand.Content{{Image: shot}}}}}})
	}
	client := quiet(b, begin, start(0, `{"type":"text","text":""}`), strings.Repeat(" ", 10), finish("end_turn"), end)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Reply(b.Context(), req, nil); err != nil {
			b.Fatal(err)
		}
	}
}
