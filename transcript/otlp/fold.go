package otlp

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/plaintext"
	"github.com/deskhand/deskhand/transcript"
)

// builder folds events into spans. A span is open until what ends it comes;
// what never ends is closed with the last event.
type builder struct {
	content bool
	spans   []*span

	task, turn  *span
	turnN       int
	start, last deskhand.Event // of the task, and the newest
	created     deskhand.Task
	calls       map[string]*call // of the last reply

	asked time.Time // when the request went out that is not answered; zero: there is none
	seq   int64     // of the event that says so
	retry bool      // it is one that waits to be sent again
}

// call is a call of the last reply.
type call struct {
	deskhand.Call
	span     *span // nil before anything is said of it
	finished bool
	denied   bool
}

// folds is what an event of each kind does. All others become span events of the task.
var folds = map[deskhand.Kind]func(*builder, deskhand.Event) error{
	deskhand.KindTaskCreated:     fold((*builder).taskCreated),
	deskhand.KindTurnStarted:     fold((*builder).turnStarted),
	deskhand.KindModelFailed:     fold((*builder).modelFailed),
	deskhand.KindModelReplied:    fold((*builder).modelReplied),
	deskhand.KindModelConsulted:  fold((*builder).modelConsulted),
	deskhand.KindCallJudged:      fold((*builder).callJudged),
	deskhand.KindCallStarted:     fold((*builder).callStarted),
	deskhand.KindCallFinished:    fold((*builder).callFinished),
	deskhand.KindApprovalAsked:   fold((*builder).approvalAsked),
	deskhand.KindApprovalDecided: fold((*builder).approvalDecided),
	deskhand.KindTaskStatus:      fold((*builder).taskStatus),
}

// fold decodes an event's data before f sees it.
func fold[D any](f func(*builder, deskhand.Event, D)) func(*builder, deskhand.Event) error {
	return func(b *builder, e deskhand.Event) error {
		var d D
		if err := json.Unmarshal(e.Data, &d); err != nil {
			return deskhand.Errorf("otlp", deskhand.Invalid, "event %d is damaged: %w", e.Seq, err)
		}
		f(b, e, d)
		return nil
	}
}

func (b *builder) add(e deskhand.Event) error {
	if b.task == nil && e.Kind != deskhand.KindTaskCreated {
		return deskhand.Errorf("otlp", deskhand.Invalid, "the first event is a %.40q, not the task's creation", string(e.Kind))
	}
	b.last = e
	f, known := folds[e.Kind]
	if !known {
		return b.happened(e)
	}
	return f(b, e)
}

// begin adds a span. It begins no earlier than its parent.
func (b *builder) begin(parent *span, role, name string, kind int, seq int64, t time.Time, more ...attribute) *span {
	s := &span{Name: name, Kind: kind, Start: at(t), Attributes: append(more, whole("deskhand.seq", seq))}
	if parent != nil {
		s.TraceID, s.Parent, s.Start = parent.TraceID, parent.SpanID, max(s.Start, parent.Start)
	} else {
		s.TraceID = string(b.start.Hash())[:32]
	}
	s.SpanID, s.End = id(s.TraceID, role, seq), s.Start
	b.spans = append(b.spans, s)
	return s
}

// until makes spans last at least to t.
func until(t nano, spans ...*span) {
	for _, s := range spans {
		if s != nil {
			s.End = max(s.End, t)
		}
	}
}

// place returns what a request or a call is part of.
func (b *builder) place() *span {
	if b.turn != nil {
		return b.turn
	}
	return b.task
}

func (s *span) note(e deskhand.Event, more ...attribute) {
	t := max(at(e.Time), s.Start)
	s.Events = append(s.Events, moment{t, "deskhand." + string(e.Kind), append(more, whole("deskhand.seq", e.Seq))})
	until(t, s)
}

func (s *span) fail(kind, message string) {
	s.Attributes = append(s.Attributes, text("error.type", kind))
	s.Status = status{plaintext.Line(message), statusError}
}

