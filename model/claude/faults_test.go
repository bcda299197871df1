package claude_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/agent"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/model/claude"
	"github.com/deskhand/deskhand/model/script"
	"github.com/deskhand/deskhand/tool"
)

// flaw does something else than answer. good is the stream that a whole answer
// would have been; nil leaves the request to the server.
type flaw func(w http.ResponseWriter, r *http.Request, good []byte)

func says(status int, kind, body string, header ...string) flaw {
	return func(w http.ResponseWriter, r *http.Request, _ []byte) {
		respond(status, kind, body, header...).ServeHTTP(w, r)
	}
}

func refuses(status int, kind, message, more string, header ...string) flaw {
	return says(status, "application/json", apiError(kind, message, more), header...)
}

// streams sends what change makes of the good stream.
func streams(change func(good string) string) flaw {
	return func(w http.ResponseWriter, _ *http.Request, good []byte) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write([]byte(change(string(good))))
	}
}

func before(event string) func(string) string {
	return func(good string) string { s, _, _ := strings.Cut(good, "event: "+event); return s }
}

// dropped resets the connection after the good stream up to an event.
func dropped(event string) flaw {
	return func(w http.ResponseWriter, _ *http.Request, good []byte) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err) // unreachable: the test's server is HTTP/1.1
		}
		if event != "" {
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n%s", before(event)(string(good)))
		}
		_ = c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
}

func bomb(w http.ResponseWriter, _ *http.Request, _ []byte) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	zeros := make([]byte, 1<<20)
	for range 70 {
		_, _ = z.Write(zeros)
	}
	_ = z.Close()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = w.Write(b.Bytes())
}

func byteByByte(w http.ResponseWriter, _ *http.Request, good []byte) {
	w.Header().Set("Content-Type", "text/event-stream")
	for i := range good {
		_, _ = w.Write(good[i : i+1])
		_ = http.NewResponseController(w).Flush()
	}
}

func pings(w http.ResponseWriter, r *http.Request, _ []byte) {
	stalling(5*time.Millisecond, "event: ping\ndata: {\"type\":\"ping\"}\n\n").ServeHTTP(w, r)
}

