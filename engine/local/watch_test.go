package local

import (
	"fmt"
	"testing"

	"github.com/deskhand/deskhand"
)

// TestDeltasAreBounded checks that a reader that sleeps costs little memory, and
// that what it loses is the oldest.
func TestDeltasAreBounded(t *testing.T) {
	t.Parallel()
	h := newHub()
	w := &watcher{task: "aaaaaaaa", wake: make(chan struct{}, 1)}
	h.join(w)
	for i := range 10 * maxDeltas {
		h.delta(deskhand.NewEvent(w.task, deskhand.KindModelDelta, deskhand.ModelDelta{Text: fmt.Sprint(i)}))
	}
	got := h.take(w)
	if len(got) != maxDeltas {
		t.Fatalf("%d deltas are kept, want %d", len(got), maxDeltas)
	}
	if last := string(got[maxDeltas-1].Data); last != fmt.Sprintf(`{"text":"%d"}`, 10*maxDeltas-1) {
		t.Errorf("the newest is %s", last)
	}
	h.leave(w)
	if len(h.watchers) != 0 {
		t.Error("a watcher that left is remembered")
	}
}
