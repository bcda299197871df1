package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/deskhand/deskhand/desktop"
)

// measure plays all that an order asks for, the scales side by side.
func measure(ctx context.Context, o order, log io.Writer) (report, error) {
	rep := report{order: o}
	type result struct {
		runs    []run
		without []string
		err     error
	}
	results := make([]result, len(o.scales))
	var all sync.WaitGroup
	out := &lines{w: log}
	for i, scale := range o.scales {
		all.Go(func() {
			r := &results[i]
			r.runs, r.without, r.err = playAll(ctx, o, scale, out)
		})
	}
	all.Wait()
	for _, r := range results {
		if r.err != nil {
			return rep, r.err
		}
		rep.runs, rep.without = append(rep.runs, r.runs...), r.without
	}
	return rep, nil
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

// playAll plays the tasks at one scale, on a computer of its own.
func playAll(ctx context.Context, o order, scale int, log io.Writer) (_ []run, without []string, err error) {
	r, err := newRig(ctx, o.pages, scale)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	all, err := r.tasks(ctx)
	if err != nil {
		return nil, nil, err
	}
	chosen, without, err := choose(o, all)
	if err != nil {
		return nil, nil, err
	}
	r.hand.setFault(o.fault)
	peer := &xdotool{sandbox: r.machine.Sandbox(), took: map[string][]time.Duration{}}
	actors := []contender{{name: ours, act: r.play}}
	if o.xdotool {
		actors = append(actors, contender{name: theirs, act: peer.play})
	}
	runs := make([]run, len(actors))
	for i, a := range actors {
		runs[i] = run{actor: a.name, scale: scale}
	}
	for i := range actors {
		actors[i].run = &runs[i]
	}
	for _, name := range chosen {
		if err := r.playTask(ctx, o, miniwobTask(name), scale, actors, log); err != nil {
			return nil, nil, err
		}
	}
	runs[0].calls, runs[0].input = r.took, r.hand.times()
	if o.xdotool {
		runs[1].calls = peer.took
	}
	return runs, without, nil
}

// contender is an actor with its results.
type contender struct {
	name string
	act  actor
	run  *run
}

// maxVoid is how many seeds of a task may turn out impossible.
const maxVoid = 20

// playTask plays seeds of a task until o.seeds of them count.
func (r *rig) playTask(ctx context.Context, o order, t task, scale int, actors []contender, log io.Writer) error {
	for seed, counted := 1, 0; counted < o.seeds; seed++ {
		void := false
		for _, a := range actors {
			if err := ctx.Err(); err != nil {
				return err
			}
			out := r.run(ctx, t, seed, a.act)
			out.Scale, void = scale, out.Void
			progress(log, a.name, out)
			if !out.Passed && !void && o.shots != "" {
				if err := r.shoot(ctx, filepath.Join(o.shots, fmt.Sprintf("%s-%dx-%s-%d.png", a.name, scale, t.name, seed))); err != nil {
					return err
				}
			}
			if void && seed <= maxVoid {
				a.run.void = append(a.run.void, out)
				break
			}
			a.run.outcomes = append(a.run.outcomes, out)
		}
		if !void || seed > maxVoid {
			counted++
		}
	}
	return nil
}

// shoot keeps a picture of the screen.
func (r *rig) shoot(ctx context.Context, path string) error {
	p, err := r.machine.Desktop().Screen(ctx, desktop.Shot{Format: desktop.PNG, Cursor: true})
	if err != nil {
		return err
	}
	return os.WriteFile(path, p.Data, 0o600)
}

// tasks asks the oracles which tasks they know.
func (r *rig) tasks(ctx context.Context) (map[string]bool, error) {
	var names []string
	if err := r.browser.evaluate(ctx, 0, r.source, &names); err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, n := range names {
		known[n] = true
	}
	return known, nil
}

// ownPrefix begins the names of our own pages.
const ownPrefix = "own-"

// choose returns the tasks to play, and the pages without an oracle.
func choose(o order, known map[string]bool) (chosen, without []string, err error) {
	pages, err := filepath.Glob(filepath.Join(o.pages, "miniwob", "*.html"))
	if err != nil {
		return nil, nil, err
	}
	there := map[string]bool{}
	for _, p := range pages {
		name := strings.TrimSuffix(filepath.Base(p), ".html")
		there[name] = true
		if known[name] {
			chosen = append(chosen, name)
		} else {
			without = append(without, name)
		}
	}
	flights, err := os.ReadDir(filepath.Join(o.pages, "flight"))
	if err == nil {
		for _, f := range flights {
			if f.IsDir() {
				without = append(without, "flight/"+f.Name())
			}
		}
	}
	for name := range known {
		if !there[name] && !strings.HasPrefix(name, ownPrefix) {
			return nil, nil, fmt.Errorf("there is an oracle for %q, but no such page in %s", name, o.pages)
		}
	}
	if o.tasks == nil {
		return chosen, without, nil
	}
	for _, name := range o.tasks {
		if !known[name] || !there[name] {
			return nil, nil, fmt.Errorf("there is no page with an oracle named %q", name)
		}
	}
	return o.tasks, without, nil
}

// enough is the least raw reward that is a pass where a perfect hand cannot
// reach 1: these pages measure distances from points between pixels, or round
// their own drawing down, or take time off.
var enough = map[string]float64{
	"bisect-angle":      0.9,
	"chase-circle":      0.8, // the pointer enters the circle only after the page has started
	"circle-center":     0.85,
	"find-midpoint":     0.85,
	"right-angle":       0.9,
	"use-colorwheel":    0.9, // a wheel 101 pixels wide has fewer colours than a byte
	"use-colorwheel-2":  0.9,
	"drag-shapes-2":     0.99,
	"odd-or-even":       0.99, // three thirds
	"ascending-numbers": 1,
}

func miniwobTask(name string) task {
	need, ok := enough[name]
	if !ok {
		need = 1
	}
	return task{name: name, path: "/miniwob/miniwob/" + name + ".html", need: need}
}

// ownTasks are our own pages.
func ownTasks() []task {
	var all []task
	entries, err := ownPages.ReadDir("own")
	if err != nil {
		panic(err) // unreachable: embedded
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".html"); ok {
			all = append(all, task{name: ownPrefix + name, path: "/own/" + e.Name(), need: 1})
		}
	}
	return all
}
