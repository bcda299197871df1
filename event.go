package deskhand

import (
	"bytes"
	"encoding/json"
	"time"
)

// Kind names what an Event is about.
type Kind string

// The kinds of events, each with the type of its data.
const (
	KindTaskCreated     Kind = "task.created"     // TaskCreated
	KindTaskStatus      Kind = "task.status"      // TaskStatus
	KindTurnStarted     Kind = "turn.started"     // TurnStarted
	KindModelDelta      Kind = "model.delta"      // ModelDelta; streamed to watchers, never stored
	KindModelReplied    Kind = "model.replied"    // ModelReplied
	KindModelFailed     Kind = "model.failed"     // ModelFailed
	KindCallJudged      Kind = "call.judged"      // CallJudged
	KindCallStarted     Kind = "call.started"     // CallStarted; durable before anything moves
	KindCallFinished    Kind = "call.finished"    // CallFinished
	KindApprovalAsked   Kind = "approval.asked"   // ApprovalAsked
	KindApprovalDecided Kind = "approval.decided" // Decision
	KindHumanMessage    Kind = "human.message"    // HumanMessage
	KindHumanAsked      Kind = "human.asked"      // HumanAsked
	KindComputerReady   Kind = "computer.ready"   // ComputerReady
	KindJournalCut      Kind = "journal.cut"      // JournalCut
	KindModelConsulted  Kind = "model.consulted"  // ModelConsulted
	KindBudgetNear      Kind = "budget.near"      // BudgetNear
	KindBudgetReached   Kind = "budget.reached"   // BudgetReached
	KindBudgetRaised    Kind = "budget.raised"    // BudgetRaised
	KindStuckNoticed    Kind = "stuck.noticed"    // StuckNoticed
	KindOutcomeChecked  Kind = "outcome.checked"  // OutcomeChecked
	KindNetworkJudged   Kind = "network.judged"   // NetworkJudged
	KindFileChanged     Kind = "file.changed"     // FileChanged
	KindFileReviewed    Kind = "file.reviewed"    // FileReviewed
	KindNote            Kind = "note"             // Note
)

// Event is one fact in a task's journal. Events of a task form a chain: Prev
// is the hash of the event before, so that a changed past is found.
type Event struct {
	Seq  int64           `json:"seq"` // 1, 2, 3 … within the task; 0 for a model.delta
	Time time.Time       `json:"time"`
	Task TaskID          `json:"task"`
	Kind Kind            `json:"kind"`
	Data json.RawMessage `json:"data"`
	Prev Hash            `json:"prev"` // empty for the first
}

// NewEvent returns an event of task with data marshalled. Seq and Prev are the
// journal's to fill in. It panics when data cannot be marshalled, which is a
// programmer's error: every data type is in this file.
func NewEvent(task TaskID, kind Kind, data any) Event {
	raw, err := marshal(data)
	if err != nil {
		panic("deskhand: event data: " + err.Error()) // unreachable unless a data type grows a channel or a func
	}
	return Event{Task: task, Kind: kind, Data: raw, Time: time.Now().UTC()}
}

// Canonical returns the bytes that a journal stores and that Hash is of: the
// JSON of e without white space. It fails when Data is not JSON.
func (e Event) Canonical() ([]byte, error) { return marshal(e) }

// Hash returns the event's own hash, which the next event carries as Prev.
func (e Event) Hash() Hash {
	raw, err := e.Canonical()
	if err != nil {
		panic("deskhand: event: " + err.Error()) // unreachable unless Data is not JSON
	}
	return HashOf(raw)
}

// marshal is json.Marshal without the escapes for HTML, so that what a model
// wrote stays byte for byte what it was.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// TaskCreated is the first event of every task.
type TaskCreated struct {
	Task   Task   `json:"task"`
	System string `json:"system"` // the whole system prompt as sent
}

// TaskStatus records a change of status.
type TaskStatus struct {
	From   Status `json:"from"`
	To     Status `json:"to"`
	Reason string `json:"reason,omitempty"` // one sentence
	Result string `json:"result,omitempty"` // the model's last words, when it said that it is done
}

// TurnStarted is written before a request is sent.
type TurnStarted struct {
	Turn int `json:"turn"` // 1, 2, 3 …
}

// ModelDelta is a piece of a reply as it streams in.
type ModelDelta struct {
	Text     string `json:"text,omitempty"`
	Thinking string `json:"thinking,omitempty"`
	Attempt  int    `json:"attempt,omitempty"` // greater than 1 after a retry
}

