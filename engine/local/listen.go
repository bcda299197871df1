package local

import (
	"context"
	"encoding/json"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/agent"
)

// listen hears what is asked of the task after event seq, by this process or by
// others, until ctx ends.
func (d *drive) listen(ctx context.Context, seq int64) {
	w := &watcher{task: d.id, wake: make(chan struct{}, 1), deaf: true}
	d.e.hub.join(w)
	defer d.e.hub.leave(w)
	poll := time.NewTicker(requestPoll)
	defer poll.Stop()
	for failed := false; ; {
		var err error
		for ev, e := range d.e.cfg.Store.Events(ctx, d.id, seq) {
			if err = e; err != nil {
				break
			}
			seq = ev.Seq
			d.hear(ev)
		}
		if err != nil && !failed && ctx.Err() == nil {
			d.e.cfg.Log.Error("requests cannot be heard", "task", d.id, "err", err)
		}
		failed = err != nil
		select {
		case <-w.wake:
		case <-poll.C:
		case <-ctx.Done():
			return
		}
	}
}

// hear does what an event asks for.
func (d *drive) hear(ev deskhand.Event) {
	switch ev.Kind {
	case deskhand.KindHumanMessage, deskhand.KindApprovalDecided:
		d.tell()
	case deskhand.KindHumanAsked:
		var ask deskhand.HumanAsked
		if json.Unmarshal(ev.Data, &ask) != nil {
			return // not ours: nothing is done on a request that cannot be read
		}
		switch ask.For {
		case deskhand.AskStop:
			d.cancel(stopError(ask.Reason))
		case deskhand.AskInterrupt:
			d.interrupt(ask.CallID)
		case deskhand.AskResume:
			d.mu.Lock()
			d.resumed = true
			d.mu.Unlock()
			d.tell()
		}
	}
}

func (d *drive) tell() {
	select {
	case d.news <- struct{}{}:
	default:
	}
}

// calling is the context of one call: agent.Agent.Calling.
func (d *drive) calling(ctx context.Context, id string) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.call, d.cut = id, cancel
	if d.cuts[id] { // asked for between the intent and now
		cancel(context.Canceled)
	}
	return ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		cancel(nil)
		d.call, d.cut = "", nil
		clear(d.cuts)
	}
}

func (d *drive) interrupt(call string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cuts[call] = true; d.call == call && d.cut != nil {
		d.cut(context.Canceled)
	}
}

// abandon ends the call that is running on a computer that is gone.
func (d *drive) abandon() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cut != nil {
		d.cut(agent.ErrComputerGone)
	}
}