func (b *builder) taskCreated(e deskhand.Event, d deskhand.TaskCreated) {
	b.start, b.created, b.calls = e, d.Task, map[string]*call{}
	b.task = b.begin(nil, "task", "invoke_agent deskhand", kindInternal, e.Seq, e.Time,
		text("gen_ai.operation.name", "invoke_agent"), text("gen_ai.agent.name", "deskhand"), b.provider(),
		text("gen_ai.request.model", d.Task.Model), text("gen_ai.conversation.id", string(e.Task)),
		text("deskhand.permission", d.Task.Permission), text("deskhand.sandbox", d.Task.Sandbox))
	if b.content {
		b.task.Attributes = append(b.task.Attributes, text("deskhand.text", d.Task.Text))
	}
}

// providers is who serves the model, in the words of the conventions.
var providers = map[string]string{
	"bedrock": "aws.bedrock", "vertex": "gcp.vertex_ai", "googlecloud": "gcp.vertex_ai", "foundry": "azure.ai.inference",
}

func (b *builder) provider() attribute {
	if name, known := providers[b.created.Provider]; known {
		return text("gen_ai.provider.name", name)
	}
	return text("gen_ai.provider.name", "anthropic")
}

func (b *builder) turnStarted(e deskhand.Event, d deskhand.TurnStarted) {
	b.unanswered(at(e.Time))
	if b.turn == nil || b.turnN != d.Turn { // the same turn once more: its request is sent again
		b.turn = b.begin(b.task, "turn", "turn", kindInternal, e.Seq, e.Time, whole("deskhand.turn", int64(d.Turn)))
		b.turnN = d.Turn
	}
	b.asked, b.seq, b.retry, b.calls = e.Time, e.Seq, false, map[string]*call{}
}

// request adds the request that was sent, and is over at t.
func (b *builder) request(seq int64, t time.Time, took time.Duration) *span {
	from := b.asked
	if from.IsZero() || from.After(t) {
		from = t.Add(-took)
	}
	if !b.asked.IsZero() {
		seq = b.seq
	}
	s := b.chat(seq, from)
	b.asked = time.Time{}
	until(at(t), s, b.turn)
	return s
}

func (b *builder) chat(seq int64, from time.Time) *span {
	return b.begin(b.place(), "chat", "chat "+b.created.Model, kindClient, seq, from,
		text("gen_ai.operation.name", "chat"), b.provider(), text("gen_ai.request.model", b.created.Model),
		text("gen_ai.conversation.id", string(b.start.Task)))
}

// unanswered closes a request of which nothing more was heard.
func (b *builder) unanswered(t nano) {
	if b.asked.IsZero() || b.retry {
		b.asked = time.Time{}
		return
	}
	s := b.chat(b.seq, b.asked)
	s.Attributes = append(s.Attributes, truth("deskhand.unfinished", true))
	b.asked = time.Time{}
	until(t, s, b.turn)
}

func (b *builder) modelFailed(e deskhand.Event, d deskhand.ModelFailed) {
	s := b.request(e.Seq, e.Time, 0)
	s.Attributes = append(s.Attributes, whole("deskhand.attempt", int64(d.Attempt)))
	if d.Status > 0 {
		s.Attributes = append(s.Attributes, whole("http.response.status_code", int64(d.Status)))
	}
	s.fail(string(d.Code), d.Message)
	if d.RetryMS > 0 {
		b.asked, b.seq, b.retry = e.Time.Add(time.Duration(d.RetryMS)*time.Millisecond), e.Seq, true
	}
}

func (b *builder) modelReplied(e deskhand.Event, d deskhand.ModelReplied) {
	s := b.request(e.Seq, e.Time, time.Duration(d.DurationMS)*time.Millisecond)
	s.replied(d.Model, d.Usage, d.CostUSD, d.RequestID)
	s.Attributes = append(s.Attributes, texts("gen_ai.response.finish_reasons", d.StopReason))
	for _, block := range transcript.Blocks(d.Content) {
		if block.Call != nil {
			b.calls[block.Call.ID] = &call{Call: *block.Call}
		}
	}
	if said := transcript.Text(d.Content); b.content && said != "" {
		s.Attributes = append(s.Attributes, text("deskhand.said", said))
	}
}