// ModelReplied is one whole reply. Content is the assistant's content array,
// byte for byte as it is sent back with the next request.
type ModelReplied struct {
	Turn       int             `json:"turn"`
	Model      string          `json:"model"`
	Content    json.RawMessage `json:"content"`
	StopReason string          `json:"stop_reason"`
	Usage      Usage           `json:"usage"`
	CostUSD    float64         `json:"cost_usd"`
	DurationMS int64           `json:"duration_ms"`
	RequestID  string          `json:"request_id,omitempty"`

	// Cleared says what of the conversation the model was not shown any more.
	Cleared []Cleared `json:"cleared,omitempty"`

	// Secrets names the secrets of which the model wrote the value. It is masked
	// here, so that the reply is not what was sent and is left out of the
	// conversation.
	Secrets []string `json:"secrets,omitempty"`

	// Malformed has what the model wrote as the input of calls where that was
	// not a JSON object, by call id. In Content their input is empty.
	Malformed map[string]string `json:"malformed,omitempty"`
}

// Cleared is one thing that was left out of a request to make room.
type Cleared struct {
	What   ClearedWhat `json:"what"`
	Count  int         `json:"count,omitempty"`
	Tokens int64       `json:"tokens,omitempty"` // saved, where that is known
}

// ClearedWhat names what was left out.
type ClearedWhat string

// What can be left out. All but ClearedImages was done by the API.
const (
	ClearedResults  ClearedWhat = "tool_results" // the oldest ones, so many since the task or its last summary began
	ClearedThinking ClearedWhat = "thinking"     // of the oldest turns
	ClearedHistory  ClearedWhat = "history"      // summed up in a text that the model wrote itself
	ClearedImages   ClearedWhat = "images"       // the oldest ones, left out before sending
)

// ModelFailed is one failed attempt at a request.
type ModelFailed struct {
	Turn    int    `json:"turn"`
	Attempt int    `json:"attempt"`
	Code    Code   `json:"code"`
	Status  int    `json:"status,omitempty"` // HTTP status; 0 when there was none
	Message string `json:"message"`
	RetryMS int64  `json:"retry_ms"` // wait before the next attempt; 0 when there is none

	// TooLarge: the conversation was too long for the endpoint. Less of it is
	// sent from then on.
	TooLarge bool `json:"too_large,omitempty"`
}

// CallJudged is the gate's verdict on a call.
type CallJudged struct {
	CallID   string  `json:"call_id"`
	Verdict  Verdict `json:"verdict"`
	Class    string  `json:"class,omitempty"`
	Reshapes bool    `json:"reshapes,omitempty"` // see Judgement
}

// CallStarted is the intent, durable before the effect.
type CallStarted struct {
	Turn int  `json:"turn"`
	Call Call `json:"call"`
}

// CallFinished is the outcome of a call, also of one that was refused or never
// started; every call of a reply gets exactly one.
type CallFinished struct {
	Turn       int    `json:"turn"`
	CallID     string `json:"call_id"`
	Result     Result `json:"result"`
	DurationMS int64  `json:"duration_ms"`

	// Observed is what the tool's world showed after the batch that this call
	// ended with a failure. A failure is text only, so it is told to the model
	// with the last result of the batch that is not one.
	Observed []Content `json:"observed,omitempty"`
}

// ApprovalAsked is a question to a person: one call, once. An answer counts when
// it names Nonce, came before Expires, and what Target and Pinned stand for is still as it was.
type ApprovalAsked struct {
	Call    Call      `json:"call"`
	Verdict Verdict   `json:"verdict"`
	Class   string    `json:"class,omitempty"`
	Does    []string  `json:"does,omitempty"`
	Always  []string  `json:"always,omitempty"`
	Said    string    `json:"said,omitempty"` // the model's own words with the call
	Target  *Target   `json:"target,omitempty"`
	Pinned  Hash      `json:"pinned,omitempty"` // of the files that the call names
	Nonce   Hash      `json:"nonce"`
	Expires time.Time `json:"expires,omitzero"`
}

// HumanMessage is something a person said to the model, the task's own text first.
type HumanMessage struct {
	Text string `json:"text"`
}

// What a HumanAsked can ask for.
const (
	AskStop      = "stop"      // end the task
	AskResume    = "resume"    // go on with it
	AskInterrupt = "interrupt" // end the call that is named, and go on
)

// HumanAsked is a request to whoever drives the task, who may be another
// process. What comes of it is told by the events that follow.
type HumanAsked struct {
	For    string `json:"for"` // AskStop, AskResume or AskInterrupt
	CallID string `json:"call_id,omitempty"`
	Reason string `json:"reason,omitempty"` // one sentence
}

