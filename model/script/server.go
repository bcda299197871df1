package script

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
)

// Options says how a script is played.
type Options struct {
	Name   string           // of the script, for messages; default "script"
	Now    func() time.Time // for the lifetime of cached prompts; default time.Now
	Models model.Catalogue  // models there are; default the built-in catalogue
	At     model.Provider   // who serves them: what each accepts is as there; default the Claude API
}

// Server plays a script to every conversation that is begun with it. It is an
// http.Handler and may be used concurrently.
type Server struct {
	script *Script
	now    func() time.Time
	models model.Catalogue
	at     model.Provider

	mu            sync.Mutex // guards what follows
	conversations []*conversation
	requests      int
	asked         int // requests beside the conversations
	problems      []string
	cache         promptCache
	images        map[[32]byte]*imageFacts
	digests       map[[32]byte]digested
}

// New returns a server that plays the script in src. A malformed one is an
// Invalid error: one sentence that begins with the script's name and a line.
func New(src []byte, o Options) (*Server, error) {
	if o.Name == "" {
		o.Name = "script"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s, err := Parse(o.Name, src)
	if err != nil {
		return nil, err
	}
	return &Server{script: s, now: o.Now, models: o.Models, at: o.At, cache: promptCache{}, images: map[[32]byte]*imageFacts{}, digests: map[[32]byte]digested{}}, nil
}

// Problems returns what the server refused or the script complained of, oldest
// first: empty after a run in which nothing was wrong.
func (s *Server) Problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.problems...)
}

// Left returns how many replies of the script the newest conversation has not had.
func (s *Server) Left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conversations) == 0 {
		return len(s.script.steps)
	}
	return len(s.script.steps) - s.conversations[len(s.conversations)-1].given
}

const (
	maxRequest    = 32 << 20
	headerTimeout = 10 * time.Second
	closeTimeout  = 5 * time.Second
)

// Serve answers on a free port of the loopback address until ctx ends or stop
// is called. stop returns when nothing runs any more.
func (s *Server) Serve(ctx context.Context) (url string, stop func() error, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, deskhand.Errorf("script: serve", deskhand.Unavailable, "no port of the loopback address is free: %w", err)
	}
	base, leave := context.WithCancel(context.WithoutCancel(ctx))
	var active sync.WaitGroup
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			active.Add(1)
			defer active.Done()
			s.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: headerTimeout,
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	end := sync.OnceValue(func() error {
		leave() // ends the script's own delays
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close() // a client does not take its answer
		}
		active.Wait()
		if failed := <-served; !errors.Is(failed, http.ErrServerClosed) {
			return failed
		}
		return nil
	})
	unhook := context.AfterFunc(ctx, func() { _ = end() })
	return "http://" + listener.Addr().String(), func() error { unhook(); return end() }, nil
}

// ServeHTTP answers POST /v1/messages.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := s.requestID()
	w.Header().Set("request-id", id)
	if r.URL.Path != "/v1/messages" || r.Method != http.MethodPost {
		s.refuse(w, id, refuse("not_found_error", "Not found: %s %s. This server answers POST /v1/messages.", r.Method, r.URL.Path))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			s.refuse(w, id, refuse("request_too_large", "Request exceeds the maximum size"))
			return
		}
		return // the client has gone
	}
	p, refused := s.prepare(r.Header, body)
	if refused != nil {
		s.refuse(w, id, refused)
		return
	}
	if !pause(r.Context(), p.wait) {
		panic(http.ErrAbortHandler) // no answer is better than an empty one
	}
	p.send(w, id)
}

func (s *Server) requestID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	return fmt.Sprintf("req_script_%04d", s.requests)
}

func (s *Server) refuse(w http.ResponseWriter, id string, refused *refusal) {
	s.mu.Lock()
	s.problems = append(s.problems, refused.message)
	s.mu.Unlock()
	refused.write(w, id)
}

// performance is what is about to be sent.
type performance struct {
	answer answer
	fault  *fault
	stream bool
	wait   time.Duration
}

// prepare judges a request and picks what to answer.
func (s *Server) prepare(header http.Header, body []byte) (*performance, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, refused := s.admit(header, body)
	if refused != nil {
		return nil, refused
	}
	if s.isAside(r) {
		p, err := s.performAside(r)
		if err != nil {
			return nil, invalid("%v", err)
		}
		return p, nil
	}
	c, refused := s.conversation(r)
	if refused != nil {
		return nil, refused
	}
	p, err := c.perform(s, r)
	if err != nil {
		return nil, invalid("%v", err)
	}
	return p, nil
}

// send writes the answer, or what goes wrong instead of it.
func (p *performance) send(w http.ResponseWriter, id string) {
	f := p.fault
	if f == nil {
		f = &fault{}
	}
	if f.event != "" && !p.stream {
		f = &fault{status: typeStatus(f.event), message: f.message} // there is no stream to break
	}
	switch {
	case f.status != 0:
		refused := &refusal{status: f.status, kind: statusType(f.status), message: f.message, header: map[string]string{}}
		if f.retryAfter != "" {
			refused.header["Retry-After"] = f.retryAfter
		}
		refused.write(w, id)
	case p.stream:
		events := p.answer.stream(f.event, f.message)
		if f.cut > 0 {
			events = events[:min(f.cut, len(events))]
		}
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(events) // a client that has gone needs no answer
		if f.cut > 0 {
			_ = http.NewResponseController(w).Flush() // what comes next drops the connection anyway
			panic(http.ErrAbortHandler)
		}
	default:
		w.Header().Set("Content-Type", "application/json")
		whole := p.answer.whole()
		if f.cut > 0 {
			_, _ = w.Write(whole[:min(f.cut, len(whole))])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(whole)
	}
}

// pause is the script's own delay. It reports whether the client is still there.
func pause(ctx context.Context, d time.Duration) bool {
	if d == 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
