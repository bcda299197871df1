package egress

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/deskhand/deskhand"
)

// Resolver looks names up.
type Resolver interface {
	// LookupNetIP returns the addresses of a name that ends in a dot; network is "ip".
	LookupNetIP(ctx context.Context, network, name string) ([]netip.Addr, error)
}

// Config is what a Proxy is made of.
type Config struct {
	Judge    Judge                                                          // what may be reached; required
	Resolver Resolver                                                       // default: net.DefaultResolver
	Dial     func(ctx context.Context, to netip.AddrPort) (net.Conn, error) // connects to an address that was checked; default: TCP
	Own      func() ([]netip.Addr, error)                                   // addresses of this machine; default: those of its interfaces
	Limits   Limits                                                         // default: see there

	// Credential is what every request must carry as the password in
	// Proxy-Authorization. Default: none, for a listener that nobody but one
	// task's sandbox can reach.
	Credential string

	Log *slog.Logger // default: nothing is logged
}

// Limits bound what one task's sandbox can do to its proxy.
type Limits struct {
	Header    int           // bytes of the head of a request; default 32 KiB
	Conns     int           // open connections; default 256
	HeadTime  time.Duration // for the head of a request to arrive; default 10s
	DialTime  time.Duration // for a look-up and a connection; default 15s
	HelloTime time.Duration // for a tunnel's first words to arrive; default 10s
	Idle      time.Duration // without a byte in either direction; default 10m
	HostBytes int64         // exchanged with one host, both directions together; default 4 GiB
}

func (c Config) withDefaults() Config {
	if c.Resolver == nil {
		c.Resolver = net.DefaultResolver
	}
	if c.Dial == nil {
		c.Dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", to.String())
		}
	}
	if c.Own == nil {
		c.Own = interfaces
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Limits = c.Limits.withDefaults()
	return c
}

func (l Limits) withDefaults() Limits {
	or := func(d *time.Duration, byDefault time.Duration) {
		if *d == 0 {
			*d = byDefault
		}
	}
	or(&l.HeadTime, 10*time.Second)
	or(&l.DialTime, 15*time.Second)
	or(&l.HelloTime, 10*time.Second)
	or(&l.Idle, 10*time.Minute)
	if l.Header == 0 {
		l.Header = 32 << 10
	}
	if l.Conns == 0 {
		l.Conns = 256
	}
	if l.HostBytes == 0 {
		l.HostBytes = 4 << 30
	}
	return l
}

// interfaces returns the addresses of this machine.
func interfaces() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok {
			if addr, ok := netip.AddrFromSlice(n.IP); ok {
				out = append(out, addr.Unmap())
			}
		}
	}
	return out, nil
}

// Proxy is one task's way out. Methods may be called concurrently.
type Proxy struct {
	config     Config
	credential [sha256.Size]byte
	ledger     *ledger
	web        *http.Server // serves the plain requests that were judged
	handed     *handed
	slots      chan struct{} // one for each connection that may be open

	mu     sync.Mutex
	open   map[net.Conn]bool        // nil once stopped
	left   map[string]*atomic.Int64 // bytes that may still be exchanged with a host
	serves sync.WaitGroup
}

// New returns a proxy that serves nothing yet. Invalid: c has no Judge.
func New(c Config) (*Proxy, error) {
	if c.Judge == nil {
		return nil, deskhand.Errorf("network", deskhand.Invalid, "a proxy needs somebody who decides")
	}
	c = c.withDefaults()
	p := &Proxy{
		config: c, credential: sha256.Sum256([]byte(c.Credential)), ledger: newLedger(), handed: newHanded(),
		slots: make(chan struct{}, c.Limits.Conns), open: map[net.Conn]bool{}, left: map[string]*atomic.Int64{},
	}
	p.web = &http.Server{
		Handler:        http.HandlerFunc(p.forward),
		MaxHeaderBytes: 2 * c.Limits.Header,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, targetKey{}, c.(*request).target)
		},
		ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	p.web.SetKeepAlivesEnabled(false) // one connection, one request: nothing can hide behind the first
	return p, nil
}

// Judged waits until a connection was judged and returns what was said; equal
// refusals within half a minute come as one. When ctx has ended it returns all
// that is left, then the error of ctx; after the proxy has ended io.EOF.
func (p *Proxy) Judged(ctx context.Context) ([]deskhand.NetworkJudged, error) {
	return p.ledger.take(ctx)
}

// Serve accepts connections from l until ctx ends or l fails, closes
// everything and returns when nothing runs any more: nil when ctx ended it. It
// is called once and closes l.
func (p *Proxy) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var plain sync.WaitGroup
	plain.Go(func() { _ = p.web.Serve(p.handed) })
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	err := p.accept(ctx, l)
	ended := ctx.Err() != nil
	cancel()
	l.Close()
	p.shut()
	p.web.Close()
	plain.Wait()
	p.serves.Wait()
	p.ledger.close()
	if ended {
		return nil
	}
	return deskhand.E("network", deskhand.Unavailable, err)
}

func (p *Proxy) accept(ctx context.Context, l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		select {
		case p.slots <- struct{}{}:
		default:
			p.ledger.note(deskhand.NetworkJudged{Rule: guardLimit, Reason: reasonMany})
			c.Close()
			continue
		}
		p.serves.Go(func() {
			defer func() { <-p.slots }()
			if !p.hold(c) {
				return
			}
			defer p.release(c)
			p.serve(ctx, c)
		})
	}
}

// hold makes shut close c. It reports false, with c closed, after shut.
func (p *Proxy) hold(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		c.Close()
		return false
	}
	p.open[c] = true
	return true
}

func (p *Proxy) release(c net.Conn) {
	c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

func (p *Proxy) shut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.Close()
	}
	p.open = nil
}

// remaining returns the count of bytes that may still be exchanged with host.
func (p *Proxy) remaining(host Host) *atomic.Int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.left[host.name]
	if n == nil {
		n = new(atomic.Int64)
		n.Store(p.config.Limits.HostBytes)
		p.left[host.name] = n
	}
	return n
}

// authentic reports whether h carries the credential. Digests are compared, so
// that neither its bytes nor its length can be timed.
func (p *Proxy) authentic(h head) bool {
	if p.config.Credential == "" {
		return true
	}
	scheme, given, _ := strings.Cut(h.get("proxy-authorization"), " ")
	pair, err := base64.StdEncoding.DecodeString(given)
	if err != nil || !strings.EqualFold(scheme, "Basic") || h.count("proxy-authorization") != 1 {
		pair = nil
	}
	_, password, _ := strings.Cut(string(pair), ":")
	sum := sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(sum[:], p.credential[:]) == 1
}

// handed is the listener of the plain requests that were judged.
type handed struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newHanded() *handed { return &handed{conns: make(chan net.Conn), done: make(chan struct{})} }

var errEnded = errors.New("the proxy has ended")

// Accept implements net.Listener.
func (h *handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, errEnded
	}
}

// Close implements net.Listener.
func (h *handed) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr implements net.Listener.
func (h *handed) Addr() net.Addr { return &net.UnixAddr{Name: "judged", Net: "unix"} }

// give passes c on and reports whether it was taken.
func (h *handed) give(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.done:
		return false
	}
}
