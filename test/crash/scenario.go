package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
)

// reopen shows the page again, from the model's own shell, as soon as there is a display.
var reopen = asked{"bash", map[string]any{"command": `for i in $(seq 100); do xdpyinfo > /dev/null 2>&1 && break; sleep 0.2; done
pgrep -x mutter > /dev/null || sleep 2
chromium --kiosk "file://$HOME/page.html" > /dev/null 2>&1 < /dev/null &`}, nil}

// brief keeps a key down for long enough to kill something meanwhile.
var brief = asked{"hold_key", map[string]any{"text": "h", "duration": 8}, []int{holdDown, holdUp}}

// scenario kills one thing while a call runs.
type scenario struct {
	name  string
	turns []turn
	at    string // the call under which it strikes
	frees bool   // the page dies with it: what it counted before is added to what it counts after
	ends  bool   // what drives the task dies; it is resumed
	calm  bool   // the call ends as if nothing had happened
	fresh bool   // a new desktop comes, on which the page has to be shown
	opens bool   // the model shows the page again in its third reply; it is not heard of the fourth until the page is there whole
	quick bool   // it is part of every test run
	says  string // in a note of the journal, or what the model is told

	before func(p *place) error // with the model's reply that has the call held back
	strike func(ctx context.Context, p *place, run *process) error
}

// kills returns a strike at one part of the desktop.
func kills(v victim) func(context.Context, *place, *process) error {
	return func(_ context.Context, p *place, _ *process) error { return p.signal(v, unix.SIGKILL) }
}

func scenarios() []scenario {
	first := turn{calls: []asked{look}}
	under := func(call asked) turn { return turn{true, []asked{pointed("left_click", clickOne), call}} }
	again := turn{shown: true, calls: []asked{pointed("left_click", clickTwo)}}
	return []scenario{
		{
			name: "the runtime, with a key down", turns: []turn{first, under(holding), {calls: []asked{look}}, again}, at: "hold_key", ends: true, says: unknownWords[0],
			strike: func(_ context.Context, _ *place, run *process) error { return run.kill() },
		},
		{
			name: "the runtime, in the middle of a click", turns: []turn{first, {true, []asked{pointed("left_click", clickOne)}}, {calls: []asked{look}}, again},
			at: "left_click", ends: true, quick: true, says: unknownWords[0],
			before: func(p *place) error { return p.signal(theServer, unix.SIGSTOP) },
			strike: func(_ context.Context, p *place, run *process) error {
				return errors.Join(run.kill(), p.signal(theServer, unix.SIGCONT))
			},
		},
		{
			name: "the guest", turns: []turn{first, under(holding), {calls: []asked{look}}, again}, at: "hold_key", frees: true, fresh: true, quick: true,
			says: "The computer is gone.", strike: kills(theGuest),
		},
		{
			name: "Xvfb", turns: []turn{first, under(holding), {calls: []asked{reopen}}, {calls: []asked{look}}, again}, at: "hold_key", frees: true, opens: true,
			says: "The display stopped and was started again.", strike: kills(theServer),
		},
		{
			name: "the browser", turns: []turn{first, under(brief), {calls: []asked{reopen}}, {calls: []asked{look}}, again}, at: "hold_key", frees: true, opens: true, calm: true,
			strike: kills(theBrowser),
		},
		{
			name: "the machine: everything at once", turns: []turn{first, under(holding), {calls: []asked{look}}, again}, at: "hold_key", frees: true, ends: true, fresh: true, quick: true,
			says:   "The computer you worked on is gone",
			strike: func(_ context.Context, p *place, run *process) error { return p.cutPower(run) },
		},
	}
}

