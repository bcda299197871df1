package main

import (
	"bytes"
	"context"
	"image/png"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop/fake"
)

// watched serves a view of a desktop in memory, and returns its address.
func watched(t *testing.T) (url string, screen *fake.Desktop) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	screen = fake.New(deskhand.Size{W: 320, H: 240})
	w := &watcher{desktop: screen, host: l.Addr().String(), token: "TOKEN", title: "it <b>", gone: func() {}}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- serveUntil(ctx, l, w.handler()) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		screen.Close()
	})
	return "http://" + w.host + "/TOKEN/", screen
}

func get(t *testing.T, url, host, site string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		r.Host = host
	}
	if site != "" {
		r.Header.Set("Sec-Fetch-Site", site)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, body
}

func TestViewIsForItsOwnAddressOnly(t *testing.T) {
	t.Parallel()
	url, _ := watched(t)
	root := strings.TrimSuffix(url, "TOKEN/")
	for _, c := range []struct {
		url, host, site string
		want            int
	}{
		{url, "", "", 200},
		{url, "", "none", 200},
		{url + "frame", "", "same-origin", 200},
		{root, "", "", 404},
		{root + "WRONG/", "", "", 404},
		{root + "WRONG/frame", "", "", 404},
		{url, "evil.example:80", "", 403}, // a name made to point here
		{url, "localhost", "", 403},
		{url, "", "cross-site", 403},
		{url + "frame", "", "same-site", 403},
	} {
		if res, _ := get(t, c.url, c.host, c.site); res.StatusCode != c.want {
			t.Errorf("%+v: status %d", c, res.StatusCode)
		}
	}
	res, body := get(t, url, "", "")
	if !strings.Contains(res.Header.Get("Content-Security-Policy"), "default-src 'none'") || strings.Contains(string(body), "it <b>") {
		t.Errorf("policy %q, page %s", res.Header.Get("Content-Security-Policy"), body)
	}
}

func TestFrameWaitsForAChange(t *testing.T) {
	t.Parallel()
	url, screen := watched(t)
	first, body := get(t, url+"frame?since=0", "", "")
	if img, err := png.DecodeConfig(bytes.NewReader(body)); err != nil || img.Width != 320 {
		t.Fatalf("the first frame is no picture: %v", err)
	}
	answered := make(chan *http.Response, 1)
	go func() {
		res, _ := get(t, url+"frame?since="+first.Header.Get("Deskhand-Frame"), "", "")
		answered <- res
	}()
	select {
	case res := <-answered:
		t.Fatalf("answered with %d before anything changed", res.StatusCode)
	case <-time.After(300 * time.Millisecond):
	}
	screen.Paint(0, 0, 10, 10, 0xFF0000)
	select {
	case res := <-answered:
		if res.StatusCode != http.StatusOK || res.Header.Get("Deskhand-Frame") == first.Header.Get("Deskhand-Frame") {
			t.Errorf("status %d, frame %s", res.StatusCode, res.Header.Get("Deskhand-Frame"))
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no answer after a change")
	}
}

// TestViewInABrowser looks at the page with a real browser, under its own policy.
func TestViewInABrowser(t *testing.T) {
	t.Parallel()
	url, screen := watched(t)
	screen.Paint(0, 0, 320, 240, 0x12B886)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// The browser takes its picture when the page is loaded, which may be before
	// the page's script has fetched the first frame.
	for ctx.Err() == nil {
		if strings.Contains(colours(ctx, t, url), "#12B886") {
			return
		}
	}
	t.Error("the desktop never was on the page")
}

// colours returns what a browser shows of a page, as a histogram.
func colours(ctx context.Context, t *testing.T, url string) string {
	t.Helper()
	shot := filepath.Join(t.TempDir(), "shot.png")
	cmd := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
		"--window-size=640,480", "--timeout=3000", "--screenshot="+shot, url)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.CommandContext(ctx, "convert", shot, "-format", "%c", "histogram:info:").Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
