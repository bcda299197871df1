package script

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestFaultsComeOnceThenTheReply(t *testing.T) {
	t.Parallel()
	p := newPlayer(t, "-- status 529 --\n-- status 429 retry-after 7 --\nSlow down.\n-- model --\nhi\nscreenshot {}\n-- status 500 --\n-- model --\nDone.\n")
	p.wantStatus(529, "overloaded_error", "")
	p.wantStatus(429, "rate_limit_error", "Slow down.")
	content := p.turn()
	p.append("user", results(content))
	p.wantStatus(500, "api_error", "Internal Server Error")
	if done := p.turn(); done[0].(obj)["text"] != "Done." {
		t.Errorf("reply %v", done)
	}
	if left := p.server.Left(); left != 0 {
		t.Errorf("%d replies left", left)
	}
}

func TestErrorEventWithoutAStream(t *testing.T) {
	t.Parallel()
	p := newPlayer(t, "-- error overloaded_error --\nBusy.\n-- model --\nhi\n")
	p.wantStatus(529, "overloaded_error", "Busy.")
	if reply := p.turn(); reply[0].(obj)["text"] != "hi" {
		t.Errorf("reply %v", reply)
	}
}

func (p *player) wantStatus(status int, kind, message string) {
	p.t.Helper()
	got, answer := p.post()
	e, _ := answer["error"].(obj)
	if got != status || e["type"] != kind || message != "" && e["message"] != message {
		p.t.Errorf("answered %d %v, want %d %s %s", got, answer, status, kind, message)
	}
}

func TestUsedUp(t *testing.T) {
	t.Parallel()
	p := newPlayer(t, "-- model --\nhi\nscreenshot {}\n")
	p.append("user", results(p.turn()))
	p.wantRefusal("invalid_request_error", "the script has no reply for turn 2")
	p = newPlayer(t, "-- status 500 --\n")
	p.wantStatus(500, "api_error", "")
	p.wantRefusal("invalid_request_error", "the script has no reply for turn 1")
}

func TestExpectations(t *testing.T) {
	t.Parallel()
	failing := func(texts ...string) list {
		var content list
		for _, s := range texts {
			content = append(content, text(s))
		}
		return content
	}
	tests := []struct {
		expect string
		result list
		failed bool
		ok     bool
	}{
		{`contains "needle"`, failing("hay needle hay"), false, true},
		{`contains "needle"`, failing("hay"), false, false},
		{`no contains "needle"`, failing("hay"), false, true},
		{`error`, failing("broken"), true, true},
		{`error "brok"`, failing("broken"), true, true},
		{`error "other"`, failing("broken"), true, false},
		{`error`, failing("fine"), false, false},
		{`no error`, failing("fine"), false, true},
		{`no error`, failing("broken"), true, false},
		{`image`, list{pixels("image/png", 10, 10, nil)}, false, true},
		{`image`, failing("fine"), false, false},
		{`no image`, failing("fine"), false, true},
		{`results 1`, failing("fine"), false, true},
		{`results 2`, failing("fine"), false, false},
	}
	for _, tt := range tests {
		p := newPlayer(t, "-- model --\nscreenshot {}\n-- expect --\n"+tt.expect+"\n-- model --\nDone.\n")
		r := results(p.turn(), tt.result)
		if tt.failed {
			r[0].(obj)["is_error"] = true
		}
		p.append("user", r)
		if tt.ok {
			p.turn()
		} else {
			p.wantRefusal("invalid_request_error", "script test.txtar:4: expected "+tt.expect+" in the request for turn 2")
		}
	}
}

// TestAnotherServerGoesOn is a task resumed after its process died: the place in
// the script is read from the history.
func TestAnotherServerGoesOn(t *testing.T) {
	t.Parallel()
	p := answered(t)
	other := newPlayer(t, twoTurns)
	p.server = other.server
	if done := p.turn(); done[0].(obj)["text"] != "Done." {
		t.Errorf("reply %v", done)
	}
}

func TestFollowUpAfterTheEnd(t *testing.T) {
	t.Parallel()
	p := newPlayer(t, "-- model --\nOne.\n-- model --\nTwo.\n")
	p.turn()
	p.append("user", "and then?")
	if reply := p.turn(); reply[0].(obj)["text"] != "Two." {
		t.Errorf("reply %v", reply)
	}
}

func TestEmptyReplyIsPassedOver(t *testing.T) {
	t.Parallel()
	p := newPlayer(t, "-- model --\n-- model --\nTwo.\n")
	if status, answer := p.post(); status != 200 || len(answer["content"].(list)) != 0 {
		t.Fatalf("%d %v", status, answer)
	}
	p.message(0)["content"] = append(p.message(0)["content"].(list), text("Please go on."))
	if reply := p.turn(); reply[0].(obj)["text"] != "Two." {
		t.Errorf("reply %v", reply)
	}
}