// play runs the scenario, and judges it as a death of the runtime is judged. It
// returns what the page counted, all its lives together, and the fates of the calls.
func (s scenario) play(ctx context.Context, program string) (r report, err error) {
	p, err := newPlace(program, writeScript(s.turns...))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, p.close(ctx)) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	prepared := p.whenHeld(ctx, "_0_0\"", s.prepare(p))
	struck := false
	var before counts
	run, err := p.start(ctx, func(run *process, e deskhand.Event) error {
		if struck || !s.due(e) {
			return nil
		}
		struck = true
		if err := <-prepared; err != nil {
			return err
		}
		if before, err = s.beforeStrike(ctx, p); err != nil {
			return err
		}
		r.at = e
		if s.fresh {
			p.player.hide()
		}
		err := s.strike(ctx, p, run)
		if s.opens {
			// Its own look finds the page's background, also while the window has
			// no focus or is not in its place yet: a click could be lost.
			p.reopened = p.whenHeld(ctx, "_3_0\"", func() error { return p.seen(ctx) })
		}
		p.looked = p.whenHeld(ctx, fmt.Sprintf("_%d_0\"", len(s.turns)-1), func() (err error) {
			var want counts
			want[clickTwo] = 1 // the last thing before this request
			r.counted, err = p.await(ctx, want)
			return err
		})
		return err
	})
	if err == nil && !struck {
		err = errors.New("the call never ran")
	}
	if err != nil {
		return r, err
	}
	r.acked = len(run.events)
	return r, s.judge(ctx, p, &r, run, before)
}

func (s scenario) prepare(p *place) func() error {
	return func() error {
		if s.before == nil {
			return nil
		}
		return s.before(p)
	}
}

// due reports whether an event is the beginning of the call to strike at.
func (s scenario) due(e deskhand.Event) bool {
	var d deskhand.CallStarted
	return e.Kind == deskhand.KindCallStarted && json.Unmarshal(e.Data, &d) == nil && d.Call.Name == s.at
}

// beforeStrike waits until the page noticed the call, where it can.
func (s scenario) beforeStrike(ctx context.Context, p *place) (c counts, err error) {
	if s.before != nil {
		return c, nil
	}
	var want counts
	want[clickOne], want[holdDown] = 1, 1
	if c, err = p.await(ctx, want); err == nil && !c.covers(want) {
		err = fmt.Errorf("before the strike the page counted %s", c)
	}
	return c, err
}

// whenHeld holds back the request that has mark in it, does something, and lets
// it go.
func (p *place) whenHeld(ctx context.Context, mark string, do func() error) <-chan error {
	held, let := p.player.holdBack(mark)
	done := make(chan error, 1)
	go func() {
		defer let()
		select {
		case <-held:
			done <- do()
		case <-ctx.Done():
			done <- ctx.Err()
		}
	}()
	return done
}

func (s scenario) judge(ctx context.Context, p *place, r *report, run *process, before counts) error {
	dead, err := p.read(ctx)
	if err != nil {
		return err
	}
	r.stored = len(dead)
	if !dead.begins(run.events) {
		return errors.New("the journal does not begin with what was acknowledged")
	}
	if r.dead, err = dead.fates(s.turns); err != nil {
		return err
	}
	if s.ends {
		if _, err := p.resume(ctx); err != nil {
			return err
		}
	}
	if s.opens {
		if err := <-p.reopened; err != nil {
			return err
		}
	}
	if err := <-p.looked; err != nil {
		return err
	}
	whole, err := p.read(ctx)
	if err != nil {
		return err
	}
	if r.fates, err = whole.fates(s.turns); err != nil {
		return err
	}
	if s.frees {
		for cell := range before {
			r.counted[cell] += before[cell]
		}
	}
	least, most := bounds(s.turns, r.fates)
	if s.calm {
		least[holdUp] = 0 // the page went while the key was down
	}
	return errors.Join(p.judgeEnd(whole), s.judgeWords(p, whole, r), judgeCounts(r.counted, least, most))
}

// judgeWords checks that what happened is said.
func (s scenario) judgeWords(p *place, whole journal, r *report) error {
	if n := count(r.fates, unknown); (n == 1) == s.calm {
		return fmt.Errorf("%d calls have an unknown outcome", n)
	}
	if !strings.Contains(strings.Join(whole.said(), "\n")+p.player.told(), s.says) {
		return fmt.Errorf("nobody says %q, the journal says %q", s.says, whole.said())
	}
	return nil
}
