package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/deskhand/deskhand/desktop"
)

// measure plays all that an order asks for: the scales and the faults side by
// side, each on a computer of its own.
func measure(ctx context.Context, o order, log io.Writer) (_ report, err error) {
	book, err := openBook(o)
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, book.close()) }()
	errs := make([]error, len(o.scales)+1)
	var all sync.WaitGroup
	out := &lines{w: log}
	for i, scale := range o.scales {
		all.Go(func() { errs[i] = playAll(ctx, o, scale, book, out) })
	}
	if o.faults {
		all.Go(func() { errs[len(o.scales)] = tryFaults(ctx, o, book, out) })
	}
	all.Wait()
	return book.report(o), errors.Join(errs...)
}

// lines is a writer for several at once.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// playAll plays the tasks at one scale, but for those that the book has.
func playAll(ctx context.Context, o order, scale int, book *book, log io.Writer) (err error) {
	r, err := newRig(ctx, o.pages, scale)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	chosen, err := r.choose(ctx, o)
	if err != nil {
		return err
	}
	r.hand.setFault(o.fault)
	peer := &xdotool{sandbox: r.machine.Sandbox()}
	our := &contender{act: r.play, seeds: o.seeds}
	their := &contender{act: peer.play, seeds: min(o.seeds, o.peerSeeds)}
	for _, t := range chosen {
		if book.done(scale, t.name) {
			continue
		}
		our.run, their.run = newRun(ours, scale), newRun(theirs, scale)
		r.took, peer.took = our.run.Calls, their.run.Calls
		r.hand.begin(our.run.Input)
		if err := r.playTask(ctx, o, t, our, their, log); err != nil {
			return err
		}
		our.run.Load = []float64{load()}
		if err := book.enter(entry{Task: t.name, Scale: scale, Runs: []run{our.run, their.run}}); err != nil {
			return err
		}
	}
	return nil
}

// contender is an actor with its results.
type contender struct {
	act   actor
	seeds int // it plays of each task
	run   run
}

// maxVoid is how many seeds of a task may turn out impossible.
const maxVoid = 20

// playTask plays seeds of a task until o.seeds of them count. Whether one
// counts is what we find; the peer plays no other seeds than we.
func (r *rig) playTask(ctx context.Context, o order, t task, our, their *contender, log io.Writer) error {
	for seed, counted := 1, 0; counted < o.seeds; seed++ {
		for _, c := range []*contender{our, their} {
			if counted >= c.seeds {
				continue
			}
			out, err := r.playOne(ctx, o, t, seed, c, log)
			if err != nil {
				return err
			}
			if out.Void && seed <= maxVoid {
				c.run.Void = append(c.run.Void, out)
				if c == our {
					counted--
					break
				}
				continue
			}
			c.run.Outcomes = append(c.run.Outcomes, out)
		}
		counted++
	}
	return nil
}

func (r *rig) playOne(ctx context.Context, o order, t task, seed int, c *contender, log io.Writer) (outcome, error) {
	if err := ctx.Err(); err != nil {
		return outcome{}, err
	}
	out := r.run(ctx, t, seed, c.act)
	if err := ctx.Err(); err != nil {
		return outcome{}, err // what it came to is not the actor's doing
	}
	out.Scale = c.run.Scale
	progress(log, c.run.Actor, out)
	if out.Passed || out.Void || o.shots == "" {
		return out, nil
	}
	return out, r.shoot(ctx, filepath.Join(o.shots, fmt.Sprintf("%s-%dx-%s-%d.png", c.run.Actor, out.Scale, t.name, seed)))
}

// load returns how many processes of this machine want to run, on the average
// of the last minute; 0 when the system does not tell.
func load() float64 {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(data), " ")
	n, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return n
}

// shoot keeps a picture of the screen.
func (r *rig) shoot(ctx context.Context, path string) error {
	p, err := r.machine.Desktop().Screen(ctx, desktop.Shot{Format: desktop.PNG, Cursor: true})
	if err != nil {
		return err
	}
	return os.WriteFile(path, p.Data, 0o600)
}
