package model

import (
	"math"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
)

func TestLookup(t *testing.T) {
	t.Parallel()
	tests := []struct{ id, want, refusal string }{
		{"claude-sonnet-5-5", "claude-sonnet-5-5", ""},
		{"claude-haiku-4-5-20251001", "claude-haiku-4-5", ""},
		{"claude-sonet-5-5", "", "claude-sonnet-5-5"},
		{"Claude-Opus-5-5", "", "claude-opus-5-5"},
		{"gpt", "", "Choose one of claude-fable-5-2"},
		{"", "", "Choose one of"},
		{strings.Repeat("claude", 1000), "", "Choose one of"},
	}
	for _, tt := range tests {
		got, err := Lookup(tt.id)
		if tt.refusal == "" {
			if err != nil || got.ID != tt.want {
				t.Errorf("Lookup(%q) = %q, %v", tt.id, got.ID, err)
			}
			continue
		}
		if deskhand.CodeOf(err) != deskhand.NotFound || !strings.Contains(err.Error(), tt.refusal) {
			t.Errorf("Lookup(%q): %v, want a NotFound error with %q", tt.id, err, tt.refusal)
		}
	}
}

func TestCatalogueRowsAreWhole(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range catalogue() {
		if seen[m.ID] {
			t.Errorf("%s: twice", m.ID)
		}
		seen[m.ID] = true
		if len(m.Computer) == 0 || m.Editor == "" || m.Bash == "" || m.Limits.MaxEdge == 0 || len(m.Prices) == 0 ||
			m.MaxTokens > m.MaxOutput || m.MaxTokens == 0 || m.MinCache == 0 || len(m.Thinking.Accepts) == 0 {
			t.Errorf("%s: incomplete: %+v", m.ID, m)
		}
		if fault := m.fault(); fault != "" {
			t.Errorf("%s: %s", m.ID, fault)
		}
		if last := m.Prices[len(m.Prices)-1]; last.UpTo != 0 {
			t.Errorf("%s: no price for long prompts", m.ID)
		}
		if (m.Effort == "") != (len(m.Efforts) == 0) {
			t.Errorf("%s: effort %q of %q", m.ID, m.Effort, m.Efforts)
		}
	}
	if !seen[Default] {
		t.Errorf("the default model %s is not in the catalogue", Default)
	}
}

func TestCost(t *testing.T) {
	t.Parallel()
	tests := []struct {
		id    string
		usage deskhand.Usage
		want  float64
	}{
		{"claude-sonnet-5-5", deskhand.Usage{Input: 1_000_000}, 2},
		{"claude-sonnet-5-5", deskhand.Usage{Output: 1_000_000}, 10},
		{"claude-sonnet-5-5", deskhand.Usage{CacheRead: 1_000_000}, 0.2},
		{"claude-sonnet-5-5", deskhand.Usage{CacheWrite: 1_000_000}, 2.5},
		{"claude-sonnet-5-5", deskhand.Usage{CacheWrite: 1_000_000, CacheWrite1h: 1_000_000}, 4},
		{"claude-sonnet-5-5", deskhand.Usage{Input: 1334}, 0.002668}, // one screenshot of 1280x800
		{"claude-haiku-5-5", deskhand.Usage{Input: 50_000, CacheRead: 50_000, Output: 1000}, 0.006},
		{"claude-haiku-5-5", deskhand.Usage{Input: 50_001, CacheRead: 50_000, Output: 1000}, 0.0300005},
	}
	for _, tt := range tests {
		m, err := Lookup(tt.id)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Cost(tt.usage); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s: Cost(%+v) = %v, want %v", tt.id, tt.usage, got, tt.want)
		}
	}
}
