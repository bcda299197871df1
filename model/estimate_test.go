package model

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/deskhand/deskhand"
)

func TestEstimate(t *testing.T) {
	t.Parallel()
	sonnet, err := Lookup("claude-sonnet-5-5")
	if err != nil {
		t.Fatal(err)
	}
	haiku, err := Lookup("claude-haiku-5-5")
	if err != nil {
		t.Fatal(err)
	}
	last := deskhand.Usage{Input: 1000, CacheRead: 90_000, CacheWrite: 4000, Output: 1000}
	tests := []struct {
		name          string
		info          Info
		last          deskhand.Usage
		added, output int64
		want          float64
	}{
		{"first", sonnet, deskhand.Usage{}, 8000, 1000, (8000*1.25*2 + 1000*10) / 1e6},
		{"next", sonnet, last, 2000, 500, (95_000*0.1*2 + 3000*1.25*2 + 500*10) / 1e6},
		{"short prompt of two prices", haiku, last, 2000, 500, (95_000*0.1*0.1 + 3000*1.25*0.1 + 500*0.5) / 1e6},
		{"long prompt of two prices", haiku, last, 9000, 500, (95_000*0.1*0.5 + 10_000*1.25*0.5 + 500*2.5) / 1e6},
	}
	for _, tt := range tests {
		if got := tt.info.Estimate(tt.last, tt.added, tt.output); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("%s: $%.6f, want $%.6f", tt.name, got, tt.want)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	shot := &deskhand.Image{Size: deskhand.Size{W: 1280, H: 800}}
	req := Request{
		System: "12345678", // 2
		Tools:  []json.RawMessage{[]byte(`{"type":"bash_20250124","name":"bash"}`)},
		Messages: []Message{
			{Role: User, Blocks: []Block{{Text: "123"}}},        // 1
			{Role: Assistant, Raw: []byte(`[{"type":"text"}]`)}, // 17 bytes: 5
			{Role: User, Blocks: []Block{{CallID: "a", Result: deskhand.Result{Content: []deskhand.Content{{Image: shot}, {Text: "1234"}}}}}},
		},
	}
	if got, want := req.Tokens(), int64(2+entryTokens+1+5+1334+1); got != want {
		t.Errorf("%d tokens, want %d", got, want)
	}
}
