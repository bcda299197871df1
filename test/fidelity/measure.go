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
	"time"

	"github.com/deskhand/deskhand/desktop"
)

// measure plays all that an order asks for: the scales and the faults side by
// side, each on a computer of its own.
func measure(ctx context.Context, o order, log io.Writer) (report, error) {
	rep := report{order: o}
	runs := make([][]run, len(o.scales))
	errs := make([]error, len(o.scales)+1)
	var all sync.WaitGroup
	out := &lines{w: log}
	for i, scale := range o.scales {
		all.Go(func() {
			runs[i], errs[i] = playAll(ctx, o, scale, out)
		})
	}
	if o.faults {
		all.Go(func() {
			rep.notices, errs[len(o.scales)] = tryFaults(ctx, o, out)
		})
	}
	all.Wait()
	for _, r := range runs {
		rep.runs = append(rep.runs, r...)
	}
	return rep, errors.Join(errs...)
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

// playAll plays the tasks at one scale.
func playAll(ctx context.Context, o order, scale int, log io.Writer) (_ []run, err error) {
	r, err := newRig(ctx, o.pages, scale)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	chosen, err := r.choose(ctx, o)
	if err != nil {
		return nil, err
	}
	r.hand.setFault(o.fault)
	peer := &xdotool{sandbox: r.machine.Sandbox(), took: map[string][]time.Duration{}}
	our := &contender{act: r.play, seeds: o.seeds, run: run{actor: ours, scale: scale}}
	their := &contender{act: peer.play, seeds: min(o.seeds, o.peerSeeds), run: run{actor: theirs, scale: scale}}
	for _, t := range chosen {
		if err := r.playTask(ctx, o, t, our, their, log); err != nil {
			return nil, err
		}
		our.run.load = append(our.run.load, load())
	}
	our.run.calls, our.run.input = r.took, r.hand.times()
	if their.seeds == 0 {
		return []run{our.run}, nil
	}
	their.run.calls = peer.took
	return []run{our.run, their.run}, nil
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
				c.run.void = append(c.run.void, out)
				if c == our {
					counted--
					break
				}
				continue
			}
			c.run.outcomes = append(c.run.outcomes, out)
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
	out.Scale = c.run.scale
	progress(log, c.run.actor, out)
	if out.Passed || out.Void || o.shots == "" {
		return out, nil
	}
	return out, r.shoot(ctx, filepath.Join(o.shots, fmt.Sprintf("%s-%dx-%s-%d.png", c.run.actor, out.Scale, t.name, seed)))
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
