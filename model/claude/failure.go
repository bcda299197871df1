package claude

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/anthropics/anthropic-sdk-go/v2"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
)

const (
	maxErrorBody    = 1 << 20
	maxErrorMessage = 300 // characters of the API's own words
)

// limitErrorBody bounds what the SDK reads of an error, which it reads whole.
func limitErrorBody(req *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	res, err := next(req)
	if err == nil && res.StatusCode >= 400 && res.Body != nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxErrorBody), res.Body}
	}
	return res, err
}

// kind is what an HTTP status, or an error event, means to us.
type kind struct {
	code     deskhand.Code
	sentence string
	retry    bool
}

func kindOf(status int) kind {
	known, ok := map[int]kind{
		400: {deskhand.Invalid, "The API refused the request (400).", false},
		401: {deskhand.Unauthenticated, "The API key was refused (401). Check ANTHROPIC_API_KEY.", false},
		402: {deskhand.OverLimit, "The API account cannot pay (402). Check its billing.", false},
		403: {deskhand.Denied, "The API key may not do this (403). Check the key's permissions.", false},
		404: {deskhand.NotFound, "The API does not know the model or the address (404). Check --model and ANTHROPIC_BASE_URL.", false},
		408: {deskhand.Unavailable, "The API timed out (408).", true},
		409: {deskhand.Unavailable, "The API met a conflict (409).", true},
		413: {deskhand.Invalid, "The request is too large for the API (413).", false},
		422: {deskhand.Invalid, "The API refused the request (422).", false},
		429: {deskhand.OverLimit, "The API's rate limit is reached (429).", true},
		500: {deskhand.Unavailable, "The API had an internal error (500).", true},
		504: {deskhand.Unavailable, "The API timed out (504).", true},
		529: {deskhand.Unavailable, "The API is overloaded (529).", true},
	}[status]
	switch {
	case ok:
		return known
	case status >= 500:
		return kind{deskhand.Unavailable, fmt.Sprintf("The API failed (%d).", status), true}
	}
	return kind{deskhand.Invalid, fmt.Sprintf("The API refused the request (%d).", status), false}
}

// statusOf is the status an error event would have had as a response.
func statusOf(errorType string) int {
	status, ok := map[string]int{
		"invalid_request_error": 400, "authentication_error": 401, "billing_error": 402,
		"permission_error": 403, "not_found_error": 404, "conflict_error": 409,
		"request_too_large": 413, "rate_limit_error": 429, "api_error": 500,
		"timeout_error": 504, "overloaded_error": 529,
	}[errorType]
	if !ok {
		return 500
	}
	return status
}

// spent lists the codes of a 429 that no waiting mends.
func spent(code string) bool {
	return slices.Contains([]string{"contract_spend_limit_reached", "enforced_spend_limit_reached", "ramp_limit_exceeded"}, code)
}

// failures makes model errors: one sentence, no secrets.
type failures struct {
	host     string
	ambient  bool // the SDK was to find credentials
	provider model.Provider
	secrets  []string
}

func failuresOf(c Config) failures {
	f := failures{host: c.BaseURL, ambient: c.Ambient, provider: c.Provider}
	if base, err := url.Parse(c.BaseURL); c.BaseURL == "" {
		f.host = string(c.Provider)
	} else if err == nil {
		f.host = base.Host
	}
	for _, s := range []string{c.APIKey, c.AuthToken} {
		if len(s) > 0 {
			f.secrets = append(f.secrets, s)
		}
	}
	return f
}

// refusal is a request that was never sent.
func refusal(ctx context.Context, err error) *model.Error {
	if ctx.Err() != nil {
		return &model.Error{Code: deskhand.Canceled, Message: "The request was canceled.", Err: ctx.Err()}
	}
	return &model.Error{Code: deskhand.CodeOf(err), Message: err.Error(), Err: err}
}

// of returns the model error for whatever went wrong with a request.
func (f failures) of(ctx context.Context, err error) *model.Error {
	var (
		status *anthropic.Error
		event  streamError
		broken brokenStream
		other  notStream
		idle   idleError
	)
	cause := context.Cause(ctx)
	switch {
	case errors.As(cause, &idle):
		return &model.Error{Code: deskhand.Unavailable, Retry: true, Err: idle,
			Message: fmt.Sprintf("The API's reply stopped: %s.", idle)}
	case cause != nil:
		return &model.Error{Code: deskhand.Canceled, Message: "The request was canceled.", Err: cause}
	case errors.As(err, &status):
		return f.response(status)
	case errors.As(err, &event):
		return f.event(event)
	case errors.As(err, &broken):
		return &model.Error{Code: deskhand.Unavailable, Retry: true, Message: "The API's reply " + broken.what + "."}
	case errors.As(err, &other):
		return &model.Error{Code: deskhand.Unavailable,
			Message: fmt.Sprintf("%s answered with %s instead of a stream of events. Check ANTHROPIC_BASE_URL.", f.host, orNothing(other.mediaType))}
	}
	return f.connection(err)
}

