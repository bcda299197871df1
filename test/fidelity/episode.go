package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

const (
	episodeLimit = 3 * time.Minute // for one episode, of the machine's time
	pageTime     = 2 * time.Minute // that the page is told to allow
	verdictLimit = 5 * time.Second // for the page to give its verdict after the last action
)

// actor performs what next says until there is no more.
type actor func(ctx context.Context, text string, source next) error

// outcome is how one episode ended.
type outcome struct {
	Task   string
	Seed   int
	Scale  int
	Passed bool
	Void   bool // nobody could pass this episode; it does not count
	Reward float64
	Most   most   // what a hand can be paid
	Reason string // why it was not passed
	Took   time.Duration
}

// task is a page with an oracle.
type task struct {
	name string
	path string // of the page, below the pages' address
}

// most is the reward that the page pays a perfect hand, which is a pass, and
// why it is not 1. The oracle reckons it as the page does.
type most struct {
	Reward float64 `json:"reward"`
	Why    string  `json:"why"`
}

// rounding is what sums of thirds and square roots may be off by.
const rounding = 1e-9

// impossible is what an oracle says of an episode that nobody could pass.
const impossible = "impossible: "

// run plays one episode of t and lets the page judge.
func (r *rig) run(ctx context.Context, t task, seed int, act actor) outcome {
	out := outcome{Task: t.name, Seed: seed}
	begun := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, episodeLimit, fmt.Errorf("not done within %s", episodeLimit))
	defer cancel()
	v, err := r.episode(ctx, t, seed, act)
	out.Took, out.Reward, out.Most = time.Since(begun), v.Reward, v.most
	switch {
	case err != nil:
		out.Reason = err.Error()
		out.Void = strings.Contains(out.Reason, impossible)
	case !v.Done:
		out.Reason = strings.TrimSpace("the page gave no verdict " + v.Reason)
	case v.Reward < v.most.Reward-rounding:
		out.Reason = fmt.Sprintf("reward %.4g of %.4g %s", v.Reward, v.most.Reward, v.Reason)
	default:
		out.Passed = true
	}
	return out
}

// verdict is what the page says at the end.
type verdict struct {
	Done   bool    `json:"done"`
	Reward float64 `json:"reward"`
	Reason string  `json:"reason"`
	most   most
}

// verdictSource waits for the page to be done, on the page's own clock.
const verdictSource = `new Promise(tell => {
	const until = performance.now() + %d;
	const look = () => WOB_DONE_GLOBAL || performance.now() > until
		? tell({done: WOB_DONE_GLOBAL, reward: WOB_RAW_REWARD_GLOBAL, reason: String(WOB_REWARD_REASON || '')})
		: setTimeout(look, 20);
	look();
})`

// paintedSource waits until the page has been painted: before that a browser
// throws input away. A page that paints nothing is given a second.
const paintedSource = `new Promise(tell => {
	const until = performance.now() + 1000;
	const look = () => performance.getEntriesByName('first-contentful-paint').length || performance.now() > until
		? requestAnimationFrame(() => requestAnimationFrame(() => tell(null))) : setTimeout(look, 10);
	look();
})`

// drawnSource waits until what was changed has reached the screen, and with it
// the browser's knowledge of who listens to the wheel.
const drawnSource = `new Promise(tell => requestAnimationFrame(() => requestAnimationFrame(() => tell(null))))`

func (r *rig) episode(ctx context.Context, t task, seed int, act actor) (v verdict, err error) {
	world, err := r.browser.open(ctx, "http://"+r.base+t.path)
	if err != nil {
		return v, err
	}
	if err := r.browser.evaluate(ctx, world, paintedSource, nil); err != nil {
		return v, err
	}
	if err := r.browser.evaluate(ctx, world, r.source+"; null", nil); err != nil {
		return v, err
	}
	name, err := json.Marshal(t.name)
	if err != nil {
		return v, err
	}
	if err := r.browser.evaluate(ctx, world, fmt.Sprintf("Oracle.run(%s); null", name), nil); err != nil {
		return v, err
	}
	start := fmt.Sprintf("Math.seedrandom('%d'); core.EPISODE_MAX_TIME = %d; core.startEpisodeReal(); %s", seed, pageTime.Milliseconds(), drawnSource)
	if err := r.browser.evaluate(ctx, 0, start, nil); err != nil {
		return v, err
	}
	source := func(ctx context.Context) ([]call, error) { return r.browser.ask(ctx, world) }
	if err := act(ctx, fmt.Sprintf("Do what the page %s says (seed %d).", t.name, seed), source); err != nil {
		return v, err
	}
	if err := r.browser.evaluate(ctx, world, "Oracle.most()", &v.most); err != nil {
		return v, err
	}
	return v, r.browser.evaluate(ctx, 0, fmt.Sprintf(verdictSource, verdictLimit.Milliseconds()), &v)
}
