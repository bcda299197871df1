package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/deskhand/deskhand"
)

// report is what came of one death of the runtime.
type report struct {
	at      deskhand.Event // the newest event that was read when it was killed
	acked   int            // events read from its pipe
	stored  int            // events in the journal then
	dead    [][]fate       // of the calls, at the death
	fates   [][]fate       // at the end
	counted counts         // by the page
	ended   bool           // it had done the task before it could be killed
}

// boundary says when the runtime is killed: the first time it holds for what
// was read of its events.
type boundary func(events []deskhand.Event) bool

// after is the boundary after n events.
func after(n int) boundary {
	return func(events []deskhand.Event) bool { return len(events) == n }
}

// killRuntime runs the task, kills the process that drives it, goes on in
// another one, and judges what the page counted by what the journal says. An
// error is a promise that was not held, or a test that could not be done.
func killRuntime(ctx context.Context, program string, when boundary) (r report, err error) {
	turns := counted()
	p, err := newPlace(program, writeScript(turns...))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, p.close(ctx)) }()
	first, err := p.start(ctx, func(run *process, e deskhand.Event) error {
		if r.at.Kind == "" && when(run.events) {
			r.at = e
			return run.kill()
		}
		return nil
	})
	if err != nil {
		return r, err
	}
	r.acked, r.ended = len(first.events), !first.killed()
	dead, err := p.read(ctx)
	if err != nil {
		return r, err
	}
	r.stored = len(dead)
	if !dead.begins(first.events) {
		return r, fmt.Errorf("%d events were acknowledged, and the journal of %d does not begin with them", len(first.events), len(dead))
	}
	if r.dead, err = dead.fates(turns); err != nil {
		return r, err
	}
	if dead.last().To != deskhand.Done {
		// Where the model's last word was in the journal already, whoever opens
		// it next records that the task is done, and there is nothing to resume.
		_, failed := p.resume(ctx)
		if now, err := p.read(ctx); failed != nil && (err != nil || now.last().To != deskhand.Done) {
			return r, errors.Join(failed, err)
		}
	}
	return r, p.judge(ctx, &r, turns, dead)
}

// judge looks at the end of a task that went on after a death.
func (p *place) judge(ctx context.Context, r *report, turns []turn, dead journal) error {
	whole, err := p.read(ctx)
	if err != nil {
		return err
	}
	if !whole.begins(dead) {
		return errors.New("the journal does not begin with what it was at the death")
	}
	if r.fates, err = whole.fates(turns); err != nil {
		return err
	}
	least, most := bounds(turns, r.fates)
	if r.counted, err = p.await(ctx, least); err != nil {
		return err
	}
	return errors.Join(p.judgeEnd(whole), p.judgeHonesty(r), judgeCounts(r.counted, least, most))
}

// judgeEnd checks that the task was done, and that the stand-in for the API
// found nothing wrong with anything it was sent.
func (p *place) judgeEnd(whole journal) error {
	if end := whole.last(); end.To != deskhand.Done || end.Result != lastWord {
		return fmt.Errorf("the task is %s: %s %s", end.To, end.Reason, end.Result)
	}
	if problems := p.player.script.Problems(); len(problems) > 0 {
		return fmt.Errorf("the API complains: %s", strings.Join(problems, "; "))
	}
	return nil
}

// judgeHonesty checks that a call which ran at the death is one of unknown
// outcome afterwards, that no other is, and that the model was told.
func (p *place) judgeHonesty(r *report) error {
	for t := range r.dead {
		for c, was := range r.dead[t] {
			if is := r.fates[t][c]; (was == running) != (is == unknown) {
				return fmt.Errorf("a call (reply %d, call %d) that was %s at the death is said to be %s", t, c, was, is)
			}
		}
	}
	in := count(r.dead, running) > 0
	if told := strings.Contains(p.player.told(), unknownWords[0]); told != in {
		return fmt.Errorf("a call ran at the death: %t; the model was told of an unknown outcome: %t", in, told)
	}
	return nil
}

func judgeCounts(got, least, most counts) error {
	var errs []error
	for cell, n := range got {
		if n < least[cell] || n > most[cell] {
			errs = append(errs, fmt.Errorf("%s was counted %d times, want %d to %d", names[cell], n, least[cell], most[cell]))
		}
	}
	return errors.Join(errs...)
}
