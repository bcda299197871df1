package model

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deskhand/deskhand"
)

// scripted fails with each error in turn, then replies.
type scripted struct {
	errs  []error
	calls int
}

func (s *scripted) Reply(_ context.Context, _ Request, on func(Delta)) (Reply, error) {
	s.calls++
	on(Delta{Text: "half"})
	if s.calls <= len(s.errs) {
		return Reply{}, s.errs[s.calls-1]
	}
	return Reply{ID: "msg_1"}, nil
}

func overloaded() error {
	return &Error{Code: deskhand.Unavailable, Status: 529, Message: "The API is overloaded (529).", Retry: true}
}

func asked(d time.Duration) error {
	return &Error{Code: deskhand.OverLimit, Status: 429, Message: "Too many requests (429).", Retry: true, RetryAfter: d}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	refused := &Error{Code: deskhand.Unauthenticated, Status: 401, Message: "The API key was refused (401)."}
	repeat := func(n int, err error) []error { return slices.Repeat([]error{err}, n) }
	tests := []struct {
		name  string
		errs  []error
		waits []time.Duration
		final string // of the error; empty for success
	}{
		{"none needed", nil, nil, ""},
		{"once", repeat(1, overloaded()), []time.Duration{1 * time.Second}, ""},
		{"doubles up to a ceiling", repeat(5, overloaded()), []time.Duration{1e9, 2e9, 4e9, 8e9, 8e9}, ""},
		{"gives up", repeat(9, overloaded()), []time.Duration{1e9, 2e9, 4e9, 8e9, 8e9, 0}, "Gave up after 6 attempts."},
		{"waits as asked", []error{asked(17 * time.Second)}, []time.Duration{17 * time.Second}, ""},
		{"does not wait a day", []error{asked(24 * time.Hour)}, []time.Duration{0}, "asks to wait 24h0m0s, which is longer than the limit of 5m0s"},
		{"a wrong key stays wrong", []error{refused}, []time.Duration{0}, "The API key was refused (401)."},
		{"an unknown error is final", []error{errors.New("odd")}, []time.Duration{0}, "odd"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var waits []time.Duration
				began := time.Now()
				m := Retry(&scripted{errs: tt.errs}, RetryConfig{
					Max: 8 * time.Second, Jitter: func() float64 { return 0 },
					OnFailure: func(attempt int, err *Error, wait time.Duration) {
						if attempt != len(waits)+1 || err == nil {
							t.Errorf("OnFailure(%d, %v) after %d failures", attempt, err, len(waits))
						}
						waits = append(waits, wait)
					},
				})
				reply, err := m.Reply(t.Context(), Request{}, func(Delta) {})
				if !slices.Equal(waits, tt.waits) {
					t.Errorf("waits %v, want %v", waits, tt.waits)
				}
				var sum time.Duration
				for _, w := range waits {
					sum += w
				}
				if took := time.Since(began); took != sum {
					t.Errorf("took %v, want the sum of the waits %v", took, sum)
				}
				if tt.final == "" && (err != nil || reply.ID != "msg_1") {
					t.Errorf("Reply = %q, %v", reply.ID, err)
				}
				if tt.final != "" && (err == nil || !strings.Contains(err.Error(), tt.final)) {
					t.Errorf("error %v, want %q", err, tt.final)
				}
			})
		})
	}
}

func TestRetryStopsWhenCanceled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		inner := &scripted{errs: slices.Repeat([]error{overloaded()}, 9)}
		_, err := Retry(inner, RetryConfig{Jitter: func() float64 { return 0 }}).Reply(ctx, Request{}, func(Delta) {})
		var e *Error
		if !errors.As(err, &e) || e.Code != deskhand.Canceled {
			t.Errorf("error %v, want Canceled", err)
		}
		if inner.calls != 2 {
			t.Errorf("%d attempts, want 2", inner.calls)
		}
	})
}

func TestJitterOnlyShortens(t *testing.T) {
	t.Parallel()
	r := &retrying{nil, RetryConfig{}.withDefaults()}
	for attempt := range 40 {
		if d := r.backoff(attempt + 1); d <= 0 || d > r.Max {
			t.Errorf("backoff(%d) = %v", attempt+1, d)
		}
	}
}

func TestRetryReportsNoFailureWhenCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m := Retry(&scripted{errs: []error{overloaded()}}, RetryConfig{
		OnFailure: func(_ int, err *Error, _ time.Duration) { t.Errorf("reported %v", err) },
	})
	if _, err := m.Reply(ctx, Request{}, func(Delta) {}); deskhandCode(err) != deskhand.Canceled {
		t.Errorf("error %v, want Canceled", err)
	}
}

func deskhandCode(err error) deskhand.Code {
	var e *Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Code
}
