package local

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
)

// hub wakes watchers and hands them deltas. It holds no event that is stored:
// watchers read those from the store, so none can be lost or come twice.
type hub struct {
	mu       sync.Mutex
	watchers map[deskhand.TaskID]map[*watcher]struct{}
	last     map[deskhand.TaskID]int64 // seq of the last event appended here, of tasks that are driven here
}

func newHub() *hub {
	return &hub{watchers: map[deskhand.TaskID]map[*watcher]struct{}{}, last: map[deskhand.TaskID]int64{}}
}

// notify says that there is more to read: events of one task.
func (h *hub) notify(events []deskhand.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	last := events[len(events)-1]
	h.last[last.Task] = max(h.last[last.Task], last.Seq)
	h.wake(last.Task, slices.ContainsFunc(events, asks))
}

// asks reports whether somebody other than the driver wrote e, for it to act on.
func asks(e deskhand.Event) bool {
	return e.Kind == deskhand.KindHumanAsked || e.Kind == deskhand.KindHumanMessage || e.Kind == deskhand.KindApprovalDecided
}

// forget says that nobody here drives the task any more.
func (h *hub) forget(task deskhand.TaskID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.last, task)
	h.wake(task, false)
}

func (h *hub) wake(task deskhand.TaskID, asked bool) {
	for w := range h.watchers[task] {
		if asked || !w.deaf {
			w.poke()
		}
	}
}

// delta gives a model.delta to everybody who watches its task.
func (h *hub) delta(e deskhand.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers[e.Task] {
		if w.deaf {
			continue
		}
		if len(w.deltas) == maxDeltas {
			w.deltas = w.deltas[1:]
		}
		w.deltas = append(w.deltas, tagged{e, h.last[e.Task]})
		w.poke()
	}
}

func (h *hub) join(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers[w.task] == nil {
		h.watchers[w.task] = map[*watcher]struct{}{}
	}
	h.watchers[w.task][w] = struct{}{}
}

func (h *hub) leave(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers[w.task], w)
	if len(h.watchers[w.task]) == 0 {
		delete(h.watchers, w.task)
	}
}

func (h *hub) take(w *watcher) []tagged {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := w.deltas
	w.deltas = nil
	return out
}

// tagged is a delta and the seq of the stored event that it came after.
type tagged struct {
	deskhand.Event
	after int64
}

// watcher sends one task's events to one reader.
type watcher struct {
	task   deskhand.TaskID
	out    chan deskhand.Event
	wake   chan struct{} // holds one
	deltas []tagged      // guarded by the hub's mutex
	deaf   bool          // it hears of requests only

	last   int64           // seq of the last stored event sent
	reply  int64           // seq of the last whole reply sent; deltas from before it are stale
	status deskhand.Status // as of last
}

func (w *watcher) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Watch implements engine.Engine. It also follows a task that another process
// drives, without deltas.
func (e *Engine) Watch(ctx context.Context, id deskhand.TaskID, after int64) (<-chan deskhand.Event, error) {
	w := &watcher{task: id, out: make(chan deskhand.Event), wake: make(chan struct{}, 1), last: after}
	e.hub.join(w)
	ours := e.driving(id) // before the status: a drive that is over has recorded its last
	t, err := e.cfg.Store.Get(ctx, string(id))
	if err == nil && t.ID != id {
		err = deskhand.Errorf("engine: watch", deskhand.NotFound, "there is no task %q", id)
	}
	if err == nil {
		err = e.admit()
	}
	if err != nil {
		e.hub.leave(w)
		return nil, err
	}
	w.status = t.Status
	go func() {
		defer e.watching.Done()
		defer close(w.out)
		defer e.hub.leave(w)
		e.follow(ctx, w, ours)
	}()
	return w.out, nil
}

// admit counts a watcher in, unless the engine is closed.
func (e *Engine) admit() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return deskhand.Errorf("engine: watch", deskhand.Unavailable, "deskhand is shutting down")
	}
	e.watching.Add(1)
	return nil
}

// follow sends events until the task has ended or is parked.
func (e *Engine) follow(ctx context.Context, w *watcher, ours *drive) {
	poll := time.NewTicker(watchPoll)
	defer poll.Stop()
	for {
		over := ours != nil && isClosed(ours.done) // looked at before reading: what it wrote is there
		if !e.deliver(ctx, w) || !w.live() || over {
			return
		}
		select {
		case <-w.wake:
		case <-poll.C:
			if ours == nil && !e.accountedFor(ctx, w.task) {
				return
			}
		case <-ctx.Done():
			return
		case <-e.quit:
			return
		}
	}
}

// accountedFor looks, for a watcher of a task that is driven elsewhere, whether anybody
// drives it, and buries it when nobody does: what that writes is there to read.
// False means that nothing more will be written.
func (e *Engine) accountedFor(ctx context.Context, id deskhand.TaskID) bool {
	err := e.find(ctx, id)
	if err != nil && ctx.Err() == nil {
		e.cfg.Log.Error("watch ended", "task", id, "err", err)
	}
	return err == nil
}

// live reports whether the task is still being driven, as far as w has sent.
func (w *watcher) live() bool { return w.status == deskhand.Queued || w.status == deskhand.Running }

// deliver sends what there is, each delta after the stored events it came
// after, and reports whether the reader wants more.
func (e *Engine) deliver(ctx context.Context, w *watcher) bool {
	for _, d := range e.hub.take(w) {
		if d.after > w.last && !e.stored(ctx, w) {
			return false
		}
		if d.after >= w.reply && !e.send(ctx, w, d.Event) {
			return false
		}
	}
	return e.stored(ctx, w)
}

func (e *Engine) stored(ctx context.Context, w *watcher) bool {
	for ev, err := range e.cfg.Store.Events(ctx, w.task, w.last) {
		if err != nil {
			if ctx.Err() == nil {
				e.cfg.Log.Error("watch ended", "task", w.task, "err", err)
			}
			return false
		}
		if !e.send(ctx, w, ev) {
			return false
		}
		w.sent(ev)
	}
	return true
}

func (w *watcher) sent(ev deskhand.Event) {
	w.last = ev.Seq
	switch ev.Kind {
	case deskhand.KindModelReplied:
		w.reply = ev.Seq
	case deskhand.KindTaskStatus:
		var d deskhand.TaskStatus
		if json.Unmarshal(ev.Data, &d) == nil {
			w.status = d.To
		}
	}
}

func (e *Engine) send(ctx context.Context, w *watcher, ev deskhand.Event) bool {
	select {
	case w.out <- ev:
		return true
	case <-ctx.Done():
	case <-e.quit:
	}
	return false
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
