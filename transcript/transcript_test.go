package transcript

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html"
	"image"
	"image/color"
	"image/png"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
)

// evil tries to be markup, an escape sequence and a change of reading order.
const evil = "<script>alert(1)</script>\x1b[31m\u202e\"'</pre><img src=x onerror=alert(1)>"

func picture(t *testing.T, size deskhand.Size) *deskhand.Image {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, size.W, size.H))
	for y := range size.H {
		for x := range size.W {
			img.Set(x, y, color.RGBA{uint8(x * 255 / size.W), uint8(y * 255 / size.H), 160, 255})
		}
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	return deskhand.NewImage("image/png", size, buf.Bytes())
}

// story is a task of three turns with everything a page has to show.
func story(t *testing.T) (*Story, map[deskhand.Hash][]byte) {
	t.Helper()
	shot := picture(t, deskhand.Size{W: 640, H: 400})
	blobs := map[deskhand.Hash][]byte{shot.Hash: shot.Data}
	started := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	content := func(s string) json.RawMessage { return json.RawMessage(s) }
	click := deskhand.Call{ID: "b", Toolset: "computer", Name: "left_click", Input: content(`{"coordinate":[320,200]}`)}
	events := []struct {
		kind deskhand.Kind
		data any
	}{
		{deskhand.KindTaskCreated, deskhand.TaskCreated{Task: deskhand.Task{Text: "Do it", Model: "m"}, System: "sys"}},
		{deskhand.KindHumanMessage, deskhand.HumanMessage{Text: "Do it"}},
		{deskhand.KindTaskStatus, deskhand.TaskStatus{From: deskhand.Queued, To: deskhand.Running}},
		{deskhand.KindTurnStarted, deskhand.TurnStarted{Turn: 1}},
		{deskhand.KindModelFailed, deskhand.ModelFailed{Turn: 1, Attempt: 1, Message: "overloaded", RetryMS: 1500}},
		{deskhand.KindModelReplied, deskhand.ModelReplied{Turn: 1, StopReason: "tool_use", DurationMS: 2300, CostUSD: 0.0041,
			Usage:   deskhand.Usage{Input: 12, CacheRead: 3400, Output: 120},
			Content: content(`[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"I look."},{"type":"tool_use","id":"a","name":"screenshot","toolset_name":"computer","input":{}}]`)}},
		{deskhand.KindCallJudged, deskhand.CallJudged{CallID: "a", Verdict: deskhand.Verdict{Outcome: deskhand.Allow, Rule: "mode:trust"}}},
		{deskhand.KindCallStarted, deskhand.CallStarted{Turn: 1, Call: deskhand.Call{ID: "a", Toolset: "computer", Name: "screenshot", Input: content(`{}`)}}},
		{deskhand.KindCallFinished, deskhand.CallFinished{Turn: 1, CallID: "a", DurationMS: 31,
			Result: deskhand.Result{Content: []deskhand.Content{{Image: &deskhand.Image{Hash: shot.Hash, MediaType: "image/png", Size: shot.Size}}}}}},
		{deskhand.KindTurnStarted, deskhand.TurnStarted{Turn: 2}},
		{deskhand.KindModelReplied, deskhand.ModelReplied{Turn: 2, StopReason: "tool_use",
			Content: content(`[{"type":"text","text":` + quote(evil) + `},{"type":"tool_use","id":"b","name":"left_click","toolset_name":"computer","input":{"coordinate":[320,200]}},{"type":"tool_use","id":"c","name":"bash","input":{"command":` + quote("echo "+evil) + `}}]`)}},
		{deskhand.KindCallStarted, deskhand.CallStarted{Turn: 2, Call: click}},
		{deskhand.KindCallFinished, deskhand.CallFinished{Turn: 2, CallID: "b", DurationMS: 4, Result: deskhand.Text("Clicked.")}},
		{deskhand.KindCallFinished, deskhand.CallFinished{Turn: 2, CallID: "c", Result: deskhand.Failure(evil)}},
		{deskhand.KindNote, deskhand.Note{Text: "The panel ended and was started again."}},
		{deskhand.KindTurnStarted, deskhand.TurnStarted{Turn: 3}},
		{deskhand.KindModelReplied, deskhand.ModelReplied{Turn: 3, StopReason: "end_turn", Content: content(`[{"type":"text","text":"Finished."}]`)}},
		{deskhand.KindTaskStatus, deskhand.TaskStatus{From: deskhand.Running, To: deskhand.Done, Result: "Finished."}},
		{deskhand.Kind("later.kind"), "unknown kinds are passed over"},
	}
	s := New()
	for i, e := range events {
		ev := deskhand.NewEvent("abcdefgh", e.kind, e.data)
		ev.Seq, ev.Time = int64(i+1), started.Add(time.Duration(i)*time.Second)
		if err := s.Add(ev); err != nil {
			t.Fatal(err)
		}
	}
	return s, blobs
}

