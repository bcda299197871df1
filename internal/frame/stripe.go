package frame

import (
	"runtime"
	"sync"
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
	n := min(runtime.GOMAXPROCS(0), maxWorkers, 1+w*h/minStripe)
	each := (h + n - 1) / n
	each = (each + unit - 1) / unit * unit
	var out []stripe
	for y := 0; y < h; y += each {
		out = append(out, stripe{y, min(y+each, h)})
	}
	return out
}

// each calls do for every stripe, in parallel, and returns when all are done.
// The first one runs on the caller's goroutine.
func each(stripes []stripe, do func(i int, s stripe)) {
	var wg sync.WaitGroup
	for i, s := range stripes[1:] {
		wg.Go(func() { do(i+1, s) })
	}
	do(0, stripes[0])
	wg.Wait()
}