// TestFaults plays a task in which the second request meets a fault, through the
// whole loop. What the failed attempt asked for has not run, what the model asked
// for has run once, and the journal has every attempt.
func TestFaults(t *testing.T) {
	t.Parallel()
	date := time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
	limited := func(header ...string) flaw { return refuses(429, "rate_limit_error", "slow down", "", header...) }
	html := func(status int) flaw { return says(status, "text/html", "<html><h1>Sorry</h1>sk-secret-key</html>") }
	const always = 99
	tests := []struct {
		name   string
		flaw   flaw
		times  int    // requests that meet it
		failed int    // attempts in the journal
		ends   string // the reason why the task fails; empty: it does not
	}{
		{"I1 429, seconds", limited("retry-after", "2"), 2, 2, ""},
		{"I1 429, date", limited("retry-after", date), 1, 1, ""},
		{"I1 429, no wait named", limited(), 2, 2, ""},
		{"I1 429, absurd", limited("retry-after", "1000000000"), always, 1, "longer than the limit of 5m0s"},
		{"I1 429, negative", limited("retry-after", "-5"), 1, 1, ""},
		{"I1 429, spend cap", refuses(429, "rate_limit_error", "cap", `,"details":{"error_code":"enforced_spend_limit_reached"}`), always, 1, "It says: cap"},
		{"I2 529 three times", refuses(529, "overloaded_error", "busy", ""), 3, 3, ""},
		{"I2 529 for ever", refuses(529, "overloaded_error", "busy", ""), always, 6, "Gave up after 6 attempts."},
		{"I3 500, a page", html(500), 1, 1, ""},
		{"I3 502, a page", html(502), 1, 1, ""},
		{"I3 503, a page", html(503), 1, 1, ""},
		{"I3 504, a page", html(504), 1, 1, ""},
		{"I4 408", html(408), 1, 1, ""},
		{"I5 413 once", refuses(413, "request_too_large", "", ""), 1, 1, ""},
		{"I5 413 for ever", refuses(413, "request_too_large", "", ""), always, 2, "too large for the API (413)"},
		{"I6 too long once", refuses(400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", ""), 1, 1, ""},
		{"I6 too long for ever", refuses(400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", ""), always, 2, "prompt is too long"},
		{"I6 a bad pair", refuses(400, "invalid_request_error", "tool_use ids were found without tool_result blocks", ""), always, 1, "tool_use ids"},
		{"I7 401", refuses(401, "authentication_error", "sk-secret-key is wrong", ""), always, 1, "*** is wrong"},
		{"I7 403", refuses(403, "permission_error", "no", ""), always, 1, "may not do this (403)"},
		{"404", refuses(404, "not_found_error", "model: x", ""), always, 1, "does not know the model"},
		{"I10 reset before headers", dropped(""), 1, 1, ""},
		{"I11 reset inside the stream", dropped("content_block_stop"), 1, 1, ""},
		{"I11 end without message_stop", streams(before("message_stop")), 1, 1, ""},
		{"I12 error event", streams(func(good string) string {
			return before("message_delta")(good) + "event: error\ndata: " + apiError("overloaded_error", "busy", "") + "\n\n"
		}), 1, 1, ""},
		{"I14 bad JSON", streams(func(good string) string {
			return strings.Replace(good, "event: content_block_delta\ndata: {", "event: content_block_delta\ndata: {{", 1)
		}), 1, 1, ""},
		{"I14 bad UTF-8", streams(func(good string) string { return strings.Replace(good, "Looking", "Look\xffing", 1) }), 1, 1, ""},
		{"I14 a call cut short", streams(func(good string) string { return before("message_delta")(strings.Replace(good, `true`, `tr`, 1)) }), 1, 1, ""},
		{"I15 a line of 50 MB", streams(func(good string) string {
			return before("message_delta")(good) + "data: " + strings.Repeat("x", 50<<20)
		}), 1, 1, ""},
		{"I16 pings only", pings, 1, 1, ""},
		{"I17 a byte at a time", byteByByte, 1, 0, ""},
		{"I18 two beginnings", streams(func(good string) string { return before("content_block_start")(good) + good }), 1, 1, ""},
		{"I18 a piece of an unknown block", streams(func(good string) string { return strings.Replace(good, `"index":0`, `"index":7`, 1) }), 1, 1, ""},
		{"I19 gzip bomb", bomb, 1, 1, ""},
		{"I20 lost after a whole call", dropped("message_delta"), 1, 1, ""},
		{"unknown events", streams(func(good string) string { return "event: novelty\ndata: {\"type\":\"novelty\"}\n\n" + good }), 1, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, err := script.New([]byte("-- model --\nscreenshot {}\n-- model --\nLooking.\nscreenshot {}\n-- model --\nDone.\n"), script.Options{Name: tt.name})
			if err != nil {
				t.Fatal(err)
			}
			rec := &tap{Handler: server}
			var requests, flawed atomic.Int32
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if requests.Add(1) == 1 || int(flawed.Add(1)) > tt.times {
					rec.ServeHTTP(w, r)
					return
				}
				tt.flaw(w, r, goodStream(t, r))
			})
			client := serve(t, h, func(c *claude.Config) { c.MaxIdle = 2 * time.Second })
			eye := &camera{size: deskhand.Size{W: 28, H: 28}}
			out, events := faulty(t, client, eye)
			var failed []deskhand.ModelFailed
			for _, e := range events {
				var f deskhand.ModelFailed
				if e.Kind == deskhand.KindModelFailed && json.Unmarshal(e.Data, &f) == nil {
					failed = append(failed, f)
				}
			}
			if len(failed) != tt.failed {
				t.Errorf("%d attempts failed, want %d: %+v", len(failed), tt.failed, failed)
			}
			for i, f := range failed {
				if f.Attempt != i+1 || f.Turn != 2 || strings.Contains(f.Message, "sk-secret-key") {
					t.Errorf("attempt %d: %+v", i+1, f)
				}
			}
			switch {
			case tt.ends != "":
				if out.Status != deskhand.Failed || !strings.Contains(out.Reason, tt.ends) || eye.shots != 1 {
					t.Errorf("it ended as %+v after %d screenshots, want %q", out, eye.shots, tt.ends)
				}
			case out.Status != deskhand.Done || eye.shots != 2 || len(server.Problems()) > 0:
				t.Errorf("it ended as %+v after %d screenshots; problems %q", out, eye.shots, server.Problems())
			}
		})
	}
}

// goodStream is what the second request would be answered with.
func goodStream(t *testing.T, r *http.Request) []byte {
	t.Helper()
	var body bytes.Buffer
	if _, err := body.ReadFrom(r.Body); err != nil {
		return nil
	}
	server, err := script.New([]byte("-- model --\nfirst\n-- model --\nLooking.\nscreenshot {\"save\": true}\n"), script.Options{})
	if err != nil {
		t.Error(err)
	}
	rec := httptest.NewRecorder()
	again := httptest.NewRequestWithContext(r.Context(), http.MethodPost, "/v1/messages", &body)
	again.Header = r.Header.Clone()
	server.ServeHTTP(rec, again)
	if rec.Code != http.StatusOK {
		t.Errorf("no good answer: %s", rec.Body)
	}
	return rec.Body.Bytes()
}

// faulty drives a task without waiting between attempts.
func faulty(t *testing.T, m model.Model, c tool.Tool) (agent.Outcome, []deskhand.Event) {
	t.Helper()
	set, err := tool.NewSet(c)
	if err != nil {
		t.Fatal(err)
	}
	j := begun(model.Default)
	a := &agent.Agent{
		Model: m, Tools: set, Journal: j, Blobs: j,
		Gate: func(deskhand.Call, deskhand.Moment) deskhand.Judgement {
			return deskhand.Judgement{Verdict: deskhand.Verdict{Outcome: deskhand.Allow}}
		},
		Retry: model.RetryConfig{Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }},
	}
	st, err := agent.Fold(j.Events(t.Context(), "abcdefgh", 0))
	if err != nil {
		t.Fatal(err)
	}
	out := agent.Outcome{Status: deskhand.Running}
	for out.Status == deskhand.Running {
		if out, err = a.Turn(t.Context(), st); err != nil {
			t.Fatal(err)
		}
	}
	return out, j.events
}

// begun is the journal of a task that was just started.
func begun(id string) *memoryJournal {
	j := &memoryJournal{blobs: map[deskhand.Hash][]byte{}}
	task := deskhand.Task{ID: "abcdefgh", Text: "do it", Model: id}
	j.put(deskhand.NewEvent(task.ID, deskhand.KindTaskCreated, deskhand.TaskCreated{Task: task, System: agent.System("")}))
	j.put(deskhand.NewEvent(task.ID, deskhand.KindHumanMessage, deskhand.HumanMessage{Text: task.Text}))
	j.put(deskhand.NewEvent(task.ID, deskhand.KindTaskStatus, deskhand.TaskStatus{From: deskhand.Queued, To: deskhand.Running}))
	return j
}
