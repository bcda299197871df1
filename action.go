package deskhand

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Call is one thing the model asks for: one tool_use block of a reply.
type Call struct {
	ID      string          `json:"id"`                     // the API's tool_use id
	Toolset string          `json:"toolset_name,omitempty"` // "computer", "browser" or empty
	Name    string          `json:"name"`
	Input   json.RawMessage `json:"input"` // as the model wrote it; not validated
}

// Result is what the world answered to a Call. A tool's failure is a Result
// with IsError, text that the model reads and goes on from; it is not a Go error.
type Result struct {
	Content []Content `json:"content"`
	IsError bool      `json:"is_error,omitempty"`
	Effect  Effect    `json:"effect,omitempty"`
}

// Effect is what a call did to its world, as far as its tool can tell; empty
// when it cannot. It is for the runtime, and the model is not told.
type Effect string

// The effects.
const (
	EffectNone Effect = "none" // it was to do something that can be seen, and nothing was drawn
	EffectSome Effect = "some" // something was drawn after it
	EffectLook Effect = "look" // it only looked or waited
)

// Content is a piece of a Result: a text, or an image, never both.
type Content struct {
	Text  string `json:"text,omitempty"`
	Image *Image `json:"image,omitempty"`
}

// Image is an encoded picture. Data travels only in memory; events carry Hash,
// and the bytes are a blob of that name.
type Image struct {
	Hash      Hash   `json:"hash"`
	MediaType string `json:"media_type"` // image/png or image/jpeg
	Size      Size   `json:"size"`       // pixels of the encoded picture
	Bytes     int    `json:"bytes,omitempty"`
	Data      []byte `json:"-"`
}

// NewImage returns an image of data with its hash filled in.
func NewImage(mediaType string, size Size, data []byte) *Image {
	return &Image{Hash: HashOf(data), MediaType: mediaType, Size: size, Bytes: len(data), Data: data}
}

// Text returns a Result of one text.
func Text(s string) Result { return Result{Content: []Content{{Text: s}}} }

// Failure returns an error Result of one text. An empty text would be refused
// by the API, so it is replaced by fixed words.
func Failure(s string) Result {
	if s == "" {
		s = "The tool call failed with an empty error message."
	}
	return Result{Content: []Content{{Text: s}}, IsError: true}
}

// Hash is a SHA-256 in lower-case hexadecimal.
type Hash string

// HashOf returns the hash of data.
func HashOf(data []byte) Hash {
	sum := sha256.Sum256(data)
	return Hash(hex.EncodeToString(sum[:]))
}

// Valid reports whether h has the form of a hash. Check it before a hash from
// outside becomes part of a file name.
func (h Hash) Valid() bool {
	raw, err := hex.DecodeString(string(h))
	return err == nil && len(raw) == sha256.Size && hex.EncodeToString(raw) == string(h)
}
