package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/deskhand/deskhand"
)

// refusal is why a request goes no further.
type refusal struct {
	status int
	host   Host
	port   uint16
	rule   string // guard; empty: nobody refused, it just failed
	reason string
}

func (r refusal) judged() deskhand.NetworkJudged {
	return deskhand.NetworkJudged{Host: r.host.String(), Port: int(r.port), Rule: r.rule, Reason: r.reason, Count: 1}
}

// text is the body of the answer.
func (r refusal) text() string {
	if r.rule == "" {
		return "deskhand: " + r.host.String() + ": " + r.reason + ".\n"
	}
	return "deskhand: " + Sentence(r.judged()) + "\n"
}

var malformed = &refusal{status: http.StatusBadRequest, rule: guardRequest, reason: reasonRequest}

// target is a host that was judged, with the addresses that were checked.
type target struct {
	host   Host
	port   uint16
	opaque bool
	addrs  []netip.AddrPort
	left   *atomic.Int64 // bytes that may still be exchanged
	conn   net.Conn      // already made; taken by the first dial
}

type targetKey struct{}

// authority is what a Host header says of t.
func (t *target) authority() string {
	if t.port == 80 {
		return t.host.authority()
	}
	return t.host.authority() + ":" + strconv.Itoa(int(t.port))
}

func (t *target) refuse(status int, rule, reason string) *refusal {
	return &refusal{status, t.host, t.port, rule, reason}
}

// serve answers one connection from inside.
func (p *Proxy) serve(ctx context.Context, c net.Conn) {
	_ = c.SetReadDeadline(time.Now().Add(p.config.Limits.HeadTime))
	raw, rest, err := readHead(c, p.config.Limits.Header)
	if errors.Is(err, errTooLong) {
		p.answer(c, &refusal{status: http.StatusRequestHeaderFieldsTooLarge, rule: guardLimit, reason: reasonHead})
		return
	} else if err != nil {
		return // nothing was asked
	}
	h, err := parseHead(raw)
	switch {
	case err != nil:
		p.answer(c, malformed)
	case !p.authentic(h):
		p.answer(c, &refusal{status: http.StatusProxyAuthRequired, rule: guardCredential, reason: reasonCredential})
	case h.method == http.MethodConnect:
		p.connect(ctx, c, h, rest)
	default:
		p.plain(ctx, c, h, rest)
	}
}

// answer says why not, and records it.
func (p *Proxy) answer(c net.Conn, r *refusal) {
	if r.rule != "" {
		p.ledger.note(r.judged())
	}
	body := r.text()
	more := ""
	if r.status == http.StatusProxyAuthRequired {
		more = "Proxy-Authenticate: Basic realm=\"deskhand\"\r\n"
	}
	_ = c.SetWriteDeadline(time.Now().Add(p.config.Limits.HeadTime))
	_, err := io.WriteString(c, "HTTP/1.1 "+strconv.Itoa(r.status)+" "+http.StatusText(r.status)+"\r\n"+more+
		"Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body)
	if err == nil {
		linger(c)
	}
}

// Bounds of linger.
const (
	lingerTime  = time.Second
	lingerBytes = 256 << 10
)

// linger lets the other side read what was said before the connection goes: a
// connection that is closed with something unread is reset.
func linger(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_ = c.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.CopyN(io.Discard, c, lingerBytes)
	}
}

// plain judges a request in absolute form and hands it on.
func (p *Proxy) plain(ctx context.Context, c net.Conn, h head, rest []byte) {
	host, port, no := absolute(h.target)
	if no == nil {
		no = sameHost(h, host, port)
	}
	if no != nil {
		p.answer(c, no)
		return
	}
	t, no := p.reach(ctx, host, port)
	if no != nil {
		p.answer(c, no)
		return
	}
	p.hand(c, h, rest, t)
}