// replied tells of an answer. Tokens of the prompt are all there were, cached or not.
func (s *span) replied(model string, u deskhand.Usage, usd float64, request string) {
	s.Attributes = append(s.Attributes, text("gen_ai.response.model", model),
		whole("gen_ai.usage.input_tokens", u.Total()-u.Output), whole("gen_ai.usage.output_tokens", u.Output),
		whole("gen_ai.usage.cache_read.input_tokens", u.CacheRead), whole("gen_ai.usage.cache_creation.input_tokens", u.CacheWrite),
		amount("deskhand.cost_usd", usd))
	if request != "" {
		s.Attributes = append(s.Attributes, text("deskhand.request_id", request))
	}
}

func (b *builder) modelConsulted(e deskhand.Event, d deskhand.ModelConsulted) {
	s := b.begin(b.place(), "consulted", "chat "+d.Model, kindClient, e.Seq, e.Time.Add(-time.Duration(d.DurationMS)*time.Millisecond),
		text("gen_ai.operation.name", "chat"), b.provider(), text("gen_ai.request.model", d.Model),
		text("gen_ai.conversation.id", string(b.start.Task)), text("deskhand.why", d.Why))
	s.replied(d.Model, d.Usage, d.CostUSD, d.RequestID)
	until(at(e.Time), s, b.turn)
}

// of returns the call with that id, with its span.
func (b *builder) of(e deskhand.Event, id string, said deskhand.Call) *call {
	c := b.calls[id]
	if c == nil {
		c = &call{Call: deskhand.Call{ID: id}}
		b.calls[id] = c
	}
	if c.Name == "" {
		c.Call = said
	}
	if c.span == nil {
		c.span = b.begin(b.place(), "call", "execute_tool "+plaintext.Short(c.Name, 80), kindInternal, e.Seq, e.Time,
			text("gen_ai.operation.name", "execute_tool"), text("gen_ai.tool.name", c.Name), text("gen_ai.tool.type", "function"),
			text("gen_ai.tool.call.id", id))
		if c.Toolset != "" {
			c.span.Attributes = append(c.span.Attributes, text("deskhand.toolset", c.Toolset))
		}
		if b.content {
			c.span.Attributes = append(c.span.Attributes, text("gen_ai.tool.call.arguments", string(c.Input)))
		}
	}
	return c
}

// noted adds a span event to a call.
func (b *builder) noted(e deskhand.Event, id string, said deskhand.Call, more ...attribute) *call {
	c := b.of(e, id, said)
	c.span.note(e, more...)
	until(c.span.End, b.turn)
	return c
}

func verdict(v deskhand.Verdict) []attribute {
	all := []attribute{text("deskhand.outcome", string(v.Outcome)), text("deskhand.rule", v.Rule)}
	if v.Reason != "" {
		all = append(all, text("deskhand.reason", v.Reason))
	}
	return all
}

func (b *builder) callJudged(e deskhand.Event, d deskhand.CallJudged) {
	c := b.noted(e, d.CallID, deskhand.Call{}, verdict(d.Verdict)...)
	c.denied = d.Verdict.Outcome != deskhand.Allow && d.Verdict.Outcome != deskhand.Ask
}

func (b *builder) approvalAsked(e deskhand.Event, d deskhand.ApprovalAsked) {
	b.noted(e, d.Call.ID, d.Call, verdict(d.Verdict)...)
}

func (b *builder) approvalDecided(e deskhand.Event, d deskhand.Decision) {
	more := []attribute{truth("deskhand.approve", d.Approve), text("deskhand.by", d.By)}
	if b.content && d.Comment != "" {
		more = append(more, text("deskhand.comment", d.Comment))
	}
	b.noted(e, d.CallID, deskhand.Call{}, more...).denied = !d.Approve
}

