package claude_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/model/claude"
)

func asModelError(t *testing.T, err error) *model.Error {
	t.Helper()
	var failed *model.Error
	if !errors.As(err, &failed) {
		t.Fatalf("error %v (%T), want a *model.Error", err, err)
	}
	return failed
}

// respond answers every request with one status and body.
func respond(status int, contentType, body string, header ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}

func apiError(kind, message, more string) string {
	return fmt.Sprintf(`{"type":"error","error":{"type":%q,"message":%q%s},"request_id":"req_1"}`, kind, message, more)
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		handler http.Handler
		want    model.Error
	}{
		{"refused", respond(400, "application/json", apiError("invalid_request_error", "max_tokens: too high", "")),
			model.Error{Code: deskhand.Invalid, Status: 400, Type: "invalid_request_error", Message: "The API refused the request (400). It says: max_tokens: too high"}},
		{"wrong key, quoted back", respond(401, "application/json", apiError("authentication_error", "sk-secret-key is not valid", "")),
			model.Error{Code: deskhand.Unauthenticated, Status: 401, Type: "authentication_error", Message: "The API key was refused (401). Check ANTHROPIC_API_KEY. It says: *** is not valid"}},
		{"no money", respond(402, "application/json", apiError("billing_error", "", "")),
			model.Error{Code: deskhand.OverLimit, Status: 402, Type: "billing_error", Message: "The API account cannot pay (402). Check its billing."}},
		{"forbidden", respond(403, "application/json", apiError("permission_error", "no", "")),
			model.Error{Code: deskhand.Denied, Status: 403, Type: "permission_error", Message: "The API key may not do this (403). Check the key's permissions. It says: no"}},
		{"unknown model", respond(404, "application/json", apiError("not_found_error", "model: x", "")),
			model.Error{Code: deskhand.NotFound, Status: 404, Type: "not_found_error", Message: "The API does not know the model or the address (404). Check --model and ANTHROPIC_BASE_URL. It says: model: x"}},
		{"too large", respond(413, "application/json", apiError("request_too_large", "", "")),
			model.Error{Code: deskhand.Invalid, Status: 413, Type: "request_too_large", Message: "The request is too large for the API (413).", TooLarge: true}},
		{"prompt too long", respond(400, "application/json", apiError("invalid_request_error", "prompt is too long: 1000001 tokens > 1000000 maximum", "")),
			model.Error{Code: deskhand.Invalid, Status: 400, Type: "invalid_request_error", TooLarge: true,
				Message: "The API refused the request (400). It says: prompt is too long: 1000001 tokens > 1000000 maximum"}},
		{"rate limit", respond(429, "application/json", apiError("rate_limit_error", "", ""), "retry-after", "17"),
			model.Error{Code: deskhand.OverLimit, Status: 429, Type: "rate_limit_error", Message: "The API's rate limit is reached (429).", Retry: true, RetryAfter: 17 * time.Second}},
		{"spend cap", respond(429, "application/json", apiError("rate_limit_error", "cap", `,"details":{"error_code":"enforced_spend_limit_reached"}`)),
			model.Error{Code: deskhand.OverLimit, Status: 429, Type: "rate_limit_error", Message: "The API's rate limit is reached (429). It says: cap"}},
		{"milliseconds", respond(529, "application/json", apiError("overloaded_error", "", ""), "retry-after-ms", "250"),
			model.Error{Code: deskhand.Unavailable, Status: 529, Type: "overloaded_error", Message: "The API is overloaded (529).", Retry: true, RetryAfter: 250 * time.Millisecond}},
		{"absurd wait", respond(529, "application/json", "{}", "retry-after", "1e300"),
			model.Error{Code: deskhand.Unavailable, Status: 529, Message: "The API is overloaded (529).", Retry: true, RetryAfter: 365 * 24 * time.Hour}},
		{"senseless wait", respond(529, "application/json", "{}", "retry-after", "-3"),
			model.Error{Code: deskhand.Unavailable, Status: 529, Message: "The API is overloaded (529).", Retry: true}},
		{"asked not to retry", respond(500, "application/json", apiError("api_error", "", ""), "x-should-retry", "false"),
			model.Error{Code: deskhand.Unavailable, Status: 500, Type: "api_error", Message: "The API had an internal error (500)."}},
		{"a proxy's page", respond(502, "text/html", "<html><body>Bad gateway sk-secret-key</body></html>"),
			model.Error{Code: deskhand.Unavailable, Status: 502, Message: "The API failed (502).", Retry: true}},
		{"a long message in lines", respond(400, "application/json", apiError("invalid_request_error", strings.Repeat("é\n", 400), "")),
			model.Error{Code: deskhand.Invalid, Status: 400, Type: "invalid_request_error", Message: "The API refused the request (400). It says: " + strings.Repeat("é ", 150) + "…"}},
		{"a page with a good status", respond(200, "text/html", "<html>"),
			model.Error{Code: deskhand.Unavailable, Message: "HOST answered with text/html instead of a stream of events. Check ANTHROPIC_BASE_URL."}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var host string
			client := serve(t, tt.handler, func(c *claude.Config) { host = strings.TrimPrefix(c.BaseURL, "http://") })
			_, err := client.Reply(t.Context(), request("task"), nil)
			got := *asModelError(t, err)
			tt.want.Message = strings.ReplaceAll(tt.want.Message, "HOST", host)
			if got.Err != nil && strings.Contains(got.Err.Error(), "secret") {
				t.Errorf("the cause holds the key: %v", got.Err)
			}
			if got.Err = nil; got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestErrorEvents(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind  string
		code  deskhand.Code
		retry bool
	}{
		{"overloaded_error", deskhand.Unavailable, true},
		{"api_error", deskhand.Unavailable, true},
		{"timeout_error", deskhand.Unavailable, true},
		{"rate_limit_error", deskhand.OverLimit, true},
		{"invalid_request_error", deskhand.Invalid, false},
		{"authentication_error", deskhand.Unauthenticated, false},
	}
	for _, tt := range tests {
		client, _ := play(t, "-- error "+tt.kind+" --\nSorry.\n-- model --\nHello there.\n")
		var seen string
		_, err := client.Reply(t.Context(), request("task"), func(d model.Delta) { seen += d.Text })
		failed := asModelError(t, err)
		if failed.Code != tt.code || failed.Retry != tt.retry || failed.Type != tt.kind || !strings.HasSuffix(failed.Message, "It says: Sorry.") {
			t.Errorf("%s: %+v", tt.kind, failed)
		}
		if seen != "Hello there." {
			t.Errorf("%s: saw %q of the failed reply", tt.kind, seen)
		}
		if reply, err := client.Reply(t.Context(), request("task"), nil); err != nil || reply.Text != "Hello there." {
			t.Errorf("%s: then %+v, %v", tt.kind, reply, err)
		}
	}
}

// TestCutAnywhere drops the connection at many places of one stream. No piece of
// a reply may pass for a whole one.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	const reply = "-- model --\nSome words.\nbash {\"command\": \"true\"}\n"
	_, p, _ := tapped(t, reply)
	if _, err := serve(t, p, nil).Reply(t.Context(), request("task"), nil); err != nil {
		t.Fatal(err)
	}
	length := len(p.replies[0])
	var src strings.Builder
	var cuts []int
	for n := 1; n < length-30; n += 7 { // the counts of cached tokens make later streams a little shorter
		cuts = append(cuts, n)
		fmt.Fprintf(&src, "-- cut %d --\n", n)
	}
	client, _ := play(t, src.String()+reply)
	for _, n := range cuts {
		got, err := client.Reply(t.Context(), request("task"), nil)
		if err == nil {
			t.Fatalf("cut after %d of %d bytes: a reply came: %s", n, length, got.Content)
		}
		if failed := asModelError(t, err); failed.Code != deskhand.Unavailable || !failed.Retry {
			t.Errorf("cut after %d bytes: %+v", n, failed)
		}
	}
	if reply, err := client.Reply(t.Context(), request("task"), nil); err != nil || len(reply.Calls) != 1 {
		t.Errorf("uncut: %+v, %v", reply, err)
	}
}

