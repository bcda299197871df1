// Package agent is the loop: a turn of the model, a verdict for each call, the
// intent, the effect, the fact, until the model is done.
//
// A turn is an idempotent step over the journal: State is folded from events
// and nothing else, so whoever has the journal can take the next turn. The
// agent decides nothing about machines, storage or people; it is given a Model,
// a tool.Set, a gate and a Journal.
//
// Trust: replies come from a model that may have been misled, results from a
// world that may be hostile. Neither becomes anything but data here; a call
// runs only after the gate allowed it, and once.
package agent

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/tool"
)

// Journal is what the agent needs of a store.
type Journal interface {
	Append(ctx context.Context, events ...deskhand.Event) ([]deskhand.Event, error)
	Events(ctx context.Context, task deskhand.TaskID, after int64) iter.Seq2[deskhand.Event, error]
}

// Blobs is where the agent keeps images.
type Blobs interface {
	PutBlob(ctx context.Context, data []byte) (deskhand.Hash, error)
	Blob(ctx context.Context, hash deskhand.Hash) ([]byte, error)
}

// Agent takes turns for one task. All fields but those with a default are
// required. It may be used by one goroutine at a time.
type Agent struct {
	Model   model.Model
	Tools   *tool.Set
	Gate    deskhand.Gate
	Journal Journal
	Blobs   Blobs

	// Check looks at whether the criteria of a task are met, each by itself.
	// Requests to a model go through ask. An error means that it could not look
	// at all. Default: nothing can look.
	Check func(ctx context.Context, t deskhand.Task, ask Ask) ([]deskhand.Checked, error)

	// Before returns the verdict that the gate's becomes, which must not be
	// milder. It may wait, and denies when ctx ends. Default: the gate's it is.
	Before func(ctx context.Context, t deskhand.Task, call deskhand.Call, v deskhand.Verdict) deskhand.Verdict

	Retry model.RetryConfig            // OnFailure is the agent's own
	Cost  func(deskhand.Usage) float64 // US dollars; default: nothing costs anything
	Delta func(deskhand.Event)         // gets each model.delta as it comes; default: they are dropped
	Now   func() time.Time             // default: time.Now

	// Calling returns the context for one call, which ends before ctx when a
	// person interrupts that call, or with the cause ErrComputerGone; done is
	// called when the call is over.
	// Default: ctx itself.
	Calling func(ctx context.Context, id string) (calling context.Context, done func())
}

// Outcome is where a task stands after a turn.
type Outcome struct {
	// Status is Running when another turn can be taken, Waiting when a person
	// is asked, else Exhausted, Done, Failed or Stopped. The caller records it.
	Status deskhand.Status
	Reason string // one sentence; empty with Running and Done
	Result string // the model's last words, when it said that it is done
}

var goingOn = Outcome{Status: deskhand.Running}

const (
	journalTimeout = 30 * time.Second // for one write, also after the task was stopped
	maxSilent      = 2                // replies in a row without a word after which the model is asked to go on
	maxCut         = 2                // the same for replies cut off at their limit
	maxBotched     = 2                // the same for replies that cannot be part of the conversation
)

// Turn takes the next step of the task: it answers the calls that are open, or
// sends a request and answers the calls it brings. Events that others appended
// are folded in first.
//
// When ctx ends, what is under way is answered as interrupted, that is made
// durable, and the outcome is Stopped with the cause of ctx as its reason. An
// error means that the journal could not be kept.
func (a *Agent) Turn(ctx context.Context, st *State) (Outcome, error) {
	if err := a.sync(ctx, st); err != nil {
		return Outcome{}, err
	}
	if st.open() >= 0 {
		return a.answer(ctx, st)
	}
	if ctx.Err() != nil {
		return stopped(ctx), nil
	}
	if st.claimed() { // and the runtime ended before anybody looked
		return a.conclude(ctx, st)
	}
	if out, err := a.unstick(ctx, st); err != nil || out.Status != deskhand.Running {
		return out, err
	}
	if out, err := a.budget(ctx, st); err != nil || out.Status != deskhand.Running {
		return out, err
	}
	if err := a.speak(ctx, st); err != nil {
		return Outcome{}, err
	}
	out, err := a.ask(ctx, st)
	if err != nil || out.Status != deskhand.Running {
		return out, err
	}
	return a.act(ctx, st)
}

