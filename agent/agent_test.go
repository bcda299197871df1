package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/tool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSystem(t *testing.T) {
	t.Parallel()
	base := System("")
	if !strings.HasPrefix(base, "You operate a Linux computer") || strings.TrimSpace(base) != base {
		t.Errorf("system prompt: %q", base)
	}
	if got := System(" Speak Dutch.\n"); got != base+"\n\nSpeak Dutch." {
		t.Errorf("with an addition: %q", got)
	}
}

func newScript(t *testing.T, replies ...string) (*script, *Agent, *State) {
	t.Helper()
	s := &script{
		t: t, journal: &journal{}, blobs: blobs{}, clock: time.Now(), replies: replies,
		answers: map[string]string{}, gate: map[string]deskhand.Outcome{},
	}
	s.task = deskhand.Task{ID: "abcdefgh", Text: "do it"}
	s.put(deskhand.KindTaskCreated, deskhand.TaskCreated{Task: s.task})
	s.put(deskhand.KindHumanMessage, deskhand.HumanMessage{Text: "do it"})
	st, err := Fold(s.journal.Events(t.Context(), s.task.ID, 0))
	s.must(err)
	return s, s.agent(), st
}

// TestJournalFails has each kind of event fail to be stored: the turn ends with
// that error, and nothing happens whose intent is not durable.
func TestJournalFails(t *testing.T) {
	t.Parallel()
	full := errors.New("the disk is full")
	for _, c := range []struct {
		kind    deskhand.Kind
		replies []string
		answer  string
		gate    deskhand.Outcome
		ran     int
	}{
		{kind: deskhand.KindTurnStarted, replies: []string{"text x"}},
		{kind: deskhand.KindModelReplied, replies: []string{"call t1 - bash {}"}},
		{kind: deskhand.KindModelFailed, replies: []string{"fail 529", "call t1 - bash {}"}},
		{kind: deskhand.KindModelFailed, replies: []string{"fail 401"}},
		{kind: deskhand.KindCallJudged, replies: []string{"call t1 - bash {}"}},
		{kind: deskhand.KindCallJudged, replies: []string{"call t1 - bash {}"}, gate: deskhand.Deny},
		{kind: deskhand.KindCallStarted, replies: []string{"call t1 - bash {}"}},
		{kind: deskhand.KindApprovalAsked, replies: []string{"call t1 - bash {}"}, gate: deskhand.Ask},
		{kind: deskhand.KindCallFinished, replies: []string{"call t1 - bash {}"}, ran: 1},
		{kind: deskhand.KindCallFinished, replies: []string{"call t1 - bash {}"}, answer: "broken", ran: 1},
		{kind: deskhand.KindNote, replies: []string{"stop end_turn"}},
		{kind: deskhand.KindNote, replies: []string{"text …\nstop max_tokens"}},
	} {
		t.Run(fmt.Sprintf("%s %s %s", c.kind, c.gate, c.answer), func(t *testing.T) {
			t.Parallel()
			s, a, st := newScript(t, c.replies...)
			if c.answer != "" {
				s.answers["bash"] = c.answer
			}
			if c.gate != "" {
				s.gate["bash"] = c.gate
			}
			s.journal.fail = func(e deskhand.Event) error {
				if e.Kind == c.kind {
					return full
				}
				return nil
			}
			if out, err := a.Turn(t.Context(), st); !errors.Is(err, full) {
				t.Errorf("the turn ended with %+v, %v", out, err)
			}
			if len(s.ran) != c.ran {
				t.Errorf("%d calls ran, want %d", len(s.ran), c.ran)
			}
		})
	}
}

