package otlp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/transcript/otlp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal makes a chain of events, a second apart.
type journal struct{ events []deskhand.Event }

var begun = time.Date(2026, 11, 25, 12, 0, 0, 123456789, time.UTC)

func (j *journal) add(kind deskhand.Kind, data any) {
	e := deskhand.NewEvent("abcdefgh", kind, data)
	e.Seq, e.Time = int64(len(j.events)+1), begun.Add(time.Duration(len(j.events))*time.Second)
	if n := len(j.events); n > 0 {
		e.Prev = j.events[n-1].Hash()
	}
	j.events = append(j.events, e)
}

func (j *journal) all() iter.Seq2[deskhand.Event, error] {
	return func(yield func(deskhand.Event, error) bool) {
		for _, e := range j.events {
			if !yield(e, nil) {
				return
			}
		}
	}
}

const secret = "correct horse battery staple"

// story has a turn whose request failed once, a call that ran, one that a
// person allowed, one that was refused, and a second turn that was cut off.
func story() *journal {
	j := new(journal)
	click := deskhand.Call{ID: "t1", Toolset: "computer", Name: "left_click", Input: json.RawMessage(`{"coordinate":[1,2]}`)}
	push := deskhand.Call{ID: "t2", Name: "bash", Input: json.RawMessage(`{"command":"` + secret + `"}`)}
	j.add(deskhand.KindTaskCreated, deskhand.TaskCreated{Task: deskhand.Task{Text: secret, Model: "claude-sonnet-5-5", Provider: "bedrock", Permission: "ask", Sandbox: "bwrap"}})
	j.add(deskhand.KindHumanMessage, deskhand.HumanMessage{Text: secret})
	j.add(deskhand.KindTaskStatus, deskhand.TaskStatus{From: deskhand.Queued, To: deskhand.Running})
	j.add(deskhand.KindTurnStarted, deskhand.TurnStarted{Turn: 1})
	j.add(deskhand.KindModelFailed, deskhand.ModelFailed{Turn: 1, Attempt: 1, Code: deskhand.Unavailable, Status: 529, Message: "Overloaded.", RetryMS: 500})
	j.add(deskhand.KindModelReplied, deskhand.ModelReplied{
		Turn: 1, Model: "claude-sonnet-5-5-20260901", StopReason: "tool_use", CostUSD: 0.25, DurationMS: 1500, RequestID: "req_1",
		Usage:   deskhand.Usage{Input: 10, Output: 20, CacheRead: 300, CacheWrite: 4000},
		Content: json.RawMessage(`[{"type":"text","text":"` + secret + `"},{"type":"tool_use","id":"t1","name":"left_click","toolset_name":"computer","input":{"coordinate":[1,2]}},{"type":"tool_use","id":"t2","name":"bash","input":{"command":"` + secret + `"}},{"type":"tool_use","id":"t3","name":"bash","input":{}}]`),
	})
	j.add(deskhand.KindCallJudged, deskhand.CallJudged{CallID: "t1", Verdict: deskhand.Verdict{Outcome: deskhand.Allow, Rule: "mode:ask"}})
	j.add(deskhand.KindCallStarted, deskhand.CallStarted{Turn: 1, Call: click})
	j.add(deskhand.KindCallFinished, deskhand.CallFinished{Turn: 1, CallID: "t1", Result: deskhand.Text(secret), DurationMS: 12})
	ask := deskhand.Verdict{Outcome: deskhand.Ask, Rule: "ask bash(git push)", Reason: "It sends something: git push."}
	j.add(deskhand.KindCallJudged, deskhand.CallJudged{CallID: "t2", Verdict: ask})
	j.add(deskhand.KindApprovalAsked, deskhand.ApprovalAsked{Call: push, Verdict: ask})
	j.add(deskhand.KindApprovalDecided, deskhand.Decision{CallID: "t2", Approve: true, By: "ada", Comment: secret})
	j.add(deskhand.KindCallStarted, deskhand.CallStarted{Turn: 1, Call: push})
	j.add(deskhand.KindCallFinished, deskhand.CallFinished{Turn: 1, CallID: "t2", Result: deskhand.Failure(secret), DurationMS: 34})
	j.add(deskhand.KindCallJudged, deskhand.CallJudged{CallID: "t3", Verdict: deskhand.Verdict{Outcome: deskhand.Deny, Rule: "deny bash(curl *)", Reason: "It is forbidden."}})
	j.add(deskhand.KindCallFinished, deskhand.CallFinished{Turn: 1, CallID: "t3", Result: deskhand.Failure("no")})
	j.add(deskhand.KindNetworkJudged, deskhand.NetworkJudged{Host: "example.com", Port: 443, Rule: "no entry", Count: 2})
	j.add(deskhand.KindTurnStarted, deskhand.TurnStarted{Turn: 2})
	j.add(deskhand.KindModelConsulted, deskhand.ModelConsulted{Why: "a summary", Model: "claude-haiku-5", Reply: secret, DurationMS: 60_000})
	j.add("plan.proposed", map[string]any{"text": secret})
	j.add(deskhand.KindTaskStatus, deskhand.TaskStatus{From: deskhand.Running, To: deskhand.Failed, Reason: "It broke."})
	return j
}

