package custom

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/excerpt"
	"github.com/deskhand/deskhand/internal/input"
	"github.com/deskhand/deskhand/internal/plaintext"
)

// endpoint is where a tool sends its input.
type endpoint struct {
	method  string
	url     *url.URL
	headers []header
	secrets []string // that the headers hold
}

type header struct{ name, value string }

// queried are the methods whose input becomes the query; of the others it is
// the body.
var queried = map[string]bool{http.MethodGet: true, http.MethodDelete: true, http.MethodPost: false, http.MethodPut: false, http.MethodPatch: false}

const (
	maxAnswer    = 8 << 20 // bytes
	maxRedirects = 5
	maxHeaders   = 64 << 10 // bytes of an answer's headers
)

// newTransport is the standard library's, with connections of its own.
func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone() // unreachable to be anything else: nothing here replaces it
	t.MaxResponseHeaderBytes = maxHeaders
	return t
}

// errElsewhere is a redirect that is not followed: the person named one host.
var errElsewhere = errors.New("a redirect to elsewhere")

// sameOrigin follows redirects within the scheme, host and port the file names.
func sameOrigin(next *http.Request, before []*http.Request) error {
	first := before[0].URL
	if next.URL.Scheme != first.Scheme || next.URL.Host != first.Host || len(before) > maxRedirects {
		return errElsewhere
	}
	return nil
}

// request sends the input and words the answer.
func (e entry) request(ctx context.Context, client *http.Client, in json.RawMessage) (deskhand.Result, error) {
	limited, cancel := e.bounded(ctx)
	defer cancel()
	req, err := e.endpoint.compose(limited, in)
	if err != nil {
		return deskhand.Result{}, deskhand.E(op, deskhand.Internal, errors.New("a request could not be composed")) // err may hold a header
	}
	resp, err := client.Do(req)
	var body []byte
	if err == nil {
		defer resp.Body.Close()
		body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	}
	fail := func(text string, args ...any) (deskhand.Result, error) {
		return deskhand.Failure("Error: " + fmt.Sprintf(text, args...)), nil
	}
	switch {
	case ctx.Err() != nil:
		return deskhand.Result{}, deskhand.E(op, deskhand.Canceled, context.Cause(ctx))
	case limited.Err() != nil:
		return e.late(), nil
	case errors.Is(err, errElsewhere):
		return fail("The endpoint of %s sends on to another place, which is not followed.", e.name)
	case err != nil: // its text holds the address
		return fail("The endpoint of %s cannot be reached, or broke off its answer. Try again later, or go on without it.", e.name)
	case len(body) > maxAnswer:
		return fail("The answer of %s is larger than %d MB. Ask for less.", e.name, maxAnswer>>20)
	}
	return e.answer(resp, body)
}

// compose puts the input where the method has it.
func (p *endpoint) compose(ctx context.Context, in json.RawMessage) (*http.Request, error) {
	to, body := *p.url, io.Reader(nil)
	if queried[p.method] {
		to.RawQuery = p.query(in)
	} else {
		body = bytes.NewReader(in)
	}
	req, err := http.NewRequestWithContext(ctx, p.method, to.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "deskhand")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range p.headers {
		req.Header.Set(h.name, h.value)
	}
	return req, nil
}

// query adds the fields of the input: strings as they are, anything else as
// JSON. What the file fixes stays as it is.
func (p *endpoint) query(in json.RawMessage) string {
	values, fixed := url.Values{}, p.url.Query()
	o := input.Read(in)
	for _, name := range o.Names() {
		text, problem := input.String(o.Peek(name))
		if problem != "" {
			text = string(o.Peek(name))
		}
		values.Set(name, text)
	}
	for name, list := range fixed {
		values[name] = list
	}
	return values.Encode()
}

// answer words what came back. A status that is not one of success is an error.
func (e entry) answer(resp *http.Response, body []byte) (deskhand.Result, error) {
	ok := resp.StatusCode/100 == 2
	var text string
	switch {
	case len(body) == 0:
		text = noOutput
	case !utf8.Valid(body) || bytes.IndexByte(body, 0) >= 0:
		kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		if err != nil {
			kind = "of no known type"
		}
		text, ok = fmt.Sprintf("Error: The answer of %s is not text (%s, %d bytes).", e.name, e.endpoint.hide(plaintext.Short(kind, 64)), len(body)), false
	default:
		x := excerpt.New(e.maxOutput)
		x.Drain(strings.NewReader(e.endpoint.hide(string(body))))
		text = strings.TrimRight(x.Text(), "\n")
	}
	if resp.StatusCode/100 != 2 {
		text = fmt.Sprintf("Error: %s answered with HTTP status %d.\n%s", e.name, resp.StatusCode, text)
	}
	result := deskhand.Text(text)
	result.IsError = !ok
	return result, nil
}

// hide takes the secrets out of what an endpoint echoes, also in the forms that
// JSON and URLs give them.
func (p *endpoint) hide(text string) string {
	var pairs []string
	for _, secret := range p.secrets {
		quoted, _ := json.Marshal(secret) // a string can always be written
		for _, form := range []string{secret, string(quoted[1 : len(quoted)-1]), url.QueryEscape(secret), url.PathEscape(secret)} {
			pairs = append(pairs, form, "[secret]")
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
