package agent

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/tool"
)

var update = flag.Bool("update", false, "write what happened into testdata")

// A script is a conversation as a text file: prose, then sections.
//
//	-- task --     the deskhand.Task as JSON; default {}
//	-- before --   events that are in the journal already, "kind data" a line
//	-- tools --    what a call answers, "toolset.member answer" or "name answer"
//	               a line (see answers); "observe answer" for what is seen after
//	               a batch. Default: text ok, observe nothing
//	-- single --   the computer is one tool that is called by its own name
//	-- short --    of what was journaled, only what the runtime noticed goes to
//	               want, each event with its turn; of the requests, nothing
//	-- gate --     "name outcome" a line; default: allow
//	-- model N --  N replies (default 1), in each of which "#" is its number; a block a line: "text …", "call ID TOOLSET NAME INPUT"
//	               (TOOLSET "-" for none), "broken ID NAME INPUT", "raw JSON", "stop REASON",
//	               "takes D", "tokens INPUT OUTPUT", "fail STATUS", "hang" (until stopped)
//	-- event --    what somebody else appends before the next turn, like before
//	-- check --    one look at the task's criteria: "FINDING evidence" a line, a
//	               criterion each, perhaps after "ask" (a model, for the next
//	               reply); or "broken"
//	-- parked --   what somebody appends once the task waits or its budget is
//	               spent, so that it goes on; perhaps nothing
//	-- want --     what was journaled, the outcome, and the requests
type script struct {
	t       *testing.T
	journal *journal
	blobs   blobs
	task    deskhand.Task
	clock   time.Time
	cancel  context.CancelCauseFunc
	answers map[string]string
	gate    map[string]deskhand.Outcome
	replies []string
	others  map[int][]string // by how many replies came before
	parked  [][]string
	checks  [][]string
	sent    []string // requests, rendered
	ran     []string
	deltas  int
	single  bool
	short   bool

	pictures int // that were new
}

// TestScripts plays every script in testdata.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts in testdata:", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			play(t, file)
		})
	}
}

func play(t *testing.T, file string) {
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{
		t: t, journal: &journal{}, blobs: blobs{}, clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		answers: map[string]string{}, gate: map[string]deskhand.Outcome{}, others: map[int][]string{},
	}
	s.task.Text = "do it"
	var before []string
	want := -1
	for i, f := range ar.Files {
		lines := strings.Split(strings.TrimSpace(string(f.Data)), "\n")
		name, arg, _ := strings.Cut(f.Name, " ")
		switch name {
		case "task":
			s.must(json.Unmarshal(f.Data, &s.task))
		case "before":
			before = lines
		case "tools":
			for _, l := range lines {
				name, answer, _ := strings.Cut(l, " ")
				s.answers[name] = answer
			}
		case "single":
			s.single = true
		case "short":
			s.short = true
		case "gate":
			for _, l := range lines {
				name, outcome, _ := strings.Cut(l, " ")
				s.gate[name] = deskhand.Outcome(outcome)
			}
		case "model":
			n := 1
			if arg != "" {
				n, err = strconv.Atoi(arg)
				s.must(err)
			}
			for i := range n {
				s.replies = append(s.replies, strings.ReplaceAll(string(f.Data), "#", strconv.Itoa(i+1)))
			}
		case "event":
			s.others[len(s.replies)] = lines
		case "check":
			s.checks = append(s.checks, lines)
		case "parked":
			s.parked = append(s.parked, nil)
			if text := strings.TrimSpace(string(f.Data)); text != "" {
				s.parked[len(s.parked)-1] = lines
			}
		case "want":
			want = i
		default:
			t.Fatalf("%s: unknown section %q", file, f.Name)
		}
	}
	if want < 0 {
		ar.Files = append(ar.Files, txtar.File{Name: "want"})
		want = len(ar.Files) - 1
	}
	got := s.run(before)
	if *update {
		ar.Files[want].Data = []byte(got)
		s.must(os.WriteFile(file, txtar.Format(ar), 0o644))
	} else if string(ar.Files[want].Data) != got {
		t.Errorf("got\n%s\nwant\n%s", got, ar.Files[want].Data)
	}
}