// speak makes sure that there is something to send: after a reply that ended
// the conversation the API takes nothing but a new message.
func (a *Agent) speak(ctx context.Context, st *State) error {
	if resend[st.stop] || len(st.texts) > 0 || len(st.calls) > 0 {
		return nil
	}
	return a.append(ctx, st, deskhand.KindNote, deskhand.Note{Text: goOnIdle, ToModel: true})
}

// ask sends one request. The outcome is Running when a reply came.
func (a *Agent) ask(ctx context.Context, st *State) (Outcome, error) {
	turn := st.Task.Turns + 1
	if err := a.append(ctx, st, deskhand.KindTurnStarted, deskhand.TurnStarted{Turn: turn}); err != nil {
		return Outcome{}, err
	}
	begun := a.now()
	reply, err := a.reply(ctx, st, turn)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return stopped(ctx), nil
	default:
		return Outcome{Status: deskhand.Failed, Reason: sentence(err)}, unrecorded(err)
	}
	return goingOn, a.append(ctx, st, deskhand.KindModelReplied, deskhand.ModelReplied{
		Turn: turn, Model: reply.Model, Content: reply.Content, StopReason: reply.StopReason,
		Usage: reply.Usage, CostUSD: reply.Cost(a.cost), Cleared: reply.Cleared, DurationMS: a.now().Sub(begun).Milliseconds(),
		RequestID: reply.RequestID, Malformed: malformedInputs(reply.Calls),
	})
}

// What a stop reason means. One that is in none of these ends the task.
var (
	ends   = map[string]bool{"end_turn": true, "stop_sequence": true, "tool_use": true} // tool_use: when there are no calls
	resend = map[string]bool{"pause_turn": true, "compaction": true, takenOut: true}
	faults = map[string]string{
		"refusal":                       "The model refused to go on.",
		"model_context_window_exceeded": "The conversation no longer fits into the model's context window.",
	}
)

// takenOut stands for the stop reason of a reply that held the value of a secret:
// it is not part of the conversation, and the model is told.
const takenOut = "taken_out"

// botchWords say why a task failed whose replies could not be used, by whether
// they were taken out.
var botchWords = map[bool]string{
	true:  "The model wrote the value of a secret %d times in a row.",
	false: "The model's calls could not be told apart %d times in a row.",
}

// act does what the reply's stop reason says.
func (a *Agent) act(ctx context.Context, st *State) (Outcome, error) {
	switch {
	case st.botched > maxBotched:
		return Outcome{Status: deskhand.Failed, Reason: fmt.Sprintf(botchWords[st.stop == takenOut], st.botched)}, nil
	case st.stop == "tool_use" && len(st.calls) > 0:
		return a.answer(ctx, st)
	case st.silent > maxSilent:
		return Outcome{Status: deskhand.Failed, Reason: fmt.Sprintf("The model ended its turn %d times without a word.", st.silent)}, nil
	case st.silent > 0:
		return goingOn, a.append(ctx, st, deskhand.KindNote, deskhand.Note{Text: goOn, ToModel: true})
	case ends[st.stop]:
		return a.conclude(ctx, st)
	case resend[st.stop], st.stop == "max_tokens" && st.cut <= maxCut && len(st.calls) > 0:
		return a.answer(ctx, st)
	case st.stop == "max_tokens" && st.cut <= maxCut:
		return goingOn, a.append(ctx, st, deskhand.KindNote, deskhand.Note{Text: goOnCut, ToModel: true})
	case st.stop == "max_tokens":
		return Outcome{Status: deskhand.Failed, Reason: fmt.Sprintf("The model's reply was cut off at its limit of tokens %d times in a row.", st.cut)}, nil
	case faults[st.stop] != "":
		return Outcome{Status: deskhand.Failed, Reason: faults[st.stop]}, nil
	}
	return Outcome{Status: deskhand.Failed, Reason: fmt.Sprintf("The model stopped for a reason that is not known here (%.60q).", st.stop)}, nil
}

func stopped(ctx context.Context) Outcome {
	return Outcome{Status: deskhand.Stopped, Reason: sentence(context.Cause(ctx))}
}

// sentence returns what an error says to a person.
func sentence(err error) string {
	var m *model.Error
	switch {
	case errors.As(err, &m):
		return m.Message
	case errors.Is(err, context.Canceled):
		return "The task was stopped."
	}
	return err.Error()
}
