package model

import (
	"bytes"
	"encoding/json"

	"github.com/deskhand/deskhand"
)

// Bounds are what one request may have.
type Bounds struct {
	Images     int `json:"images"`      // pictures, those of the history too
	Body       int `json:"body"`        // bytes of the whole request
	ImageBytes int `json:"image_bytes"` // bytes of one picture in base64
}

// Window is what of a history is sent. It depends on the history alone and
// moves in steps, so that the requests between two steps share their beginning.
type Window struct {
	// From is the first message that is sent after the very first one: the one
	// with the API's own summary of what came before. 0: all are sent.
	From int
	// Omit is how many of the oldest images, counted from From, are replaced by
	// a few words.
	Omit int
	// OmitIn is the message that has the last of them; -1: none is.
	OmitIn int
	// Full: little room is left, so that a summary is due.
	Full bool
}

const (
	// Of a bound: from fullShare on a summary is due, above mostShare old images
	// are left out. What is left is for the answers that one turn adds.
	fullShare = 0.7
	mostShare = 0.85

	keepAtBound = 20 // newest images that stay when a bound is near

	// Where the API cannot clear old results, deskhand leaves out old images
	// itself: all but keepOld, every pruneEvery replies. Each time costs a new
	// write of the cache, so it is not done at every turn.
	keepOld    = 3
	pruneEvery = 25

	bytesPerPatch = 128 // of an encoded image of unknown length, on the high side
	overhead      = 64  // bytes of a block besides its content
)

// Window returns what of a history is sent to the model. Each time the endpoint
// found the conversation too large, counted by tight, half as much is.
func (m Info) Window(messages []Message, tight int) Window {
	w := Window{OmitIn: -1, From: summaryAt(messages)}
	f := folded{info: m, shrink: 1 / float64(int(1)<<min(tight, maxTight))}
	for i := w.From; i < len(messages); i++ {
		f.message(i, messages[i])
	}
	w.Omit, w.OmitIn, w.Full = f.omitted, f.omitIn(), f.over(fullShare)
	return w
}

// maxTight is how often a conversation can be made smaller.
const maxTight = 4

// folded is a walk over a history. After each image it decides anew, so that
// what comes later never changes what was decided before.
type folded struct {
	info    Info
	shrink  float64
	images  []picture // all of them
	omitted int       // of them, the oldest
	live    int       // bytes that are sent
	replies int       // since the last step
}

type picture struct{ message, length int }

func (f *folded) message(i int, m Message) {
	f.live += len(m.Raw) + overhead
	if m.Role == Assistant {
		f.replies++
	}
	for _, b := range m.Blocks {
		f.live += len(b.Text) + overhead
		for _, c := range b.Result.Content {
			f.live += len(c.Text) + overhead
			if c.Image != nil {
				f.image(picture{i, encodedLength(c.Image)})
			}
		}
	}
}

func (f *folded) image(p picture) {
	f.images = append(f.images, p)
	f.live += p.length
	switch {
	case f.over(mostShare):
		f.omit(max(1, int(keepAtBound*f.shrink)))
	case !f.info.Clears && !f.info.Preserved && f.replies >= pruneEvery:
		f.omit(keepOld)
	}
}

// over reports whether more than a share of a bound is used.
func (f *folded) over(share float64) bool {
	b, share := f.info.Bounds, share*f.shrink
	return float64(len(f.images)-f.omitted) > share*float64(b.Images) || float64(f.live) > share*float64(b.Body)
}

// omit leaves out all but the newest images.
func (f *folded) omit(keep int) {
	for f.omitted < len(f.images)-keep {
		f.live -= f.images[f.omitted].length
		f.omitted++
	}
	f.replies = 0
}

func (f *folded) omitIn() int {
	if f.omitted == 0 {
		return -1
	}
	return f.images[f.omitted-1].message
}

// encodedLength is how many bytes an image takes in a request.
func encodedLength(img *deskhand.Image) int {
	length := max(img.Bytes, len(img.Data))
	if length == 0 {
		length = bytesPerPatch * ImageTokens(img.Size)
	}
	return (length + 2) / 3 * 4
}

// summaryAt returns the newest message that begins with a summary of those
// before it, or 0.
func summaryAt(messages []Message) int {
	for i := len(messages) - 1; i > 0; i-- {
		if HasSummary(messages[i].Raw) {
			return i
		}
	}
	return 0
}

// HasSummary reports whether an assistant's content has the API's summary of
// what came before. One that failed has no content and stands for nothing.
func HasSummary(content json.RawMessage) bool {
	if !bytes.Contains(content, []byte(`"compaction"`)) {
		return false
	}
	var blocks []struct {
		Type    string  `json:"type"`
		Content *string `json:"content"`
	}
	// Other blocks may have a content that is not a text; they are then not read.
	_ = json.Unmarshal(content, &blocks)
	for _, b := range blocks {
		if b.Type == "compaction" && b.Content != nil {
			return true
		}
	}
	return false
}
