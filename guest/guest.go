// Package guest is the program inside a sandbox: it starts programs, opens
// connections, reads and writes files and drives the desktop on behalf of the
// host, over the guest API (internal/guestapi).
//
// Trust: the one client is the host, who holds the other end of the socket, or
// the token. Everything else in the sandbox is hostile and runs as the same
// user, so that nothing here may be reachable by it: the socket has no path
// inside, the process cannot be traced (see Main), and what programs write is
// carried, never interpreted.
package guest

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/guestapi"
	"github.com/deskhand/deskhand/sandbox/host"
)

// Config says what the guest serves. The zero value serves programs,
// connections and files without a display to whoever reaches the listener.
type Config struct {
	Token   string       // when set every request needs it as a bearer token; default: none
	Host    host.Config  // where and how programs run; default: see there
	Display Display      // the display stack, which Run starts and stops; default: none
	Log     *slog.Logger // default: nothing is logged
}

// Limits of requests.
const (
	headerLimit = 64 << 10         // bytes of request line and headers
	headerTime  = 10 * time.Second // to send them
	stopTime    = 5 * time.Second  // to let go of the desktop at the end
)

// server is one running guest.
type server struct {
	config Config
	host   *host.Sandbox
	log    *slog.Logger
	token  [sha256.Size]byte

	streams sync.WaitGroup // upgraded connections
	mu      sync.Mutex
	open    map[net.Conn]bool // upgraded connections; nil once stopped
}

// Run serves the guest API on l until ctx ends, then lets go of every key and
// button, ends every program and the display, and returns nil. It closes l.
func Run(ctx context.Context, c Config, l net.Listener) error {
	s := &server{config: c, host: host.New(c.Host), log: c.Log, token: sha256.Sum256([]byte(c.Token)), open: map[net.Conn]bool{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	// Requests end when Run is told to, not when the connection's server does.
	requests, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	web := &http.Server{
		Handler:           s.authorize(s.routes()),
		ReadHeaderTimeout: headerTime,
		MaxHeaderBytes:    headerLimit,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	if c.Display != nil {
		if err := c.Display.Start(ctx); err != nil {
			return errors.Join(deskhand.Errorf("guest: start", "", "the display does not start: %w", err), l.Close())
		}
	}
	served := make(chan error, 1)
	go func() { served <- web.Serve(l) }()
	var err error
	select {
	case <-ctx.Done():
	case err = <-served:
		served <- err
	}
	cancel(errStopped)
	s.letGo()
	err = errors.Join(s.closeStreams(), s.host.Close(), web.Close())
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	s.streams.Wait()
	if c.Display != nil {
		c.Display.Stop()
	}
	if err != nil {
		return deskhand.E("guest: stop", deskhand.Internal, err)
	}
	return nil
}

var errStopped = errors.New("the guest is stopping")

// letGo releases what is held on the desktop.
func (s *server) letGo() {
	d, err := s.desktop()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), stopTime, errors.New("releasing the desktop took too long"))
	defer cancel()
	if err := d.Release(ctx); err != nil {
		s.log.Error("the desktop was not released", "err", err)
	}
}

// routes lists the endpoints; docs/guest-api.yaml describes them.
func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, f := range s.endpoints() {
		mux.Handle(pattern, s.handle(f))
	}
	return mux
}

type endpoint = func(http.ResponseWriter, *http.Request) error

func (s *server) endpoints() map[string]endpoint {
	return map[string]endpoint{
		"GET " + guestapi.Health:    s.health,
		"GET " + guestapi.Size:      s.size,
		"GET " + guestapi.Screen:    s.screen,
		"POST " + guestapi.Input:    s.input,
		"POST " + guestapi.Release:  s.release,
		"GET " + guestapi.Cursor:    s.cursor,
		"GET " + guestapi.Windows:   s.windows,
		"GET " + guestapi.Clipboard: s.clipboard,
		"PUT " + guestapi.Clipboard: s.setClipboard,
		"GET " + guestapi.Settle:    s.settle,
		"POST " + guestapi.Exec:     s.exec,
		"GET " + guestapi.Dial:      s.dial,
		"GET " + guestapi.Listen:    s.listen,
		"GET " + guestapi.Stat:      s.stat,
		"GET " + guestapi.File:      s.readFile,
		"PUT " + guestapi.File:      s.writeFile,
		"GET " + guestapi.Dir:       s.readDir,
	}
}

// authorize lets a request pass that carries the token. Digests are compared,
// so that neither the token's bytes nor its length can be timed.
func (s *server) authorize(next http.Handler) http.Handler {
	if s.config.Token == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const scheme = "Bearer "
		given := r.Header.Get("Authorization")
		if len(given) < len(scheme) || given[:len(scheme)] != scheme {
			given = scheme
		}
		sum := sha256.Sum256([]byte(given[len(scheme):]))
		if subtle.ConstantTimeCompare(sum[:], s.token[:]) != 1 {
			reply(w, http.StatusUnauthorized, guestapi.Failure{Code: string(deskhand.Unauthenticated), Message: "the bearer token is missing or wrong"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// upgrade takes over the connection of r for protocol, and counts it among the
// streams until the returned function is called.
func (s *server) upgrade(w http.ResponseWriter, r *http.Request, protocol string) (net.Conn, *bufio.Reader, func(), error) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, nil, deskhand.Errorf("guest: upgrade", deskhand.Internal, "%w", err)
	}
	s.mu.Lock()
	stopped := s.open == nil
	if !stopped {
		s.open[conn] = true
		s.streams.Add(1)
	}
	s.mu.Unlock()
	release := func() {
		_ = conn.Close()
		s.mu.Lock()
		delete(s.open, conn)
		s.mu.Unlock()
		if !stopped {
			s.streams.Done()
		}
	}
	_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+protocol+"\r\n\r\n")
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil || stopped {
		release()
		return nil, nil, nil, errors.Join(errStopped, err)
	}
	return conn, rw.Reader, release, nil
}

// wantUpgrade fails unless r asks for protocol.
func wantUpgrade(r *http.Request, protocol string) error {
	if r.Header.Get("Upgrade") != protocol {
		return deskhand.Errorf("", deskhand.Invalid, "this endpoint needs the header \"Upgrade: %s\"", protocol)
	}
	return nil
}

func (s *server) closeStreams() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for conn := range s.open {
		if err := conn.Close(); !errors.Is(err, net.ErrClosed) { // its own stream may be first
			errs = append(errs, err)
		}
	}
	s.open = nil
	return errors.Join(errs...)
}
