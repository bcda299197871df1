package egress_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/sandbox/egress"
)

// naive is the proxy with its guards off: it looks for a listed name anywhere
// in what is asked for, knows no ports, believes every name's address and looks
// at nothing in a tunnel. What it lets through shows that an attack is real.
func naive(t *testing.T, n *internet, listed string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	n.served.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.served.Go(func() {
				defer c.Close()
				serveNaively(n, c, listed)
			})
		}
	})
	return l.Addr().String()
}

func serveNaively(n *internet, c net.Conn, listed string) {
	br := bufio.NewReader(c)
	first, err := br.ReadString('\n')
	words := strings.SplitN(strings.TrimSpace(first), " ", 3)
	if err != nil || len(words) < 2 || !strings.Contains(words[1], listed) {
		_, _ = io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n")
		return
	}
	head, host := first, words[1]
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return
		}
		head += line
		if value, ok := strings.CutPrefix(strings.ToLower(line), "host:"); ok && words[0] != http.MethodConnect {
			host = strings.TrimSpace(value)
		}
		if strings.TrimSpace(line) == "" {
			break
		}
	}
	far := dialNaively(n, host, words[0] == http.MethodConnect)
	if far == nil {
		_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n")
		return
	}
	defer far.Close()
	if words[0] == http.MethodConnect {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	} else {
		_, _ = io.WriteString(far, head)
	}
	go func() {
		_, _ = io.Copy(far, br)
		_ = far.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(c, far)
}

// dialNaively reads a host as careless programs do.
func dialNaively(n *internet, host string, connect bool) net.Conn {
	host = strings.TrimPrefix(host, "http://")
	host = host[strings.LastIndex(host, "@")+1:]
	host, _, _ = strings.Cut(host, "#")
	name, port, err := net.SplitHostPort(strings.TrimSuffix(host, "/"))
	if err != nil {
		name, port = strings.Trim(host, "[]/"), map[bool]string{true: "443", false: "80"}[connect]
	}
	name, _, _ = strings.Cut(name, "\x00")
	if _, err := netip.ParseAddr(name); err != nil {
		all, err := n.LookupNetIP(nil, "ip", strings.ToLower(name)) //nolint:staticcheck // it takes no context
		if err != nil {
			return nil
		}
		name = all[0].String()
	}
	c, err := net.DialTimeout("tcp", net.JoinHostPort(name, port), patience)
	if err != nil {
		return nil
	}
	return c
}

// guarded is the proxy with its guards on.
func guarded(t *testing.T, n *internet, c egress.Config, entries ...string) (*egress.Proxy, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, n, c, l, entries...), l.Addr().String()
}