func traced(t *testing.T, j *journal, o otlp.Options) (otlp.Trace, string) {
	t.Helper()
	trace, err := otlp.Of(j.all(), o)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := trace.Write(&out); err != nil {
		t.Fatal(err)
	}
	return trace, out.String()
}

func TestStory(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	j := story()
	trace, _ := traced(t, j, otlp.Options{Version: "v1"})
	to, err := otlp.NewEndpoint(c.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := trace.Send(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	linked(t, c.spans)
	at := func(seconds float64) int64 {
		return begun.Add(time.Duration(seconds * float64(time.Second))).UnixNano()
	}
	root := c.spans[0].SpanID
	turns := []string{}
	for _, s := range c.spans {
		if s.Name == "turn" {
			turns = append(turns, s.SpanID)
		}
	}
	if len(turns) != 2 {
		t.Fatalf("%d turns", len(turns))
	}
	for i, want := range []struct {
		name, parent string
		kind         int
		from, to     int64
		status       int
		has          map[string]string
		events       string
	}{
		{"invoke_agent deskhand", "", 1, at(0), at(20), 2, map[string]string{
			"gen_ai.operation.name": `"invoke_agent"`, "gen_ai.provider.name": `"aws.bedrock"`, "gen_ai.conversation.id": `"abcdefgh"`, "error.type": `"failed"`,
			"deskhand.head": `"` + string(j.events[20].Hash()) + `"`, "deskhand.events": `"21"`,
		}, "human.message task.status network.judged plan.proposed task.status"},
		{"turn", root, 1, at(3), at(15), 0, map[string]string{"deskhand.turn": `"1"`}, ""},
		{"chat claude-sonnet-5-5", turns[0], 3, at(3), at(4), 2, map[string]string{"error.type": `"unavailable"`, "http.response.status_code": `"529"`}, ""},
		{"chat claude-sonnet-5-5", turns[0], 3, at(4.5), at(5), 0, map[string]string{
			"gen_ai.usage.input_tokens": `"4310"`, "gen_ai.usage.output_tokens": `"20"`, "gen_ai.usage.cache_read.input_tokens": `"300"`, "gen_ai.usage.cache_creation.input_tokens": `"4000"`,
			"gen_ai.response.model": `"claude-sonnet-5-5-20260901"`, "gen_ai.response.finish_reasons": `{"values":[{"stringValue":"tool_use"}]}`, "deskhand.cost_usd": `0.25`,
		}, ""},
		{"execute_tool left_click", turns[0], 1, at(6), at(8), 0, map[string]string{
			"gen_ai.tool.name": `"left_click"`, "gen_ai.tool.call.id": `"t1"`, "deskhand.toolset": `"computer"`, "deskhand.duration_ms": `"12"`, "error.type": "",
		}, "call.judged call.started"},
		{"execute_tool bash", turns[0], 1, at(9), at(13), 2, map[string]string{"error.type": `"tool_error"`}, "call.judged approval.asked approval.decided call.started"},
		{"execute_tool bash", turns[0], 1, at(14), at(15), 2, map[string]string{"error.type": `"denied"`}, "call.judged"},
		{"turn", root, 1, at(17), at(20), 0, nil, ""},
		{"chat claude-haiku-5", turns[1], 3, at(17), at(18), 0, map[string]string{"deskhand.why": `"a summary"`}, ""},
		{"chat claude-sonnet-5-5", turns[1], 3, at(17), at(20), 0, map[string]string{"deskhand.unfinished": `true`}, ""},
	} {
		if i >= len(c.spans) {
			t.Fatalf("there are only %d spans", len(c.spans))
		}
		s := c.spans[i]
		var events []string
		for _, e := range s.Events {
			events = append(events, strings.TrimPrefix(e.Name, "deskhand."))
		}
		if s.Name != want.name || s.ParentSpanID != want.parent || s.Kind != want.kind || s.start != want.from || s.end != want.to || s.Status.Code != want.status || strings.Join(events, " ") != want.events {
			t.Errorf("span %d is %q of %s, kind %d, %v to %v, status %d, events %q\nwant %+v", i, s.Name, s.ParentSpanID, s.Kind, time.Unix(0, s.start).UTC(), time.Unix(0, s.end).UTC(), s.Status.Code, events, want)
		}
		for key, v := range want.has {
			if got := attribute(s.Attributes, key); got != v {
				t.Errorf("span %d: %s is %s, want %s", i, key, got, v)
			}
		}
	}
	if len(c.spans) != 10 || trace.Spans() != 10 {
		t.Errorf("%d spans", len(c.spans))
	}
	judged, decided := c.spans[5].Events[0], c.spans[5].Events[2]
	for key, want := range map[string]string{"deskhand.outcome": `"ask"`, "deskhand.rule": `"ask bash(git push)"`, "deskhand.reason": `"It sends something: git push."`, "deskhand.seq": `"10"`} {
		if got := attribute(judged.Attributes, key); got != want {
			t.Errorf("the verdict has %s %s, want %s", key, got, want)
		}
	}
	if attribute(decided.Attributes, "deskhand.by") != `"ada"` || attribute(decided.Attributes, "deskhand.approve") != "true" {
		t.Errorf("the answer is %v", decided.Attributes)
	}
}

// TestSameTrace: exporting twice is the same trace, also when the task has gone
// on meanwhile, and another task is another one.
func TestSameTrace(t *testing.T) {
	t.Parallel()
	j := story()
	_, one := traced(t, j, otlp.Options{})
	_, two := traced(t, j, otlp.Options{})
	if one != two {
		t.Error("telling a task twice is not the same")
	}
	ids := func(text string) (ids []string) {
		spans, err := read(json.NewDecoder(strings.NewReader(text)))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range spans {
			ids = append(ids, s.TraceID+s.SpanID)
		}
		return ids
	}
	_, earlier := traced(t, &journal{j.events[:14]}, otlp.Options{})
	if a, b := ids(earlier), ids(one); len(a) != 6 || !slices.Equal(a, b[:6]) {
		t.Errorf("ids changed as the task went on:\n%v\n%v", a, b)
	}
	other := story()
	other.events[0].Time = begun.Add(-1)
	if _, text := traced(t, other, otlp.Options{}); ids(text)[0][:32] == ids(one)[0][:32] {
		t.Error("two tasks are one trace")
	}
}

// TestContent: what was said, typed and seen is told only when that is asked for.
func TestContent(t *testing.T) {
	t.Parallel()
	if _, text := traced(t, story(), otlp.Options{}); strings.Contains(text, "horse") {
		t.Errorf("content is told: %s", text)
	}
	_, text := traced(t, story(), otlp.Options{Content: true})
	for _, key := range []string{"deskhand.text", "deskhand.said", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "deskhand.comment"} {
		if !strings.Contains(text, `"key":"`+key+`"`) {
			t.Errorf("%s is not told", key)
		}
	}
	if _, err := read(json.NewDecoder(strings.NewReader(text))); err != nil {
		t.Error(err)
	}
}

// TestOddJournals: clocks go back, calls come without a turn, data are damaged.
func TestOddJournals(t *testing.T) {
	t.Parallel()
	back := story()
	for i := range back.events {
		back.events[i].Time = begun.Add(-time.Duration(i) * time.Hour)
	}
	_, text := traced(t, back, otlp.Options{})
	spans, err := read(json.NewDecoder(strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	linked(t, spans)
	loose := &journal{story().events[:1]}
	loose.add(deskhand.KindModelReplied, deskhand.ModelReplied{DurationMS: 5})
	loose.add(deskhand.KindCallFinished, deskhand.CallFinished{CallID: "x", Result: deskhand.Text("")})
	loose.add(deskhand.KindApprovalDecided, deskhand.Decision{CallID: "y"})
	if _, text = traced(t, loose, otlp.Options{}); text == "" {
		t.Error("nothing is told")
	}
	if spans, err = read(json.NewDecoder(strings.NewReader(text))); err != nil {
		t.Fatal(err)
	}
	linked(t, spans)
	for name, j := range map[string]*journal{"none": {}, "no creation": {story().events[1:]}, "damaged": {append(story().events[:3:3], deskhand.Event{Seq: 4, Kind: deskhand.KindNote, Data: []byte(`[]`)})}} {
		if _, err := otlp.Of(j.all(), otlp.Options{}); deskhand.CodeOf(err) != deskhand.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := func(yield func(deskhand.Event, error) bool) { yield(deskhand.Event{}, errors.New("no disk")) }
	if _, err := otlp.Of(broken, otlp.Options{}); err == nil {
		t.Error("an error of the journal is lost")
	}
}

func TestSend(t *testing.T) {
	t.Parallel()
	long := story()
	for i := range 1500 {
		long.add(deskhand.KindCallJudged, deskhand.CallJudged{CallID: fmt.Sprint("c", i), Verdict: deskhand.Verdict{Outcome: deskhand.Allow}})
	}
	trace, _ := traced(t, long, otlp.Options{})
	for name, c := range map[string]struct {
		status int
		answer string
		code   deskhand.Code
		want   string
	}{
		"taken":           {200, `{}`, "", ""},
		"taken, no JSON":  {200, ``, "", ""},
		"warned":          {200, `{"partialSuccess":{"rejectedSpans":"0","errorMessage":"slow down"}}`, "", ""},
		"partly refused":  {200, `{"partialSuccess":{"rejectedSpans":"7","errorMessage":"too \u001b[31mlong"}}`, deskhand.Invalid, `refused 7 spans: too `},
		"refused":         {400, `{"message":"no"}`, deskhand.Invalid, "status 400 no"},
		"no key":          {401, ``, deskhand.Unauthenticated, "status 401"},
		"busy":            {429, ``, deskhand.Unavailable, "status 429"},
		"broken":          {503, ``, deskhand.Unavailable, "status 503"},
		"sent on":         {307, ``, deskhand.Invalid, "status 307"},
		"answers at last": {202, ``, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newCollector(t)
			s.status, s.answer = c.status, c.answer
			to, err := otlp.NewEndpoint(s.URL+"/v1/traces", "Authorization=Bearer%20abc, X-Tenant = 5")
			if err != nil {
				t.Fatal(err)
			}
			err = trace.Send(t.Context(), to)
			if deskhand.CodeOf(err) != c.code || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\x1b") || strings.Contains(err.Error(), "abc")) {
				t.Errorf("%v, want %s %q", err, c.code, c.want)
			}
			if s.header.Get("Authorization") != "Bearer abc" || s.header.Get("X-Tenant") != "5" {
				t.Errorf("sent with %v", s.header)
			}
			if c.code == "" && (s.requests != 2 || len(s.spans) != trace.Spans()) {
				t.Errorf("%d spans of %d in %d requests", len(s.spans), trace.Spans(), s.requests)
			}
			if c.code == "" {
				linked(t, s.spans)
			}
		})
	}
	gone := newCollector(t)
	gone.Close()
	to, err := otlp.NewEndpoint(gone.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := trace.Send(t.Context(), to); deskhand.CodeOf(err) != deskhand.Unavailable || !strings.Contains(err.Error(), "is a collector listening there?") {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestBadEndpoints(t *testing.T) {
	t.Parallel()
	for address, headers := range map[string]string{
		"": "", "localhost:4318": "", "ftp://h": "", "http://": "", "http://me:pass@h": "", "https://h": "no pair", "https://h/": "a=%zz",
		"https://h/1": "a=b%0d%0aX: y", "http://example.com": "Authorization=secret", "https://h/2": "=x",
	} {
		if _, err := otlp.NewEndpoint(address, headers); deskhand.CodeOf(err) != deskhand.Invalid || strings.Contains(fmt.Sprint(err), "secret") && headers != "Authorization=secret" {
			t.Errorf("%q %q: %v", address, headers, err)
		}
	}
}

func FuzzOf(f *testing.F) {
	f.Add("call.finished", `{"call_id":"t1"}`)
	f.Add("model.replied", `{"content":[{"type":"tool_use"}],"duration_ms":-5}`)
	f.Add("turn.started", `{"turn":-1}`)
	f.Add("task.status", `{"to":"\ud800"}`)
	f.Fuzz(func(t *testing.T, kind, data string) {
		if !json.Valid([]byte(data)) {
			return
		}
		j := story()
		j.events = j.events[:len(j.events)-1]
		j.add(deskhand.Kind(kind), json.RawMessage(data))
		j.add(deskhand.KindCallFinished, deskhand.CallFinished{CallID: "t1", Result: deskhand.Text("x")})
		trace, err := otlp.Of(j.all(), otlp.Options{Content: true})
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := trace.Write(&out); err != nil {
			t.Fatal(err)
		}
		spans, err := read(json.NewDecoder(&out))
		if err != nil {
			t.Fatal(err)
		}
		linked(t, spans)
	})
}