func (f failures) response(e *anthropic.Error) *model.Error {
	k := kindOf(e.StatusCode)
	failed := &model.Error{
		Code: k.code, Status: e.StatusCode, Type: f.clean(string(e.Type())), Retry: k.retry,
		Message: f.sentence(k.sentence, e.Message),
	}
	if e.Response != nil {
		failed.RetryAfter = retryAfter(e.Response.Header)
		failed.Retry = shouldRetry(e.Response.Header, failed.Retry)
	}
	if spent(string(e.ErrorCode())) {
		failed.Retry = false
	}
	failed.TooLarge = tooLong(e.StatusCode, e.Message)
	return failed
}

// tooLong reports whether a refusal says that the conversation as a whole is
// too long, which a shorter one is not.
func tooLong(status int, message string) bool {
	if status == http.StatusRequestEntityTooLarge {
		return true
	}
	message = strings.ToLower(message)
	return status == http.StatusBadRequest && slices.ContainsFunc([]string{
		"prompt is too long", "exceed context limit", "too many images", "input is too long",
	}, func(words string) bool { return strings.Contains(message, words) })
}

func (f failures) event(e streamError) *model.Error {
	status := statusOf(e.Type)
	k := kindOf(status)
	return &model.Error{
		Code: k.code, Status: status, Type: f.clean(e.Type), Retry: k.retry, TooLarge: tooLong(status, e.Message),
		Message: f.sentence(k.sentence, e.Message),
	}
}

func (f failures) sentence(ours, theirs string) string {
	if theirs = f.clean(theirs); theirs == "" {
		return ours
	}
	return ours + " It says: " + theirs
}

// clean cuts the API's words, folds them to one line and takes out secrets.
func (f failures) clean(s string) string {
	for _, secret := range f.secrets {
		s = strings.ReplaceAll(s, secret, "***")
	}
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	if runes := []rune(s); len(runes) > maxErrorMessage {
		s = string(runes[:maxErrorMessage]) + "…"
	}
	return s
}

func orNothing(mediaType string) string {
	if mediaType == "" {
		return "nothing readable"
	}
	return mediaType
}

func shouldRetry(h http.Header, otherwise bool) bool {
	switch h.Get("x-should-retry") {
	case "true":
		return true
	case "false":
		return false
	}
	return otherwise
}

// retryAfter returns the wait the API asks for, 0 when it does not.
func retryAfter(h http.Header) time.Duration {
	const longest = 365 * 24 * time.Hour // what no one waits for, and no duration overflows with
	parse := func(value string, unit time.Duration) (time.Duration, bool) {
		n, err := strconv.ParseFloat(value, 64)
		if err != nil || !(n > 0) {
			return 0, false
		}
		return time.Duration(min(n*float64(unit), float64(longest))), true
	}
	if d, ok := parse(h.Get("Retry-After-Ms"), time.Millisecond); ok {
		return d
	}
	if d, ok := parse(h.Get("Retry-After"), time.Second); ok {
		return d
	}
	if at, err := http.ParseTime(h.Get("Retry-After")); err == nil {
		return max(0, min(time.Until(at), longest))
	}
	return 0
}

// connection names what went wrong below HTTP.
func (f failures) connection(err error) *model.Error {
	for _, c := range connectionFaults() {
		if c.is(err) {
			return &model.Error{Code: deskhand.Unavailable, Retry: c.retry, Err: err, Message: fmt.Sprintf(c.sentence, f.host)}
		}
	}
	if f.ambient && !isA[*url.Error](err) { // it failed before anything was sent
		if f.provider != model.Anthropic {
			return &model.Error{Code: deskhand.Unauthenticated, Err: err,
				Message: fmt.Sprintf("No credentials could be had for %s. Check its settings in the environment.", f.provider)}
		}
		return &model.Error{Code: deskhand.Unauthenticated, Err: err,
			Message: "No credentials could be had from the profile or workload identity of the environment. Check it, or set ANTHROPIC_API_KEY."}
	}
	return &model.Error{Code: deskhand.Unavailable, Retry: true, Err: err, Message: fmt.Sprintf("The connection to %s failed.", f.host)}
}

type connectionFault struct {
	is       func(error) bool
	sentence string // with %s for the host
	retry    bool
}

func connectionFaults() []connectionFault {
	return []connectionFault{
		{isA[*net.DNSError], "The name of %s cannot be looked up. Check the network and ANTHROPIC_BASE_URL.", true},
		{isA[*tls.CertificateVerificationError], "The certificate of %s is not trusted. Check the clock, the proxy and ANTHROPIC_BASE_URL.", false},
		{isA[x509.UnknownAuthorityError], "The certificate of %s is not trusted. Check the proxy and ANTHROPIC_BASE_URL.", false},
		{isA[tls.RecordHeaderError], "%s does not speak TLS. Check ANTHROPIC_BASE_URL.", false},
		{is(syscall.ECONNREFUSED), "%s refuses connections. Check ANTHROPIC_BASE_URL, and that the server runs.", true},
		{is(syscall.ECONNRESET), "%s dropped the connection.", true},
		{is(io.ErrUnexpectedEOF), "%s dropped the connection.", true},
		{is(io.EOF), "%s closed the connection without an answer.", true},
		{is(syscall.ENETUNREACH), "There is no network to %s.", true},
		{is(syscall.EHOSTUNREACH), "There is no way to %s.", true},
		{func(err error) bool {
			return strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
		},
			"%s does not speak TLS. Check ANTHROPIC_BASE_URL.", false},
	}
}

func isA[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}
