package claude_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/anthropics/anthropic-sdk-go/v2"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/model/claude"
	"github.com/deskhand/deskhand/model/script"
)

// tap is a handler that keeps what passes through it.
type tap struct {
	http.Handler
	mu      sync.Mutex
	bodies  [][]byte
	headers []http.Header
	replies [][]byte
}

func (p *tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	rec := httptest.NewRecorder()
	p.Handler.ServeHTTP(rec, r)
	p.mu.Lock()
	p.bodies = append(p.bodies, body)
	p.headers = append(p.headers, r.Header.Clone())
	p.replies = append(p.replies, bytes.Clone(rec.Body.Bytes()))
	p.mu.Unlock()
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

// serve starts a handler and a client for it. Both end with the test.
func serve(t *testing.T, h http.Handler, change func(*claude.Config)) *claude.Client {
	t.Helper()
	server := httptest.NewServer(h)
	config := claude.Config{BaseURL: server.URL, APIKey: "sk-secret-key"}
	if change != nil {
		change(&config)
	}
	client, err := claude.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return client
}

func tapped(t *testing.T, src string) (*claude.Client, *tap, *script.Server) {
	t.Helper()
	server, err := script.New([]byte(src), script.Options{Name: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{Handler: server}
	return serve(t, p, nil), p, server
}

const marker = `,"cache_control":{"type":"ephemeral"}`

// messages returns the messages of a body as sent, without markers and without
// the brackets that end them.
func messages(t *testing.T, body []byte) string {
	t.Helper()
	_, after, found := strings.Cut(string(body), `"messages":[`)
	if !found {
		t.Fatalf("no messages in %.200s", body)
	}
	return strings.TrimSuffix(strings.ReplaceAll(after, marker, ""), "]}")
}

// long is a script of n turns, each with many calls.
func long(turns, calls int) string {
	var b strings.Builder
	for i := range turns {
		fmt.Fprintf(&b, "-- model --\nthinking: turn %d <&> \"ü\"\nTurn %d.\nscreenshot {}\n", i, i)
		for j := range calls - 1 {
			fmt.Fprintf(&b, "bash {\"command\": \"echo %d %d; echo 'é <&>'\"}\n", i, j)
		}
	}
	b.WriteString("-- model --\nDone.\n")
	return b.String()
}

// TestHistoryOnlyGrows plays a long task and compares the bytes of each request
// with those of the one before.
func TestHistoryOnlyGrows(t *testing.T) {
	t.Parallel()
	client, p, server := tapped(t, long(5, 25)) // more than the API looks back for a marker
	req := request("a long task")
	shot := screen(t, 64, 48, image.Rect(1, 1, 9, 9), color.RGBA{255, 0, 0, 255})
	images := 0
	req.Image = func(_ context.Context, hash deskhand.Hash) ([]byte, error) {
		images++
		if hash != shot.Hash {
			return nil, fmt.Errorf("no blob %s", hash)
		}
		return shot.Data, nil
	}
	var before deskhand.Usage
	for turn := range 6 {
		reply, err := client.Reply(t.Context(), req, nil)
		if err != nil {
			t.Fatal(err)
		}
		prompt := before.Input + before.CacheRead + before.CacheWrite
		if turn > 0 && reply.Usage.CacheRead != prompt {
			t.Errorf("turn %d read %d tokens from the cache, want the whole request before (%d): %+v", turn, reply.Usage.CacheRead, prompt, reply.Usage)
		}
		before = reply.Usage
		var results []deskhand.Result
		for i := range reply.Calls {
			results = append(results, deskhand.Text(fmt.Sprintf("out %d <&>\u2028", i)))
		}
		if len(results) > 0 {
			results[0] = picture(&deskhand.Image{Hash: shot.Hash, MediaType: shot.MediaType, Size: shot.Size})
		}
		req = answer(req, reply, results...)
	}
	for i := 1; i < len(p.bodies); i++ {
		if !strings.HasPrefix(messages(t, p.bodies[i]), messages(t, p.bodies[i-1])) {
			t.Errorf("request %d does not begin with the bytes of request %d", i+1, i)
		}
	}
	for i, body := range p.bodies {
		if n := bytes.Count(body, []byte(marker)); n > 4 || n < min(4, i+2) {
			t.Errorf("request %d has %d markers", i+1, n)
		}
		head := body[:bytes.Index(body, []byte(`"messages":`))]
		first := p.bodies[0][:len(head)]
		if !bytes.Equal(head, first) {
			t.Errorf("request %d begins with other bytes than the first", i+1)
		}
	}
	if images == 0 {
		t.Error("no image was read by its hash")
	}
	if problems := server.Problems(); len(problems) > 0 {
		t.Errorf("problems %q", problems)
	}
}

// TestSDKKnowsEverything reads each request and reply with the official types.
func TestSDKKnowsEverything(t *testing.T) {
	t.Parallel()
	client, p, _ := tapped(t, long(2, 3))
	req := request("a task")
	req.Effort = "low"
	var contents []json.RawMessage
	shot := screen(t, 64, 48, image.Rectangle{}, color.RGBA{})
	for range 3 {
		reply, err := client.Reply(t.Context(), req, nil)
		if err != nil {
			t.Fatal(err)
		}
		contents = append(contents, reply.Content)
		if len(reply.Calls) > 0 {
			req = answer(req, reply, picture(shot), deskhand.Failure("no"), deskhand.Text("yes"))
		}
	}
	for i, body := range p.bodies {
		var params anthropic.BetaMessageNewParams
		if err := json.Unmarshal(body, &params); err != nil {
			t.Fatalf("request %d: %v", i+1, err)
		}
		again, err := json.Marshal(params)
		if err != nil {
			t.Fatalf("request %d: %v", i+1, err)
		}
		var sent, read map[string]any
		if err := errorOf(json.Unmarshal(body, &sent), json.Unmarshal(again, &read)); err != nil {
			t.Fatal(err)
		}
		delete(sent, "stream") // an option of the SDK's, not a field
		if !reflect.DeepEqual(sent, read) {
			t.Errorf("request %d lost something in the SDK's types:\n%s\n%s", i+1, body, again)
		}
	}
	for i, events := range p.replies {
		var message anthropic.Message
		for _, line := range strings.Split(string(events), "\n") {
			data, ok := strings.CutPrefix(line, "data: ")
			if !ok || strings.Contains(data, `"ping"`) {
				continue
			}
			var event anthropic.MessageStreamEventUnion
			if err := errorOf(json.Unmarshal([]byte(data), &event), message.Accumulate(event)); err != nil {
				t.Fatalf("reply %d: %v", i+1, err)
			}
		}
		var whole struct{ Content json.RawMessage }
		if err := json.Unmarshal([]byte(message.RawJSON()), &whole); err != nil {
			t.Fatal(err)
		}
		if string(whole.Content) != string(contents[i]) {
			t.Errorf("reply %d: the SDK put together\n%s\nand we\n%s", i+1, whole.Content, contents[i])
		}
	}
}

func errorOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// events answers every request with the same stream.
func events(lines ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, line := range lines {
			var head struct{ Type string }
			_ = json.Unmarshal([]byte(line), &head)
			fmt.Fprintf(w, "event: %s\ndata: %s\n\n", head.Type, line)
		}
	})
}

const (
	begin = `{"type":"message_start","message":{"id":"msg_1","model":"m","usage":{"input_tokens":7,"cache_creation_input_tokens":3,"cache_read_input_tokens":2,"cache_creation":{"ephemeral_1h_input_tokens":1},"output_tokens":1}}}`
	end   = `{"type":"message_stop"}`
)

func finish(reason string) string {
	return `{"type":"message_delta","delta":{"stop_reason":"` + reason + `"},"usage":{"output_tokens":42}}`
}

func start(i int, block string) string {
	return fmt.Sprintf(`{"type":"content_block_start","index":%d,"content_block":%s}`, i, block)
}

func piece(i int, delta string) string {
	return fmt.Sprintf(`{"type":"content_block_delta","index":%d,"delta":%s}`, i, delta)
}

func stop(i int) string { return fmt.Sprintf(`{"type":"content_block_stop","index":%d}`, i) }

// TestContentIsVerbatim sends blocks that no struct of ours knows.
func TestContentIsVerbatim(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		events []string
		want   string
	}{
		{"an untouched block", []string{start(0, `{"z": 1.50,"type":"redacted_thinking", "data":"\u00e9<&>" ,"a":[ 1 ]}`), stop(0)},
			`[{"z":1.50,"type":"redacted_thinking","data":"\u00e9<&>","a":[ 1 ]}]`},
		{"empty thinking with a signature", []string{start(0, `{"type":"thinking","thinking":"","signature":"","new":{"x":null}}`),
			piece(0, `{"type":"signature_delta","signature":"abc=="}`), stop(0)},
			`[{"type":"thinking","thinking":"","signature":"abc==","new":{"x":null}}]`},
		{"thinking in pieces", []string{start(0, `{"signature":"","thinking":"","type":"thinking"}`),
			piece(0, `{"type":"thinking_delta","thinking":"a<"}`), piece(0, `{"type":"thinking_delta","thinking":"\u00e9"}`), piece(0, `{"type":"signature_delta","signature":"s"}`), stop(0)},
			`[{"signature":"s","thinking":"a<é","type":"thinking"}]`},
		{"a call of a toolset", []string{start(0, `{"type":"tool_use","id":"toolu_1","name":"zoom","toolset_name":"computer","input":{},"caller":{"type":"direct"}}`),
			piece(0, `{"type":"input_json_delta","partial_json":""}`), piece(0, `{"type":"input_json_delta","partial_json":"{\"region\": [0,0, 1.0,2]}"}`), stop(0)},
			`[{"type":"tool_use","id":"toolu_1","name":"zoom","toolset_name":"computer","input":{"region": [0,0, 1.0,2]},"caller":{"type":"direct"}}]`},
		{"citations", []string{start(0, `{"type":"text","text":"","citations":[]}`), piece(0, `{"type":"citations_delta","citation":{"b":1,"a":2}}`),
			piece(0, `{"type":"text_delta","text":"x"}`), stop(0)},
			`[{"type":"text","text":"x","citations":[{"b":1,"a":2}]}]`},
		{"unknown deltas and events", []string{start(0, `{"type":"text","text":"a"}`), `{"type":"new_event"}`, piece(0, `{"type":"new_delta","x":1}`),
			piece(0, `{"type":"text_delta","text":"b"}`), stop(0)}, `[{"type":"text","text":"ab"}]`},
		{"nothing", nil, `[]`},
		{"interleaved blocks", []string{start(0, `{"type":"text","text":""}`), start(1, `{"type":"text","text":""}`),
			piece(1, `{"type":"text_delta","text":"2"}`), piece(0, `{"type":"text_delta","text":"1"}`), stop(0), stop(1)},
			`[{"type":"text","text":"1"},{"type":"text","text":"2"}]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			lines := append(append([]string{begin, `{"type":"ping"}`}, tt.events...), finish("end_turn"), end)
			p := &tap{Handler: events(lines...)}
			client := serve(t, p, nil)
			req := request("task")
			reply, err := client.Reply(t.Context(), req, nil)
			if err != nil {
				t.Fatal(err)
			}
			if string(reply.Content) != tt.want {
				t.Errorf("content %s, want %s", reply.Content, tt.want)
			}
			want := deskhand.Usage{Input: 7, Output: 42, CacheRead: 2, CacheWrite: 3, CacheWrite1h: 1}
			if reply.Usage != want {
				t.Errorf("usage %+v, want %+v", reply.Usage, want)
			}
			req.Messages = append(req.Messages, model.Message{Role: model.Assistant, Raw: reply.Content},
				model.Message{Role: model.User, Blocks: []model.Block{{Text: "go on"}}})
			if _, err := client.Reply(t.Context(), req, nil); err != nil {
				t.Fatal(err)
			}
			if echo := `{"role":"assistant","content":` + tt.want + `}`; tt.want != "[]" && !bytes.Contains(p.bodies[1], []byte(echo)) {
				t.Errorf("the echo differs: %s", p.bodies[1])
			}
			if joined := `[{"type":"text","text":"task"},{"type":"text","text":"go on"` + marker; tt.want == "[]" && !bytes.Contains(p.bodies[1], []byte(joined)) {
				t.Errorf("an empty reply was not left out: %s", p.bodies[1])
			}
		})
	}
}

func TestMalformedInputIsMarked(t *testing.T) {
	t.Parallel()
	block := `{"type":"tool_use","id":"toolu_1","name":"bash","input":{}}`
	tests := []struct{ name, input, want string }{
		{"cut off", `{"command": "ls`, `{"command": "ls`},
		{"not JSON", `command=ls`, `command=ls`},
		{"not an object", `["ls"]`, `["ls"]`},
		{"two values", `{} {}`, `{} {}`},
	}
	for _, tt := range tests {
		raw, _ := json.Marshal(tt.input)
		client := serve(t, events(begin, start(0, block), piece(0, `{"type":"input_json_delta","partial_json":`+string(raw)+`}`), finish("max_tokens"), end), nil)
		reply, err := client.Reply(t.Context(), request("task"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if reply.StopReason != "max_tokens" || len(reply.Calls) != 1 || string(reply.Content) != "["+block+"]" {
			t.Errorf("%s: %+v", tt.name, reply)
			continue
		}
		if !json.Valid(reply.Calls[0].Input) {
			t.Errorf("%s: input %s cannot be journaled", tt.name, reply.Calls[0].Input)
		}
		if got, invalid := model.InvalidInput(reply.Calls[0].Input); !invalid || got != tt.want {
			t.Errorf("%s: InvalidInput = %q, %v", tt.name, got, invalid)
		}
	}
	for _, fine := range []string{`{}`, `{"INVALID_JSON":"x","more":1}`, `{"command":"x"}`, `{"INVALID_JSON":1}`} {
		if raw, invalid := model.InvalidInput(json.RawMessage(fine)); invalid {
			t.Errorf("InvalidInput(%s) = %q", fine, raw)
		}
	}
}

func TestRequestBody(t *testing.T) {
	t.Parallel()
	p := &tap{Handler: events(begin, finish("end_turn"), end)}
	client := serve(t, p, func(c *claude.Config) { c.Headers = map[string]string{"X-Team": "blue"} })
	img := deskhand.NewImage("image/png", deskhand.Size{W: 1, H: 1}, []byte("png"))
	req := model.Request{
		Model: "claude-sonnet-5-5", MaxTokens: 123, Effort: "high", Betas: []string{"a", "b"},
		Tools: []json.RawMessage{toolset(), json.RawMessage(`{ "name":"n", "input_schema":{"type":"object"} }`)},
		Messages: []model.Message{
			{Role: model.User, Blocks: []model.Block{{Text: "<task>"}, {Text: ""}}},
			{Role: model.Assistant, Raw: json.RawMessage(`[{"type":"text","text":"\u003c"}]`)},
			{Role: model.User, Blocks: []model.Block{
				{CallID: "t1", Toolset: "computer", Result: deskhand.Result{Content: []deskhand.Content{{Text: ""}, {Image: img}}}},
				{CallID: "t2", Toolset: "computer", Result: deskhand.Result{IsError: true, Content: []deskhand.Content{{Image: img}}}},
				{CallID: "t3", Result: deskhand.Result{}},
			}},
		},
	}
	if _, err := client.Reply(t.Context(), req, nil); err != nil {
		t.Fatal(err)
	}
	want := `{"model":"claude-sonnet-5-5","max_tokens":123,"stream":true,"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"high"},` +
		`"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"},{"type":"clear_tool_uses_20250919","trigger":{"type":"input_tokens","value":60000},` +
		`"keep":{"type":"tool_uses","value":6},"clear_at_least":{"type":"input_tokens","value":30000}},{"type":"compact_20260112","trigger":{"type":"input_tokens","value":150000}}]},` +
		`"tools":[{"type":"computer_toolset_20260801"},{"name":"n","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral"}}],` +
		`"messages":[{"role":"user","content":[{"type":"text","text":"<task>","cache_control":{"type":"ephemeral"}}]},` +
		`{"role":"assistant","content":[{"type":"text","text":"\u003c"}]},` +
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","toolset_name":"computer","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"cG5n"}}]},` +
		`{"type":"tool_result","tool_use_id":"t2","toolset_name":"computer","is_error":true,"content":[{"type":"text","text":"The tool call failed with an empty error message."}]},` +
		`{"type":"tool_result","tool_use_id":"t3","content":[{"type":"text","text":"(empty)"}],"cache_control":{"type":"ephemeral"}}]}]}`
	if got := string(p.bodies[0]); got != want {
		t.Errorf("body\n%s\nwant\n%s", got, want)
	}
	for name, want := range map[string]string{
		"Anthropic-Version": "2026-10-21", "Anthropic-Beta": "a,b,context-management-2025-06-27,compact-2026-01-12", "Authorization": "Bearer sk-secret-key", "X-Team": "blue",
	} {
		if got := p.headers[0].Get(name); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
}

// TestLongLivedMarkers checks that every marker of a slow conversation lives for
// an hour, against a server that refuses a longer one after a shorter one, and
// that an hour is what is paid for.
func TestLongLivedMarkers(t *testing.T) {
	t.Parallel()
	client, p, server := tapped(t, long(1, 3))
	req := request("a slow task")
	req.Slow = true
	reply, err := client.Reply(t.Context(), req, nil)
	if err != nil {
		t.Fatal(err)
	}
	body := string(p.bodies[0])
	all, hours := strings.Count(body, `"cache_control":`), strings.Count(body, `"cache_control":{"type":"ephemeral","ttl":"1h"}`)
	if all < 2 || hours != all || len(server.Problems()) != 0 {
		t.Errorf("%d of %d markers live for an hour; problems %q:\n%s", hours, all, server.Problems(), body)
	}
	u := reply.Usage
	if u.CacheWrite == 0 || u.CacheWrite1h != u.CacheWrite {
		t.Errorf("paid for %+v", u)
	}
}

func TestRequestsThatAreNotSent(t *testing.T) {
	t.Parallel()
	p := &tap{Handler: events()}
	client := serve(t, p, nil)
	tests := []struct {
		name   string
		code   deskhand.Code
		part   string
		change func(*model.Request)
	}{
		{"unknown model", deskhand.NotFound, `There is no model "claude-sonet-5-5". Did you mean claude-sonnet-5-5`, func(r *model.Request) { r.Model = "claude-sonet-5-5" }},
		{"unknown effort", deskhand.Invalid, `There is no effort "huge".`, func(r *model.Request) { r.Effort = "huge" }},
		{"no effort setting", deskhand.Invalid, "has no effort setting", func(r *model.Request) { r.Model, r.Effort = "claude-haiku-4-5", "low" }},
		{"too many tokens", deskhand.Invalid, "1 to 128000 tokens", func(r *model.Request) { r.MaxTokens = 1 << 20 }},
		{"nothing said", deskhand.Invalid, "no message of the user", func(r *model.Request) { r.Messages = nil }},
		{"lost image", deskhand.Internal, "cannot be read", func(r *model.Request) {
			r.Messages = append(r.Messages, model.Message{Role: model.User, Blocks: []model.Block{{CallID: "t", Result: picture(&deskhand.Image{})}}})
		}},
	}
	for _, tt := range tests {
		req := request("task")
		tt.change(&req)
		_, err := client.Reply(t.Context(), req, nil)
		failed := asModelError(t, err)
		if failed.Code != tt.code || !strings.Contains(failed.Message, tt.part) || failed.Retry {
			t.Errorf("%s: %+v", tt.name, failed)
		}
	}
	if len(p.bodies) != 0 {
		t.Errorf("%d requests were sent", len(p.bodies))
	}
}

// TestImagesThatCannotBeSent puts words in the place of an image that is not kept
// any more, and of one that is too large, and the request stays one that is read.
func TestImagesThatCannotBeSent(t *testing.T) {
	t.Parallel()
	client, p, _ := tapped(t, "-- model --\nscreenshot {}\nscreenshot {}\n-- model --\nDone.\n")
	gone := screen(t, 64, 48, image.Rect(1, 1, 9, 9), color.RGBA{255, 0, 0, 255})
	req := request("look")
	req.Image = func(context.Context, deskhand.Hash) ([]byte, error) {
		return nil, deskhand.Errorf("", deskhand.NotFound, "there is no such blob")
	}
	reply, err := client.Reply(t.Context(), req, nil)
	if err != nil {
		t.Fatal(err)
	}
	large := *gone
	large.Data = make([]byte, 64<<20)
	named := deskhand.Image{Hash: gone.Hash, MediaType: gone.MediaType, Size: gone.Size}
	req = answer(req, reply, picture(&named), picture(&large))
	last := len(req.Messages) - 1
	req.Messages[last].Blocks = append(req.Messages[last].Blocks, model.Block{Image: &named})
	if _, err := client.Reply(t.Context(), req, nil); err != nil {
		t.Fatal(err)
	}
	sent := string(p.bodies[len(p.bodies)-1])
	for words, want := range map[string]int{"It is not kept any more": 2, "larger than this endpoint takes": 1} {
		if n := strings.Count(sent, words); n != want {
			t.Errorf("%q stands there %d times, want %d", words, n, want)
		}
	}
}