// ComputerReady says that the task has a computer: its first, the one it had
// before, or a new one because that one is gone.
type ComputerReady struct {
	Same       bool  `json:"same,omitempty"` // the one that the task had before
	DurationMS int64 `json:"duration_ms"`

	// Screen is what it shows, for a model that has to find its way again.
	Screen []Content `json:"screen,omitempty"`
}

// ModelConsulted is a request beside the conversation, answered. What it took
// counts to the task's budget like everything else.
type ModelConsulted struct {
	Why        string  `json:"why"` // what for, in a few words
	Model      string  `json:"model"`
	Reply      string  `json:"reply"` // its text and calls, for people
	Usage      Usage   `json:"usage"`
	CostUSD    float64 `json:"cost_usd"`
	DurationMS int64   `json:"duration_ms"`
	RequestID  string  `json:"request_id,omitempty"`
}

// Spending is how a task stands to one bound of its Budget. Amounts are in the
// bound's own unit: turns, seconds, tokens or US dollars.
type Spending struct {
	Bound    string  `json:"bound"` // "turns", "time", "tokens" or "cost"
	Limit    float64 `json:"limit"`
	Spent    float64 `json:"spent"`
	Estimate float64 `json:"estimate,omitempty"` // what the next request takes at least
}

// BudgetNear says that most of a bound is spent. Text is told to the model.
type BudgetNear struct {
	Spending
	Text string `json:"text"`
}

// BudgetReached says which bound of the Budget the next request would break.
// The task is parked; BudgetRaised lets it go on.
type BudgetReached struct {
	Spending
	Text string `json:"text"` // one sentence for a person
}

// BudgetRaised is a person's new Budget, in place of the one before.
type BudgetRaised struct {
	Budget Budget `json:"budget"`
	By     string `json:"by"`
}

// Step is what is done about a task that goes in circles.
type Step string

// The steps, in the order they are taken.
const (
	StepTell Step = "tell" // the model is told
	StepAsk  Step = "ask"  // a person is asked; the task is parked
	StepStop Step = "stop" // the task has failed
)

// StuckNoticed says that a task goes in circles, and what is done about it.
type StuckNoticed struct {
	Watch string `json:"watch"` // "identical", "cycle", "clicks" or "idle"; see Guard
	Count int    `json:"count"` // how often it was seen
	Step  Step   `json:"step"`
	Text  string `json:"text"` // what was observed; told to the model with StepTell, else to a person
}

// OutcomeChecked is a look at the task's criteria after the model said that it
// is done.
type OutcomeChecked struct {
	Finding Finding   `json:"finding"`
	Items   []Checked `json:"items"`
	Again   bool      `json:"again,omitempty"` // it failed, and the model is told and goes on
	Text    string    `json:"text,omitempty"`  // with Again: what the model is told
}

// NetworkJudged is what the way out of the sandbox said of a connection. The
// first of its kind is told at once, equal ones after it together.
type NetworkJudged struct {
	Host    string `json:"host,omitempty"` // canonical; empty when what was asked for is no host
	Port    int    `json:"port,omitempty"`
	Allowed bool   `json:"allowed"`
	Rule    string `json:"rule"`             // the entry that allowed it, or the name of the guard that refused
	Reason  string `json:"reason,omitempty"` // why it was refused, in fixed words
	Count   int    `json:"count"`            // how many this stands for
}

// JournalCut says that events were acknowledged and are lost: the store was
// damaged. Their numbers are given out anew, this event's among them.
type JournalCut struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// FileChanged is how a shared folder stands when a task is driven no further:
// what waits for a person to review it, or what was written to it at once.
type FileChanged struct {
	Folder  string             `json:"folder"`
	Count   map[ChangeKind]int `json:"count"`
	Bytes   int64              `json:"bytes"`             // of content that is new or changed
	Written bool               `json:"written,omitempty"` // it is in the folder already
}

// FileReviewed is what a person let happen to a folder.
type FileReviewed struct {
	Folder  string   `json:"folder"`
	Undone  bool     `json:"undone,omitempty"` // what was applied before was put back
	Applied []string `json:"applied"`          // paths in the folder; bytes that are not UTF-8 escaped
	Left    int      `json:"left"`             // changes that were not chosen, or could not be applied
	Unlock  []string `json:"unlock,omitempty"` // protected names that were unlocked for it
}

// Note is something the runtime noticed. With ToModel it is told to the model
// with the next turn.
type Note struct {
	Text    string `json:"text"`
	ToModel bool   `json:"to_model,omitempty"`
}
