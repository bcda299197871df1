package script

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/deskhand/deskhand/internal/rawjson"
)

// sent is one block as it goes out: the whole object, and for a tool_use the
// text its input is streamed as.
type sent struct {
	object    *rawjson.Object
	inputText string
}

// answer is one whole reply.
type answer struct {
	id     string
	model  string
	blocks []sent
	stop   string
	usage  counts

	summary *sent // of the blocks, the first; nil: the prompt was not summed up
	applied *appliedEdits
}

// counts is the usage object of the API.
type counts struct {
	Input      int `json:"input_tokens"`
	CacheWrite int `json:"cache_creation_input_tokens"`
	CacheRead  int `json:"cache_read_input_tokens"`
	Lifetimes  struct {
		Minutes int `json:"ephemeral_5m_input_tokens"`
		Hour    int `json:"ephemeral_1h_input_tokens"`
	} `json:"cache_creation"`
	Output int    `json:"output_tokens"`
	Tier   string `json:"service_tier,omitempty"`

	Type       string   `json:"type,omitempty"` // of an iteration
	Iterations []counts `json:"iterations,omitempty"`
}

// contentJSON returns the content array as a client should put it together.
func (a answer) contentJSON() json.RawMessage {
	parts := make([][]byte, len(a.blocks))
	for i, b := range a.blocks {
		parts[i] = b.object.Bytes()
	}
	return append(append([]byte{'['}, bytes.Join(parts, []byte(","))...), ']')
}

func (a answer) message(content json.RawMessage, stop any, usage counts) map[string]any {
	m := map[string]any{
		"id": a.id, "type": "message", "role": "assistant", "model": a.model,
		"content": content, "stop_reason": stop, "stop_sequence": nil, "usage": usage,
	}
	if a.applied != nil && stop != nil {
		m["context_management"] = a.applied
	}
	return m
}

// whole returns the reply to a request that does not stream.
func (a answer) whole() []byte { return mustJSON(a.message(a.contentJSON(), a.stop, a.usage)) }

// stream returns the events of the reply. With an error type the stream ends in
// an error event after its first block.
func (a answer) stream(errorType, errorText string) []byte {
	var b bytes.Buffer
	start := a.usage
	start.Output, start.Iterations = 1, nil
	emit(&b, "message_start", map[string]any{"message": a.message(json.RawMessage("[]"), nil, start)})
	emit(&b, "ping", nil)
	for i, block := range a.blocks {
		block.emit(&b, i)
		if errorType != "" {
			break
		}
	}
	if errorType != "" {
		fmt.Fprintf(&b, "event: error\ndata: %s\n\n", refuse(errorType, "%s", errorText).body(""))
		return b.Bytes()
	}
	usage := map[string]any{"output_tokens": a.usage.Output}
	if len(a.usage.Iterations) > 0 {
		usage["iterations"] = a.usage.Iterations
	}
	end := map[string]any{"delta": map[string]any{"stop_reason": a.stop, "stop_sequence": nil}, "usage": usage}
	if a.applied != nil {
		end["context_management"] = a.applied
	}
	emit(&b, "message_delta", end)
	emit(&b, "message_stop", nil)
	return b.Bytes()
}

// emit writes one event.
func emit(b *bytes.Buffer, kind string, fields map[string]any) {
	if fields == nil {
		fields = map[string]any{}
	}
	fields["type"] = kind
	fmt.Fprintf(b, "event: %s\ndata: %s\n\n", kind, mustJSON(fields))
}

// streamedMembers are the members that arrive in pieces, by block type, each
// with the type of its delta.
func streamedMembers(blockType string) [][2]string {
	return map[string][][2]string{
		"text":     {{"text", "text_delta"}},
		"thinking": {{"thinking", "thinking_delta"}, {"signature", "signature_delta"}},
	}[blockType]
}

// pieceLength is the size of a delta in bytes.
const pieceLength = 24

func (s sent) emit(b *bytes.Buffer, index int) {
	start, err := rawjson.Parse(s.object.Bytes())
	if err != nil {
		panic("script: block: " + err.Error()) // unreachable: it was written by the same package
	}
	kind := start.Text("type")
	for _, m := range streamedMembers(kind) {
		start.Set(m[0], json.RawMessage(`""`))
	}
	if kind == "tool_use" {
		start.Set("input", json.RawMessage(`{}`))
	}
	if kind == "compaction" {
		start.Set("content", json.RawMessage(`null`))
		start.Delete("encrypted_content")
	}
	emit(b, "content_block_start", map[string]any{"index": index, "content_block": json.RawMessage(start.Bytes())})
	delta := func(deltaType, member, piece string) {
		emit(b, "content_block_delta", map[string]any{"index": index, "delta": map[string]any{"type": deltaType, member: piece}})
	}
	for _, m := range streamedMembers(kind) {
		for _, piece := range pieces(s.object.Text(m[0]), m[0] == "signature") {
			delta(m[1], m[0], piece)
		}
	}
	if kind == "tool_use" {
		for _, piece := range pieces(s.inputText, s.object.Get("toolset_name") != nil) {
			delta("input_json_delta", "partial_json", piece)
		}
	}
	if kind == "compaction" {
		emit(b, "content_block_delta", map[string]any{"index": index, "delta": map[string]any{
			"type": "compaction_delta", "content": s.object.Text("content"), "encrypted_content": s.object.Text("encrypted_content"),
		}})
	}
	emit(b, "content_block_stop", map[string]any{"index": index})
}

// pieces cuts text between characters; whole leaves it in one.
func pieces(text string, whole bool) []string {
	if text == "" {
		return nil
	}
	if whole {
		return []string{text}
	}
	var cut []string
	for len(text) > pieceLength {
		end := pieceLength
		for end > 1 && !utf8.RuneStart(text[end]) {
			end--
		}
		cut = append(cut, text[:end])
		text = text[end:]
	}
	return append(cut, text)
}

func mustJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("script: reply: " + err.Error()) // unreachable: only plain values and checked JSON are given
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