func (s *script) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// run plays the script and returns what it should say under want.
func (s *script) run(before []string) string {
	s.task.ID = "abcdefgh"
	s.put(deskhand.KindTaskCreated, deskhand.TaskCreated{Task: s.task, System: "be good"})
	s.put(deskhand.KindHumanMessage, deskhand.HumanMessage{Text: s.task.Text})
	s.put(deskhand.KindTaskStatus, deskhand.TaskStatus{From: deskhand.Queued, To: deskhand.Running})
	s.putLines(before)
	given := len(s.journal.events)

	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	s.cancel = cancel
	a := s.agent()
	st, err := Fold(s.journal.Events(ctx, s.task.ID, 0))
	s.must(err)
	var out Outcome
	for out.Status = deskhand.Running; out.Status == deskhand.Running; {
		out, err = a.Turn(ctx, st)
		s.must(err)
		s.foldsTheSame(st)
		lines := s.others[len(s.sent)]
		delete(s.others, len(s.sent))
		s.putLines(lines)
		if out.Status == deskhand.Waiting && len(lines) > 0 {
			out.Status = deskhand.Running
		}
		if (out.Status == deskhand.Waiting || out.Status == deskhand.Exhausted) && len(s.parked) > 0 {
			s.put(deskhand.KindTaskStatus, deskhand.TaskStatus{From: deskhand.Running, To: out.Status, Reason: out.Reason})
			s.putLines(s.parked[0])
			s.put(deskhand.KindTaskStatus, deskhand.TaskStatus{From: out.Status, To: deskhand.Running})
			s.parked, out.Status = s.parked[1:], deskhand.Running
		}
	}
	if s.short {
		return s.summary(given, out)
	}
	if len(s.replies) > 0 || len(s.parked) > 0 || len(s.checks) > 0 {
		s.t.Errorf("%d replies were not asked for, %d answers not needed, %d checks not made", len(s.replies), len(s.parked), len(s.checks))
	}
	var b strings.Builder
	for _, e := range s.journal.events[given:] {
		data, _, cut := strings.Cut(string(e.Data), `\ngoroutine `) // a stack is never the same twice
		if cut {
			data += " …"
		}
		fmt.Fprintf(&b, "%s %s\n", e.Kind, nonces.ReplaceAllString(data, `"nonce":"NONCE"`)) // it is never the same twice
	}
	fmt.Fprintf(&b, "\noutcome %s\n", strings.TrimSpace(fmt.Sprintf("%s %s%s", out.Status, out.Reason, out.Result)))
	fmt.Fprintf(&b, "ran %s\ndeltas %d\n", strings.Join(s.ran, " "), s.deltas)
	for i, text := range s.sent {
		fmt.Fprintf(&b, "\nrequest %d\n%s", i+1, text)
	}
	return b.String()
}

// summary says what the runtime noticed in a long script.
func (s *script) summary(given int, out Outcome) string {
	var b strings.Builder
	turn := 0
	for _, e := range s.journal.events[given:] {
		switch e.Kind {
		case deskhand.KindTurnStarted:
			turn++
		case deskhand.KindStuckNoticed, deskhand.KindTaskStatus, deskhand.KindHumanMessage, deskhand.KindBudgetReached:
			fmt.Fprintf(&b, "after turn %d: %s %s\n", turn, e.Kind, e.Data)
		}
	}
	fmt.Fprintf(&b, "outcome %s %s%s\n%d calls ran, %d replies were left over\n", out.Status, out.Reason, out.Result, len(s.ran), len(s.replies))
	return b.String()
}

