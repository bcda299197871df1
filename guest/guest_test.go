package guest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.yaml.in/yaml/v4"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/guestapi"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/host"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "guest" {
		// Not os.Exit, which waits for a second under the race detector.
		syscall.Exit(Main(os.Args[2:], os.Stdin, os.Stderr, nil))
	}
	if len(os.Args) > 1 && os.Args[1] == "reap" {
		syscall.Exit(reapProgram())
	}
	goleak.VerifyTestMain(m,
		// How net/http lingers for half a second after refusing a request; it ends by itself.
		goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// display is a Display in the test's hands.
type display struct {
	mu      sync.Mutex
	desktop desktop.Desktop
	notices []guestapi.Notice
	failed  string
	log     []string
}

func (d *display) set(f func()) { d.mu.Lock(); defer d.mu.Unlock(); f() }

func (d *display) Start(context.Context) error {
	d.set(func() { d.log = append(d.log, "start") })
	return nil
}
func (d *display) Stop()         { d.set(func() { d.log = append(d.log, "stop") }) }
func (d *display) Env() []string { return []string{"DISPLAY=:77"} }
func (d *display) Desktop() (x desktop.Desktop) {
	d.set(func() { x = d.desktop })
	return x
}
func (d *display) Health() (p []guestapi.Program, n []guestapi.Notice, ready bool, failed string) {
	d.set(func() { n, ready, failed = slices.Clone(d.notices), d.desktop != nil, d.failed })
	return []guestapi.Program{{Name: "Xvfb", State: "ready", PID: 7}}, n, ready, failed
}

// screen is a desktop.Desktop that fails, but for Release.
type screen struct {
	desktop.Desktop
	err      error
	released func()
}

func (s screen) Size(context.Context) (deskhand.Size, error) { return deskhand.Size{}, s.err }
func (s screen) Release(context.Context) error               { s.released(); return nil }

// serve runs a guest and returns a client of it, and what stops it.
func serve(t *testing.T, c Config) (client *http.Client, dial func() net.Conn, stop func()) {
	t.Helper()
	dir, err := os.MkdirTemp("", "guest")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c.Host.Keeper = []string{exe, "guest", "keep"}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, c, l) }()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }}
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the guest did not stop")
		}
		transport.CloseIdleConnections()
		_ = os.RemoveAll(dir)
	})
	t.Cleanup(stop)
	dial = func() net.Conn {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		return conn
	}
	return &http.Client{Transport: transport}, dial, stop
}