func TestSpeakFails(t *testing.T) {
	t.Parallel()
	s, a, st := newScript(t)
	s.put(deskhand.KindTurnStarted, deskhand.TurnStarted{Turn: 1})
	s.put(deskhand.KindModelReplied, deskhand.ModelReplied{Turn: 1, Content: json.RawMessage(`[{"type":"text","text":"done"}]`), StopReason: "end_turn"})
	full := errors.New("the disk is full")
	s.journal.fail = func(deskhand.Event) error { return full }
	if _, err := a.Turn(t.Context(), st); !errors.Is(err, full) {
		t.Errorf("the turn ended with %v", err)
	}
}

// TestBlobFails checks that no event names a picture that is not stored.
func TestBlobFails(t *testing.T) {
	t.Parallel()
	for name, tools := range map[string]map[string]string{
		"result":   {"computer.left_click": "picture"},
		"observed": {"computer.key": "error no", "observe": "picture"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, a, st := newScript(t, "call t1 computer left_click {}\ncall t2 computer key {}")
			s.answers = tools
			full := errors.New("the disk is full")
			a.Blobs = brokenBlobs{full}
			if _, err := a.Turn(t.Context(), st); !errors.Is(err, full) {
				t.Errorf("the turn ended with %v", err)
			}
			for _, e := range s.journal.events {
				if strings.Contains(string(e.Data), `"hash"`) {
					t.Errorf("%s names a picture: %s", e.Kind, e.Data)
				}
			}
		})
	}
}

type brokenBlobs struct{ err error }

func (b brokenBlobs) PutBlob(context.Context, []byte) (deskhand.Hash, error) { return "", b.err }
func (b brokenBlobs) Blob(context.Context, deskhand.Hash) ([]byte, error)    { return nil, b.err }

// TestKeptImage checks that a picture that is stored already is not stored again.
func TestKeptImage(t *testing.T) {
	t.Parallel()
	a := &Agent{Blobs: brokenBlobs{errors.New("not to be asked")}}
	kept := []deskhand.Content{{Image: &deskhand.Image{Hash: "abc"}}, {Text: "x"}}
	if err := a.keep(t.Context(), kept); err != nil {
		t.Error(err)
	}
}