func TestBrokenStreams(t *testing.T) {
	t.Parallel()
	text := start(0, `{"type":"text","text":""}`)
	tests := []struct {
		name   string
		events []string
		part   string
	}{
		{"nothing", nil, "ended before the reply was whole"},
		{"no end", []string{begin, text, stop(0), finish("end_turn")}, "ended before the reply was whole"},
		{"no beginning", []string{text}, "does not begin with message_start"},
		{"two beginnings", []string{begin, begin}, "begins twice"},
		{"a block out of order", []string{begin, start(1, `{"type":"text"}`)}, "block out of order"},
		{"a negative block", []string{begin, start(-1, `{"type":"text"}`)}, "block out of order"},
		{"a piece of no block", []string{begin, piece(0, `{"type":"text_delta","text":"x"}`)}, "not open"},
		{"a piece of a closed block", []string{begin, text, stop(0), piece(0, `{"type":"text_delta","text":"x"}`)}, "not open"},
		{"a block that is no object", []string{begin, start(0, `[1]`)}, "not an object"},
		{"a piece that is no object", []string{begin, text, piece(0, `7`)}, "cannot be read"},
		{"odd usage", []string{begin, `{"type":"message_delta","usage":"much"}`}, "usage that cannot be read"},
	}
	for _, tt := range tests {
		_, err := serve(t, events(tt.events...), nil).Reply(t.Context(), request("task"), nil)
		failed := asModelError(t, err)
		if failed.Code != deskhand.Unavailable || !failed.Retry || !strings.Contains(failed.Message, tt.part) {
			t.Errorf("%s: %+v, want %q", tt.name, failed, tt.part)
		}
	}
}

