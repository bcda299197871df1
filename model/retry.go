package model

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/deskhand/deskhand"
)

// RetryConfig says how often and how patiently a failed request is repeated.
type RetryConfig struct {
	Attempts int           // tries in all; default 6
	Base     time.Duration // wait after the first failure, doubled after each; default 1s
	Max      time.Duration // longest wait that we choose; default 30s
	MaxWait  time.Duration // longest wait the API may ask for; above it we give up; default 5m

	// OnFailure is told of every failed attempt (1, 2, 3 …) before the wait for
	// the next, from the calling goroutine. A wait of 0 means that there is no
	// next. What a watcher saw of the attempt's deltas is void. Default none.
	OnFailure func(attempt int, err *Error, wait time.Duration)

	Jitter func() float64                                   // in [0,1); default random
	Sleep  func(ctx context.Context, d time.Duration) error // default a timer; returns early with ctx's error
}

func (c RetryConfig) withDefaults() RetryConfig {
	if c.Attempts < 1 {
		c.Attempts = 6
	}
	if c.Base <= 0 {
		c.Base = time.Second
	}
	if c.Max <= 0 {
		c.Max = 30 * time.Second
	}
	if c.MaxWait <= 0 {
		c.MaxWait = 5 * time.Minute
	}
	if c.OnFailure == nil {
		c.OnFailure = func(int, *Error, time.Duration) {}
	}
	if c.Jitter == nil {
		c.Jitter = rand.Float64
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	return c
}

// Retry returns m with failed requests repeated, as long as the failure says
// that this may help. Nothing of a failed reply was acted on, so repeating the
// whole request is safe.
func Retry(m Model, c RetryConfig) Model { return &retrying{m, c.withDefaults()} }

type retrying struct {
	Model
	RetryConfig
}

func (r *retrying) Reply(ctx context.Context, req Request, on func(Delta)) (Reply, error) {
	for attempt := 1; ; attempt++ {
		reply, err := r.Model.Reply(ctx, req, on)
		if err == nil {
			return reply, nil
		}
		failure := asError(ctx, err)
		if failure.Code == deskhand.Canceled {
			return Reply{}, failure
		}
		wait, final := r.wait(attempt, failure)
		if final != nil {
			r.OnFailure(attempt, final, 0)
			return Reply{}, final
		}
		r.OnFailure(attempt, failure, wait)
		if err := r.Sleep(ctx, wait); err != nil {
			return Reply{}, canceled(err)
		}
	}
}

// wait returns how long to wait before the next attempt, or the error to end with.
func (r *retrying) wait(attempt int, failure *Error) (time.Duration, *Error) {
	if !failure.Retry {
		return 0, failure
	}
	if failure.RetryAfter > r.MaxWait {
		return 0, with(failure, fmt.Sprintf("%s The API asks to wait %s, which is longer than the limit of %s.",
			failure.Message, failure.RetryAfter.Round(time.Second), r.MaxWait))
	}
	if attempt >= r.Attempts {
		return 0, with(failure, fmt.Sprintf("%s Gave up after %s.", failure.Message, plural(attempt, "attempt")))
	}
	if failure.RetryAfter > 0 {
		return failure.RetryAfter, nil
	}
	return r.backoff(attempt), nil
}

// backoff doubles with each attempt up to Max, less up to a quarter, so that
// many clients refused at once do not return at once.
func (r *retrying) backoff(attempt int) time.Duration {
	d := r.Base
	for range attempt - 1 {
		if d >= r.Max {
			break
		}
		d *= 2
	}
	d = min(d, r.Max)
	return d - time.Duration(r.Jitter()*float64(d)/4)
}

// asError makes an *Error of whatever a Model returned.
func asError(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		return canceled(ctx.Err())
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: deskhand.CodeOf(err), Message: err.Error(), Err: err}
}

func canceled(err error) *Error {
	return &Error{Code: deskhand.Canceled, Message: "The request was canceled.", Err: err}
}

func with(e *Error, message string) *Error {
	changed := *e
	changed.Message, changed.Retry = message, false
	return &changed
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
