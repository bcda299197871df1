package otlp_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// collector stands in for an OTLP collector. It refuses what is not in the form
// of the specification.
type collector struct {
	*httptest.Server
	mu       sync.Mutex
	requests int
	spans    []span
	header   http.Header
	answer   string
	status   int
}

type span struct {
	TraceID, SpanID, ParentSpanID, Name string
	Kind                                int
	StartTimeUnixNano, EndTimeUnixNano  string
	Attributes                          []keyValue
	Events                              []struct {
		TimeUnixNano, Name string
		Attributes         []keyValue
	}
	Status struct {
		Code    int
		Message string
	}
	start, end int64
}

type keyValue struct {
	Key   string
	Value map[string]json.RawMessage
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{answer: `{"partialSuccess":{}}`, status: http.StatusOK}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.requests++
		c.header = r.Header
		w.Header().Set("Content-Type", "application/json")
		if r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		spans, err := read(json.NewDecoder(r.Body))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			json.NewEncoder(w).Encode(map[string]string{"message": err.Error()})
			return
		}
		c.spans = append(c.spans, spans...)
		w.WriteHeader(c.status)
		fmt.Fprint(w, c.answer)
	}))
	t.Cleanup(c.Close)
	return c
}

// read reads a request strictly.
func read(dec *json.Decoder) ([]span, error) {
	dec.DisallowUnknownFields()
	var body struct {
		ResourceSpans []struct {
			Resource   struct{ Attributes []keyValue }
			SchemaURL  string
			ScopeSpans []struct {
				Scope     struct{ Name, Version string }
				SchemaURL string
				Spans     []span
			}
		}
	}
	if err := dec.Decode(&body); err != nil {
		return nil, err
	}
	var out []span
	for _, r := range body.ResourceSpans {
		if !slices.ContainsFunc(r.Resource.Attributes, func(a keyValue) bool {
			return a.Key == "service.name" && string(a.Value["stringValue"]) == `"deskhand"`
		}) {
			return nil, errors.New("no service.name")
		}
		for _, s := range r.ScopeSpans {
			out = append(out, s.Spans...)
		}
	}
	for i := range out {
		if err := out[i].check(); err != nil {
			return nil, fmt.Errorf("span %q: %w", out[i].Name, err)
		}
	}
	return out, nil
}

// check looks at what a span must be by itself.
func (s *span) check() (err error) {
	hexes := func(text string, size int) bool {
		raw, err := hex.DecodeString(text)
		return err == nil && len(raw) == size && strings.Trim(text, "0") != "" && text == strings.ToLower(text)
	}
	if !hexes(s.TraceID, 16) || !hexes(s.SpanID, 8) || s.ParentSpanID != "" && !hexes(s.ParentSpanID, 8) {
		return fmt.Errorf("an id is wrong: %q %q %q", s.TraceID, s.SpanID, s.ParentSpanID)
	}
	if s.Name == "" || s.Kind < 1 || s.Kind > 5 || s.Status.Code < 0 || s.Status.Code > 2 {
		return fmt.Errorf("kind %d, status %d", s.Kind, s.Status.Code)
	}
	var wrong error
	s.start, wrong = strconv.ParseInt(s.StartTimeUnixNano, 10, 64)
	s.end, err = strconv.ParseInt(s.EndTimeUnixNano, 10, 64)
	if err = errors.Join(err, wrong); err != nil || s.start <= 0 || s.end < s.start {
		return fmt.Errorf("it takes from %s to %s: %w", s.StartTimeUnixNano, s.EndTimeUnixNano, err)
	}
	if err := checkAttributes(s.Attributes); err != nil {
		return err
	}
	for _, e := range s.Events {
		t, err := strconv.ParseInt(e.TimeUnixNano, 10, 64)
		if err != nil || t < s.start || t > s.end || e.Name == "" {
			return fmt.Errorf("the event %q is at %s", e.Name, e.TimeUnixNano)
		}
		if err := checkAttributes(e.Attributes); err != nil {
			return err
		}
	}
	return nil
}

// forms is how values are written: a number of 64 bits is a text.
var forms = map[string]func(json.RawMessage) bool{
	"stringValue": func(v json.RawMessage) bool { return v[0] == '"' },
	"intValue": func(v json.RawMessage) bool {
		n, err := strconv.Unquote(string(v))
		_, bad := strconv.ParseInt(n, 10, 64)
		return err == nil && bad == nil
	},
	"boolValue":   func(v json.RawMessage) bool { return string(v) == "true" || string(v) == "false" },
	"doubleValue": func(v json.RawMessage) bool { _, err := strconv.ParseFloat(string(v), 64); return err == nil },
	"arrayValue":  func(v json.RawMessage) bool { return strings.HasPrefix(string(v), `{"values":[{`) },
}

func checkAttributes(all []keyValue) error {
	seen := map[string]bool{}
	for _, a := range all {
		if a.Key == "" || seen[a.Key] || len(a.Value) != 1 {
			return fmt.Errorf("the attribute %q is there twice, or has %d values", a.Key, len(a.Value))
		}
		seen[a.Key] = true
		for kind, v := range a.Value {
			if form := forms[kind]; form == nil || !form(v) {
				return fmt.Errorf("the attribute %q has a %s %s", a.Key, kind, v)
			}
		}
	}
	return nil
}

// attribute returns a value as it is written.
func attribute(all []keyValue, key string) string {
	for _, a := range all {
		if a.Key == key {
			for _, v := range a.Value {
				return string(v)
			}
		}
	}
	return ""
}

// linked checks that the spans are one tree, whose parents contain their children.
func linked(t *testing.T, spans []span) {
	t.Helper()
	byID, roots := map[string]span{}, 0
	for _, s := range spans {
		if _, twice := byID[s.SpanID]; twice {
			t.Errorf("two spans have the id %s", s.SpanID)
		}
		byID[s.SpanID] = s
	}
	for _, s := range spans {
		p, known := byID[s.ParentSpanID]
		switch {
		case s.ParentSpanID == "":
			roots++
		case !known:
			t.Errorf("%q has no parent among the spans", s.Name)
		case s.start < p.start || s.end > p.end:
			t.Errorf("%q (%d to %d) is not within %q (%d to %d)", s.Name, s.start, s.end, p.Name, p.start, p.end)
		}
		if s.TraceID != spans[0].TraceID {
			t.Errorf("%q is of another trace", s.Name)
		}
	}
	if roots != 1 {
		t.Errorf("%d spans without a parent", roots)
	}
}