func TestConnectionFaults(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshake is the point
	secure.StartTLS()
	defer secure.Close()
	dropping := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer dropping.Close()
	tests := []struct {
		name, base, part string
		retry            bool
	}{
		{"refused", "http://" + closed, closed + " refuses connections. Check ANTHROPIC_BASE_URL", true},
		{"no such name", "http://api.invalid", "The name of api.invalid cannot be looked up.", true},
		{"plain for TLS", strings.Replace(plain.URL, "http:", "https:", 1), "does not speak TLS", false},
		{"untrusted", secure.URL, "is not trusted", false},
		{"dropped", dropping.URL, "closed the connection without an answer", true},
	}
	for _, tt := range tests {
		client, err := claude.New(claude.Config{BaseURL: tt.base, APIKey: "sk-secret-key", HTTPClient: direct(t)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Reply(t.Context(), request("task"), nil)
		failed := asModelError(t, err)
		if failed.Code != deskhand.Unavailable || failed.Retry != tt.retry || failed.Status != 0 || !strings.Contains(failed.Message, tt.part) {
			t.Errorf("%s: %+v, cause %v", tt.name, failed, failed.Err)
		}
	}
}

// direct is an HTTP client that uses no proxy.
func direct(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// stalling sends what every tick gives, until the client leaves.
func stalling(every time.Duration, event string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "event: message_start\ndata: %s\n\n", begin)
		flush := http.NewResponseController(w)
		if err := flush.Flush(); err != nil {
			return
		}
		ticks := time.NewTicker(every)
		defer ticks.Stop()
		for {
			select {
			case <-r.Context().Done():
				return
			case <-ticks.C:
				fmt.Fprint(w, event)
				if flush.Flush() != nil {
					return
				}
			}
		}
	})
}

func TestIdleStreamEnds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		handler http.Handler
		idle    time.Duration
		want    string
	}{
		{"silence", stalling(time.Hour, ""), 100 * time.Millisecond, "nothing came for 100ms"},
		{"pings for ever", stalling(10*time.Millisecond, "event: ping\ndata: {\"type\":\"ping\"}\n\n"), 400 * time.Millisecond, "only pings came for 1.6s"},
		{"no answer at all", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = http.MaxBytesReader(nil, r.Body, 1<<20).Read(make([]byte, 1<<20))
			<-r.Context().Done()
		}), 100 * time.Millisecond, "nothing came for 100ms"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client := serve(t, tt.handler, func(c *claude.Config) { c.MaxIdle = tt.idle })
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			_, err := client.Reply(ctx, request("task"), nil)
			failed := asModelError(t, err)
			if failed.Code != deskhand.Unavailable || !failed.Retry || failed.Message != "The API's reply stopped: "+tt.want+"." {
				t.Errorf("%+v", failed)
			}
		})
	}
}