// ask sends a request and returns status and body.
func ask(t *testing.T, client *http.Client, method, path string, body io.Reader, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://guest"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

func TestToken(t *testing.T) {
	t.Parallel()
	client, _, _ := serve(t, Config{Token: "right"})
	for header, want := range map[string]int{"": 401, "Bearer ": 401, "Bearer wrong": 401, "Bearer righ": 401, "Bearer right ": 200, "bearer right": 401, "right": 401, "Basic right": 401, "Bearer right": 200} {
		var h []string
		if header != "" {
			h = []string{"Authorization", header}
		}
		for _, path := range []string{guestapi.Health, guestapi.Stat + "?path=/"} {
			if got, body := ask(t, client, "GET", path, nil, h...); got != want {
				t.Errorf("%q %s: %d %s, want %d", header, path, got, body, want)
			}
		}
		if got, _ := ask(t, client, "POST", guestapi.Exec, strings.NewReader(`{"args":["true"]}`), append(h, "Upgrade", "no")...); got != want && want != 200 {
			t.Errorf("%q exec: %d", header, got)
		}
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	d := &display{}
	client, _, _ := serve(t, Config{Display: d})
	large := strings.NewReader("[\"" + strings.Repeat("x", inputLimit) + "\"]")
	for _, c := range []struct {
		method, path string
		body         io.Reader
		want         int
		says         string
	}{
		{"GET", "/", nil, 404, ""},
		{"GET", "/v1/nothing", nil, 404, ""},
		{"POST", guestapi.Health, nil, 405, ""},
		{"GET", guestapi.Health + "?wait=-1s", nil, 400, "not a duration"},
		{"GET", guestapi.Health + "?wait=abc", nil, 400, "not a duration"},
		{"GET", guestapi.Health + "?after=-1", nil, 400, "not a whole number"},
		{"GET", guestapi.Size, nil, 503, "not ready yet"},
		{"GET", guestapi.Screen, nil, 503, "not ready yet"},
		{"GET", guestapi.Screen + "?region=1,2,3", nil, 400, "region"},
		{"GET", guestapi.Screen + "?region=1,2,3,4,5", nil, 400, "region"},
		{"GET", guestapi.Screen + "?region=1,2,3,1e9", nil, 400, "region"},
		{"GET", guestapi.Screen + "?size=0x0", nil, 400, "size"},
		{"GET", guestapi.Screen + "?quality=x", nil, 400, "quality"},
		{"GET", guestapi.Screen + "?cursor=x", nil, 400, "cursor"},
		{"GET", guestapi.Screen + "?since=-1", nil, 400, "since"},
		{"POST", guestapi.Input, strings.NewReader("{"), 400, "JSON"},
		{"POST", guestapi.Input, strings.NewReader(`[{"point":"x"}]`), 400, "JSON"},
		{"POST", guestapi.Input, strings.NewReader("[]"), 503, "not ready yet"},
		{"POST", guestapi.Input, large, 413, "larger than"},
		{"GET", guestapi.Settle + "?quiet=99h", nil, 400, "quiet"},
		{"POST", guestapi.Exec, strings.NewReader(`{"args":["true"]}`), 400, "Upgrade"},
		{"GET", guestapi.Dial + "?network=tcp&address=x", nil, 400, "Upgrade"},
		{"GET", guestapi.Stat + "?path=x", nil, 400, "absolute"},
		{"GET", guestapi.Stat + "?path=/no/such", nil, 404, "no such file"},
		{"GET", guestapi.File + "?path=/dev/zero", nil, 400, "regular"},
		{"GET", guestapi.File + "?path=/etc/passwd&limit=99999999999", nil, 400, "limit"},
		{"GET", guestapi.Dir + "?path=/etc/passwd", nil, 400, "directory"},
	} {
		status, body := ask(t, client, c.method, c.path, c.body)
		if status != c.want || !strings.Contains(body, c.says) {
			t.Errorf("%s %s: %d %s, want %d %q", c.method, c.path, status, body, c.want, c.says)
		}
		if c.says == "" {
			continue
		}
		var f guestapi.Failure
		if err := json.Unmarshal([]byte(body), &f); err != nil || statuses[deskhand.Code(f.Code)] != c.want {
			t.Errorf("%s %s: %s, %v", c.method, c.path, body, err)
		}
	}
	d.set(func() { d.failed = "Xvfb cannot start" })
	if status, body := ask(t, client, "GET", guestapi.Size, nil); status != 503 || !strings.Contains(body, "Xvfb cannot start") {
		t.Errorf("a failed display: %d %s", status, body)
	}
	none, _, _ := serve(t, Config{})
	if status, body := ask(t, none, "GET", guestapi.Cursor, nil); status != 503 || !strings.Contains(body, "has no desktop") {
		t.Errorf("no display: %d %s", status, body)
	}
}

// TestInternal checks that a client never learns the cause of a defect.
func TestInternal(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	d := &display{desktop: screen{err: errors.New("secret: /host/path"), released: func() {}}}
	client, _, stop := serve(t, Config{Display: d, Log: slog.New(slog.NewTextHandler(&log, nil))})
	status, body := ask(t, client, "GET", guestapi.Size, nil)
	if status != 500 || strings.Contains(body, "secret") || !strings.Contains(body, internalWords) {
		t.Errorf("%d %s", status, body)
	}
	stop()
	if !strings.Contains(log.String(), "secret: /host/path") {
		t.Errorf("the log does not say it: %s", log.String())
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	d := &display{}
	client, _, stop := serve(t, Config{Display: d})
	get := func(query string) (h guestapi.HealthReply) {
		status, body := ask(t, client, "GET", guestapi.Health+query, nil)
		if err := json.Unmarshal([]byte(body), &h); err != nil || status != 200 {
			t.Errorf("%d %s: %v", status, body, err)
		}
		return h
	}
	if h := get(""); h.Ready || h.PID != os.Getpid() || h.RSS < 1<<20 || len(h.Programs) != 1 {
		t.Errorf("before: %+v", h)
	}
	start := time.Now()
	if h := get("?wait=50ms"); h.Ready || time.Since(start) < 50*time.Millisecond {
		t.Errorf("after %s: %+v", time.Since(start), h)
	}
	answers := make(chan guestapi.HealthReply)
	poll := func(query string) { go func() { answers <- get(query) }() }
	poll("?wait=20s")
	d.set(func() { d.desktop = screen{released: func() { d.set(func() { d.log = append(d.log, "release") }) }} })
	if h := <-answers; !h.Ready {
		t.Errorf("ready: %+v", h)
	}
	poll("?wait=20s&after=1")
	d.set(func() { d.notices = append(d.notices, guestapi.Notice{N: 1, Text: "old"}) })
	d.set(func() { d.notices = append(d.notices, guestapi.Notice{N: 2, Text: "new"}) })
	if h := <-answers; len(h.Notices) != 1 || h.Notices[0].Text != "new" {
		t.Errorf("notice: %+v", h)
	}
	poll("?wait=20s&after=2")
	d.set(func() { d.desktop, d.failed = nil, "broken" })
	if h := <-answers; h.Failed != "broken" {
		t.Errorf("failed: %+v", h)
	}
	d.set(func() { d.desktop = screen{released: func() { d.set(func() { d.log = append(d.log, "release") }) }} })
	stop()
	if want := []string{"start", "release", "stop"}; !slices.Equal(d.log, want) {
		t.Errorf("the display saw %q, want %q", d.log, want)
	}
}

// execStream starts a program by hand.
func execStream(t *testing.T, conn net.Conn, cmd sandbox.Cmd) *bufio.Reader {
	t.Helper()
	body, _ := json.Marshal(cmd)
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: guest\r\nConnection: Upgrade\r\nUpgrade: %s\r\nContent-Length: %d\r\n\r\n%s", guestapi.Exec, guestapi.ExecProtocol, len(body), body)
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", res, err)
	}
	return r
}

// TestBadFrames checks that a peer which breaks the protocol loses the stream
// and its program, and harms nobody else.
func TestBadFrames(t *testing.T) {
	t.Parallel()
	client, dial, _ := serve(t, Config{Host: host.Config{Env: []string{"PATH=/usr/bin:/bin"}}})
	full := append([]byte{'i', 0, 1, 0, 0}, make([]byte, guestapi.MaxFrame)...)
	for name, bytes := range map[string][]byte{
		"unknown":     {'?', 0, 0, 0, 0},
		"huge":        {'i', 0xff, 0xff, 0xff, 0xff},
		"signal":      {'s', 0, 0, 0, 2, 1, 1},
		"window":      {'w', 0, 0, 0, 1, 'o'},
		"rich":        {'w', 0, 0, 0, 5, 'o', 0, 4, 0, 0},
		"window of i": {'w', 0, 0, 0, 5, 'i', 0, 0, 0, 1},
		"flood":       slices.Repeat(full, 40),
		"cut":         {'i', 0, 0},
	} {
		conn := dial()
		r := execStream(t, conn, sandbox.Cmd{Args: []string{"sleep", "1000"}})
		_, _ = conn.Write(bytes)
		if name == "cut" {
			_ = conn.(*net.UnixConn).CloseWrite()
		}
		if _, err := io.Copy(io.Discard, r); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: %v", name, err)
		}
		_ = conn.Close()
	}
	if status, body := ask(t, client, "GET", guestapi.Health, nil); status != 200 {
		t.Errorf("%d %s", status, body)
	}
}

// TestHungUp checks that a program ends when its client goes away.
func TestHungUp(t *testing.T) {
	t.Parallel()
	_, dial, _ := serve(t, Config{Display: &display{}, Host: host.Config{Env: []string{"PATH=/usr/bin:/bin"}}})
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	conn := dial()
	execStream(t, conn, sandbox.Cmd{Args: []string{"bash", "-c", `trap "" TERM HUP; echo $DISPLAY >$0; exec 9>$0; (setsid sleep 1000 &); sleep 1000`, path}})
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := bufio.NewReader(f)
	if line, err := r.ReadString('\n'); line != ":77\n" {
		t.Errorf("%q, %v", line, err)
	}
	_ = conn.Close()
	done := make(chan struct{})
	go func() { defer close(done); _, _ = io.Copy(io.Discard, r) }() // ends when the last writer has
	select {
	case <-done:
	case <-time.After(15 * time.Second):
		t.Error("the program outlives its client")
	}
}

// TestUsage checks what the program says when it is started by hand.
func TestUsage(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	if got := Main([]string{"--help"}, nil, &log, nil); got != 2 || !strings.Contains(log.String(), "takes no arguments") {
		t.Errorf("%d %s", got, log.String())
	}
}

// TestDocument compares docs/guest-api.yaml with what is served.
func TestDocument(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../docs/guest-api.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths      map[string]map[string]any `yaml:"paths"`
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any `yaml:"properties"`
			} `yaml:"schemas"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	var documented, served []string
	for path, methods := range doc.Paths {
		for method := range methods {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	for pattern := range (&server{}).endpoints() {
		served = append(served, pattern)
	}
	slices.Sort(documented)
	slices.Sort(served)
	if !slices.Equal(documented, served) {
		t.Errorf("documented %q\nserved %q", documented, served)
	}
	for name, v := range map[string]any{
		"Failure": guestapi.Failure{}, "Health": guestapi.HealthReply{}, "Size": deskhand.Size{}, "Point": deskhand.ScreenPoint{}, "Rect": deskhand.ScreenRect{},
		"Action": desktop.Action{}, "Window": desktop.Window{}, "Settled": desktop.Settled{}, "Cmd": sandbox.Cmd{}, "Exit": sandbox.Exit{}, "FileInfo": sandbox.FileInfo{},
	} {
		var inCode, inDoc []string
		for f := range reflect.TypeOf(v).Fields() {
			inCode = append(inCode, strings.Split(f.Tag.Get("json"), ",")[0])
		}
		for p := range doc.Components.Schemas[name].Properties {
			inDoc = append(inDoc, p)
		}
		slices.Sort(inCode)
		slices.Sort(inDoc)
		if !slices.Equal(inCode, inDoc) {
			t.Errorf("%s: documented %q, in the code %q", name, inDoc, inCode)
		}
	}
}