func (b *builder) callStarted(e deskhand.Event, d deskhand.CallStarted) {
	b.noted(e, d.Call.ID, d.Call)
}

func (b *builder) callFinished(e deskhand.Event, d deskhand.CallFinished) {
	c := b.of(e, d.CallID, deskhand.Call{})
	if c.finished { // a journal has one outcome of each; this one is not as the agent writes
		return
	}
	c.finished = true
	until(at(e.Time), c.span, b.turn)
	c.span.Attributes = append(c.span.Attributes, whole("deskhand.duration_ms", d.DurationMS))
	var said []byte
	for _, content := range d.Result.Content {
		said = append(said, content.Text...)
	}
	if b.content {
		c.span.Attributes = append(c.span.Attributes, text("gen_ai.tool.call.result", string(said)))
	}
	switch {
	case c.denied:
		c.span.fail("denied", "The call was not allowed.")
	case d.Result.IsError:
		message := "The call failed."
		if b.content {
			message = string(said)
		}
		c.span.fail("tool_error", message)
	}
}

func (b *builder) taskStatus(e deskhand.Event, d deskhand.TaskStatus) {
	_ = b.happened(e) // it was decoded before
	b.task.Status = status{}
	if d.To == deskhand.Failed {
		b.task.Status = status{plaintext.Line(d.Reason), statusError}
	}
}

// told are the members of events that become attributes of a span event. What
// people or the model said, and what was seen, is not among them.
var told = map[deskhand.Kind][]string{
	deskhand.KindTaskStatus:     {"from", "to", "reason"},
	deskhand.KindHumanAsked:     {"for", "call_id", "reason"},
	deskhand.KindComputerReady:  {"same", "duration_ms"},
	deskhand.KindBudgetNear:     {"bound", "limit", "spent"},
	deskhand.KindBudgetReached:  {"bound", "limit", "spent", "estimate"},
	deskhand.KindBudgetRaised:   {"by"},
	deskhand.KindStuckNoticed:   {"watch", "count", "step"},
	deskhand.KindOutcomeChecked: {"finding", "again"},
	deskhand.KindNetworkJudged:  {"host", "port", "allowed", "rule", "reason", "count"},
	deskhand.KindFileChanged:    {"folder", "bytes"},
	deskhand.KindFileReviewed:   {"folder", "undone", "left"},
	deskhand.KindJournalCut:     {"from", "to"},
}

// happened makes e a span event of the task.
func (b *builder) happened(e deskhand.Event) error {
	var data map[string]any
	dec := json.NewDecoder(bytes.NewReader(e.Data))
	dec.UseNumber()
	if err := dec.Decode(&data); err != nil {
		return deskhand.Errorf("otlp", deskhand.Invalid, "event %d is damaged: %w", e.Seq, err)
	}
	names := told[e.Kind]
	if b.content && data["text"] != nil {
		names = append(names[:len(names):len(names)], "text")
	}
	var all []attribute
	for _, name := range names {
		if a, ok := scalar("deskhand."+name, data[name]); ok {
			all = append(all, a)
		}
	}
	b.task.note(e, all...)
	return nil
}

// end closes what is open.
func (b *builder) end() {
	t := at(b.last.Time)
	b.unanswered(t)
	for _, c := range b.calls {
		if c.span != nil && !c.finished {
			c.span.Attributes = append(c.span.Attributes, truth("deskhand.unfinished", true))
			until(t, c.span, b.turn)
		}
	}
	for _, s := range b.spans {
		until(s.End, b.task)
	}
	until(t, b.task)
	b.task.Attributes = append(b.task.Attributes, whole("deskhand.events", b.last.Seq), text("deskhand.head", string(b.last.Hash())))
	if b.task.Status.Code == statusError {
		b.task.Attributes = append(b.task.Attributes, text("error.type", "failed"))
	}
}
