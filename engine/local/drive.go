package local

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/agent"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/tool"
)

// drive is one task in the hands of this process: it has the task's lease, and
// its computer for as long as the task may go on with it.
type drive struct {
	e       *Engine
	id      deskhand.TaskID
	cancel  context.CancelCauseFunc // of the context of run, with the reason to stop as its cause
	release func()                  // of the lease
	done    chan struct{}
	news    chan struct{} // holds one: something was asked, said or answered

	computer *computer // nil: none is up. Touched by run only

	mu      sync.Mutex
	call    string                  // that is running
	cut     context.CancelCauseFunc // ends it
	cuts    map[string]bool         // calls that a person interrupted
	resumed bool                    // somebody asked to go on
}

func newDrive(e *Engine, id deskhand.TaskID, release func()) (*drive, context.Context) {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &drive{
		e: e, id: id, cancel: cancel, release: release,
		done: make(chan struct{}), news: make(chan struct{}, 1), cuts: map[string]bool{},
	}, ctx
}

// run drives a running task until it has ended, or is parked and nobody here
// can go on with it. What is asked of it after event seq is heard.
func (d *drive) run(ctx context.Context, seq int64) {
	var ears sync.WaitGroup
	hearing, deaf := context.WithCancel(context.WithoutCancel(ctx))
	ears.Go(func() { d.listen(hearing, seq) })
	defer func() {
		d.cancel(nil)
		deaf()
		ears.Wait()
		d.leave()
		d.e.end(d)
	}()
	for {
		out := d.work(ctx)
		if !d.mayKeep(out.Status) {
			d.leave() // before anybody reads that the task has ended
		}
		status := d.settle(ctx, out)
		if status != deskhand.Running && d.computer != nil {
			status = d.rest(ctx, status)
		}
		if status != deskhand.Running {
			return
		}
	}
}

// mayKeep reports whether the computer stays up with a task of that status.
func (d *drive) mayKeep(s deskhand.Status) bool {
	return d.computer != nil && !d.computer.lost() && (s == deskhand.Waiting || s == deskhand.Exhausted || d.e.cfg.Keep)
}

// settle records how the task stands, and returns that. A task that is done
// but for what a person has said in the meantime goes on.
func (d *drive) settle(ctx context.Context, out agent.Outcome) deskhand.Status {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), endingLimit)
	defer done()
	t, err := d.e.cfg.Store.Get(ctx, string(d.id))
	if err == nil {
		err = d.e.status(ctx, d.id, t.Status, out)
	}
	if err != nil {
		d.e.cfg.Log.Error("task not ended", "task", d.id, "err", err)
		return deskhand.Failed
	}
	if out.Status == deskhand.Done && d.goesOn(ctx, out.Status) {
		return deskhand.Running
	}
	return out.Status
}

// rest waits with the computer until the task can go on, and records that it
// does. Another status than Running means that it does not.
func (d *drive) rest(ctx context.Context, status deskhand.Status) deskhand.Status {
	for !d.goesOn(ctx, status) {
		select {
		case <-d.news:
		case <-d.computer.gone:
			d.leave()
			return status // whoever goes on with it starts with a new computer
		case <-ctx.Done():
			return d.retire(ctx, status)
		}
	}
	return deskhand.Running
}

// retire ends a task at rest: for good when a person said so.
func (d *drive) retire(ctx context.Context, status deskhand.Status) deskhand.Status {
	d.leave()
	if errors.Is(context.Cause(ctx), errShutdown) || status.Ended() {
		return status
	}
	ending, done := context.WithTimeout(context.WithoutCancel(ctx), endingLimit)
	defer done()
	if err := d.e.close(ending, d.id, context.Cause(ctx)); err != nil {
		d.e.cfg.Log.Error("task not ended", "task", d.id, "err", err)
	}
	return deskhand.Stopped
}

