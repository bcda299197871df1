// Package remote is sandbox.Sandbox on the far side of a guest: programs,
// connections and files inside walls that somebody else built.
//
// Trust: the guest is ours, but what it carries is hostile. Sizes are bounded,
// frames are checked, text is never interpreted; nothing that comes from
// inside becomes a path or a command here.
package remote

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/guestapi"
	"github.com/deskhand/deskhand/sandbox"
)

// Config says where the guest is.
type Config struct {
	Dial  func(ctx context.Context) (net.Conn, error) // opens a connection to it
	Token string                                      // sent with every request; default: none
	Walls sandbox.Walls                               // what stands around it
}

// Limits of answers.
const (
	jsonLimit   = 32 << 20 // bytes of a JSON answer: a directory of MaxEntries long names
	headerLimit = 256 << 10
)

// base is the address of every request; the connection decides where it goes.
const base = "http://guest"

// Sandbox is a place behind a guest. It implements sandbox.Sandbox. Close ends
// the connections; what Launch started ends too.
type Sandbox struct {
	config    Config
	transport *http.Transport
	client    *http.Client
	child     *child // nil unless Launch started it
	group     Group
	shutdown  func() error

	mu     sync.Mutex
	cause  error             // why every method fails; nil while open
	over   chan struct{}     // closed when cause is set
	open   map[net.Conn]bool // upgraded connections
	stream sync.WaitGroup    // their readers
}

var _ sandbox.Sandbox = (*Sandbox)(nil)

// New returns the place behind the guest that c.Dial reaches. It connects when
// it is used.
func New(c Config) *Sandbox {
	s := &Sandbox{config: c, open: map[net.Conn]bool{}, over: make(chan struct{}), group: none{}, shutdown: func() error { return nil }}
	s.transport = &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return c.Dial(ctx) },
		DisableCompression:     true,
		MaxIdleConnsPerHost:    16,
		MaxResponseHeaderBytes: headerLimit,
	}
	s.client = &http.Client{
		Transport:     roundTripper{s},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s
}

// HTTP returns a client whose requests all go to the guest, whatever host they
// name, with the token. Its errors are the project's. It is what
// desktop/remote takes.
func (s *Sandbox) HTTP() *http.Client { return s.client }

// Done is closed when the sandbox has ended, by Close or by itself.
func (s *Sandbox) Done() <-chan struct{} { return s.over }

// Err says why the sandbox has ended, nil while it has not.
func (s *Sandbox) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}

// Walls says what separates the place from this machine.
func (s *Sandbox) Walls() sandbox.Walls {
	w := s.config.Walls
	w.Present, w.Missing = slices.Clone(w.Present), slices.Clone(w.Missing)
	return w
}

// Kills returns how many processes of the sandbox the kernel has ended because
// its limit of memory was reached. Internal: it cannot be told.
func (s *Sandbox) Kills() (int, error) {
	n, err := s.group.Kills()
	return n, deskhand.E("sandbox: memory", deskhand.Internal, err)
}

// Close ends every connection and, after Launch, every process of the sandbox.
func (s *Sandbox) Close() error {
	s.finish(errors.New("the sandbox is closed"))
	err := s.shutdown()
	s.transport.CloseIdleConnections()
	s.stream.Wait()
	return err
}

// finish makes every method fail with Unavailable and cause. The first cause counts.
func (s *Sandbox) finish(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause != nil {
		return
	}
	s.cause = deskhand.E("", deskhand.Unavailable, cause)
	close(s.over)
	for conn := range s.open {
		_ = conn.Close()
	}
}

// Health returns how the guest stands. See guestapi.Health for wait and after;
// a negative after leaves it out.
func (s *Sandbox) Health(ctx context.Context, wait time.Duration, after int64) (guestapi.HealthReply, error) {
	return s.health(ctx, "sandbox: health", wait, after)
}

func (s *Sandbox) health(ctx context.Context, op string, wait time.Duration, after int64) (guestapi.HealthReply, error) {
	q := url.Values{}
	if wait > 0 {
		q.Set("wait", wait.String())
	}
	if after >= 0 {
		q.Set("after", strconv.FormatInt(after, 10))
	}
	var h guestapi.HealthReply
	return h, s.getJSON(ctx, op, guestapi.Health, q, &h)
}

// roundTripper is the transport with the token and with errors of the project.
type roundTripper struct{ s *Sandbox }

func (t roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.s.Err(); err != nil {
		return nil, err
	}
	if t.s.config.Token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+t.s.config.Token)
	}
	res, err := t.s.transport.RoundTrip(r)
	if err != nil {
		return nil, t.s.lost(r.Context(), err)
	}
	return res, nil
}