func quote(s string) string {
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func task(s *Story) deskhand.Task {
	t := s.Task
	t.ID, t.Status, t.Result, t.Turns, t.Calls, t.CostUSD = "abcdefgh", s.Status, s.Result, 3, 3, 0.0041
	t.Screen, t.Sandbox, t.Permission, t.Created = deskhand.Size{W: 640, H: 400}, "bwrap", "trust", s.Ended.Add(-time.Minute)
	t.Text = "Do it " + evil
	return t
}

func TestStory(t *testing.T) {
	t.Parallel()
	s, _ := story(t)
	if s.Status != deskhand.Done || s.Result != "Finished." || len(s.Turns) != 4 {
		t.Fatalf("status %s, result %q, %d turns", s.Status, s.Result, len(s.Turns))
	}
	first := s.Turns[1]
	if first.Items[0].Failure == nil || first.Items[1].Thinking != "hm" || first.Items[2].Said != "I look." || first.Items[3].Call == nil {
		t.Errorf("turn 1 is %+v", first.Items)
	}
	a := first.Items[3].Call
	if a.Verdict.Rule != "mode:trust" || !a.Finished || a.Duration != 31*time.Millisecond || a.N != 1 {
		t.Errorf("call a is %+v", a)
	}
	if c := s.Call("c"); c == nil || c.N != 3 || !c.Result.IsError || !c.Started.IsZero() {
		t.Errorf("call c is %+v", c)
	}
	if got := s.Images(); len(got) != 1 {
		t.Errorf("images %v", got)
	}
}

func TestDamagedEventIsNamed(t *testing.T) {
	t.Parallel()
	err := New().Add(deskhand.Event{Kind: deskhand.KindNote, Data: json.RawMessage(`{"text":`)})
	if deskhand.CodeOf(err) != deskhand.Invalid {
		t.Errorf("got %v", err)
	}
}

func TestPageHoldsEverythingAndRunsNothing(t *testing.T) {
	t.Parallel()
	s, blobs := story(t)
	var out bytes.Buffer
	get := func(h deskhand.Hash) ([]byte, error) {
		if b, ok := blobs[h]; ok {
			return b, nil
		}
		return nil, errors.New("gone")
	}
	if err := WritePage(&out, s, task(s), get); err != nil {
		t.Fatal(err)
	}
	page := out.String()
	for _, want := range []string{
		"Content-Security-Policy", "I look.", "click 320,200", "mode:trust", "Clicked.", "31 ms", "The panel ended",
		`<circle class="halo" cx="320" cy="200"`, "Trying again in 1.5 s", "3412 in (3400 cached)", "$0.0041",
		html.EscapeString("data:image/png;base64,") + strings.ReplaceAll(base64.StdEncoding.EncodeToString(blobs[s.Images()[0]]), "+", "&#43;"),
		`&lt;script&gt;alert(1)&lt;/script&gt;\x1b[31m\u202e`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, never := range []string{"<script", "onerror=alert(1)>\n<", "\x1b", "\u202e", "http://", "https://", "ZgotmplZ", "<img src=x"} {
		if strings.Contains(page, never) {
			t.Errorf("the page holds %q", never)
		}
	}
	if m := regexp.MustCompile(`src="([^"]{0,12})`).FindAllStringSubmatch(page, -1); len(m) != 1 || !strings.HasPrefix(m[0][1], "data:image") {
		t.Errorf("sources: %v", m)
	}
}

func TestPageSaysWhenAPictureIsGone(t *testing.T) {
	t.Parallel()
	s, _ := story(t)
	var out bytes.Buffer
	if err := WritePage(&out, s, task(s), func(deskhand.Hash) ([]byte, error) { return nil, errors.New("gone") }); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "not there any more") || strings.Contains(out.String(), "<img") {
		t.Error("a missing picture is not said in words")
	}
}

func TestHuman(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ toolset, name, input, want string }{
		{"computer", "screenshot", `{}`, "screenshot"},
		{"computer", "left_click", `{"coordinate":[512,742]}`, "click 512,742"},
		{"computer", "left_click", `{}`, "click"},
		{"computer", "right_click", `{"coordinate":[1,2],"text":"ctrl"}`, "ctrl+right-click 1,2"},
		{"computer", "left_click_drag", `{"start_coordinate":[1,2],"coordinate":[3,4]}`, "drag 1,2 → 3,4"},
		{"computer", "type", `{"text":"Grüße\n\u202e\"x\""}`, `type "Grüße\n\u202e\"x\""`},
		{"computer", "key", `{"text":"ctrl+s","repeat":3}`, "key ctrl+s ×3"},
		{"computer", "hold_key", `{"text":"shift","duration":2}`, "hold shift 2 s"},
		{"computer", "scroll", `{"scroll_direction":"down","scroll_amount":3,"coordinate":[5,6]}`, "scroll down 3 at 5,6"},
		{"computer", "zoom", `{"region":[0,0,100,50]}`, "zoom 0,0,100,50"},
		{"computer", "left_click", `{"coordinate":[1e300,-0.5]}`, "click 1" + strings.Repeat("0", 300) + ",-0.5"},
		{"computer", "left_click", `{"coordinate":"x"}`, `left_click {"coordinate":"x"}`},
		{"computer", "nope", `{}`, "nope"},
		{"", "computer", `{"action":"left_click","coordinate":[512,742]}`, "click 512,742"},
		{"", "computer", `{"action":"left_click_drag","coordinate":[3,4]}`, "drag → 3,4"},
		{"", "computer", `{"action":"nope"}`, `computer {"action":"nope"}`},
		{"", "computer", `{}`, "computer"},
		{"", "str_replace_editor", `{"command":"undo_edit","path":"/a"}`, "undo the last edit of /a"},
		{"browser", "navigate", `{"url":"u"}`, `browser.navigate {"url":"u"}`},
		{"", "bash", `{"command":"ls -l\nid"}`, `bash ls -l\nid`},
		{"", "bash", `{"restart":true}`, "bash (restart)"},
		{"", "str_replace_based_edit_tool", `{"command":"create","path":"/a","file_text":"xyz"}`, "create /a (3 bytes)"},
		{"", "str_replace_based_edit_tool", `{"command":"view","path":"/a","view_range":[1,-1]}`, "view /a lines 1,-1"},
		{"", "\x1b]0;x\a", `{bad`, `\x1b]0;x\x07 bad`},
	} {
		if got := Human(deskhand.Call{Toolset: c.toolset, Name: c.name, Input: json.RawMessage(c.input)}); got != c.want {
			t.Errorf("Human(%s %s) = %q, want %q", c.name, c.input, got, c.want)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		Seconds(31 * time.Millisecond): "31 ms", Seconds(2300 * time.Millisecond): "2.3 s",
		Seconds(245 * time.Second): "4 min 05 s", Seconds(3720 * time.Second): "1 h 02 min", Seconds(-1): "0 ms",
		Dollars(0.0041): "$0.0041", Dollars(12.5): "$12.50",
		Tokens(deskhand.Usage{Input: 1, CacheRead: 12_000, CacheWrite: 300, Output: 2_500_000}): "12.3k in (12.0k cached) · 2.50M out",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestMarksOfEitherForm(t *testing.T) {
	t.Parallel()
	member := Marks(7, deskhand.Call{Toolset: "computer", Name: "left_click_drag", Input: json.RawMessage(`{"start_coordinate":[1,2],"coordinate":[3,4]}`)})
	single := Marks(7, deskhand.Call{Name: "computer", Input: json.RawMessage(`{"action":"left_click_drag","start_coordinate":[1,2],"coordinate":[3,4]}`)})
	if len(member) != 2 || !reflect.DeepEqual(member, single) {
		t.Errorf("%v, %v", member, single)
	}
}

func FuzzHuman(f *testing.F) {
	f.Add("left_click", `{"coordinate":[1,2]}`)
	f.Add("type", `{"text":"\u001b"}`)
	f.Fuzz(func(t *testing.T, name, in string) {
		for _, toolset := range []string{"computer", ""} {
			if s := Human(deskhand.Call{Toolset: toolset, Name: name, Input: json.RawMessage(in)}); strings.ContainsAny(s, "\n\x1b\r\u202e") {
				t.Fatalf("%q is not one visible line", s)
			}
		}
	})
}

// TestMeterSaysWhatWasLeftOut reads the line below a reply that the model wrote
// without having seen all of the conversation.
func TestMeterSaysWhatWasLeftOut(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]deskhand.Cleared{
		" · without the oldest 12 results":        {What: deskhand.ClearedResults, Count: 12, Tokens: 30000},
		" · without the oldest picture":           {What: deskhand.ClearedImages, Count: 1},
		" · without the oldest turns of thinking": {What: deskhand.ClearedThinking},
		" · the beginning summed up":              {What: deskhand.ClearedHistory},
		" · some left out":                        {What: "later kinds"},
	} {
		r := deskhand.ModelReplied{StopReason: "end_turn"}
		before := Meter(&r)
		r.Cleared = []deskhand.Cleared{c}
		if got := Meter(&r); got != before+want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
