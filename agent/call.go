package agent

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/tool"
)

// answer gives every open call of the last reply its answer, in order.
func (a *Agent) answer(ctx context.Context, st *State) (Outcome, error) {
	for i := st.open(); i >= 0; i = st.open() {
		out, err := a.one(ctx, st, i)
		if err != nil || out.Status != deskhand.Running {
			return out, err
		}
	}
	if ctx.Err() != nil {
		return stopped(ctx), nil
	}
	return goingOn, nil
}

// one answers call i: without running it, after a verdict, or by its effect.
func (a *Agent) one(ctx context.Context, st *State, i int) (Outcome, error) {
	c := &st.calls[i]
	if text := a.refused(ctx, st, i); text != "" {
		return goingOn, a.finish(ctx, st, i, deskhand.Failure(text), 0)
	}
	verdict, before, err := a.judge(ctx, st, c)
	switch {
	case err != nil:
		return Outcome{}, err
	case ctx.Err() != nil: // while it was looked at
		return goingOn, a.finish(ctx, st, i, deskhand.Failure(notStarted), 0)
	}
	switch verdict.Outcome {
	case deskhand.Allow:
		return a.effect(ctx, st, i, before)
	case deskhand.Ask:
		return Outcome{Status: deskhand.Waiting, Reason: verdict.Reason}, a.record(ctx, st, before...)
	}
	if err := a.record(ctx, st, before...); err != nil {
		return Outcome{}, err
	}
	return goingOn, a.finish(ctx, st, i, deskhand.Failure(denied(c.Call, verdict, c.decision)), 0)
}

// refused returns the answer to a call that must not run, whatever the gate
// says, or "".
func (a *Agent) refused(ctx context.Context, st *State, i int) string {
	c := st.calls[i]
	t, known := a.Tools.Find(c.Call)
	switch {
	case c.started && c.cut:
		return cutShort
	case c.started:
		return outcomeGone
	case st.unusable != "":
		return st.unusable
	case st.stop == "max_tokens":
		return cutOff
	case st.stop != "tool_use":
		return notAsked
	case ctx.Err() != nil:
		return notStarted
	case c.adrift:
		return adrift
	case slices.ContainsFunc(st.calls[:i], func(before call) bool { return before.cut }):
		return afterCut
	case malformed(a.Tools, c.Call):
		return unsplit(c.Call)
	case !known:
		return notFound(c.Call)
	}
	if text := halted(st.calls, i, t.Spec()); text != "" {
		return text
	}
	return inputFault(c.Input)
}

// halted returns why call i must not run after what happened to the other
// calls to its tool in this turn, or "". Only tools with a text for it halt.
func halted(calls []call, i int, spec tool.Spec) string {
	if spec.Halt == "" {
		return ""
	}
	for j, c := range calls {
		broken := spec.Toolset && c.Toolset == "" && c.Name == spec.Name
		switch {
		case j < i && (broken || c.sameTool(calls[i]) && c.result.IsError):
			return spec.Halt
		case j > i && broken:
			return otherFault
		}
	}
	return ""
}

// effect records the intent, then runs the call, then records the fact.
func (a *Agent) effect(ctx context.Context, st *State, i int, before []deskhand.Event) (Outcome, error) {
	c := st.calls[i].edited()
	t, _ := a.Tools.Find(c)
	intent := a.event(st, deskhand.KindCallStarted, deskhand.CallStarted{Turn: st.Task.Turns, Call: c})
	if err := a.record(ctx, st, append(before, intent)...); err != nil {
		return Outcome{}, err
	}
	begun := a.now()
	calling, done := a.calling(ctx, c.ID)
	res, err := run(calling, t, c)
	cut := context.Cause(calling) // before done, which ends it too
	done()
	took := a.now().Sub(begun)
	switch {
	case ctx.Err() != nil && (err != nil || res.IsError):
		return goingOn, a.finish(ctx, st, i, deskhand.Failure(interrupted), took)
	case errors.Is(cut, ErrComputerGone) && (err != nil || res.IsError):
		return a.collapse(ctx, st, i, took, cut)
	case cut != nil && ctx.Err() == nil && (err != nil || res.IsError):
		return goingOn, a.finish(ctx, st, i, deskhand.Failure(cutShort), took)
	case err != nil:
		return a.collapse(ctx, st, i, took, err)
	}
	return goingOn, a.finish(ctx, st, i, res, took)
}

// ErrComputerGone is the cause with which the context of a call ends when the
// computer it runs on is lost.
var ErrComputerGone = errors.New("The computer of the task is gone.")

func (a *Agent) calling(ctx context.Context, id string) (context.Context, func()) {
	if a.Calling == nil {
		return ctx, func() {}
	}
	return a.Calling(ctx, id)
}