func TestEveryConversationHasItsOwnScript(t *testing.T) {
	t.Parallel()
	first := answered(t)
	second := &player{t: t, server: first.server, header: first.header, body: newPlayer(t, twoTurns).body}
	content := second.turn()
	if names(content) != names(first.message(1)["content"].(list)) {
		t.Errorf("the second conversation began with %s", names(content))
	}
	if content[2].(obj)["id"] == first.block(1, 2)["id"] {
		t.Error("two conversations have the same ids")
	}
	second.append("user", results(content))
	second.turn()
	first.turn()
}

func TestCacheCounts(t *testing.T) {
	t.Parallel()
	clock := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	p := answered(t)
	fresh := newPlayer(t, twoTurns)
	p.server = fresh.server
	p.server.now = func() time.Time { return clock }
	usage := func() map[string]float64 {
		t.Helper()
		status, answer := p.post()
		if status != 200 {
			t.Fatalf("%d %v", status, answer)
		}
		counts := map[string]float64{}
		for name, n := range answer["usage"].(obj) {
			if v, ok := n.(float64); ok {
				counts[name] = v
			}
		}
		return counts
	}
	plain := usage()
	if plain["cache_read_input_tokens"] != 0 || plain["cache_creation_input_tokens"] != 0 || plain["input_tokens"] < 4520 {
		t.Errorf("without markers: %v", plain)
	}
	total := plain["input_tokens"]
	mark := func(ttl string) {
		p.block(2, 1)["cache_control"] = obj{"type": "ephemeral", "ttl": ttl}
	}
	mark("5m")
	written := usage()
	if written["cache_creation_input_tokens"] != total || written["input_tokens"] != 0 {
		t.Errorf("first with a marker: %v", written)
	}
	clock = clock.Add(4 * time.Minute)
	if read := usage(); read["cache_read_input_tokens"] != total || read["cache_creation_input_tokens"] != 0 {
		t.Errorf("four minutes later: %v", read)
	}
	clock = clock.Add(4 * time.Minute) // reading kept it alive
	if read := usage(); read["cache_read_input_tokens"] != total {
		t.Errorf("another four minutes later: %v", read)
	}
	clock = clock.Add(6 * time.Minute)
	if gone := usage(); gone["cache_read_input_tokens"] != 0 || gone["cache_creation_input_tokens"] != total {
		t.Errorf("six minutes later: %v", gone)
	}
	clock = clock.Add(6 * time.Minute)
	mark("1h")
	usage()
	clock = clock.Add(59 * time.Minute)
	if read := usage(); read["cache_read_input_tokens"] != total {
		t.Errorf("59 minutes after an hour's marker: %v", read)
	}
}

func TestImageTokensInUsage(t *testing.T) {
	t.Parallel()
	count := func(w, h int) float64 {
		p := newPlayer(t, twoTurns)
		p.append("user", results(p.turn(), list{pixels("image/png", w, h, nil)}))
		_, answer := p.post()
		return answer["usage"].(obj)["input_tokens"].(float64)
	}
	if got := count(1280, 800) - count(28, 28); got != 1333 {
		t.Errorf("a screenshot of 1280x800 costs %v tokens more than one patch, want 1333", got)
	}
}

// TestServeStops stops a server while a client waits for its answer.
func TestServeStops(t *testing.T) {
	t.Parallel()
	server, err := New([]byte("-- wait 1h --\n-- model --\nhi\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	url, stop, err := server.Serve(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p := newPlayer(t, twoTurns)
	raw, _ := json.Marshal(p.body)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/messages", bytes.NewReader(raw))
	req.Header = p.header
	transport := &http.Transport{}
	failed := make(chan error, 1)
	go func() {
		res, err := transport.RoundTrip(req)
		if err == nil {
			_ = res.Body.Close()
		}
		failed <- err
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for server.Left() > 0 { // until the reply is made and only the delay is left
		<-tick.C
	}
	began := time.Now()
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if took := time.Since(began); took >= closeTimeout {
		t.Errorf("stopping took %v", took)
	}
	if err := <-failed; err == nil {
		t.Error("a reply came")
	}
	if err := stop(); err != nil {
		t.Errorf("second stop: %v", err)
	}
	transport.CloseIdleConnections()
}

// TestCacheLooksBackTwentyBlocks adds blocks between two markers.
func TestCacheLooksBackTwentyBlocks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		blocks int
		hit    bool
	}{{19, true}, {20, false}} {
		p := newPlayer(t, "-- model --\nOne.\n-- model --\nTwo.\n")
		p.block(0, 0)["cache_control"] = obj{"type": "ephemeral"}
		p.turn()
		delete(p.block(0, 0), "cache_control")
		var more list
		for range tt.blocks - 1 { // the reply is one block
			more = append(more, text("x"))
		}
		more[len(more)-1].(obj)["cache_control"] = obj{"type": "ephemeral"}
		p.append("user", more)
		_, answer := p.post()
		if read := answer["usage"].(obj)["cache_read_input_tokens"].(float64); (read > 0) != tt.hit {
			t.Errorf("%d blocks after the marker before: %v tokens read", tt.blocks, read)
		}
	}
}

func TestWaitIsTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlayer(t, "-- wait 3s --\n-- model --\nhi\n")
		began := time.Now()
		p.turn()
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("took %v, want 3s", took)
		}
	})
}

