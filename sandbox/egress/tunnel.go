package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// established is the answer to CONNECT, after which the tunnel's own words come.
const established = "HTTP/1.1 200 Connection established\r\n\r\n"

// accessDenied is a fatal alert of TLS, which clients show to people.
var accessDenied = []byte{21, 3, 3, 0, 2, 2, 49}

// connect answers CONNECT. Nothing reaches the host before the first words in
// the tunnel were looked at: TLS for that host, or, at another port than 443, a
// plain request to it.
func (p *Proxy) connect(ctx context.Context, c net.Conn, h head, rest []byte) {
	host, port, err := parseAuthority(h.target, 0)
	if err != nil {
		p.answer(c, malformed)
		return
	}
	// CONNECT's own Host header decides nothing; programs disagree on its port.
	t, no := p.reach(ctx, host, port)
	if no != nil {
		p.answer(c, no)
		return
	}
	far, err := p.dial(ctx, t)
	if err != nil {
		p.answer(c, t.refuse(http.StatusBadGateway, "", "the host does not answer"))
		return
	}
	if !p.hold(far) {
		return
	}
	defer p.release(far)
	_ = c.SetDeadline(time.Now().Add(p.config.Limits.HelloTime))
	if _, err := io.WriteString(c, established); err != nil {
		return
	}
	near := &request{Conn: c, unread: rest, done: make(chan struct{})}
	p.within(ctx, near, far, t)
}

// within looks at a tunnel's first words and lets it go on, or not.
func (p *Proxy) within(ctx context.Context, near *request, far net.Conn, t *target) {
	if t.opaque {
		p.carry(near, far, t, nil)
		return
	}
	first := make([]byte, 1)
	if _, err := io.ReadFull(near, first); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			p.ledger.note(t.refuse(0, guardTLS, reasonSilent).judged())
		}
		return
	}
	near.unread = append(first, near.unread...)
	switch {
	case first[0] == recordHandshake:
		record, no := hello(near, t)
		if no != nil {
			p.ledger.note(no.judged())
			_, _ = near.Write(accessDenied)
			linger(near)
			return
		}
		p.carry(near, far, t, record)
	case t.port != 443 && token(string(first)):
		p.inside(near, far, t)
	default:
		p.ledger.note(t.refuse(0, guardTLS, reasonNotTLS).judged())
	}
}

// hello reads a tunnel's ClientHello and refuses one that is not for t.
func hello(near *request, t *target) ([]byte, *refusal) {
	record, err := readHello(near)
	if err != nil {
		return nil, t.refuse(0, guardTLS, reasonHello)
	}
	name, err := serverName(record)
	_, number := t.host.Addr()
	switch {
	case errors.Is(err, errNameless) && number: // addresses are not named in TLS
		return record, nil
	case errors.Is(err, errNameless):
		return nil, t.refuse(0, guardTLS, reasonNameless)
	case err != nil:
		return nil, t.refuse(0, guardTLS, reasonHello)
	}
	if named, err := ParseHost(name); err != nil || named != t.host || strings.HasSuffix(name, ".") {
		return nil, t.refuse(0, guardTLS, reasonName)
	}
	return record, nil
}

// inside answers the one plain request that a tunnel may hold, such as the
// opening of a WebSocket.
func (p *Proxy) inside(near *request, far net.Conn, t *target) {
	raw, rest, err := readHead(near, p.config.Limits.Header)
	if err != nil {
		return
	}
	h, err := parseHead(raw)
	if err != nil || !strings.HasPrefix(h.target, "/") || h.method == http.MethodConnect {
		no := *malformed
		no.host, no.port = t.host, t.port
		p.answer(near, &no)
		return
	}
	if no := sameHost(h, t.host, t.port); no != nil {
		p.answer(near, no)
		return
	}
	t.conn = far
	p.hand(near, h, rest, t)
}

// chunk is how much of a budget is taken at a time, in bytes.
const chunk = 256 << 10

// tunnel is what both directions share.
type tunnel struct {
	left   *atomic.Int64
	idle   time.Duration
	active atomic.Int64 // when a byte was last carried, in nanoseconds
}

// carry copies both ways until both have ended, one fails, or nothing moves.
func (p *Proxy) carry(near *request, far net.Conn, t *target, record []byte) {
	_ = near.SetDeadline(time.Time{})
	u := &tunnel{left: t.left, idle: p.config.Limits.Idle}
	u.active.Store(time.Now().UnixNano())
	begin := append(record, near.unread...)
	u.left.Add(-int64(len(begin)))
	if _, err := far.Write(begin); err != nil {
		return
	}
	var both sync.WaitGroup
	one := func(to, from net.Conn) {
		err := u.copy(to, from)
		if errors.Is(err, errSpent) {
			p.ledger.note(t.refuse(0, guardLimit, reasonBytes).judged())
		}
		if half, ok := to.(interface{ CloseWrite() error }); err != nil || !ok || half.CloseWrite() != nil {
			near.Conn.Close()
			far.Close()
		}
	}
	both.Go(func() { one(far, near.Conn) })
	one(near.Conn, far)
	both.Wait()
}

// copy carries bytes one way. Between two TCP connections the kernel does it.
// A write has no deadline, since one that ends half-way loses bytes: when the
// other side takes nothing any more, the other direction notices.
func (u *tunnel) copy(to, from net.Conn) error {
	for {
		most := u.take()
		if most == 0 {
			return errSpent
		}
		_ = from.SetReadDeadline(time.Now().Add(u.idle))
		n, err := io.Copy(to, &io.LimitedReader{R: from, N: most})
		u.left.Add(most - n)
		if n > 0 {
			u.active.Store(time.Now().UnixNano())
		}
		quiet := errors.Is(err, os.ErrDeadlineExceeded) && time.Since(time.Unix(0, u.active.Load())) < u.idle
		switch {
		case quiet: // the other direction moves
		case err != nil:
			return err
		case n < most:
			return nil // the end
		}
	}
}

// take takes up to a chunk from what is left.
func (u *tunnel) take() int64 {
	for {
		left := u.left.Load()
		n := min(left, chunk)
		if n <= 0 {
			return 0
		}
		if u.left.CompareAndSwap(left, left-n) {
			return n
		}
	}
}
