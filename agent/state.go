package agent

import (
	"encoding/json"
	"iter"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
)

// State is what a task's events add up to. It is folded from events and from
// nothing else, so that the same journal always gives the same request.
type State struct {
	Task   deskhand.Task // as it was created; Turns, Usage and CostUSD up to now
	System string        // the system prompt
	Seq    int64         // of the last event folded
	Result string        // text of the last reply

	messages []model.Message    // only ever added to; up to the last reply
	calls    []call             // of the last reply, in order
	stop     string             // stop reason of the last reply; empty before the first
	unusable string             // why the last reply cannot be part of the conversation
	ids      map[string]bool    // of every call so far
	texts    []deskhand.Content // for the next message to the model, after the results
	sealed   int                // how many of texts the turn under way has sent
	silent   int                // replies in a row that said and asked nothing
	cut      int                // replies in a row that ended at the limit of tokens
	botched  int                // replies in a row that were unusable
	cleared  int                // results that the API said it had cleared with the last reply
	tight    int                // times the endpoint found the conversation too large
	lapses   int                // times a reply came later than cached prompts live
	asking   time.Time          // when the last request was begun
	meter    meter
	watch    watch
	checked  *deskhand.OutcomeChecked // since the last reply
	rechecks int                      // failed checks that went back to the model, since a person spoke last
	active   time.Duration            // spent running, up to since
	since    time.Time                // running since then; zero: it is not running
	lostWay  int64                    // seq of the last question how to go on
	ready    bool                     // it has had a computer
	spoken   int64                    // seq of the last message of a person
	sent     int64                    // seq of the last turn.started
	plan     *deskhand.Plan           // that a person accepted
	granted  []string                 // rules that a person granted for this task
	reshaped bool                     // the shell's commands may mean something else by now
}

// call is one call of the last reply and how far it came.
type call struct {
	deskhand.Call
	verdict  *deskhand.Verdict
	question *deskhand.ApprovalAsked
	decision *deskhand.Decision
	reshapes bool // see Judgement.Reshapes
	started  bool
	cut      bool               // a person interrupted it
	adrift   bool               // what it was meant for is gone; see ComputerReady
	result   *deskhand.Result   // nil: open
	observed []deskhand.Content // see CallFinished.Observed
}

// Fold returns the state after events, which must be all of a task's events in
// order. Invalid: they are not.
func Fold(events iter.Seq2[deskhand.Event, error]) (*State, error) {
	st := new(State)
	for e, err := range events {
		if err != nil {
			return nil, err
		}
		if err := st.apply(e); err != nil {
			return nil, err
		}
	}
	return st, nil
}

// folds has what each kind of event does to a State. Kinds without a row say
// nothing to the loop.
var folds = map[deskhand.Kind]func(*State, deskhand.Event) error{
	deskhand.KindTaskCreated:     with((*State).created),
	deskhand.KindTaskStatus:      with((*State).status),
	deskhand.KindTurnStarted:     with((*State).turn),
	deskhand.KindModelReplied:    with((*State).replied),
	deskhand.KindModelFailed:     with((*State).failed),
	deskhand.KindCallJudged:      with((*State).judged),
	deskhand.KindCallStarted:     with((*State).started),
	deskhand.KindCallFinished:    with((*State).finished),
	deskhand.KindApprovalAsked:   with((*State).asked),
	deskhand.KindApprovalDecided: with((*State).decided),
	deskhand.KindHumanMessage:    with((*State).human),
	deskhand.KindHumanAsked:      with((*State).requested),
	deskhand.KindComputerReady:   with((*State).computer),
	deskhand.KindJournalCut:      with((*State).damaged),
	deskhand.KindNote:            with((*State).note),
	deskhand.KindModelConsulted:  with((*State).consulted),
	deskhand.KindStuckNoticed:    with((*State).stuck),
	deskhand.KindBudgetNear:      with((*State).near),
	deskhand.KindOutcomeChecked:  with((*State).outcome),
	deskhand.KindBudgetRaised:    with((*State).raised),
}

