package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/deskhand/deskhand/model/script"
)

// call is one thing to do, as the Messages API's computer toolset names it.
type call struct {
	Name  string         `json:"name"`
	Input map[string]any `json:"input"`
}

// next returns what to do after the calls so far, nothing when all is done.
type next func(ctx context.Context) ([]call, error)

const (
	playerHeader  = 10 * time.Second
	playerClose   = 5 * time.Second
	maxReplies    = 60       // of one episode
	maxRequest    = 32 << 20 // bytes
	wordsAtTheEnd = "Done."
)

// player is the model: an endpoint of the Messages API whose replies are made
// while the conversation goes on. Each request is answered by a script server
// that is given all replies so far and one more, so that every request goes
// through its checks.
type player struct {
	url    string
	server *http.Server
	served chan error

	mu       sync.Mutex
	source   next
	replies  [][]call
	problems []string
	err      error // of source
}

func newPlayer() (*player, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &player{url: "http://" + ln.Addr().String(), served: make(chan error, 1)}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: playerHeader}
	go func() { p.served <- p.server.Serve(ln) }()
	return p, nil
}

func (p *player) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), playerClose)
	defer cancel()
	err := p.server.Shutdown(ctx)
	if served := <-p.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// begin makes source the model of the conversation that comes next.
func (p *player) begin(source next) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.source, p.replies, p.problems, p.err = source, nil, nil, nil
}

// end returns what went wrong since begin.
func (p *player) end() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.problems) > 0 {
		return errors.Join(p.err, fmt.Errorf("the Messages API would have refused: %s", strings.Join(p.problems, "; ")))
	}
	return p.err
}

// ServeHTTP answers POST /v1/messages.
func (p *player) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		return // the client has gone
	}
	if err := p.prepare(r.Context(), body); err != nil {
		p.err = errors.Join(p.err, err)
		p.replies = append(p.replies, nil) // ends the conversation
	}
	server, err := script.New(p.script(), script.Options{Name: "fidelity"})
	if err != nil {
		p.problems = append(p.problems, err.Error())
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	server.ServeHTTP(w, r)
	p.problems = append(p.problems, server.Problems()...)
}

// prepare makes the reply to a request, unless it was made before.
func (p *player) prepare(ctx context.Context, body []byte) error {
	var request struct {
		Messages []struct {
			Role string `json:"role"`
		} `json:"messages"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return err
	}
	position := 0
	for _, m := range request.Messages {
		if m.Role == "assistant" {
			position++
		}
	}
	switch {
	case position < len(p.replies): // a request that is repeated
		return nil
	case p.source == nil:
		return errors.New("nobody expected a request")
	case position >= maxReplies:
		return fmt.Errorf("not done after %d replies", maxReplies)
	}
	calls, err := p.source(ctx)
	if err == nil {
		p.replies = append(p.replies, calls)
	}
	return err
}

// script writes all replies so far as a script.
func (p *player) script() []byte {
	var b bytes.Buffer
	for _, calls := range p.replies {
		b.WriteString("-- model --\n")
		for _, c := range calls {
			input, err := json.Marshal(c.Input)
			if err != nil {
				panic(err) // unreachable: the input came from JSON
			}
			fmt.Fprintf(&b, "computer.%s %s\n", c.Name, input)
		}
		if len(calls) == 0 {
			b.WriteString(wordsAtTheEnd + "\n")
		}
	}
	return b.Bytes()
}
