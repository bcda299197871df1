package claude

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/rawjson"
	"github.com/deskhand/deskhand/model"
)

// block is one content block under construction: the object it began as, and
// what was streamed into its members. Members that were not streamed keep their
// bytes, unknown ones too.
type block struct {
	object    *rawjson.Object
	kind      string
	streamed  map[string]*strings.Builder // string members: text, thinking, signature
	input     bytes.Buffer                // of a tool_use, as pieces of JSON
	hasInput  bool
	citations []json.RawMessage
	closed    bool
}

func newBlock(raw json.RawMessage) (*block, error) {
	object, err := rawjson.Parse(raw)
	if err != nil {
		return nil, brokenStream{"has a block that is not an object"}
	}
	return &block{object: object, kind: object.Text("type"), streamed: map[string]*strings.Builder{}}, nil
}

// add takes in one delta. Kinds it does not know are passed over.
func (b *block) add(raw json.RawMessage, on func(model.Delta)) error {
	var d struct {
		Type, Text, Thinking, Signature string
		PartialJSON                     string  `json:"partial_json"`
		Content                         *string // of a summary; null when it failed
		Encrypted                       *string `json:"encrypted_content"`
		Citation                        json.RawMessage
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return brokenStream{"has a piece that cannot be read"}
	}
	switch d.Type {
	case "text_delta":
		b.extend("text", d.Text)
		tell(on, model.Delta{Text: d.Text})
	case "thinking_delta":
		b.extend("thinking", d.Thinking)
		tell(on, model.Delta{Thinking: d.Thinking})
	case "signature_delta":
		b.extend("signature", d.Signature)
	case "input_json_delta":
		b.input.WriteString(d.PartialJSON)
		b.hasInput = b.hasInput || d.PartialJSON != ""
	case "compaction_delta":
		b.extendBy("content", d.Content)
		b.extendBy("encrypted_content", d.Encrypted)
	case "citations_delta":
		b.citations = append(b.citations, d.Citation)
	}
	return nil
}

func tell(on func(model.Delta), d model.Delta) {
	if d != (model.Delta{}) {
		on(d)
	}
}

func (b *block) extend(member, piece string) {
	if b.streamed[member] == nil {
		b.streamed[member] = &strings.Builder{}
		b.streamed[member].WriteString(b.object.Text(member))
	}
	b.streamed[member].WriteString(piece)
}

func (b *block) extendBy(member string, piece *string) {
	if piece != nil {
		b.extend(member, *piece)
	}
}

// whole returns the finished block.
func (b *block) whole() []byte {
	for _, member := range []string{"text", "thinking", "signature", "content", "encrypted_content"} {
		if s := b.streamed[member]; s != nil {
			b.object.Set(member, rawjson.String(s.String()))
		}
	}
	if len(b.citations) > 0 {
		joined := append([]byte{'['}, bytes.Join(rawSlices(b.citations), []byte(","))...)
		b.object.Set("citations", append(joined, ']'))
	}
	if b.kind == "tool_use" && b.object.Get("input") == nil {
		b.object.Set("input", json.RawMessage(`{}`))
	}
	if b.hasInput {
		if isObject(b.input.Bytes()) {
			b.object.Set("input", bytes.Clone(b.input.Bytes()))
		} else {
			b.object.Set("input", json.RawMessage(`{}`)) // the API takes back objects only
		}
	}
	return b.object.Bytes()
}

// report adds what the block says to a reply.
func (b *block) report(r *model.Reply) {
	switch b.kind {
	case "text":
		if text := b.object.Text("text"); text != "" {
			if r.Text != "" {
				r.Text += "\n"
			}
			r.Text += text
		}
	case "compaction":
		if model.HasSummary(append(append([]byte{'['}, b.object.Bytes()...), ']')) {
			r.Cleared = append(r.Cleared, deskhand.Cleared{What: deskhand.ClearedHistory})
		}
	case "tool_use":
		r.Calls = append(r.Calls, deskhand.Call{
			ID:      b.object.Text("id"),
			Toolset: b.object.Text("toolset_name"),
			Name:    b.object.Text("name"),
			Input:   b.callInput(),
		})
	}
}

// callInput returns the input as the model wrote it, marked when it is not a
// JSON object (model.InvalidInput).
func (b *block) callInput() json.RawMessage {
	raw := b.input.Bytes()
	if !b.hasInput {
		raw = b.object.Get("input")
	}
	if !isObject(raw) {
		return model.MarkInvalid(string(raw))
	}
	return bytes.Clone(raw)
}

func isObject(raw []byte) bool {
	_, err := rawjson.Parse(raw)
	return err == nil
}

func rawSlices(raws []json.RawMessage) [][]byte {
	parts := make([][]byte, len(raws))
	for i, r := range raws {
		parts[i] = r
	}
	return parts
}