// collapse ends the task after the runtime itself failed in call i. The calls
// that are left are answered, so that the conversation can be taken up again.
func (a *Agent) collapse(ctx context.Context, st *State, i int, took time.Duration, cause error) (Outcome, error) {
	text, p := broke, (*panicked)(nil)
	if errors.As(cause, &p) {
		text = defect
	}
	events := []deskhand.Event{a.finished(st, i, deskhand.Failure(text), took, nil)}
	for j := i + 1; j < len(st.calls); j++ {
		events = append(events, a.finished(st, j, deskhand.Failure(endedBefore), 0, nil))
	}
	if p != nil {
		events = append(events, a.event(st, deskhand.KindNote, deskhand.Note{Text: p.note()}))
	}
	return Outcome{Status: deskhand.Failed, Reason: sentence(cause)}, a.record(ctx, st, events...)
}

// finish records the answer to call i. When the call is the last of its
// toolset, what the toolset's world shows by then goes with it.
func (a *Agent) finish(ctx context.Context, st *State, i int, res deskhand.Result, took time.Duration) error {
	res = clean(res)
	observed := a.observe(ctx, st, i, res)
	if !res.IsError {
		res.Content, observed = append(res.Content, observed...), nil
	}
	if err := a.keep(ctx, res.Content); err != nil {
		return err
	}
	if err := a.keep(ctx, observed); err != nil {
		return err
	}
	return a.record(ctx, st, a.finished(st, i, res, took, observed))
}

func (a *Agent) finished(st *State, i int, res deskhand.Result, took time.Duration, observed []deskhand.Content) deskhand.Event {
	return a.event(st, deskhand.KindCallFinished, deskhand.CallFinished{
		Turn: st.Task.Turns, CallID: st.calls[i].ID, Result: res, DurationMS: took.Milliseconds(), Observed: observed,
	})
}

// observe returns what to show the model after call i with its result: nothing
// unless it is the last of a batch of an Observer's calls of which one worked,
// and the batch did not end with a picture.
func (a *Agent) observe(ctx context.Context, st *State, i int, res deskhand.Result) []deskhand.Content {
	c := st.calls[i]
	t, _ := a.Tools.Find(c.Call)
	o, ok := t.(tool.Observer)
	if !ok || ctx.Err() != nil || !res.IsError && hasImage(res) {
		return nil
	}
	worked := !res.IsError
	for j, other := range st.calls {
		if o, known := a.Tools.Find(other.Call); !known || o.Spec().Name != t.Spec().Name || o.Spec().Toolset != t.Spec().Toolset {
			continue
		}
		if j > i {
			return nil
		}
		worked = worked || j < i && !other.result.IsError
	}
	if !worked {
		return nil
	}
	content, err := observation(ctx, o)
	if err != nil {
		return []deskhand.Content{{Text: blind}}
	}
	return clean(deskhand.Result{Content: content}).Content
}

// clean makes a result one that the API takes: no empty texts, and an error
// with nothing but text.
func clean(r deskhand.Result) deskhand.Result {
	out := deskhand.Result{IsError: r.IsError, Effect: r.Effect}
	for _, c := range r.Content {
		if c.Text != "" || c.Image != nil && !r.IsError {
			out.Content = append(out.Content, c)
		}
	}
	if r.IsError && len(out.Content) == 0 {
		return deskhand.Failure("")
	}
	return out
}

func hasImage(r deskhand.Result) bool {
	return slices.ContainsFunc(r.Content, func(c deskhand.Content) bool { return c.Image != nil })
}

// keep stores the images of content under their hashes, before any event names
// them. The bytes do not stay in memory.
func (a *Agent) keep(ctx context.Context, content []deskhand.Content) error {
	ctx, cancel := detach(ctx)
	defer cancel()
	for i, c := range content {
		if c.Image == nil || c.Image.Data == nil {
			continue
		}
		hash, err := a.Blobs.PutBlob(ctx, c.Image.Data)
		if err != nil {
			return err
		}
		img := *c.Image
		img.Hash, img.Bytes, img.Data = hash, len(c.Image.Data), nil
		content[i].Image = &img
	}
	return nil
}

// panicked is a panic inside a tool: a defect of ours, never the model's.
type panicked struct {
	tool  string
	value any
	stack []byte
}

func (p *panicked) Error() string {
	return fmt.Sprintf("A defect in the tool %q of deskhand ended the task.", p.tool)
}

// maxStack is how much of a stack a note keeps, in bytes.
const maxStack = 4096

func (p *panicked) note() string {
	return fmt.Sprintf("%s It panicked: %.500v\n%s", p.Error(), p.value, p.stack[:min(len(p.stack), maxStack)])
}

func run(ctx context.Context, t tool.Tool, c deskhand.Call) (res deskhand.Result, err error) {
	defer recovered(t.Spec().Name, &err)
	return t.Run(ctx, c)
}

func observation(ctx context.Context, o tool.Observer) (content []deskhand.Content, err error) {
	defer recovered("observe", &err)
	return o.Observe(ctx)
}

// recovered is deferred around what a tool does. It is the only place where a
// panic is recovered.
func recovered(name string, err *error) {
	if v := recover(); v != nil {
		*err = &panicked{name, v, debug.Stack()}
	}
}
