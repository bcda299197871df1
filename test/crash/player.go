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
	holds  []hold        // each for one request, in this order
	latest []byte        // the body of the newest request
	shown  chan struct{} // closed while the page is shown
}

// hold makes a request wait that has everything of mark in it.
type hold struct {
	mark []byte
	held chan struct{} // closed when it waits
	let  chan struct{} // closed to let it go
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

// holdBack makes the next request that has everything of mark in it wait, once
// those have come that were asked for before. held is closed when it came; let
// lets it go.
func (p *player) holdBack(mark string) (held <-chan struct{}, let func()) {
	h := hold{[]byte(mark), make(chan struct{}), make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holds = append(p.holds, h)
	return h.held, sync.OnceFunc(func() { close(h.let) })
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
	var due *hold
	if len(p.holds) > 0 && bytes.Contains(body, p.holds[0].mark) {
		due, p.holds = &p.holds[0], p.holds[1:]
	}
	shown := p.shown
	p.mu.Unlock()
	if !wait(r, shown) {
		return
	}
	if due != nil {
		close(due.held)
		if !wait(r, due.let) {
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