// absolute returns the host of a target in absolute form. The text is taken
// apart here and by net/url, which must agree.
func absolute(text string) (Host, uint16, *refusal) {
	scheme, after, ok := strings.Cut(text, "://")
	if !ok || strings.ContainsAny(text, "#\\") {
		return Host{}, 0, malformed
	}
	if !strings.EqualFold(scheme, "http") {
		return Host{}, 0, &refusal{status: http.StatusBadRequest, rule: guardRequest, reason: reasonScheme}
	}
	authority := after
	if i := strings.IndexAny(after, "/?"); i >= 0 {
		authority = after[:i]
	}
	u, err := url.ParseRequestURI(text)
	if err != nil || u.User != nil || u.Opaque != "" || u.Host != authority {
		return Host{}, 0, malformed
	}
	host, port, err := parseAuthority(authority, 80)
	if err != nil {
		return Host{}, 0, malformed
	}
	return host, port, nil
}

// sameHost refuses a Host header that names anything but host at port.
func sameHost(h head, host Host, port uint16) *refusal {
	if h.count("host") == 0 {
		return nil // HTTP/1.0
	}
	named, at, err := parseAuthority(h.get("host"), 80)
	if err != nil || named != host || at != port {
		return &refusal{http.StatusMisdirectedRequest, host, port, guardHost, reasonHostHeader}
	}
	return nil
}

// reach judges host at port, looks it up and checks what came of it.
func (p *Proxy) reach(ctx context.Context, host Host, port uint16) (*target, *refusal) {
	t := &target{host: host, port: port, left: p.remaining(host)}
	d := p.config.Judge.Decide(host, port)
	if !d.Allowed {
		return nil, t.refuse(http.StatusForbidden, d.Rule, d.Reason)
	}
	if t.left.Load() <= 0 {
		return nil, t.refuse(http.StatusForbidden, guardLimit, reasonBytes)
	}
	t.opaque = d.Opaque
	addrs, err := p.lookUp(ctx, host)
	if err != nil || len(addrs) == 0 {
		return nil, t.refuse(http.StatusBadGateway, "", "the name cannot be found")
	}
	if no := p.check(t, addrs); no != nil {
		return nil, no
	}
	p.ledger.note(deskhand.NetworkJudged{Host: host.String(), Port: int(port), Allowed: true, Rule: d.Rule})
	return t, nil
}

// maxAddrs bounds how many addresses of a name are tried.
const maxAddrs = 6

func (p *Proxy) lookUp(ctx context.Context, host Host) ([]netip.Addr, error) {
	if addr, ok := host.Addr(); ok {
		return []netip.Addr{addr}, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, p.config.Limits.DialTime, errors.New("the look-up took too long"))
	defer cancel()
	// The dot keeps this machine's search list out of it.
	return p.config.Resolver.LookupNetIP(ctx, "ip", host.name+".")
}

// check keeps the addresses that may be dialled. When none is left it says
// what kind the first was, not which.
func (p *Proxy) check(t *target, addrs []netip.Addr) *refusal {
	ours, err := p.config.Own()
	if err != nil {
		return t.refuse(http.StatusForbidden, guardAddress, reasonAddress(own)) // not known to be another machine's
	}
	var no *refusal
	for _, addr := range addrs {
		addr = addr.Unmap()
		kind := classOf(addr)
		if kind == "" && slices.Contains(ours, addr) {
			kind = own
		}
		switch {
		case p.config.Judge.Never(addr, t.port):
			no = t.refuse(http.StatusForbidden, guardModel, reasonModel)
		case addr.Zone() != "" || kind != "" && !p.config.Judge.Listed(addr, t.port):
			if no == nil {
				no = t.refuse(http.StatusForbidden, guardAddress, reasonAddress(kind))
			}
		case len(t.addrs) < maxAddrs:
			t.addrs = append(t.addrs, netip.AddrPortFrom(addr, t.port))
		}
	}
	if len(t.addrs) > 0 {
		return nil
	}
	return no
}

// dial connects to the first of t's addresses that answers.
func (p *Proxy) dial(ctx context.Context, t *target) (net.Conn, error) {
	err := errors.New("no address")
	for i, to := range t.addrs {
		limit := p.config.Limits.DialTime / time.Duration(len(t.addrs)-i)
		within, cancel := context.WithTimeoutCause(ctx, limit, errors.New("the connection took too long"))
		var c net.Conn
		c, err = p.config.Dial(within, to)
		cancel()
		if err == nil {
			return c, nil
		}
	}
	return nil, err
}
