package frame

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// maxWorkers bounds the goroutines of one call: beyond a few, stripes get so
// small that pictures compress worse.
const maxWorkers = 4

// minStripe is the number of pixels below which a goroutine does not pay.
const minStripe = 1 << 15

// stripe is a run of rows, y0 to y1 (y1 outside).
type stripe struct{ y0, y1 int }

// cut divides h rows of w pixels into stripes for the workers there are. Every
// stripe but the last is as high as the first, a multiple of unit.
func cut(w, h, unit int) []stripe {
	n := min(workers(), 1+w*h/minStripe)
	high := ((h+n-1)/n + unit - 1) / unit * unit
	return inStripes(h, high)
}

// inStripes divides h rows into stripes of high rows each.
func inStripes(h, high int) []stripe {
	var out []stripe
	for y := 0; y < h; y += high {
		out = append(out, stripe{y, min(y+high, h)})
	}
	return out
}

// workers is how many goroutines one call may keep busy.
func workers() int { return min(runtime.GOMAXPROCS(0), maxWorkers) }

// each calls do for every stripe, on several goroutines, and returns when all
// are done. The caller's goroutine is one of them.
func each(stripes []stripe, do func(i int, s stripe)) {
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < len(stripes); i = int(next.Add(1)) - 1 {
			do(i, stripes[i])
		}
	}
	var wg sync.WaitGroup
	for range min(workers(), len(stripes)) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}
