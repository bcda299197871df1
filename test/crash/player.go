package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/deskhand/deskhand/model/script"
)

const maxRequest = 32 << 20 // bytes

// player is the model: a script that is played over HTTP and outlives the
// processes that ask it. It can hold a request back until something was done
// to the desktop, and holds all of them until the page is shown. It may be
// used concurrently.
type player struct {
	script *script.Server
	server *httptest.Server

	mu     sync.Mutex
	hold   string        // a request whose answer would be the turn with this call waits
	held   chan struct{} // closed when one waits
	let    chan struct{} // closed to let it go
	latest []byte        // the body of the newest request
	shown  chan struct{} // closed while the page is shown
}

func newPlayer(src []byte) (*player, error) {
	s, err := script.New(src, script.Options{Name: "crash"})
	if err != nil {
		return nil, err
	}
	p := &player{script: s, shown: make(chan struct{})}
	p.server = httptest.NewServer(p)
	return p, nil
}

// close returns when nothing runs any more.
func (p *player) close() {
	p.server.CloseClientConnections()
	p.server.Close()
}

// holdBack makes the next request that has everything of mark in it wait. held
// is closed when it came; let lets it go.
func (p *player) holdBack(mark string) (held <-chan struct{}, let func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hold, p.held, p.let = mark, make(chan struct{}), make(chan struct{})
	return p.held, sync.OnceFunc(func() { close(p.let) })
}

// show lets requests through: the page is there. hide holds them until show.
func (p *player) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.shown:
	default:
		close(p.shown)
	}
}

func (p *player) hide() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = make(chan struct{})
}

// told returns what the newest request said.
func (p *player) told() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.latest)
}

// ServeHTTP answers POST /v1/messages.
func (p *player) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		return // the client has gone
	}
	p.mu.Lock()
	p.latest = body
	held, let := p.held, p.let
	due := p.hold != "" && bytes.Contains(body, []byte(p.hold))
	if due {
		p.hold = ""
	}
	shown := p.shown
	p.mu.Unlock()
	if !wait(r, shown) {
		return
	}
	if due {
		close(held)
		if !wait(r, let) {
			return
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	p.script.ServeHTTP(w, r)
}

// wait reports whether until was closed while the client was still there.
func wait(r *http.Request, until <-chan struct{}) bool {
	select {
	case <-until:
		return true
	case <-r.Context().Done():
		return false
	}
}
