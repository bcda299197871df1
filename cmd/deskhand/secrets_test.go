package main

import (
	"testing"

	"github.com/deskhand/deskhand"
)

// TestNoComputerWithoutSecrets: a task whose secrets are not loaded would run
// without its guard.
func TestNoComputerWithoutSecrets(t *testing.T) {
	t.Parallel()
	c, err := computers{}.Up(t.Context(), deskhand.Task{ID: deskhand.NewTaskID(), Secrets: []string{"token"}})
	if c != nil || deskhand.CodeOf(err) != deskhand.Unavailable {
		t.Errorf("got %v, %v", c, err)
	}
}
