package custom_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/tool"
	"github.com/deskhand/deskhand/tool/custom"
)

const key = `sk/"secret"+value`

// served makes the tool whose endpoint h answers.
func served(t *testing.T, h http.HandlerFunc, method, query, more string) tool.Tool {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	config := custom.Config{
		Env:  func(name string) string { return map[string]string{"KEY": key}[name] },
		Read: func(path string) ([]byte, error) { return []byte("from " + path + "\n"), nil },
	}
	entry := fmt.Sprintf(`{%s, "http": {"method": %q, "url": "%s/path%s", "headers": {"X-Key": "Bearer ${ENV:KEY}", "X-File": "${FILE:a/key}"}}%s}`, about, method, s.URL, query, more)
	return one(t, nil, config, entry)
}

// echo answers with what it was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL, r.Header.Get("Content-Type"), body)
}

func TestEndpointGetsTheInput(t *testing.T) {
	t.Parallel()
	want(t, served(t, echo, "GET", "?units=metric", ""), `{"a": "Grüße & co/../?x#y", "q": {"b":[1, 2]}}`,
		"GET /path?a=Gr%C3%BC%C3%9Fe+%26+co%2F..%2F%3Fx%23y&q=%7B%22b%22%3A%5B1%2C+2%5D%7D&units=metric  ", false)
	want(t, served(t, echo, "GET", "", ""), `{}`, "GET /path  ", false)
	want(t, served(t, echo, "POST", "?units=metric", ""), `{"a": [1,  2]}`, `POST /path?units=metric application/json {"a": [1,  2]}`, false)
	want(t, served(t, echo, "DELETE", "", ""), `{"q": 5}`, "DELETE /path?q=5  ", false)
}

func TestSecretsGoOutAndDoNotComeBack(t *testing.T) {
	t.Parallel()
	got := make(chan http.Header, 1)
	tl := served(t, func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header
		fmt.Fprintf(w, `%s %s {"key": "sk/\"secret\"+value"} %s`, r.Header.Get("X-Key"), r.Header.Get("X-File"), "sk%2F%22secret%22%2Bvalue")
	}, "POST", "", "")
	want(t, tl, `{}`, `Bearer [secret] [secret] {"key": "[secret]"} [secret]`, false)
	if h := <-got; h.Get("X-Key") != "Bearer "+key || h.Get("X-File") != "from a/key" || h.Get("User-Agent") != "deskhand" {
		t.Errorf("%v", h)
	}
}

func TestEndpointResults(t *testing.T) {
	t.Parallel()
	answer := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	for _, c := range []struct {
		h       http.HandlerFunc
		text    string
		isError bool
	}{
		{answer(200, "text/plain", "a\x1b[2Jb\u202e\n"), `ab\u202e`, false},
		{answer(200, "text/plain", ""), "(no output)", false},
		{answer(404, "text/html", "no such place"), "Error: n answered with HTTP status 404.\nno such place", true},
		{answer(500, "text/html", ""), "Error: n answered with HTTP status 500.\n(no output)", true},
		{answer(200, "image/png", "\x89PNG\xff"), "Error: The answer of n is not text (image/png, 5 bytes).", true},
		{answer(200, "(;;", "a\x00b"), "Error: The answer of n is not text (of no known type, 3 bytes).", true},
		{answer(200, "text/plain", strings.Repeat("x", 8<<20+1)), "Error: The answer of n is larger than 8 MB. Ask for less.", true},
		{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "Error: The endpoint of n cannot be reached, or broke off its answer. Try again later, or go on without it.", true},
	} {
		want(t, served(t, c.h, "POST", "", ""), `{}`, c.text, c.isError)
	}
	long := call(t, served(t, answer(200, "text/plain", strings.Repeat("line\n", 10000)+"end"), "GET", "", `, "max_output": 2048`), `{}`).Content[0].Text
	if len(long) > 2300 || !strings.HasSuffix(long, "line\nend") || !strings.Contains(long, "(10001 total lines)") {
		t.Errorf("%d bytes: %q", len(long), long)
	}
	down := one(t, nil, custom.Config{}, `{`+about+`, "http": {"url": "http://127.0.0.1:1/"}}`)
	want(t, down, `{}`, "Error: The endpoint of n cannot be reached, or broke off its answer. Try again later, or go on without it.", true)
}

// TestRedirects: with a client that follows wherever it is sent, the header
// reaches the other host; through the tool it does not.
func TestRedirects(t *testing.T) {
	t.Parallel()
	var stolen atomic.Value
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { stolen.Store(r.Header.Get("X-Key")) }))
	t.Cleanup(thief.Close)
	away := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
	}

	open := httptest.NewServer(http.HandlerFunc(away))
	t.Cleanup(open.Close)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, open.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Key", key)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if stolen.Load() != key {
		t.Fatalf("without the guard the other host got %v", stolen.Load())
	}
	stolen.Store("")
	want(t, served(t, away, "POST", "", ""), `{}`, "Error: The endpoint of n sends on to another place, which is not followed.", true)
	if stolen.Load() != "" {
		t.Errorf("the other host got %v", stolen.Load())
	}
	within := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/path" {
			http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
			return
		}
		echo(w, r)
	}
	want(t, served(t, within, "POST", "", ""), `{"a":1}`, `POST /there application/json {"a":1}`, false)
	round := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/path", http.StatusFound) }
	want(t, served(t, round, "GET", "", ""), `{}`, "Error: The endpoint of n sends on to another place, which is not followed.", true)
}

func TestEndpointInTime(t *testing.T) {
	t.Parallel()
	slow := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	want(t, served(t, slow, "GET", "", `, "timeout": "1s"`), `{}`, "Error: n did not finish within 1 seconds. It was stopped.", true)

	ctx, cancel := context.WithCancel(t.Context())
	tl := served(t, func(w http.ResponseWriter, r *http.Request) { cancel(); slow(w, r) }, "GET", "", "")
	if _, err := tl.Run(ctx, deskhand.Call{Input: []byte(`{}`)}); deskhand.CodeOf(err) != deskhand.Canceled {
		t.Error(err)
	}
}
