// Package model is what a language model is to deskhand: a Request in, a Reply
// out, streamed while it comes. It also has the catalogue of models (what each
// accepts and costs), the rules for images, and the decorator Retry.
//
// Drivers: model/claude speaks the Messages API. model/script is a strict
// stand-in for that API, an HTTP server that plays a script.
//
// Source of the contract: Messages API version 2026-10-21.
package model

import (
	"context"
	"encoding/json"
	"time"

	"github.com/deskhand/deskhand"
)

// Model answers requests. It may be used concurrently.
//
// Reply sends one request and returns when the whole reply is there. It calls
// on (which may be nil) with each piece as it comes, from the calling goroutine.
// Nothing of a reply may be acted on before Reply returns without an error.
//
// Errors: *Error, with code Unauthenticated (401), Denied (403), NotFound (404:
// no such model), Invalid (400, 413), OverLimit (429), Unavailable (connection,
// 408, 5xx, 529, broken stream), Canceled.
type Model interface {
	Reply(ctx context.Context, req Request, on func(Delta)) (Reply, error)
}

// Request is one request. The parts are sent in a fixed order with fixed bytes,
// so that equal prefixes are equal on the wire.
type Request struct {
	Model     string
	System    string
	Tools     []json.RawMessage // entries of the tools array, as given
	Betas     []string          // anthropic-beta headers
	Messages  []Message
	MaxTokens int    // default: the catalogue's for the model
	Effort    string // "" leaves the model's default

	// How the history is sent. All three follow from the journal, so that a task
	// that is taken up again sends the same bytes.
	Cleared int  // results that the API said it had cleared with the reply before; a hint where to cache
	Slow    bool // replies lie further apart than the short lifetime of cached prompts
	Tight   int  // times the endpoint found this conversation too large

	// Image returns the bytes of an image by its hash. Needed when a Result in
	// Messages has images whose Data is nil.
	Image func(ctx context.Context, hash deskhand.Hash) ([]byte, error)
}

// Role is who speaks.
type Role string

// The roles.
const (
	User      Role = "user"
	Assistant Role = "assistant"
)

// Message is one message of the history.
type Message struct {
	Role Role
	// Raw is an assistant's content array exactly as it was received. With Raw,
	// Blocks is empty.
	Raw    json.RawMessage
	Blocks []Block // a user's content, tool results first
}

// Block is one block of a user's message: a text, an image, or the answer to a call.
type Block struct {
	Text  string
	Image *deskhand.Image // instead of a text

	CallID  string          // set: the block is a tool_result
	Toolset string          // echoed as toolset_name
	Result  deskhand.Result // of the call
}

// Delta is a piece of a reply as it streams in.
type Delta struct {
	Text     string
	Thinking string
}

// Reply is one whole reply.
type Reply struct {
	ID         string
	RequestID  string
	Model      string          // as the API named it
	Content    json.RawMessage // the content array, to be sent back verbatim
	Text       string          // its text blocks, joined by newlines
	Calls      []deskhand.Call // its tool_use blocks, in order; see InvalidInput
	StopReason string
	Usage      deskhand.Usage // of all passes
	// Passes has the usage of each pass of the model when there was more than
	// one: the API sums up the history in a pass of its own, and bills both.
	Passes  []deskhand.Usage
	Cleared []deskhand.Cleared // what of the history the model was not shown
}

// Cost returns what the reply cost, each pass at its own price.
func (r Reply) Cost(price func(deskhand.Usage) float64) float64 {
	if len(r.Passes) == 0 {
		return price(r.Usage)
	}
	sum := 0.0
	for _, u := range r.Passes {
		sum += price(u)
	}
	return sum
}

// Error is a failed request.
type Error struct {
	Code       deskhand.Code
	Status     int           // HTTP status; 0 when there was none
	Type       string        // the API's error.type
	Message    string        // one sentence for a person, without secrets
	RetryAfter time.Duration // as asked by the API; 0 when it did not
	Retry      bool          // sending the same request again may work
	TooLarge   bool          // the conversation is too long for the endpoint; a shorter one may work
	Err        error
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