// foldsTheSame checks that the journal alone gives the same next request.
func (s *script) foldsTheSame(st *State) {
	s.t.Helper()
	again, err := Fold(s.journal.Events(context.Background(), s.task.ID, 0))
	s.must(err)
	if a, b := render(st.Messages(), 0), render(again.Messages(), 0); a != b {
		s.t.Errorf("the loop has\n%s\nthe journal says\n%s", a, b)
	}
	if !reflect.DeepEqual(st.watch, again.watch) || !reflect.DeepEqual(st.meter, again.meter) || st.rechecks != again.rechecks {
		s.t.Errorf("the loop knows\n%+v\nthe journal says\n%+v", st.watch, again.watch)
	}
}

func (s *script) put(kind deskhand.Kind, data any) {
	e := deskhand.NewEvent(s.task.ID, kind, data)
	e.Time = s.clock
	_, err := s.journal.Append(context.Background(), e)
	s.must(err)
}

// nonce returns that of the newest question.
func (s *script) nonce() deskhand.Hash {
	var q deskhand.ApprovalAsked
	for _, e := range s.journal.events {
		if e.Kind == deskhand.KindApprovalAsked {
			s.must(json.Unmarshal(e.Data, &q))
		}
	}
	return q.Nonce
}

var nonces = regexp.MustCompile(`"nonce":"[0-9a-f]{64}"`)

func (s *script) putLines(lines []string) {
	for _, l := range lines {
		kind, data, ok := strings.Cut(strings.ReplaceAll(l, "NONCE", string(s.nonce())), " ")
		if !ok || !json.Valid([]byte(data)) {
			s.t.Fatalf("%q is not an event", l)
		}
		s.put(deskhand.Kind(kind), json.RawMessage(data))
	}
}

func (s *script) agent() *Agent {
	computer := &recorder{s: s, spec: tool.Spec{Name: "computer", Toolset: !s.single, Entry: json.RawMessage(`{"type":"computer_toolset"}`), Halt: "Not executed: an earlier computer action in this turn failed."}}
	browser := &recorder{s: s, spec: tool.Spec{Name: "browser", Toolset: true, Entry: json.RawMessage(`{"type":"browser_toolset"}`), Halt: "Not executed: an earlier action in this turn failed."}}
	bash := &recorder{s: s, spec: tool.Spec{Name: "bash", Entry: json.RawMessage(`{"type":"bash"}`), Beta: "bash-beta"}}
	set, err := tool.NewSet(observing{computer}, browser, bash)
	s.must(err)
	return &Agent{
		Model: s, Tools: set, Journal: s.journal, Blobs: s.blobs, Check: s.look,
		Gate: func(c deskhand.Call, _ deskhand.Moment) deskhand.Judgement {
			if o, ok := s.gate[c.Name]; ok {
				return deskhand.Judgement{Verdict: deskhand.Verdict{Outcome: o, Rule: "script", Reason: "The script says so."}}
			}
			return deskhand.Judgement{Verdict: deskhand.Verdict{Outcome: deskhand.Allow, Rule: "script"}}
		},
		Retry: model.RetryConfig{
			Attempts: 3, Jitter: func() float64 { return 0 },
			Sleep: func(ctx context.Context, d time.Duration) error { s.clock = s.clock.Add(d); return ctx.Err() },
		},
		Cost:  func(u deskhand.Usage) float64 { return float64(u.Output) / 4 },
		Delta: func(e deskhand.Event) { s.deltas++ },
		Now:   func() time.Time { return s.clock },
	}
}

