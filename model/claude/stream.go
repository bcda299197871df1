package claude

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/anthropics/anthropic-sdk-go/v2/packages/ssestream"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
)

// maxReply bounds the bytes of one streamed reply.
const maxReply = 64 << 20

// idleError ends a stream that stopped moving.
type idleError struct {
	what  string
	limit time.Duration
}

func (e idleError) Error() string { return fmt.Sprintf("%s for %s", e.what, e.limit) }

// idleWatch cancels a request whose stream is silent, or only pings, for too long.
type idleWatch struct {
	limit    time.Duration
	silence  *time.Timer
	progress *time.Timer
	cancel   context.CancelCauseFunc
}

func watch(ctx context.Context, limit time.Duration) (context.Context, *idleWatch) {
	ctx, cancel := context.WithCancelCause(ctx)
	after := func(what string, d time.Duration) *time.Timer {
		return time.AfterFunc(d, func() { cancel(idleError{what, d}) })
	}
	return ctx, &idleWatch{limit, after("nothing came", limit), after("only pings came", pingPatience*limit), cancel}
}

// saw notes an event.
func (w *idleWatch) saw(kind string) {
	w.silence.Reset(w.limit)
	if kind != "ping" {
		w.progress.Reset(pingPatience * w.limit)
	}
}

func (w *idleWatch) stop() {
	w.silence.Stop()
	w.progress.Stop()
	w.cancel(nil)
}

// brokenStream is a stream that does not follow the protocol, or ends early.
type brokenStream struct{ what string }

func (e brokenStream) Error() string { return e.what }

// streamError is an error event: the API gave up after it had said 200.
type streamError struct{ Type, Message string }

func (e streamError) Error() string { return e.Type }

// notStream is a good status with something else than events in it.
type notStream struct{ mediaType string }

func (e notStream) Error() string { return "answered with " + e.mediaType }

// read reads a whole streamed reply.
func read(res *http.Response, idle *idleWatch, on func(model.Delta)) (model.Reply, error) {
	if media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); media != "text/event-stream" {
		return model.Reply{}, notStream{media}
	}
	m := &message{on: on}
	decoder := ssestream.NewDecoder(res)
	size := 0
	for decoder.Next() {
		event := decoder.Event()
		idle.saw(event.Type)
		if size += len(event.Data); size > maxReply {
			return model.Reply{}, brokenStream{fmt.Sprintf("is longer than %d bytes", maxReply)}
		}
		if err := m.event(event.Type, event.Data); err != nil {
			return model.Reply{}, err
		}
		if m.stopped {
			return m.reply(res.Header.Get("request-id"))
		}
	}
	if err := decoder.Err(); err != nil {
		return model.Reply{}, err
	}
	return model.Reply{}, brokenStream{"ended before the reply was whole"}
}

// message is a reply under construction.
type message struct {
	on      func(model.Delta)
	started bool
	stopped bool
	id      string
	model   string
	stop    string
	usage   usage
	applied applied
	blocks  []*block
}

// usage is the API's counts; a count that is not sent keeps its last value.
type usage struct {
	Input      *int64 `json:"input_tokens"`
	Output     *int64 `json:"output_tokens"`
	CacheRead  *int64 `json:"cache_read_input_tokens"`
	CacheWrite *int64 `json:"cache_creation_input_tokens"`
	Lifetimes  *struct {
		Hour int64 `json:"ephemeral_1h_input_tokens"`
	} `json:"cache_creation"`
	Iterations []usage `json:"iterations"` // each pass of the model, when there was more than one
}

func (u *usage) count() deskhand.Usage {
	value := func(n *int64) int64 {
		if n == nil {
			return 0
		}
		return *n
	}
	total := deskhand.Usage{
		Input: value(u.Input), Output: value(u.Output),
		CacheRead: value(u.CacheRead), CacheWrite: value(u.CacheWrite),
	}
	if u.Lifetimes != nil {
		total.CacheWrite1h = u.Lifetimes.Hour
	}
	return total
}