// goesOn records that the task goes on, when there is a reason to, and reports
// whether it does.
func (d *drive) goesOn(ctx context.Context, status deskhand.Status) bool {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), endingLimit)
	defer done()
	st, err := agent.Fold(d.e.cfg.Store.Events(ctx, d.id, 0))
	if err == nil && (d.takeResumed() && resumable(status, st) == nil || runnable(status, st)) {
		err = d.e.status(ctx, d.id, status, agent.Outcome{Status: deskhand.Running})
		if err == nil {
			return true
		}
	}
	if err != nil {
		d.e.cfg.Log.Error("task does not go on", "task", d.id, "err", err)
	}
	return false
}

func (d *drive) takeResumed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	was := d.resumed
	d.resumed = false
	return was
}

// work takes turns until the task stands still.
func (d *drive) work(ctx context.Context) agent.Outcome {
	t, err := d.e.cfg.Store.Get(context.WithoutCancel(ctx), string(d.id))
	if err != nil {
		return d.failed(ctx, err)
	}
	m, cost, err := d.e.cfg.Model(ctx, t)
	if err != nil {
		return d.failed(ctx, err)
	}
	st, err := agent.Fold(d.e.cfg.Store.Events(context.WithoutCancel(ctx), d.id, 0))
	if err != nil {
		return d.failed(ctx, err)
	}
	out, err := d.lives(ctx, t, st, func(tools *tool.Set) *agent.Agent {
		a := d.e.agent(t, m, cost, tools)
		a.Calling = d.calling
		if check := d.e.cfg.Check; check != nil {
			a.Check = func(ctx context.Context, t deskhand.Task, ask agent.Ask) ([]deskhand.Checked, error) {
				return check(ctx, d.computer.Computer, t, ask)
			}
		}
		return a
	})
	if err != nil {
		return d.failed(ctx, err)
	}
	return out
}

// lives takes turns, on a new computer whenever there is none or the last is gone.
func (d *drive) lives(ctx context.Context, t deskhand.Task, st *agent.State, agentOn func(*tool.Set) *agent.Agent) (out agent.Outcome, err error) {
	for lost := 0; lost < maxLost; {
		turns := st.Task.Turns
		if d.computer == nil {
			if d.computer, err = d.up(ctx, t, turns > 0); err != nil {
				return out, err
			}
		}
		out, err = d.turns(ctx, agentOn(d.computer.Tools()), st)
		if err != nil || ctx.Err() != nil || !d.computer.lost() || out.Status != deskhand.Running && out.Status != deskhand.Failed {
			return out, err
		}
		d.leave()
		if lost++; st.Task.Turns > turns {
			lost = 1
		}
	}
	return agent.Outcome{Status: deskhand.Failed, Reason: fmt.Sprintf("The computer of the task was lost %d times in a row.", maxLost)}, nil
}

// turns takes turns until the task stands still or its computer is lost.
func (d *drive) turns(ctx context.Context, a *agent.Agent, st *agent.State) (agent.Outcome, error) {
	defer d.attend(ctx)()
	defer d.recordNetwork(ctx)()
	for {
		if d.computer.lost() && ctx.Err() == nil {
			return agent.Outcome{Status: deskhand.Running}, nil
		}
		for _, text := range d.computer.Notices() {
			if err := d.note(ctx, text, true); err != nil {
				return agent.Outcome{}, err
			}
		}
		out, err := a.Turn(ctx, st)
		if err == nil && out.Status == deskhand.Done {
			var more bool
			if more, err = d.unheard(ctx, st); more {
				continue
			}
		}
		if err != nil || out.Status != deskhand.Running {
			return out, err
		}
	}
}

// unheard reports whether a person said something that the task, which is done,
// has not heard, and brings st up to it.
func (d *drive) unheard(ctx context.Context, st *agent.State) (bool, error) {
	now, err := agent.Fold(d.e.cfg.Store.Events(context.WithoutCancel(ctx), d.id, 0))
	if err != nil || !now.Unread() {
		return false, err
	}
	*st = *now
	return true, nil
}