func with[T any](f func(*State, deskhand.Event, T) error) func(*State, deskhand.Event) error {
	return func(st *State, e deskhand.Event) error {
		var data T
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return deskhand.Errorf("agent: fold", deskhand.Invalid, "event %d (%s) cannot be read: %w", e.Seq, e.Kind, err)
		}
		return f(st, e, data)
	}
}

func (st *State) apply(e deskhand.Event) error {
	if e.Seq != st.Seq+1 {
		return deskhand.Errorf("agent: fold", deskhand.Invalid, "event %d comes after event %d", e.Seq, st.Seq)
	}
	st.Seq = e.Seq
	if f, ok := folds[e.Kind]; ok {
		return f(st, e)
	}
	return nil
}

func (st *State) created(e deskhand.Event, d deskhand.TaskCreated) error {
	st.Task, st.System, st.ids = d.Task, d.System, map[string]bool{}
	st.Task.ID = e.Task
	return nil
}

func (st *State) status(e deskhand.Event, d deskhand.TaskStatus) error {
	if !st.since.IsZero() {
		st.active += e.Time.Sub(st.since)
	}
	st.since = time.Time{}
	if d.To == deskhand.Running {
		st.since = e.Time
	}
	if d.From.Ended() { // somebody wants it to go on after all
		st.watch = watch{}
	}
	return nil
}

func (st *State) turn(e deskhand.Event, d deskhand.TurnStarted) error {
	st.Task.Turns, st.sealed, st.sent = d.Turn, len(st.texts), e.Seq
	if !st.asking.IsZero() && e.Time.Sub(st.asking) > promptLife {
		st.lapses++
	}
	st.asking = e.Time
	return nil
}

// failed notes that the endpoint found the conversation too large.
func (st *State) failed(_ deskhand.Event, d deskhand.ModelFailed) error {
	if d.TooLarge {
		st.tight++
	}
	return nil
}

// replied closes the message that the turn sent and opens the calls it got.
func (st *State) replied(e deskhand.Event, d deskhand.ModelReplied) error {
	r, err := parseReply(d.Content)
	if err != nil {
		return deskhand.Errorf("agent: fold", deskhand.Invalid, "event %d (%s): %w", e.Seq, e.Kind, err)
	}
	st.messages = st.Messages()
	st.texts, st.sealed = st.texts[st.sealed:], 0
	st.stop, st.unusable = d.StopReason, r.unusable(st.ids)
	if len(d.Secrets) > 0 {
		st.stop, st.unusable = takenOut, gaveAway
		st.tell(removedFor(d.Secrets))
	}
	st.calls, st.checked = nil, nil
	for _, c := range r.calls {
		st.ids[c.ID] = true
		if raw, ok := d.Malformed[c.ID]; ok {
			c.Input = model.MarkInvalid(raw)
		}
		st.calls = append(st.calls, call{Call: c})
	}
	// An empty message would be refused, and so would one whose calls cannot be
	// answered one by one, or whose bytes were changed. Leaving it out edits nothing that was sent.
	if !r.empty && st.unusable == "" {
		st.messages = append(st.messages, model.Message{Role: model.Assistant, Raw: d.Content})
	}
	st.Result, st.cleared = r.text, 0
	for _, c := range d.Cleared {
		if c.What == deskhand.ClearedResults {
			st.cleared = c.Count
		}
	}
	st.silent = count(st.silent, r.text == "" && len(r.calls) == 0 && ends[d.StopReason])
	st.cut = count(st.cut, d.StopReason == "max_tokens")
	st.botched = count(st.botched, st.unusable != "")
	st.Task.Usage = st.Task.Usage.Add(d.Usage)
	st.Task.CostUSD += d.CostUSD
	st.meter.replied(d.Usage)
	return nil
}

func count(n int, again bool) int {
	if again {
		return n + 1
	}
	return 0
}

