package claude_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
)

var update = flag.Bool("update", false, "write testdata/*.golden")

var address = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// TestConversations plays every script of testdata to a small loop with a
// painted screen, and compares what was said with the golden file.
func TestConversations(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, path := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := address.ReplaceAllString(converse(t, string(src)), "HOST")
			golden := strings.TrimSuffix(path, ".txtar") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s has changed (run with -update after reading it):\n%s", golden, got)
			}
		})
	}
}

// converse runs a task to its end and returns the transcript.
func converse(t *testing.T, src string) string {
	t.Helper()
	client, _ := play(t, src)
	var log strings.Builder
	m := model.Retry(client, model.RetryConfig{
		Base: time.Millisecond, MaxWait: time.Minute, Jitter: func() float64 { return 0 },
		Sleep: func(context.Context, time.Duration) error { return nil },
		OnFailure: func(attempt int, err *model.Error, wait time.Duration) {
			fmt.Fprintf(&log, "attempt %d failed (%s, wait %s): %s\n", attempt, err.Code, wait, err.Message)
		},
	})
	req := request("do it")
	world := &painted{t: t}
	for range 20 {
		reply, err := m.Reply(t.Context(), req, nil)
		if err != nil {
			var failed *model.Error
			if !errors.As(err, &failed) {
				t.Fatal(err)
			}
			fmt.Fprintf(&log, "failed: %s\n", failed.Message)
			return log.String()
		}
		fmt.Fprintf(&log, "%s: %q\n", reply.StopReason, reply.Text)
		var results []deskhand.Result
		for _, call := range reply.Calls {
			fmt.Fprintf(&log, "  %s.%s %s\n", call.Toolset, call.Name, call.Input)
			results = append(results, world.do(call))
		}
		if reply.StopReason != "tool_use" {
			return log.String()
		}
		req = answer(req, reply, results...)
	}
	t.Fatal("the conversation does not end")
	return ""
}

// painted is a screen whose window opens two screenshots after a click.
type painted struct {
	t     *testing.T
	since int // screenshots since the click; 0 before it
}

func (p *painted) do(call deskhand.Call) deskhand.Result {
	if raw, invalid := model.InvalidInput(call.Input); invalid {
		return deskhand.Failure("The input is not a JSON object: " + raw)
	}
	switch {
	case call.Toolset == "" && slices.Contains([]string{"bash", "str_replace_based_edit_tool"}, call.Name):
		return deskhand.Text("note.txt: ok")
	case call.Toolset != "computer" || call.Name == "fly":
		return deskhand.Failure("This call is not known.")
	case strings.Contains(string(call.Input), "-5") || strings.Contains(string(call.Input), "middle"):
		return deskhand.Failure("That is not on the screen.")
	case call.Name == "left_click":
		p.since = 1
		return deskhand.Text("Clicked.")
	case call.Name == "screenshot" || call.Name == "zoom":
		return picture(p.shot())
	}
	return deskhand.Text("Typed, pressed or waited.")
}

func (p *painted) shot() *deskhand.Image {
	if p.since > 0 {
		p.since++
	}
	if p.since > 3 {
		return screen(p.t, 320, 200, image.Rect(50, 50, 250, 150), color.RGBA{0x00, 0xAA, 0x55, 255})
	}
	return screen(p.t, 320, 200, image.Rect(10, 10, 42, 42), color.RGBA{0xF2, 0x9F, 0x05, 255})
}