func TestCanceled(t *testing.T) {
	t.Parallel()
	client := serve(t, stalling(time.Hour, ""), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := client.Reply(ctx, request("task"), nil)
	if failed := asModelError(t, err); failed.Code != deskhand.Canceled || failed.Retry || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v", failed)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		config claude.Config
		code   deskhand.Code
		part   string
	}{
		{claude.Config{}, deskhand.Unauthenticated, "There is no API key. Set ANTHROPIC_API_KEY"},
		{claude.Config{APIKey: "k", BaseURL: "localhost:80"}, deskhand.Invalid, "not an http or https URL"},
		{claude.Config{APIKey: "k", BaseURL: "ftp://x"}, deskhand.Invalid, "Check ANTHROPIC_BASE_URL"},
	}
	for _, tt := range tests {
		if _, err := claude.New(tt.config); deskhand.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.part) {
			t.Errorf("New(%+v): %v", tt.config, err)
		}
	}
}

// TestNoAmbientCredentials names a profile that does not exist. It sets the
// environment, so it does not run beside others.
func TestNoAmbientCredentials(t *testing.T) {
	for _, name := range []string{"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_FEDERATION_RULE_ID"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("ANTHROPIC_PROFILE", "no-such-profile")
	config := claude.FromEnvironment(os.Getenv)
	config.BaseURL = "http://127.0.0.1:1"
	client, err := claude.New(config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Reply(t.Context(), request("task"), nil)
	failed := asModelError(t, err)
	if failed.Code != deskhand.Unauthenticated || failed.Retry || !strings.HasPrefix(failed.Message, "No credentials could be had") {
		t.Errorf("%+v, cause %v", failed, failed.Err)
	}
}

func TestFromEnvironment(t *testing.T) {
	t.Parallel()
	getenv := func(pairs map[string]string) func(string) string {
		return func(name string) string { return pairs[name] }
	}
	c := claude.FromEnvironment(getenv(map[string]string{
		"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": "http://x", "ANTHROPIC_CUSTOM_HEADERS": "X-A: 1\nno colon\nX-B:2:3",
	}))
	if c.APIKey != "k" || c.BaseURL != "http://x" || c.Ambient || !c.HasKey() || fmt.Sprint(c.Headers) != "map[X-A:1 X-B:2:3]" {
		t.Errorf("config %+v", c)
	}
	if c := claude.FromEnvironment(getenv(map[string]string{"ANTHROPIC_AUTH_TOKEN": "t"})); c.AuthToken != "t" || !c.HasKey() {
		t.Errorf("config %+v", c)
	}
	if c := claude.FromEnvironment(getenv(map[string]string{"ANTHROPIC_PROFILE": "p"})); !c.Ambient || c.HasKey() {
		t.Errorf("config %+v", c)
	}
}

// FuzzStream feeds arbitrary bytes as a reply, which must end in a reply or an error.
func FuzzStream(f *testing.F) {
	f.Add([]byte("event: message_start\ndata: " + begin + "\n\nevent: message_stop\ndata: " + end + "\n\n"))
	f.Add([]byte("event: error\ndata: {\"error\":{}}\n\n"))
	f.Add([]byte("event: message_start\ndata: {}\n\nevent: content_block_start\ndata: {\"index\":0,\"content_block\":{\"type\":\"tool_use\"}}\n\nevent: message_stop\ndata: {}\n\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		client, err := claude.New(claude.Config{APIKey: "k", BaseURL: "http://fuzz", HTTPClient: &http.Client{Transport: replaying(stream)}})
		if err != nil {
			t.Fatal(err)
		}
		reply, err := client.Reply(t.Context(), request("task"), nil)
		if err != nil {
			asModelError(t, err)
			return
		}
		for _, call := range reply.Calls {
			deskhand.NewEvent("", deskhand.KindCallStarted, deskhand.CallStarted{Call: call}) // panics on input that is not JSON
		}
	})
}

type replaying []byte

func (r replaying) RoundTrip(req *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	rec.Header().Set("Content-Type", "text/event-stream")
	_, _ = rec.Write(r)
	res := rec.Result()
	res.Request = req
	return res, nil
}

// quiet is a client whose every request is answered with the same events.
func quiet(b *testing.B, lines ...string) *claude.Client {
	b.Helper()
	rec := httptest.NewRecorder()
	events(lines...).ServeHTTP(rec, nil)
	client, err := claude.New(claude.Config{APIKey: "k", BaseURL: "http://quiet", HTTPClient: &http.Client{Transport: replaying(rec.Body.Bytes())}})
	if err != nil {
		b.Fatal(err)
	}
	return client
}
