package main

import (
	"testing"

	"github.com/deskhand/deskhand/model"
)

// TestDeskhandCostsNoMore pins what docs/cost.md says, on shorter tasks.
func TestDeskhandCostsNoMore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		id    string
		steps int
	}{{"claude-sonnet-5-5", 60}, {"claude-haiku-5-5", 75}, {"claude-sonnet-4-5", 60}} {
		t.Run(tt.id, func(t *testing.T) {
			t.Parallel()
			ours := -1.0
			for _, s := range strategies() {
				got, err := s.play(t.Context(), tt.id, tt.steps)
				if err != nil || got.failed != "" || got.steps != tt.steps+1 {
					t.Fatalf("%s: %+v, %v", s.name, got, err)
				}
				if ours < 0 {
					ours = got.cost
				} else if got.cost < ours*1.1 {
					t.Errorf("%s costs $%.3f, deskhand $%.3f", s.name, got.cost, ours)
				}
			}
		})
	}
}

// TestStaysInTheCheapBand: Haiku's price rises fivefold with prompts above 100k.
func TestStaysInTheCheapBand(t *testing.T) {
	t.Parallel()
	got, err := strategies()[0].play(t.Context(), "claude-haiku-5-5", 110)
	if err != nil || got.failed != "" || got.most > 100_000 || got.most < 50_000 {
		t.Errorf("%+v, %v", got, err)
	}
	info, err := model.Lookup("claude-haiku-5-5")
	if err != nil || info.Prices[0].UpTo != 100_000 {
		t.Errorf("%+v, %v", info.Prices, err)
	}
}
