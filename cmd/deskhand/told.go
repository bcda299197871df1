package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
)

// What only the process knows that keeps a desktop up, it tells whoever drives
// the desktop's task, over a socket of its own: what the way out judged, and
// what became of folders. What nobody asks for yet waits, counted where it is alike.

// judgement is one answer to "what was judged?".
type judgement struct {
	N      int64                    `json:"n"` // counts the answers
	Judged []deskhand.NetworkJudged `json:"judged"`
	Ended  bool                     `json:"ended,omitempty"` // there is no network, or no more
}

// answerer answers. It keeps its last judgement until the next is asked for, so
// that nothing is lost with whoever asked; what he had recorded then comes twice.
type answerer struct {
	m    sharing
	mu   sync.Mutex
	last judgement
}

// serveTold serves what m has to tell on l. The function that it returns ends that.
func serveTold(ctx context.Context, l net.Listener, m sharing) (end func()) {
	t := &answerer{m: m}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /judged", t.judged)
	mux.HandleFunc("GET /notices", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(m.shares.Notices()) })
	ctx, cancel := context.WithCancel(ctx)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: tellLimit, BaseContext: func(net.Listener) context.Context { return ctx }}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) })
	return func() {
		cancel()
		_ = s.Close()
		serving.Wait()
	}
}

// tellLimit is how long either side may take for what needs no waiting.
const tellLimit = 10 * time.Second

func (t *answerer) judged(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	after, err := strconv.ParseInt(r.FormValue("after"), 10, 64)
	if err != nil || after >= t.last.N { // it was heard
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		if r.FormValue("now") != "" {
			cancel()
		}
		all, err := t.m.Judged(ctx)
		if len(all) > 0 || errors.Is(err, io.EOF) {
			t.last = judgement{t.last.N + 1, all, errors.Is(err, io.EOF)}
		}
	}
	_ = json.NewEncoder(w).Encode(t.last)
}

// listener asks.
type listener struct {
	client *http.Client
	after  int64
}

// told returns who asks the process of a desktop.
func (d desktops) told(h held) *listener {
	return &listener{client: &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return d.dial(ctx, h.Name, toldFile) },
	}}}
}

// Judged waits until something was judged. When ctx has ended it returns what
// is left, then the error of ctx. io.EOF: there is no network any more.
func (l *listener) Judged(ctx context.Context) ([]deskhand.NetworkJudged, error) {
	all, err := l.judged(ctx, "")
	if ctx.Err() == nil {
		return all, err
	}
	left, done := context.WithTimeout(context.WithoutCancel(ctx), tellLimit)
	defer done()
	if all, err = l.judged(left, "&now=1"); len(all) > 0 || errors.Is(err, io.EOF) {
		return all, err
	}
	return nil, ctx.Err()
}

func (l *listener) judged(ctx context.Context, more string) ([]deskhand.NetworkJudged, error) {
	var j judgement
	if err := l.get(ctx, fmt.Sprintf("judged?after=%d%s", l.after, more), &j); err != nil {
		return nil, err
	}
	if j.N == l.after {
		return nil, nil
	}
	l.after = j.N
	if j.Ended {
		return j.Judged, io.EOF
	}
	return j.Judged, nil
}

// Notices returns what there is to know of folders since the last call.
func (l *listener) Notices() []string {
	ctx, cancel := context.WithTimeout(context.Background(), tellLimit)
	defer cancel()
	var all []string
	if err := l.get(ctx, "notices", &all); err != nil {
		return nil // the desktop is gone, of which others tell
	}
	return all
}

func (l *listener) get(ctx context.Context, what string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://desktop/"+what, http.NoBody)
	if err != nil {
		return err
	}
	answer, err := l.client.Do(r)
	if err != nil {
		return errors.Join(ctx.Err(), err)
	}
	return errors.Join(json.NewDecoder(answer.Body).Decode(into), answer.Body.Close())
}
