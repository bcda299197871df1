package egress

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"
)

// rig is a server, and a proxy that leads to it under the name allowed.test.
func rig(b *testing.B, serve func(net.Conn)) (direct, proxy string) {
	b.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { server.Close() })
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); serve(c) }()
		}
	}()
	rules, err := NewRules(nil, "allowed.test:9,opaque", "127.0.0.1")
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	p, err := New(Config{
		Judge: rules, Resolver: fixed{}, Own: func() ([]netip.Addr, error) { return nil, nil }, Limits: Limits{HostBytes: 1 << 50},
		Dial: func(ctx context.Context, _ netip.AddrPort) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", server.Addr().String())
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = p.Serve(ctx, l) }()
	b.Cleanup(func() { cancel(); <-ended })
	return server.Addr().String(), l.Addr().String()
}

type fixed struct{}

func (fixed) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("198.51.100.7")}, nil
}

// dialThrough opens a tunnel when proxy is one, else a connection.
func dialThrough(b *testing.B, address string, tunnel bool) *bufio.ReadWriter {
	c, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	br := bufio.NewReaderSize(c, 256<<10)
	if tunnel {
		_, _ = io.WriteString(c, "CONNECT allowed.test:9 HTTP/1.1\r\nHost: allowed.test:9\r\n\r\n")
		res, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
		if err != nil || res.StatusCode != http.StatusOK || res.Body.Close() != nil {
			b.Fatal(res, err)
		}
	}
	return bufio.NewReadWriter(br, bufio.NewWriterSize(c, 0))
}

// BenchmarkConnection measures from nothing to the first byte of the server,
// direct and through the proxy by turns.
func BenchmarkConnection(b *testing.B) {
	direct, proxy := rig(b, func(c net.Conn) { _, _ = c.Write([]byte("x")) })
	took := map[string][]time.Duration{}
	for b.Loop() {
		for _, address := range []string{direct, proxy} {
			began := time.Now()
			if _, err := dialThrough(b, address, address == proxy).ReadByte(); err != nil {
				b.Fatal(err)
			}
			took[address] = append(took[address], time.Since(began))
		}
	}
	median := func(all []time.Duration) float64 {
		slices.Sort(all)
		return float64(all[len(all)/2].Nanoseconds()) / 1e6
	}
	d, p := median(took[direct]), median(took[proxy])
	b.ReportMetric(d, "direct-ms")
	b.ReportMetric(p, "proxy-ms")
	b.ReportMetric(p-d, "added-ms")
}

// cpu is what this process has used of the processors: on a busy machine it
// says more than the time that passed.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkTunnel measures bytes from the server, direct and through a tunnel.
func BenchmarkTunnel(b *testing.B) {
	const size = 64 << 20
	block := make([]byte, 256<<10)
	direct, proxy := rig(b, func(c net.Conn) {
		for sent := 0; sent < size; sent += len(block) {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	})
	for name, address := range map[string]string{"direct": direct, "proxy": proxy} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			before := cpu()
			n := 0
			for b.Loop() {
				n++
				if n, err := io.Copy(io.Discard, struct{ io.Reader }{dialThrough(b, address, address == proxy)}); err != nil || n != size {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64((cpu()-before).Milliseconds())/float64(n)/size*1e9, "cpu-ms/GB")
		})
	}
}