// recordNetwork appends what the computer's way out judges as it happens. The
// function that it returns records what is left and ends that.
func (d *drive) recordNetwork(ctx context.Context) (end func()) {
	n, ok := d.computer.Computer.(engine.Networked)
	if !ok {
		return func() {}
	}
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var recording sync.WaitGroup
	recording.Go(func() {
		for {
			all, err := n.Judged(watching)
			for _, j := range all {
				if err := d.append(ctx, d.e.event(d.id, deskhand.KindNetworkJudged, j)); err != nil {
					d.e.cfg.Log.Error("network not recorded", "task", d.id, "err", err)
				}
			}
			if err != nil {
				return
			}
		}
	})
	return func() {
		cancel()
		recording.Wait()
	}
}

// failed is how a task ends that cannot go on: as stopped when that is why.
func (d *drive) failed(ctx context.Context, err error) agent.Outcome {
	if ctx.Err() != nil {
		return agent.Outcome{Status: deskhand.Stopped, Reason: context.Cause(ctx).Error()}
	}
	d.e.cfg.Log.Error("task failed", "task", d.id, "err", err)
	return agent.Outcome{Status: deskhand.Failed, Reason: err.Error()}
}

func (d *drive) note(ctx context.Context, text string, toModel bool) error {
	return d.append(ctx, d.e.event(d.id, deskhand.KindNote, deskhand.Note{Text: text, ToModel: toModel}))
}

// append records facts, also when the task is being stopped.
func (d *drive) append(ctx context.Context, events ...deskhand.Event) error {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), endingLimit)
	defer done()
	_, err := d.e.journal().Append(ctx, events...)
	return err
}

// up brings a computer up and says so, with what it shows when the model has to
// find its way on it.
func (d *drive) up(ctx context.Context, t deskhand.Task, goesOn bool) (*computer, error) {
	begun := d.e.cfg.Now()
	if err := d.note(ctx, "Starting the desktop…", false); err != nil {
		return nil, err
	}
	inner, err := d.e.cfg.Computers.Up(ctx, t)
	if err != nil {
		return nil, err
	}
	c := newComputer(inner)
	ready := deskhand.ComputerReady{Same: c.survived()}
	if goesOn {
		ready.Screen, err = c.look(ctx, d.e.cfg.Store)
	}
	took := d.e.cfg.Now().Sub(begun).Round(time.Millisecond)
	ready.DurationMS = took.Milliseconds()
	if err == nil {
		err = d.append(ctx, d.e.event(d.id, deskhand.KindComputerReady, ready),
			d.e.event(d.id, deskhand.KindNote, deskhand.Note{Text: fmt.Sprintf("The desktop is ready after %s.", took)}))
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// attend says in the journal when the computer is lost, and closes it when ctx
// has ended and what was under way does not end by itself: nothing can hang on a
// computer that is gone. The function that it returns ends that and waits for it.
func (d *drive) attend(ctx context.Context) (end func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-over:
			return
		case <-d.computer.gone:
			if err := d.note(ctx, "The computer is gone.", false); err != nil {
				d.e.cfg.Log.Error("note not kept", "task", d.id, "err", err)
			}
			d.abandon()
		case <-ctx.Done():
		}
		grace := time.NewTimer(stopGrace)
		defer grace.Stop()
		select {
		case <-over:
		case <-grace.C:
			_ = d.computer.close() // whoever closes it properly gets the error
		}
	}()
	return func() {
		close(over)
		<-ended
	}
}

// leave closes the computer.
func (d *drive) leave() {
	if d.computer == nil {
		return
	}
	if err := d.computer.close(); err != nil {
		d.e.cfg.Log.Error("computer not closed", "task", d.id, "err", err)
	}
	d.computer = nil
}
