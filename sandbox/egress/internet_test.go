package egress_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand/guest"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "guest" {
		// Not os.Exit, which waits for a second under the race detector.
		syscall.Exit(guest.Main(os.Args[2:], os.Stdin, os.Stderr, nil))
	}
	goleak.VerifyTestMain(m)
}

// patience is how long anything in these tests may take on a busy machine.
const patience = 90 * time.Second

// inside says that this process has a network of its own.
const inside = "EGRESS_TEST_INTERNET"

// privately runs the test that calls it again in a network of its own, whose
// addresses are all on its loopback, and reports true in there.
func privately(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inside) != "" {
		return true
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), inside+"=1")
	child.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	out, err := child.CombinedOutput()
	if strings.Contains(fmt.Sprint(err), "fork/exec") {
		t.Skipf("MISSING WALL: user namespaces; these attacks were not tried (%v)", err)
	}
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("in the private internet: %v", err)
	}
	return false
}

// The addresses of the private internet.
const (
	allowedAddr = "198.51.100.7"  // serves allowed.test
	rawAddr     = "198.51.100.8"  // raw.test, where every byte counts
	evilAddr    = "198.51.100.66" // evil.test, where every byte counts
	evilAddr6   = "2001:db8::66"
)

// sinks are where no byte may arrive.
var sinks = []string{
	rawAddr, evilAddr, evilAddr6, "127.0.0.1", "169.254.169.254", "100.100.100.200", "168.63.129.16", "10.0.0.5", "100.64.0.9", "fd00:ec2::254", "192.0.2.77",
}

// internet is the private internet of a test: servers and sinks.
type internet struct {
	t     *testing.T
	bytes atomic.Int64 // that arrived at a sink
	asked atomic.Int64 // names of evil.test that were looked up
	ca    string       // file of the certificate of allowed.test
	names map[string][]string

	mu     sync.Mutex
	from   []string // where bytes arrived
	hits   []string // what was fetched from the stand-ins for registries
	served sync.WaitGroup
}

func newInternet(t *testing.T) *internet {
	t.Helper()
	n := &internet{t: t, names: map[string][]string{
		"allowed.test": {allowedAddr}, "raw.test": {rawAddr}, "evil.test": {evilAddr}, "evil6.test": {evilAddr6},
		"raw.test.evil.test": {evilAddr}, "evilraw.test": {evilAddr}, "www.raw.test": {evilAddr}, "api.anthropic.com": {evilAddr},
		"loop.test": {"127.0.0.1"}, "meta.test": {"169.254.169.254"}, "meta6.test": {"fd00:ec2::254"}, "ali.test": {"100.100.100.200"}, "azure.test": {"168.63.129.16"},
		"lan.test": {"10.0.0.5"}, "cgn.test": {"100.64.0.9"}, "own.test": {"192.0.2.77"}, "mapped.test": {"::ffff:10.0.0.5"},
	}}
	t.Cleanup(n.served.Wait) // after everything was closed
	run(t, "ip", "link", "set", "lo", "up")
	for _, addr := range append([]string{allowedAddr}, sinks...) {
		if addr == "127.0.0.1" {
			continue
		}
		bits := "/32"
		if strings.Contains(addr, ":") {
			bits = "/128"
		}
		run(t, "ip", "addr", "add", addr+bits, "dev", "lo", "nodad")
	}
	for _, addr := range sinks {
		for _, port := range []string{"22", "25", "53", "80", "443", "3306", "3478", "8080"} {
			n.tcp(net.JoinHostPort(addr, port))
		}
		for _, port := range []string{"53", "443", "3478"} {
			n.udp(net.JoinHostPort(addr, port))
		}
	}
	n.web()
	return n
}

func run(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v: %s", args, err, out)
	}
}

// tcp is a sink that answers like a web server, so that clients are content.
func (n *internet) tcp(address string) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = l.Close() })
	n.served.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.served.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(10 * time.Second))
				buf := make([]byte, 64<<10)
				got, _ := c.Read(buf)
				n.count(address, got)
				_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nsink")
			})
		}
	})
}

func (n *internet) udp(address string) {
	l, err := net.ListenPacket("udp", address)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = l.Close() })
	n.served.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			got, _, err := l.ReadFrom(buf)
			if err != nil {
				return
			}
			n.count(address+"/udp", got)
		}
	})
}

func (n *internet) count(where string, got int) {
	if got > 0 {
		n.bytes.Add(int64(got))
		n.mu.Lock()
		n.from = append(n.from, fmt.Sprintf("%s: %d", where, got))
		n.mu.Unlock()
	}
}

// drain returns how many bytes arrived since the last time, and where.
func (n *internet) drain() (int64, []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	from := n.from
	n.from = nil
	return n.bytes.Swap(0), from
}

// web serves allowed.test over HTTP and HTTPS.
func (n *internet) web() {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "<p>welcome to %s</p>", r.Host) })
	mux.HandleFunc("/to", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("u"), http.StatusFound)
	})
	mux.HandleFunc("/x.git/info/refs", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%040d\trefs/heads/main\n", 1)
	})
	mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, page) })
	mux.HandleFunc("/big", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, io.LimitReader(zeros{}, 8<<20)) })
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	n.registries(mux)
	cert, file := certificate(n.t)
	n.ca = file
	for _, port := range []string{"80", "443"} {
		l, err := net.Listen("tcp", net.JoinHostPort(allowedAddr, port))
		if err != nil {
			n.t.Fatal(err)
		}
		if port == "443" {
			l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})
		}
		s := &http.Server{Handler: mux, ReadHeaderTimeout: patience}
		n.t.Cleanup(func() { _ = s.Close() })
		n.served.Go(func() { _ = s.Serve(l) })
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// certificate makes one for allowed.test that signs itself.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "allowed.test"}, DNSNames: []string{"allowed.test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// LookupNetIP is the resolver of the private internet.
func (n *internet) LookupNetIP(_ context.Context, _, name string) ([]netip.Addr, error) {
	name = strings.TrimSuffix(name, ".")
	if strings.Contains(name, "evil") {
		n.asked.Add(1)
	}
	var out []netip.Addr
	for _, text := range n.names[name] {
		out = append(out, netip.MustParseAddr(text))
	}
	if out == nil {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return out, nil
}

// own is what the proxy takes for the addresses of its machine: here they are
// all on loopback.
func own() ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("192.0.2.77"), netip.MustParseAddr("127.0.0.1")}, nil
}