// Reply plays the next reply.
func (s *script) Reply(ctx context.Context, req model.Request, on func(model.Delta)) (model.Reply, error) {
	if len(s.replies) == 0 {
		return model.Reply{}, errors.New("the script has no more replies")
	}
	text := s.replies[0]
	s.replies = s.replies[1:]
	s.sent = append(s.sent, renderRequest(req, len(s.sent)))
	r := model.Reply{Model: "script", RequestID: fmt.Sprintf("req_%d", len(s.sent)), StopReason: "end_turn", Usage: deskhand.Usage{Input: 100, Output: 1}}
	var blocks []json.RawMessage
	for l := range strings.Lines(strings.TrimSpace(text)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(l), " ")
		switch word {
		case "text":
			blocks = append(blocks, jsonOf(map[string]any{"type": "text", "text": rest}))
			on(model.Delta{Text: rest})
		case "call":
			f := strings.SplitN(rest, " ", 4)
			b := map[string]any{"type": "tool_use", "id": strings.Trim(f[0], `"`), "name": f[2], "input": json.RawMessage(f[3])}
			if f[1] != "-" {
				b["toolset_name"] = f[1]
			}
			blocks = append(blocks, jsonOf(b))
			r.StopReason = "tool_use"
		case "broken":
			f := strings.SplitN(rest, " ", 3)
			blocks = append(blocks, jsonOf(map[string]any{"type": "tool_use", "id": f[0], "name": f[1], "input": struct{}{}}))
			r.Calls = append(r.Calls, deskhand.Call{ID: f[0], Name: f[1], Input: model.MarkInvalid(f[2])})
			r.StopReason = "tool_use"
		case "raw":
			blocks = append(blocks, json.RawMessage(rest))
		case "not-a-list":
			r.Content = json.RawMessage(`{"type":"text"}`)
			return r, nil
		case "stop":
			r.StopReason = rest
		case "takes":
			d, err := time.ParseDuration(rest)
			s.must(err)
			s.clock = s.clock.Add(d)
		case "tokens":
			_, err := fmt.Sscan(rest, &r.Usage.Input, &r.Usage.Output)
			s.must(err)
		case "fail":
			status, err := strconv.Atoi(rest)
			s.must(err)
			return r, &model.Error{Code: deskhand.Unavailable, Status: status, Retry: status >= 429, Message: "The API failed."}
		case "hang":
			on(model.Delta{Text: "hm"})
			s.cancel(errors.New("The person said stop."))
			return r, ctx.Err()
		case "":
		default:
			s.t.Fatalf("unknown word %q", word)
		}
	}
	r.Content = jsonOf(blocks)
	if blocks == nil {
		r.Content = json.RawMessage("[]")
	}
	return r, nil
}

func jsonOf(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

// renderRequest shows what a request has beyond the one before: the history
// only grows, which is checked elsewhere.
func renderRequest(req model.Request, n int) string {
	if n == 0 {
		var entries []string
		for _, e := range req.Tools {
			entries = append(entries, string(e))
		}
		return fmt.Sprintf("system %s\ntools %s betas %s\n", req.System, strings.Join(entries, " "), strings.Join(req.Betas, " ")) + render(req.Messages, 0)
	}
	from := 0
	for i, m := range req.Messages {
		if m.Role == model.Assistant {
			from = i
		}
	}
	return fmt.Sprintf("… %d messages\n", from) + render(req.Messages, from)
}

func render(messages []model.Message, from int) string {
	var b strings.Builder
	for _, m := range messages[from:] {
		fmt.Fprintf(&b, "%s", m.Role)
		if m.Raw != nil {
			fmt.Fprintf(&b, " %s", m.Raw)
		}
		fmt.Fprintln(&b)
		for _, block := range m.Blocks {
			if block.CallID == "" {
				fmt.Fprintf(&b, "  text %s\n", block.Text)
				continue
			}
			fmt.Fprintf(&b, "  result %s", strings.TrimSpace(block.CallID+" "+block.Toolset))
			if block.Result.IsError {
				b.WriteString(" error")
			}
			for _, c := range block.Result.Content {
				if c.Image != nil {
					fmt.Fprintf(&b, " | image %.6s", c.Image.Hash)
				} else {
					fmt.Fprintf(&b, " | %s", c.Text)
				}
			}
			fmt.Fprintln(&b)
		}
	}
	return b.String()
}
