package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
)

// witnesses are the public pages on which faults are tried: those of clicks
// that are paid by distance, of text, of drags, and of the wheel.
var witnesses = []string{
	"bisect-angle", "circle-center", "find-midpoint", "grid-coordinate", "highlight-text-2",
	"enter-password", "enter-text", "enter-text-2", "login-user", "terminal", "text-transform",
	"click-scroll-list", "drag-box", "drag-items", "drag-shapes", "drag-sort-numbers", "scroll-text-2", "use-slider",
}

// notice is who noticed a fault.
type notice struct {
	fault  string
	own    []string // our own pages that did, of ownOf
	public []string // public ones
	ownOf  int
	of     int // public ones
}

// tryFaults plays our own pages and the witnesses once with each fault. They
// are passed without; that is what the runs beside this one show.
func tryFaults(ctx context.Context, o order, log io.Writer) (all []notice, err error) {
	r, err := newRig(ctx, o.pages, 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	tasks := ownTasks()
	for _, name := range witnesses {
		tasks = append(tasks, miniwobTask(name))
	}
	for _, fault := range faultNames() {
		n := notice{fault: fault}
		for _, t := range tasks {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			r.hand.setFault(fault)
			out := r.run(ctx, t, 1, r.play)
			r.hand.setFault("")
			out.Scale = 1
			progress(log, fault, out)
			n.take(out)
		}
		all = append(all, n)
	}
	return all, r.machine.Desktop().Release(ctx)
}

func (n *notice) take(out outcome) {
	list, of := &n.public, &n.of
	if strings.HasPrefix(out.Task, ownPrefix) {
		list, of = &n.own, &n.ownOf
	}
	*of++
	if !out.Passed && !out.Void && !slices.Contains(*list, out.Task) {
		*list = append(*list, out.Task)
	}
}
