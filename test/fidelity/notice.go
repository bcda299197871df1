package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
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
	Fault    string   `json:"fault"`
	Own      []string `json:"own"` // our own pages that did
	OwnOf    int      `json:"own_of"`
	Public   []string `json:"public"` // public ones
	PublicOf int      `json:"public_of"`
}

// tryFaults plays our own pages and the witnesses once with each fault. They
// are passed without; that is what the runs beside this one show.
func tryFaults(ctx context.Context, o order, book *book, log io.Writer) (err error) {
	r, err := newRig(ctx, o.pages, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	tasks := ownTasks()
	for _, name := range witnesses {
		tasks = append(tasks, miniwobTask(name))
	}
	for _, fault := range faultNames() {
		if book.tried(fault) {
			continue
		}
		n := notice{Fault: fault}
		for _, t := range tasks {
			out, err := r.runSpoilt(ctx, t, 1, fault)
			if err != nil {
				return err
			}
			out.Scale = 1
			progress(log, fault, out)
			n.take(out)
		}
		if err := book.enter(entry{Notice: &n}); err != nil {
			return err
		}
	}
	return nil
}

// runSpoilt plays one episode with a fault. A drag that was let go before the
// browser began it hangs on the pointer and takes the next click: that is one
// into the empty corner of the page.
func (r *rig) runSpoilt(ctx context.Context, t task, seed int, fault string) (outcome, error) {
	r.hand.setFault(fault)
	out := r.run(ctx, t, seed, r.play)
	r.hand.setFault("")
	d, corner := r.machine.Desktop(), deskhand.ScreenPoint{X: screen.W - 1, Y: screen.H - 1}
	if err := d.Input(ctx, desktop.Action{Kind: desktop.Click, Point: &corner}); err != nil {
		return out, err
	}
	_, err := d.Settle(ctx, desktop.Wait{})
	return out, err
}

func (n *notice) take(out outcome) {
	list, of := &n.Public, &n.PublicOf
	if strings.HasPrefix(out.Task, ownPrefix) {
		list, of = &n.Own, &n.OwnOf
	}
	*of++
	if !out.Passed && !out.Void && !slices.Contains(*list, out.Task) {
		*list = append(*list, out.Task)
	}
}
