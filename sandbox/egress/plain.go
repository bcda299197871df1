package egress

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"
)

// request is a connection with one plain request on it, whose head was read,
// checked and judged.
type request struct {
	net.Conn
	unread []byte
	target *target
	once   sync.Once
	done   chan struct{} // closed by Close
}

// Read implements net.Conn.
func (r *request) Read(b []byte) (int, error) {
	if len(r.unread) > 0 {
		n := copy(b, r.unread)
		r.unread = r.unread[n:]
		return n, nil
	}
	return r.Conn.Read(b)
}

// CloseWrite ends one direction.
func (r *request) CloseWrite() error {
	if half, ok := r.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close implements net.Conn.
func (r *request) Close() error {
	r.once.Do(func() { close(r.done) })
	return r.Conn.Close()
}

// hand gives a judged request to the HTTP server and returns when it is done
// with the connection.
func (p *Proxy) hand(c net.Conn, h head, rest []byte, t *target) {
	_ = c.SetDeadline(time.Time{})
	r := &request{Conn: c, unread: append(h.raw, rest...), target: t, done: make(chan struct{})}
	if p.handed.give(r) {
		<-r.done
	}
}

// forward passes one plain request on to the host that was judged, whatever
// the request itself says.
func (p *Proxy) forward(w http.ResponseWriter, r *http.Request) {
	t := r.Context().Value(targetKey{}).(*target)
	way := &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return p.metered(ctx, t) },
		DisableKeepAlives:      true, // nothing of one request is left to another
		DisableCompression:     true,
		MaxResponseHeaderBytes: int64(8 * p.config.Limits.Header),
		ExpectContinueTimeout:  time.Second,
	}
	out := &httputil.ReverseProxy{
		Transport:     way,
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(p.config.Log.Handler(), slog.LevelDebug),
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.Out.URL.Scheme, pr.Out.URL.Host = "http", t.authority()
			pr.Out.URL.RawQuery = pr.In.URL.RawQuery
			pr.Out.Host = t.authority()
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			no := t.refuse(http.StatusBadGateway, "", "the host does not answer")
			if errors.Is(err, errSpent) {
				no = t.refuse(http.StatusForbidden, guardLimit, reasonBytes)
			}
			http.Error(w, no.text(), no.status)
		},
	}
	out.ServeHTTP(w, r)
}

// metered dials t and counts what is exchanged.
func (p *Proxy) metered(ctx context.Context, t *target) (net.Conn, error) {
	c := t.conn
	t.conn = nil
	if c == nil {
		var err error
		if c, err = p.dial(ctx, t); err != nil {
			return nil, err
		}
	}
	return &meter{Conn: c, left: t.left, idle: p.config.Limits.Idle, spent: func() {
		p.ledger.note(t.refuse(http.StatusForbidden, guardLimit, reasonBytes).judged())
	}}, nil
}

var errSpent = errors.New("the limit of bytes is reached")

// meter is a connection that ends when its bytes are spent or it is idle.
type meter struct {
	net.Conn
	left  *atomic.Int64
	idle  time.Duration
	spent func() // called when the bytes are
}

// Read implements net.Conn.
func (m *meter) Read(b []byte) (int, error) {
	if m.left.Load() <= 0 {
		m.spent()
		return 0, errSpent
	}
	_ = m.SetReadDeadline(time.Now().Add(m.idle))
	n, err := m.Conn.Read(b)
	m.left.Add(-int64(n))
	return n, err
}

// Write implements net.Conn.
func (m *meter) Write(b []byte) (int, error) {
	if m.left.Add(-int64(len(b))) < 0 {
		m.spent()
		return 0, errSpent
	}
	_ = m.SetDeadline(time.Now().Add(m.idle)) // who still sends is not idle
	return m.Conn.Write(b)
}