// TestConcurrentConversations plays to many clients at once; run it with -race.
func TestConcurrentConversations(t *testing.T) {
	t.Parallel()
	server := newPlayer(t, twoTurns).server
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			p := newPlayer(t, twoTurns)
			p.server = server
			p.block(0, 0)["text"] = strings.Repeat("x", i+1)
			p.append("user", results(p.turn()))
			p.turn()
		})
	}
	all.Wait()
	if problems := server.Problems(); len(problems) > 0 {
		t.Errorf("problems %q", problems)
	}
}

// FuzzRequest throws hostile requests at the judge, which must answer each.
func FuzzRequest(f *testing.F) {
	p := newFuzzPlayer(f)
	for _, body := range p {
		f.Add(body)
	}
	f.Add([]byte(`{"model":"claude-sonnet-5-5","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_result"}]}]}`))
	f.Add([]byte(`{"model":"claude-sonnet-5-5","max_tokens":1,"messages":[{"role":"user","content":[null]}],"tools":[null]}`))
	f.Add([]byte(`{"model":"claude-sonnet-5-5","max_tokens":1,"messages":[{"role":"system","content":"x"}],"system":[1]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		server, err := New([]byte(twoTurns), Options{})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			req := httptest.NewRequest(http.MethodPost, "/v1/messages", bytes.NewReader(body))
			req.Header.Set("anthropic-version", version2026)
			req.Header.Set("x-api-key", "k")
			rec := httptest.NewRecorder()
			server.ServeHTTP(rec, req)
			if raw, _ := io.ReadAll(rec.Body); !json.Valid(raw) && !bytes.HasPrefix(raw, []byte("event: ")) {
				t.Errorf("status %d: %q", rec.Code, raw)
			}
		}
	})
}

func newFuzzPlayer(f *testing.F) [][]byte {
	var bodies [][]byte
	f.Helper()
	user := `{"role":"user","content":[{"type":"text","text":"do it"}]}`
	head := `{"model":"claude-sonnet-5-5","max_tokens":100,"stream":true,"tools":[{"type":"computer_toolset_20260801","configs":{"zoom":{"enabled":false}}}],"messages":[`
	bodies = append(bodies, []byte(head+user+`]}`), []byte(head+user+`,{"role":"assistant","content":[{"type":"tool_use","id":"toolu_00000000_0_0","name":"screenshot","toolset_name":"computer","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_00000000_0_0","toolset_name":"computer","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]}]}]}`))
	return bodies
}

// BenchmarkJudge is a request late in a task: 50 screenshots in the history.
func BenchmarkJudge(b *testing.B) {
	shot := pixels("image/png", 640, 400, noise)
	p := newPlayer(b, twoTurns)
	for i := range 50 {
		id := "toolu_00000000_" + strconv.Itoa(i) + "_0"
		p.append("assistant", list{obj{"type": "tool_use", "id": id, "name": "screenshot", "toolset_name": "computer", "input": obj{}}})
		p.append("user", list{obj{"type": "tool_result", "tool_use_id": id, "toolset_name": "computer", "content": list{shot}}})
	}
	body, err := json.Marshal(p.body)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if status, answer := p.send(body); status != 400 || !strings.Contains(string(mustJSON(answer)), "no reply for turn 51") {
			b.Fatal(status, answer)
		}
	}
}

// noise makes an image that does not compress, as heavy as a real screen.
func noise(img *image.RGBA) {
	seed := uint32(1)
	for i := 0; i < len(img.Pix); i += 16 {
		seed = seed*1664525 + 1013904223
		img.Pix[i] = uint8(seed >> 24)
	}
}