// find returns the open call with id. Events of calls that are not open were
// written by somebody else and mean nothing here.
func (st *State) find(id string) *call {
	for i := range st.calls {
		if st.calls[i].ID == id && st.calls[i].result == nil {
			return &st.calls[i]
		}
	}
	return new(call)
}

func (st *State) started(_ deskhand.Event, d deskhand.CallStarted) error {
	c := st.find(d.Call.ID)
	c.started = true
	st.reshaped = st.reshaped || c.reshapes
	if c.Name == deskhand.PlanTool && c.decision != nil && c.decision.Approve {
		st.accept(d.Call)
	}
	if yes := c.decision; yes != nil && yes.Approve && (yes.Scope == deskhand.ForTask || yes.Scope == deskhand.Always) {
		st.granted = append(st.granted, c.question.Always...)
	}
	st.Task.Calls++
	return nil
}

func (st *State) finished(_ deskhand.Event, d deskhand.CallFinished) error {
	c := st.find(d.CallID)
	was := st.open()
	c.result, c.observed = &d.Result, d.Observed
	st.watch.took += time.Duration(d.DurationMS) * time.Millisecond
	if was >= 0 && st.open() < 0 {
		st.watch.turn(st.calls, keep(st.Task.Guard))
	}
	return nil
}

func (st *State) human(e deskhand.Event, d deskhand.HumanMessage) error {
	st.tell(d.Text)
	st.spoken, st.rechecks = e.Seq, 0
	return nil
}

func (st *State) tell(text string) { st.texts = append(st.texts, deskhand.Content{Text: text}) }

// requested notes which call a person interrupted. The rest is the engine's.
func (st *State) requested(_ deskhand.Event, d deskhand.HumanAsked) error {
	if d.For == deskhand.AskInterrupt {
		st.find(d.CallID).cut = true
	}
	return nil
}

// computer sets adrift the calls that must not run on the computer there is
// now: all of those not yet run when it is a new one, and those after a call of
// unknown outcome when it is the same. The model is told and shown what there is.
func (st *State) computer(_ deskhand.Event, d deskhand.ComputerReady) error {
	if !st.ready {
		st.ready = true
		return nil
	}
	lost := !d.Same
	st.reshaped = st.reshaped && d.Same
	for i := range st.calls {
		c := &st.calls[i]
		if c.result == nil {
			lost = lost || c.started
			c.adrift = lost && !c.started
		}
	}
	if st.Task.Turns == 0 {
		return nil // the model has seen nothing yet
	}
	if d.Same {
		st.tell(sameComputer)
	} else {
		st.tell(newComputer)
	}
	st.texts = append(st.texts, d.Screen...)
	return nil
}

// damaged sets every open call adrift: it may have run.
func (st *State) damaged(_ deskhand.Event, _ deskhand.JournalCut) error {
	for i := range st.calls {
		if c := &st.calls[i]; c.result == nil && !c.started {
			c.adrift = true
		}
	}
	st.tell(journalCut)
	return nil
}

func (st *State) note(_ deskhand.Event, d deskhand.Note) error {
	if d.ToModel {
		st.tell(d.Text)
	}
	return nil
}

// Underway returns the call that was started and has no answer, if there is one.
func (st *State) Underway() (call deskhand.Call, running bool) {
	for _, c := range st.calls {
		if c.result == nil && c.started {
			return c.Call, true
		}
	}
	return deskhand.Call{}, false
}

// Final reports whether the last reply ended the task with a result: all that
// is missing is that somebody records it.
func (st *State) Final() bool {
	return ends[st.stop] && len(st.calls) == 0 && st.silent == 0 && !st.Unread()
}

// Unread reports whether a person said something that no request carried yet.
func (st *State) Unread() bool { return st.spoken > st.sent }

// open returns the index of the first call without an answer, or -1.
func (st *State) open() int {
	for i, c := range st.calls {
		if c.result == nil {
			return i
		}
	}
	return -1
}

// elapsed returns how long the task has been running.
func (st *State) elapsed(now time.Time) time.Duration {
	if st.since.IsZero() {
		return st.active
	}
	return st.active + now.Sub(st.since)
}
