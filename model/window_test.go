package model

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/deskhand/deskhand"
)

// TestWindowOnlyMovesOn: what a longer history leaves out begins with what a
// shorter one did, so that requests between two steps share their beginning; and
// no request is over its bounds.
func TestWindowOnlyMovesOn(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		info := Info{Bounds: Bounds{Images: 30 + rnd.IntN(90), Body: 1 << 20, ImageBytes: 1 << 20}, Preserved: seed%2 == 0, Clears: seed%3 == 0}
		messages := []Message{{Role: User, Blocks: []Block{{Text: "task"}}}}
		last, steps := Window{OmitIn: -1}, 0
		for i := range 300 {
			content := `[{"type":"text","text":"x"}]`
			if rnd.IntN(120) == 0 {
				content = `[{"type":"compaction","content":"in short"},{"type":"text","text":"x"}]`
			}
			answer := Message{Role: User, Blocks: []Block{{CallID: fmt.Sprint(i)}}}
			for range rnd.IntN(3) {
				answer.Blocks[0].Result.Content = append(answer.Blocks[0].Result.Content,
					deskhand.Content{Image: &deskhand.Image{Bytes: 1 + rnd.IntN(30_000)}})
			}
			messages = append(messages, Message{Role: Assistant, Raw: json.RawMessage(content)}, answer)
			w := info.Window(messages, 0)
			if w.From < last.From || w.From == last.From && w.Omit < last.Omit {
				t.Fatalf("seed %d, turn %d: from %+v back to %+v", seed, i, last, w)
			}
			if w.From == last.From && w.Omit != last.Omit {
				steps++
			}
			images, length := sentBy(messages, w)
			if images > info.Bounds.Images || length > info.Bounds.Body {
				t.Fatalf("seed %d, turn %d: %d images, %d bytes are over %+v", seed, i, images, length, info.Bounds)
			}
			last = w
		}
		if steps > 300/3 {
			t.Errorf("seed %d: %d steps in 300 turns", seed, steps)
		}
	}
}

// sentBy counts what a window sends.
func sentBy(messages []Message, w Window) (images, length int) {
	n := 0
	for i, m := range messages {
		if i > 0 && i < w.From {
			continue
		}
		length += len(m.Raw)
		for _, b := range m.Blocks {
			for _, c := range b.Result.Content {
				if n++; n > w.Omit {
					images, length = images+1, length+encodedLength(c.Image)
				}
			}
		}
	}
	return images, length
}

func TestWindowShrinks(t *testing.T) {
	t.Parallel()
	info := Info{Bounds: Bounds{Images: 100, Body: 32 << 20, ImageBytes: 1 << 20}, Clears: true}
	messages := []Message{{Role: User, Blocks: []Block{{Text: "task"}}}}
	for range 60 {
		messages = append(messages, Message{Role: Assistant, Raw: json.RawMessage(`[]`)},
			Message{Role: User, Blocks: []Block{{CallID: "a", Result: deskhand.Result{Content: []deskhand.Content{{Image: &deskhand.Image{Bytes: 10}}}}}}})
	}
	for tight, want := range []int{0, 33, 51, 54} {
		if w := info.Window(messages, tight); w.Omit != want {
			t.Errorf("too large %d times: %+v, want %d left out", tight, w, want)
		}
	}
}

func TestHasSummary(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]bool{
		`[{"type":"compaction","content":"x"}]`:                                   true,
		`[{"type":"compaction","content":null}]`:                                  false, // it failed
		`[{"type":"text","text":"a \"compaction\" of texts"}]`:                    false,
		`[{"type":"other","content":[1]},{"type":"compaction","content":"late"}]`: true,
		`nonsense "compaction"`:                                                   false,
	} {
		if got := HasSummary(json.RawMessage(content)); got != want {
			t.Errorf("%s: %v", content, got)
		}
	}
}

func TestAt(t *testing.T) {
	t.Parallel()
	c, err := Catalogue{}.Merge("x", []byte(`[{"id": "claude-sonnet-5-5", "providers": {"bedrock": {"name": "eu.x", "computer": ["computer_toolset_20260801"], "clears": false, "bounds": {"images": 50}}}}]`))
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Lookup("claude-sonnet-5-5")
	if err != nil {
		t.Fatal(err)
	}
	at := m.At(Bedrock)
	if at.Name != "eu.x" || at.Computer[0] != ComputerToolset || at.Clears || !at.Compacts || at.Binds || at.Bounds != (Bounds{50, 11 << 20, 5 << 20}) {
		t.Errorf("%+v", at)
	}
	if again := m.At(Anthropic); again.Name != "" || !again.Clears || again.Bounds.Images != 600 {
		t.Errorf("%+v", again)
	}
	for _, bad := range []string{`{"elsewhere": {}}`, `{"bedrock": {"computer": ["A b"]}}`, `{"bedrock": {"name": "a b"}}`} {
		if _, err := (Catalogue{}).Merge("x", []byte(`[{"id": "claude-opus-5", "providers": `+bad+`}]`)); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}