// event is any event of a stream; each kind fills some of it.
type event struct {
	Index   int `json:"index"`
	Message struct {
		ID    string          `json:"id"`
		Model string          `json:"model"`
		Usage json.RawMessage `json:"usage"`
	} `json:"message"`
	ContentBlock json.RawMessage `json:"content_block"`
	Delta        json.RawMessage `json:"delta"`
	Usage        json.RawMessage `json:"usage"`
	Context      *applied        `json:"context_management"`
	Error        streamError     `json:"error"`
}

// event takes in one event. Kinds it does not know are passed over, as the API asks.
func (m *message) event(kind string, data []byte) error {
	handle, known := map[string]func(*event) error{
		"message_start":       m.start,
		"content_block_start": m.blockStart,
		"content_block_delta": m.blockDelta,
		"content_block_stop":  m.blockStop,
		"message_delta":       m.delta,
		"message_stop":        func(*event) error { m.stopped = true; return nil },
		"error":               func(e *event) error { return e.Error },
	}[kind]
	if !known {
		return nil
	}
	if !utf8.Valid(data) { // decoding would put other characters in its place
		return brokenStream{"is not UTF-8"}
	}
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		return brokenStream{"has an event that is not JSON"}
	}
	if !m.started && kind != "message_start" && kind != "error" {
		return brokenStream{"does not begin with message_start"}
	}
	return handle(&e)
}

func (m *message) start(e *event) error {
	if m.started {
		return brokenStream{"begins twice"}
	}
	m.started, m.id, m.model = true, e.Message.ID, e.Message.Model
	return m.count(e.Message.Usage)
}

func (m *message) count(raw json.RawMessage) error {
	if len(raw) > 0 && json.Unmarshal(raw, &m.usage) != nil {
		return brokenStream{"has a usage that cannot be read"}
	}
	return nil
}

func (m *message) blockStart(e *event) error {
	if e.Index != len(m.blocks) {
		return brokenStream{"has a block out of order"}
	}
	b, err := newBlock(e.ContentBlock)
	if err != nil {
		return err
	}
	m.blocks = append(m.blocks, b)
	return nil
}

func (m *message) open(index int) (*block, error) {
	if index < 0 || index >= len(m.blocks) || m.blocks[index].closed {
		return nil, brokenStream{"has a piece of a block that is not open"}
	}
	return m.blocks[index], nil
}

func (m *message) blockDelta(e *event) error {
	b, err := m.open(e.Index)
	if err != nil {
		return err
	}
	return b.add(e.Delta, m.on)
}

func (m *message) blockStop(e *event) error {
	b, err := m.open(e.Index)
	if err != nil {
		return err
	}
	b.closed = true
	return nil
}

func (m *message) delta(e *event) error {
	var d struct {
		StopReason string `json:"stop_reason"`
	}
	if len(e.Delta) > 0 && json.Unmarshal(e.Delta, &d) != nil {
		return brokenStream{"has a message_delta that cannot be read"}
	}
	if d.StopReason != "" {
		m.stop = d.StopReason
	}
	if e.Context != nil {
		m.applied = *e.Context
	}
	return m.count(e.Usage)
}

func (m *message) reply(requestID string) (model.Reply, error) {
	r := model.Reply{ID: m.id, RequestID: requestID, Model: m.model, StopReason: m.stop, Usage: m.usage.count(), Cleared: m.applied.cleared()}
	if len(m.usage.Iterations) > 1 { // the counts beside them leave out the passes that wrote a summary
		r.Usage = deskhand.Usage{}
		for _, pass := range m.usage.Iterations {
			r.Passes = append(r.Passes, pass.count())
			r.Usage = r.Usage.Add(pass.count())
		}
	}
	content := []byte{'['}
	for i, b := range m.blocks {
		if i > 0 {
			content = append(content, ',')
		}
		content = append(content, b.whole()...)
		b.report(&r)
	}
	r.Content = append(content, ']')
	if !json.Valid(r.Content) {
		return model.Reply{}, errors.New("the reply could not be put together") // unreachable: every part was read as JSON
	}
	return r, nil
}
