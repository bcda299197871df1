package otlp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/plaintext"
)

const (
	batch       = 1000             // spans in one request
	sendTimeout = 30 * time.Second // for one request
	maxAnswer   = 64 << 10         // bytes
	tracesPath  = "/v1/traces"
)

// Endpoint is where traces are sent.
type Endpoint struct {
	url     string
	headers http.Header
}

// NewEndpoint reads the address of a collector, to which /v1/traces is added
// unless it is there, and headers in the form of OTEL_EXPORTER_OTLP_HEADERS:
// name=value pairs with commas in between, values percent-encoded. Headers are
// taken for secrets. Invalid.
func NewEndpoint(address, headers string) (Endpoint, error) {
	invalid := func(format string, args ...any) (Endpoint, error) {
		return Endpoint{}, deskhand.Errorf("otlp", deskhand.Invalid, format, args...)
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return invalid("the endpoint is no address such as http://localhost:4318, without a name and a password")
	}
	if !strings.HasSuffix(u.Path, tracesPath) {
		u.Path = strings.TrimSuffix(u.Path, "/") + tracesPath
	}
	e := Endpoint{u.String(), http.Header{"Content-Type": {"application/json"}}}
	for pair := range strings.SplitSeq(headers, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := header(pair)
		if !ok {
			return invalid("the headers for the endpoint cannot be read: write them like name=value,name=value")
		}
		if u.Scheme != "https" && !loopback(u.Hostname()) {
			return invalid("headers may hold a secret and are only sent over https, or to this machine itself")
		}
		e.headers.Set(name, value)
	}
	return e, nil
}

// header reads name=value.
func header(pair string) (name, value string, ok bool) {
	name, value, found := strings.Cut(pair, "=")
	name = strings.TrimSpace(name)
	value, err := url.PathUnescape(strings.TrimSpace(value))
	return name, value, found && err == nil && name != "" && !strings.ContainsAny(name+value, "\r\n")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Send sends the trace, in several requests when it is large. Sending it again
// does no harm: its ids are the same. Unavailable: nobody answers, or not now.
// Unauthenticated. Invalid: it was refused, or a part of it was.
func (t Trace) Send(ctx context.Context, to Endpoint) error {
	transport := http.DefaultTransport.(*http.Transport).Clone() // unreachable to be anything else: nothing here replaces it
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for rest := t.spans; len(rest) > 0; {
		n := min(batch, len(rest))
		var body bytes.Buffer
		if err := t.write(&body, rest[:n]); err != nil {
			return err
		}
		if err := to.post(ctx, client, &body); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

func (e Endpoint) post(ctx context.Context, client *http.Client, body io.Reader) error {
	limited, cancel := context.WithTimeoutCause(ctx, sendTimeout, fmt.Errorf("the endpoint did not answer within %s", sendTimeout))
	defer cancel()
	req, err := http.NewRequestWithContext(limited, http.MethodPost, e.url, body)
	if err != nil {
		return deskhand.Errorf("otlp", deskhand.Internal, "a request could not be composed") // err may hold a header
	}
	req.Header = e.headers.Clone()
	resp, err := client.Do(req)
	if err != nil {
		if cause := context.Cause(limited); cause != nil {
			err = cause
		}
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return deskhand.Errorf("otlp", deskhand.Unavailable, "the trace could not be sent (%w): is a collector listening there?", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return deskhand.Errorf("otlp", deskhand.Unavailable, "the endpoint broke off its answer; send it again: %w", err)
	}
	return judge(resp.StatusCode, answer)
}

// codes is what a status other than 200 means. Those of 429 and 5xx can be tried again.
var codes = map[int]deskhand.Code{
	http.StatusUnauthorized: deskhand.Unauthenticated, http.StatusForbidden: deskhand.Unauthenticated, http.StatusTooManyRequests: deskhand.Unavailable,
}

// judge reads an answer of OTLP.
func judge(status int, answer []byte) error {
	var said struct {
		Message string `json:"message"` // of a failure
		Partial struct {
			Rejected json.RawMessage `json:"rejectedSpans"` // a number, or one as a text
			Message  string          `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	_ = json.Unmarshal(answer, &said) // an answer that is no JSON says nothing more than its status
	rejected := strings.Trim(string(said.Partial.Rejected), `"`)
	switch {
	case status/100 == 2 && (rejected == "" || rejected == "0"):
		return nil
	case status/100 == 2:
		return deskhand.Errorf("otlp", deskhand.Invalid, "the endpoint refused %s spans: %s", plaintext.Short(rejected, 20), plaintext.Line(plaintext.Short(said.Partial.Message, 300)))
	}
	code, known := codes[status]
	if !known {
		code = deskhand.Invalid
		if status >= http.StatusInternalServerError {
			code = deskhand.Unavailable
		}
	}
	return deskhand.Errorf("otlp", code, "the endpoint answered with status %d %s", status, plaintext.Line(plaintext.Short(said.Message, 300)))
}
