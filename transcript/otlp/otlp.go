// Package otlp tells a task as one OpenTelemetry trace in OTLP's JSON form: a
// span for the task, for each turn, each request to the model and each call,
// with the verdicts and answers of people as span events. Names follow the
// semantic conventions for generative AI as of version 1.41; what they have no
// name for begins with "deskhand.". docs/audit.md has the list.
//
// It reads events and nothing else, and the ids are made of them: telling a
// task twice is the same trace.
//
// It must never tell what was said, typed or seen unless it is asked to: see
// Options.Content. Reasons of verdicts and failures are told, and may quote it.
//
// Trust: what events hold is hostile text. It becomes the value of an
// attribute, and the name of a tool part of a span's name; nothing else.
package otlp

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"

	"github.com/deskhand/deskhand"
)

// schemaURL is the version of the conventions that the names are from.
const schemaURL = "https://opentelemetry.io/schemas/1.41.0"

// Options is what is told of a task. The zero value is usable.
type Options struct {
	Version string // of deskhand; default: it is left out
	Content bool   // also inputs and textual results of calls, and what people and the model said. Default: false
}

// Trace is one task as a trace. It is immutable.
type Trace struct {
	version string
	spans   []*span
}

// Spans returns how many spans there are.
func (t Trace) Spans() int { return len(t.spans) }

// Write writes the trace as one line of JSON, the form that a collector takes
// and keeps in files.
func (t Trace) Write(w io.Writer) error { return t.write(w, t.spans) }

func (t Trace) write(w io.Writer, spans []*span) error {
	resource := []attribute{text("service.name", "deskhand")}
	if t.version != "" {
		resource = append(resource, text("service.version", t.version))
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return deskhand.E("otlp", deskhand.Unavailable, enc.Encode(request{[]resourceSpans{{
		Resource:   attributed{resource},
		ScopeSpans: []scopeSpans{{Scope: scope{"github.com/deskhand/deskhand", t.version}, Spans: spans, SchemaURL: schemaURL}},
		SchemaURL:  schemaURL,
	}}}))
}

// The form of OTLP in JSON: names in lower camel case, ids in hexadecimal,
// numbers of 64 bits as texts, enumerations as numbers.
type (
	request struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   attributed   `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
		SchemaURL  string       `json:"schemaUrl"`
	}
	attributed struct {
		Attributes []attribute `json:"attributes"`
	}
	scopeSpans struct {
		Scope     scope   `json:"scope"`
		Spans     []*span `json:"spans"`
		SchemaURL string  `json:"schemaUrl"`
	}
	scope struct {
		Name    string `json:"name"`
		Version string `json:"version,omitempty"`
	}
	span struct {
		TraceID    string      `json:"traceId"`
		SpanID     string      `json:"spanId"`
		Parent     string      `json:"parentSpanId,omitempty"`
		Name       string      `json:"name"`
		Kind       int         `json:"kind"`
		Start      nano        `json:"startTimeUnixNano"`
		End        nano        `json:"endTimeUnixNano"`
		Attributes []attribute `json:"attributes"`
		Events     []moment    `json:"events,omitempty"`
		Status     status      `json:"status"`
	}
	moment struct {
		Time       nano        `json:"timeUnixNano"`
		Name       string      `json:"name"`
		Attributes []attribute `json:"attributes"`
	}
	status struct {
		Message string `json:"message,omitempty"`
		Code    int    `json:"code,omitempty"`
	}
	attribute struct {
		Key   string `json:"key"`
		Value value  `json:"value"`
	}
	value struct {
		String *string  `json:"stringValue,omitempty"`
		Bool   *bool    `json:"boolValue,omitempty"`
		Int    *string  `json:"intValue,omitempty"`
		Double *float64 `json:"doubleValue,omitempty"`
		Array  *array   `json:"arrayValue,omitempty"`
	}
	array struct {
		Values []value `json:"values"`
	}
)

// Kinds of spans and the status of one that failed.
const (
	kindInternal = 1
	kindClient   = 3
	statusError  = 2
)

// nano is a time in nanoseconds since 1970, written as a text.
type nano int64

func at(t time.Time) nano { return nano(t.UnixNano()) }

// MarshalJSON writes n as OTLP has it.
func (n nano) MarshalJSON() ([]byte, error) {
	return strconv.AppendQuote(nil, strconv.FormatInt(int64(n), 10)), nil
}

func text(key, s string) attribute { return attribute{key, value{String: &s}} }

func texts(key string, all ...string) attribute {
	a := array{}
	for _, s := range all {
		a.Values = append(a.Values, value{String: &s})
	}
	return attribute{key, value{Array: &a}}
}

func whole(key string, n int64) attribute {
	s := strconv.FormatInt(n, 10)
	return attribute{key, value{Int: &s}}
}

func amount(key string, f float64) attribute { return attribute{key, value{Double: &f}} }
func truth(key string, b bool) attribute     { return attribute{key, value{Bool: &b}} }

// scalar returns an attribute of a JSON value that is a text, a number or a truth.
func scalar(key string, v any) (attribute, bool) {
	switch v := v.(type) {
	case string:
		return text(key, v), v != ""
	case bool:
		return truth(key, v), true
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return whole(key, n), true
		}
		f, err := v.Float64()
		return amount(key, f), err == nil
	}
	return attribute{}, false
}

// Of folds the events of one task, from its first. Invalid: there is none, or
// an event's data is damaged.
func Of(events iter.Seq2[deskhand.Event, error], o Options) (Trace, error) {
	b := &builder{content: o.Content}
	for e, err := range events {
		if err == nil {
			err = b.add(e)
		}
		if err != nil {
			return Trace{}, err
		}
	}
	if b.task == nil {
		return Trace{}, deskhand.Errorf("otlp", deskhand.Invalid, "the task has no events")
	}
	b.end()
	return Trace{o.Version, b.spans}, nil
}

// id returns the id of a span that begins with event seq, in one of its roles.
func id(trace, role string, seq int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", trace, role, seq))
	return hex.EncodeToString(sum[:8])
}