// lost turns the failure of a connection into an error of the project. When
// the guest's program died, its end is awaited for a moment: it knows why.
func (s *Sandbox) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return deskhand.E("", deskhand.Canceled, context.Cause(ctx))
	}
	if s.child != nil {
		select {
		case <-s.over:
		case <-ctx.Done():
		case <-time.After(endWait):
		}
	}
	if cause := s.Err(); cause != nil {
		return cause
	}
	return deskhand.Errorf("", deskhand.Unavailable, "the sandbox does not answer: %w", err)
}

// do sends a request, whose body has size bytes, and returns the answer when
// it is a success.
func (s *Sandbox) do(ctx context.Context, op, method, path string, q url.Values, header http.Header, body io.Reader, size int64) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, base+path+"?"+q.Encode(), body)
	if err != nil {
		return nil, deskhand.E(op, deskhand.Internal, err)
	}
	if header != nil {
		r.Header = header
	}
	if size == 0 {
		r.Body = http.NoBody
	}
	r.ContentLength = size
	res, err := s.client.Do(r)
	if err != nil {
		return nil, wrap(op, err)
	}
	if err := failureOf(op, res); err != nil {
		_ = res.Body.Close()
		return nil, err
	}
	return res, nil
}

// wrap strips the HTTP client's own words from err.
func wrap(op string, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return deskhand.E(op, "", err)
}

// failureOf returns the failure that res carries, nil for a success.
func failureOf(op string, res *http.Response) error {
	f := guestapi.FailureOf(res)
	if f == nil {
		return nil
	}
	f.Message = trim(op, f.Message)
	return deskhand.E(op, "", f.Err())
}

// trim takes the operation off a message that names it already.
func trim(op, message string) string { return strings.TrimPrefix(message, op+": ") }

func (s *Sandbox) getJSON(ctx context.Context, op, path string, q url.Values, v any) error {
	res, err := s.do(ctx, op, http.MethodGet, path, q, nil, nil, 0)
	if err != nil {
		return err
	}
	return s.readJSON(ctx, op, res, v)
}

func (s *Sandbox) readJSON(ctx context.Context, op string, res *http.Response, v any) error {
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, jsonLimit))
	if err != nil {
		return deskhand.E(op, "", s.lost(ctx, err))
	}
	if err := json.Unmarshal(data, v); err != nil {
		return deskhand.Errorf(op, deskhand.Internal, "the guest's answer is not what was expected: %w", err)
	}
	return nil
}

// upgrade opens a connection of its own and turns it into a stream.
func (s *Sandbox) upgrade(ctx context.Context, op, method, target, protocol string, body []byte) (*conn, error) {
	if err := s.Err(); err != nil {
		return nil, deskhand.E(op, "", err)
	}
	raw, err := s.config.Dial(ctx)
	if err != nil {
		return nil, deskhand.E(op, "", s.lost(ctx, err))
	}
	s.mu.Lock()
	if s.cause == nil {
		s.open[raw] = true
	}
	err = s.cause
	s.mu.Unlock()
	c := &conn{Conn: raw, r: bufio.NewReaderSize(raw, 32<<10), sandbox: s}
	if err == nil {
		stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
		err = c.handshake(op, method, target, protocol, s.config.Token, body)
		if !stop() {
			err = deskhand.E("", deskhand.Canceled, context.Cause(ctx))
		}
	}
	if err != nil {
		_ = c.Close()
		var known *deskhand.Error
		if !errors.As(err, &known) {
			err = s.lost(ctx, err)
		}
		return nil, deskhand.E(op, "", err)
	}
	return c, nil
}

// conn is an upgraded connection: reads first what came with the answer.
type conn struct {
	net.Conn
	r       *bufio.Reader
	sandbox *Sandbox
}

func (c *conn) handshake(op, method, target, protocol, token string, body []byte) error {
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: guest\r\nConnection: Upgrade\r\nUpgrade: %s\r\nContent-Length: %d\r\n", method, target, protocol, len(body))
	if token != "" {
		head += "Authorization: Bearer " + token + "\r\n"
	}
	if _, err := c.Write(append([]byte(head+"\r\n"), body...)); err != nil {
		return err
	}
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		defer res.Body.Close()
		if f := guestapi.FailureOf(res); f != nil {
			f.Message = trim(op, f.Message)
			return f.Err()
		}
		return deskhand.Errorf("", deskhand.Internal, "the guest answered with status %d instead of a stream", res.StatusCode)
	}
	return nil
}

func (c *conn) Read(p []byte) (int, error) { return c.r.Read(p) }

// CloseWrite ends the direction to the guest.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (c *conn) Close() error {
	c.sandbox.mu.Lock()
	delete(c.sandbox.open, c.Conn)
	c.sandbox.mu.Unlock()
	return c.Conn.Close()
}

// Dial opens a stream to an address inside.
func (s *Sandbox) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	q := url.Values{"network": {network}, "address": {address}}
	c, err := s.upgrade(ctx, "sandbox: dial", http.MethodGet, guestapi.Dial+"?"+q.Encode(), guestapi.RawProtocol, nil)
	if err != nil {
		return nil, err
	}
	return c, nil
}
