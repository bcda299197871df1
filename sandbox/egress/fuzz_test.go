package egress

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// inetAton is what C libraries take for an IPv4 address.
func inetAton(text string) (netip.Addr, bool) {
	parts := strings.Split(text, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var value uint64
	for i, part := range parts {
		digits, base := part, 10
		if low := strings.ToLower(part); strings.HasPrefix(low, "0x") {
			digits, base = low[2:], 16
			if digits == "" {
				digits = "0"
			}
		} else if len(part) > 1 && part[0] == '0' {
			digits, base = part[1:], 8
		}
		n, err := strconv.ParseUint(digits, base, 32)
		width := 8
		if i == len(parts)-1 {
			width = 8 * (5 - len(parts))
		}
		if err != nil || n >= 1<<width {
			return netip.Addr{}, false
		}
		value = value<<width | n
	}
	return netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)}), true
}

// FuzzParseHost checks that a canonical host stays what it is, that nothing
// which somebody could read as another address passes as a name, and that
// addresses are what net/netip and inet_aton say.
func FuzzParseHost(f *testing.F) {
	for _, seed := range []string{
		"allowed.test", "ALLOWED.test.", "0x7f.1", "2130706433", "0177.0.0.1", "127.0.0.1", "１２７。０。０。１", "[::ffff:7f00:1]", "fe80::1%eth0",
		"bücher.example", "xn--bcher-kva.example", "a_b.c", "evil.test\x00.allowed.test", "[2001:db8::7]", "1.2.3.4.", "0x", "a.0x7f", "ß.de", "\u200d.test", "a..b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseHost(text)
		if err != nil {
			if h != (Host{}) {
				t.Fatalf("%q: an error and %q", text, h)
			}
			return
		}
		if again, err := ParseHost(h.String()); err != nil || again != h {
			t.Fatalf("%q: %q is not canonical: %q, %v", text, h, again, err)
		}
		if strings.ToLower(h.name) != h.name || strings.HasSuffix(h.name, ".") || strings.ContainsAny(h.name, " \t\r\n\x00%@/\\#?[]*,\"") || h.name == "" {
			t.Fatalf("%q: %q", text, h)
		}
		addr, isAddr := h.Addr()
		if parsed, err := netip.ParseAddr(h.name); (err == nil) != isAddr || isAddr && parsed != addr {
			t.Fatalf("%q: %q is an address for one of two", text, h)
		}
		if v4, ok := inetAton(h.name); ok && (!isAddr || v4 != addr) {
			t.Fatalf("%q: %q is %s for inet_aton", text, h, v4)
		}
		// What net/http would connect to is the same.
		if u, err := url.Parse("http://" + h.authority() + "/"); err != nil || u.Hostname() != h.name {
			t.Fatalf("%q: %q for net/url: %v, %v", text, h, u, err)
		}
	})
}

// capture makes a ClientHello as crypto/tls does.
func capture(t testing.TB, name string, c *tls.Config) []byte {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	c.ServerName, c.InsecureSkipVerify = name, true
	go func() {
		_ = tls.Client(far, c).HandshakeContext(context.Background())
		far.Close()
	}()
	if err := near.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	record, err := readHello(near)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// nameOf is what crypto/tls reads of a ClientHello.
func nameOf(record []byte) (name string, ok bool) {
	stop := errors.New("seen")
	server := tls.Server(replay{bytes.NewReader(record)}, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		name, ok = h.ServerName, true
		return nil, stop
	}})
	_ = server.HandshakeContext(context.Background())
	return name, ok
}

type replay struct{ io.Reader }

func (replay) Write(b []byte) (int, error)      { return len(b), nil }
func (replay) Close() error                     { return nil }
func (replay) LocalAddr() net.Addr              { return nil }
func (replay) RemoteAddr() net.Addr             { return nil }
func (replay) SetDeadline(time.Time) error      { return nil }
func (replay) SetReadDeadline(time.Time) error  { return nil }
func (replay) SetWriteDeadline(time.Time) error { return nil }

// FuzzServerName checks that whenever a name is read, crypto/tls, where it can
// read the record at all, reads the same.
func FuzzServerName(f *testing.F) {
	for _, c := range []*tls.Config{{}, {MaxVersion: tls.VersionTLS12}, {NextProtos: []string{"h2", "http/1.1"}}} {
		f.Add(capture(f, "allowed.test", c))
		f.Add(capture(f, "198.51.100.7", c)) // no name
	}
	f.Add(forge("allowed.test", "evil.test"))
	f.Fuzz(func(t *testing.T, record []byte) {
		name, err := serverName(record)
		if err != nil {
			return
		}
		if name == "" {
			t.Fatal("an empty name")
		}
		if theirs, ok := nameOf(record); ok && theirs != name {
			t.Fatalf("%q here, %q for crypto/tls", name, theirs)
		}
	})
}

// FuzzParseHead checks that net/http reads what is accepted here the same way.
func FuzzParseHead(f *testing.F) {
	for _, seed := range []string{
		"GET http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\n\r\n", "CONNECT allowed.test:443 HTTP/1.1\r\nHost: allowed.test:443\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n X: y\r\n\r\n", "GET / HTTP/1.1\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		raw, _, err := readHead(bytes.NewReader(data), 64<<10)
		if err != nil {
			return
		}
		h, err := parseHead(raw)
		if err != nil {
			return
		}
		r, err := http.ReadRequest(newReader(raw))
		if err != nil {
			return // refused later
		}
		if r.Method != h.method || r.RequestURI != h.target {
			t.Fatalf("%q %q here, %q %q for net/http", h.method, h.target, r.Method, r.RequestURI)
		}
		if n := h.get("content-length"); r.ContentLength > 0 && n != strconv.FormatInt(r.ContentLength, 10) && strings.TrimLeft(n, "0") != strconv.FormatInt(r.ContentLength, 10) {
			t.Fatalf("length %q here, %d for net/http", n, r.ContentLength)
		}
		if chunked := h.count("transfer-encoding") == 1; chunked != (len(r.TransferEncoding) == 1) && r.ProtoAtLeast(1, 1) {
			t.Fatalf("chunked is %t here, %q for net/http", chunked, r.TransferEncoding)
		}
		host, port, no := absolute(h.target)
		if no != nil || strings.HasPrefix(h.target, "/") {
			return
		}
		again, at, err := parseAuthority(r.URL.Host, 80)
		if err != nil || again != host || at != port {
			t.Fatalf("%q: %s:%d here, %q for net/http", h.target, host, port, r.URL.Host)
		}
	})
}
