package desktoptest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
)

// settle waits for the display, which must succeed.
func (b Bench) settle(t *testing.T, wait desktop.Wait) desktop.Settled {
	t.Helper()
	got, err := b.Desktop.Settle(t.Context(), wait)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func testSettleQuiet(t *testing.T, b Bench) {
	pic, _ := b.take(t, desktop.Shot{})
	got := b.settle(t, desktop.Wait{Quiet: 50 * time.Millisecond, Limit: patience})
	if !got.Quiet || got.Changed || got.Frame != pic.Frame || got.Waited > patience/2 {
		t.Errorf("a display at rest: %+v after frame %d", got, pic.Frame)
	}
}

func testSettleBusy(t *testing.T, b Bench) {
	if b.Paint == nil {
		return
	}
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	defer wg.Wait()
	defer stop()
	wg.Go(func() {
		for i := uint32(0); ctx.Err() == nil; i++ {
			b.Paint(0, 0, 9, 9, i*0x010203&0xffffff)
		}
	})
	const limit = 300 * time.Millisecond
	got := b.settle(t, desktop.Wait{Quiet: 200 * time.Millisecond, Limit: limit})
	if got.Quiet || !got.Changed || got.Waited < limit*9/10 || got.Waited > limit+patience/2 {
		t.Errorf("a display that is being drawn to, with a limit of %s: %+v", limit, got)
	}
}

func testSettleSince(t *testing.T, b Bench) {
	if b.Paint == nil {
		return
	}
	pic, _ := b.take(t, desktop.Shot{})
	b.Paint(5, 5, 5, 5, 0xabcdef)
	got := b.settle(t, desktop.Wait{Since: pic.Frame, First: patience})
	if !got.Quiet || !got.Changed || got.Frame == pic.Frame || got.Waited > patience/2 {
		t.Errorf("drawn to since frame %d: %+v", pic.Frame, got)
	}
	if got = b.settle(t, desktop.Wait{Since: got.Frame}); got.Changed {
		t.Errorf("not drawn to since: %+v", got)
	}
}

func testSettleFirst(t *testing.T, b Bench) {
	if b.Paint == nil {
		return
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		later := time.NewTimer(200 * time.Millisecond)
		defer later.Stop()
		<-later.C
		b.Paint(5, 5, 5, 5, 0xabcdef)
	})
	got := b.settle(t, desktop.Wait{First: patience, Limit: patience})
	if !got.Quiet || !got.Changed || got.Waited > patience/2 {
		t.Errorf("drawn to while waiting for a first change: %+v", got)
	}
	wg.Wait()
	const first = 150 * time.Millisecond
	if got = b.settle(t, desktop.Wait{First: first}); got.Changed || !got.Quiet || got.Waited < first*9/10 {
		t.Errorf("no first change within %s: %+v", first, got)
	}
}

func testSettleCanceled(t *testing.T, b Bench) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := b.Desktop.Settle(ctx, desktop.Wait{Quiet: patience, Limit: patience})
	isCode(t, "Settle when its context ended", err, deskhand.Canceled)
}