func TestFoldRefuses(t *testing.T) {
	t.Parallel()
	ev := func(seq int64, kind deskhand.Kind, data string) deskhand.Event {
		return deskhand.Event{Seq: seq, Kind: kind, Data: json.RawMessage(data)}
	}
	for name, events := range map[string][]deskhand.Event{
		"gap":      {ev(2, deskhand.KindNote, `{}`)},
		"data":     {ev(1, deskhand.KindNote, `[]`)},
		"no reply": {ev(1, deskhand.KindModelReplied, `{"content":{}}`)},
	} {
		if _, err := Fold(each(events, nil)); deskhand.CodeOf(err) != deskhand.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	lost := errors.New("lost")
	if _, err := Fold(each(nil, lost)); !errors.Is(err, lost) {
		t.Errorf("a journal that cannot be read: %v", err)
	}
	if st, err := Fold(each([]deskhand.Event{ev(1, "weather.changed", `7`)}, nil)); err != nil || st.Seq != 1 {
		t.Errorf("an unknown kind: %v", err)
	}
}

func each(events []deskhand.Event, err error) iter.Seq2[deskhand.Event, error] {
	return func(yield func(deskhand.Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			yield(deskhand.Event{}, err)
		}
	}
}

// meddling is a journal into which others write just before each append.
type meddling struct {
	*journal
	s    *script
	lost error // of reading
}

func (m *meddling) Append(ctx context.Context, events ...deskhand.Event) ([]deskhand.Event, error) {
	m.s.put(deskhand.KindHumanMessage, deskhand.HumanMessage{Text: fmt.Sprintf("psst %d", len(m.events))})
	return m.journal.Append(ctx, events...)
}

func (m *meddling) Events(ctx context.Context, id deskhand.TaskID, after int64) iter.Seq2[deskhand.Event, error] {
	if m.lost != nil {
		return each(nil, m.lost)
	}
	return m.journal.Events(ctx, id, after)
}

// TestOthersAppend checks that events of others keep their place, whenever they
// come, and reach the model with the turn after.
func TestOthersAppend(t *testing.T) {
	t.Parallel()
	s, a, st := newScript(t, "call t1 - bash {}", "text done")
	m := &meddling{journal: s.journal, s: s}
	a.Journal = m
	for range 2 {
		if _, err := a.Turn(t.Context(), st); err != nil {
			t.Fatal(err)
		}
		s.foldsTheSame(st)
	}
	for _, want := range []string{"result t1 | ok", "text psst 2", "text psst 4", "text psst 6", "text psst 9", "text psst 11"} {
		if !strings.Contains(s.sent[0]+s.sent[1], want) {
			t.Errorf("the model did not read %q:\n%s\n%s", want, s.sent[0], s.sent[1])
		}
	}
	m.lost = errors.New("lost")
	if _, err := a.Turn(t.Context(), st); !errors.Is(err, m.lost) {
		t.Errorf("a journal that cannot be read: %v", err)
	}
}

// wild is a journal with events that mean nothing.
type wild struct {
	*journal
	seq int64
}

func (w wild) Append(_ context.Context, events ...deskhand.Event) ([]deskhand.Event, error) {
	events[0].Seq, events[0].Data = w.seq, json.RawMessage(`7`)
	return events, nil
}

func (w wild) Events(context.Context, deskhand.TaskID, int64) iter.Seq2[deskhand.Event, error] {
	return each([]deskhand.Event{{Seq: w.seq, Kind: deskhand.KindNote, Data: json.RawMessage(`7`)}}, nil)
}

func TestWildJournal(t *testing.T) {
	t.Parallel()
	s, a, st := newScript(t)
	a.Journal = wild{s.journal, st.Seq + 1}
	if _, err := a.Turn(t.Context(), st); deskhand.CodeOf(err) != deskhand.Invalid {
		t.Errorf("reading: %v", err)
	}
	s, a, st = newScript(t)
	a.Journal = wild{s.journal, st.Seq + 1}
	if err := a.append(t.Context(), st, deskhand.KindNote, deskhand.Note{}); deskhand.CodeOf(err) != deskhand.Invalid {
		t.Errorf("writing: %v", err)
	}
}

func TestStoppedBeforeTheTurn(t *testing.T) {
	t.Parallel()
	s, a, st := newScript(t, "text never")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out, err := a.Turn(ctx, st)
	if err != nil || out.Status != deskhand.Stopped || out.Reason != "The task was stopped." {
		t.Errorf("%+v, %v", out, err)
	}
	if len(s.sent) != 0 {
		t.Error("a request was sent")
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	s, _, st := newScript(t, "text done")
	set, err := tool.NewSet()
	s.must(err)
	a := &Agent{Model: s, Tools: set, Journal: s.journal, Blobs: s.blobs}
	out, err := a.Turn(t.Context(), st)
	if err != nil || out.Status != deskhand.Done || st.Task.CostUSD != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	if st.elapsed(time.Now()) != 0 {
		t.Error("a task that is not running spends time")
	}
}

// TestLongLivedPrompts checks that prompts are asked to live longer once they were
// lost more often than by chance, and that this stays so after a restart.
func TestLongLivedPrompts(t *testing.T) {
	t.Parallel()
	s, a, st := newScript(t)
	for i, c := range []struct {
		pause time.Duration
		slow  bool
	}{{0, false}, {promptLife, false}, {promptLife + time.Second, false}, {time.Minute, false}, {promptLife + time.Second, true}, {time.Second, true}} {
		s.clock = s.clock.Add(c.pause)
		s.must(a.append(t.Context(), st, deskhand.KindTurnStarted, deskhand.TurnStarted{Turn: i + 1}))
		if got := a.request(st).Slow; got != c.slow {
			t.Errorf("turn %d, %s after the one before: slow is %v", i+1, c.pause, got)
		}
	}
	again, err := Fold(s.journal.Events(t.Context(), st.Task.ID, 0))
	s.must(err)
	if !a.request(again).Slow {
		t.Error("it is forgotten")
	}
}

// TestHistoryOnlyGrows plays a long conversation and checks that each request
// begins with the one before, byte for byte.
func TestHistoryOnlyGrows(t *testing.T) {
	t.Parallel()
	var replies []string
	for i := range 40 {
		replies = append(replies, fmt.Sprintf("text step %d\ncall a%d computer left_click {\"n\":%d}\ncall b%d - bash {}", i, i, i, i), "", "text  \nstop max_tokens")
	}
	replies = append(replies, "text done")
	s, a, st := newScript(t, replies...)
	s.answers["observe"] = "picture x"
	before := ""
	a.Model = modelFunc(func(ctx context.Context, req model.Request, on func(model.Delta)) (model.Reply, error) {
		now := render(req.Messages, 0)
		if !strings.HasPrefix(now, before) {
			t.Fatalf("the history changed:\n%s\nwas\n%s", now, before)
		}
		before = now
		return s.Reply(ctx, req, on)
	})
	for {
		s.put(deskhand.KindNote, deskhand.Note{Text: "something happened", ToModel: true})
		out, err := a.Turn(t.Context(), st)
		s.must(err)
		if out.Status != deskhand.Running {
			break
		}
	}
	if st.Result != "done" {
		t.Errorf("it ended after %d requests", len(s.sent))
	}
}

type modelFunc func(context.Context, model.Request, func(model.Delta)) (model.Reply, error)

func (f modelFunc) Reply(ctx context.Context, req model.Request, on func(model.Delta)) (model.Reply, error) {
	return f(ctx, req, on)
}

// TestLastGood checks that what is seen after a plain tool's failure is not told
// with another tool's result.
func TestLastGood(t *testing.T) {
	t.Parallel()
	ok, bad := deskhand.Text("ok"), deskhand.Failure("no")
	named := func(name string, r *deskhand.Result) call {
		return call{Call: deskhand.Call{Name: name}, result: r}
	}
	calls := []call{named("computer", &ok), named("bash", &ok), named("computer", &bad)}
	calls[2].observed = []deskhand.Content{{Text: "seen"}}
	if got := lastGood(calls); len(got) != 1 || len(got[0]) != 1 {
		t.Errorf("told with %v", got)
	}
	if got := lastGood(calls[1:]); len(got) != 0 {
		t.Errorf("with none that is good it is told with %v", got)
	}
}

// BenchmarkTurn measures what the loop itself adds to a turn.
func BenchmarkTurn(b *testing.B) {
	set, err := tool.NewSet(&recorder{s: &script{answers: map[string]string{}, journal: &journal{}}, spec: tool.Spec{Name: "bash"}})
	if err != nil {
		b.Fatal(err)
	}
	j := &journal{}
	n := 0
	a := &Agent{
		Tools: set, Journal: j, Blobs: blobs{},
		Gate: func(deskhand.Call, deskhand.Moment) deskhand.Judgement {
			return deskhand.Judgement{Verdict: deskhand.Verdict{Outcome: deskhand.Deny}}
		},
		Model: modelFunc(func(context.Context, model.Request, func(model.Delta)) (model.Reply, error) {
			n++
			return model.Reply{StopReason: "tool_use", Content: json.RawMessage(fmt.Sprintf(`[{"type":"tool_use","id":"t%d","name":"bash","input":{}}]`, n))}, nil
		}),
	}
	if _, err := j.Append(b.Context(), deskhand.NewEvent("abcdefgh", deskhand.KindTaskCreated, deskhand.TaskCreated{})); err != nil {
		b.Fatal(err)
	}
	st, err := Fold(j.Events(b.Context(), "", 0))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := a.Turn(b.Context(), st); err != nil {
			b.Fatal(err)
		}
	}
}
