// Command bench measures deskhand through the guest API beside xdotool, scrot
// and ImageMagick on the same display, in the same run, and prints a table.
//
// It needs bin/deskhand (make build), xdotool, scrot and ImageMagick. Numbers of
// one machine say little; the ratio to the peer in the same run says more.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

func main() {
	binary := flag.String("deskhand", "bin/deskhand", "the built program, which is also the guest")
	rounds := flag.Int("rounds", 60, "repetitions of each quick operation")
	ups := flag.Int("ups", 7, "repetitions of starting a whole desktop")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := bench{binary: *binary, rounds: *rounds, ups: *ups}
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	b.print(os.Stdout)
}

// sample is the durations of one operation.
type sample []time.Duration

// at returns the value below which the share p of the sample lies.
func (s sample) at(p float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(len(sorted)-1, int(p*float64(len(sorted))))]
}

// row is one line of the table.
type row struct {
	name  string
	reach string // the limit we set ourselves
	ours  sample
	value string // instead of ours, where it is not a duration
	peer  string // what the peer is
	its   sample
}

// measure runs f n times, after one run that does not count.
func measure(n int, f func() error) (sample, error) {
	if err := f(); err != nil {
		return nil, err
	}
	var s sample
	for range n {
		start := time.Now()
		if err := f(); err != nil {
			return nil, err
		}
		s = append(s, time.Since(start))
	}
	return s, nil
}

func ms(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	v := float64(d) / float64(time.Millisecond)
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func (b *bench) print(w *os.File) {
	line := func(cells ...string) {
		for i, width := range []int{46, 9, 9, 9, 10, 8, 0} {
			cell := cells[i]
			if pad := width - len([]rune(cell)); pad > 0 {
				cell += strings.Repeat(" ", pad)
			}
			fmt.Fprint(w, cell, "  ")
		}
		fmt.Fprintln(w)
	}
	line("through the guest API, ms", "p50", "p95", "reach", "peer p50", "ratio", "peer")
	for _, r := range b.rows {
		p50, p95, ratio := ms(r.ours.at(0.5)), ms(r.ours.at(0.95)), "–"
		if r.value != "" {
			p50, p95 = r.value, ""
		}
		if mine := r.ours.at(0.5); mine > 0 && len(r.its) > 0 {
			ratio = fmt.Sprintf("%.0f×", float64(r.its.at(0.5))/float64(mine))
		}
		line(r.name, p50, p95, r.reach, ms(r.its.at(0.5)), ratio, r.peer)
	}
}
