package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// noOracle says of the pages without an oracle why they have none.
var noOracle = map[string]string{
	"hover-shape":  "its reward is switched off in its source (\"TODO: Convert to the normal reward\"): it can only run out of time",
	"chase-circle": "it pays for the share of ten seconds that the pointer is inside a moving circle, from before the pointer can be there: 1 is out of reach, and no other number is said to be a pass",
	"moving-items": "it pays for each of ten moving circles that is hit within ten seconds: it judges how often an actor looks, and deskhand looks when the screen is still",
}

const noFlightOracle = "a copy of an airline's page within the page, not one of the tasks in miniwob/: no oracle was written"

// known asks the oracles which tasks they know.
func (r *rig) known(ctx context.Context) (map[string]bool, error) {
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

// choose returns the tasks to play: our own pages first.
func (r *rig) choose(ctx context.Context, o order) ([]task, error) {
	known, err := r.known(ctx)
	if err != nil {
		return nil, err
	}
	there, err := publicPages(o.pages)
	if err != nil {
		return nil, err
	}
	all := ownTasks()
	for _, name := range there {
		switch {
		case known[name]:
			all = append(all, miniwobTask(name))
		case noOracle[name] == "":
			return nil, fmt.Errorf("the page %s has no oracle, and nothing says why", name)
		}
	}
	for name := range known {
		if !strings.HasPrefix(name, ownPrefix) && !slices.Contains(there, name) {
			return nil, fmt.Errorf("there is an oracle for %q, but no such page in %s", name, o.pages)
		}
	}
	if o.tasks == nil {
		return all, nil
	}
	return withNames(all, o.tasks)
}

// withNames returns the tasks with the names.
func withNames(all []task, names []string) (chosen []task, err error) {
	for _, name := range names {
		i := slices.IndexFunc(all, func(t task) bool { return t.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no page with an oracle named %q", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// publicPages lists the tasks in a folder.
func publicPages(dir string) (names []string, err error) {
	pages, err := filepath.Glob(filepath.Join(dir, "miniwob", "*.html"))
	for _, p := range pages {
		names = append(names, strings.TrimSuffix(filepath.Base(p), ".html"))
	}
	return names, err
}

// withoutOracle lists the pages of a folder that are not played, with the reason.
func withoutOracle(dir string) ([][2]string, error) {
	there, err := publicPages(dir)
	if err != nil {
		return nil, err
	}
	var all [][2]string
	for _, name := range there {
		if why := noOracle[name]; why != "" {
			all = append(all, [2]string{name, why})
		}
	}
	flights, err := filepath.Glob(filepath.Join(dir, "flight", "*", "wrapper.html"))
	for _, f := range flights {
		all = append(all, [2]string{"flight/" + filepath.Base(filepath.Dir(f)), noFlightOracle})
	}
	return all, err
}

// ownPrefix begins the names of our own pages.
const ownPrefix = "own-"

func miniwobTask(name string) task {
	return task{name: name, path: "/miniwob/miniwob/" + name + ".html"}
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
			all = append(all, task{name: ownPrefix + name, path: "/own/" + e.Name()})
		}
	}
	return all
}
