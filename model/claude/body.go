package claude

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/rawjson"
	"github.com/deskhand/deskhand/model"
)

const (
	marker     = `"cache_control":{"type":"ephemeral"}`
	maxMarkers = 4 // of a request, as the API allows
	maxOnTurns = 3 // of those, on the most recent user turns

	emptyError  = "The tool call failed with an empty error message."
	emptyResult = "(empty)"
)

// encode returns the body of a request. Its parts stand in a fixed order, what
// does not change first.
func encode(ctx context.Context, req model.Request, known model.Catalogue) ([]byte, error) {
	info, err := known.Lookup(req.Model)
	if err != nil {
		return nil, err
	}
	settings, err := settingsOf(req, info)
	if err != nil {
		return nil, err
	}
	turns, err := turnsOf(req.Messages)
	if err != nil {
		return nil, err
	}
	tools, spare := mark(req)
	b := &body{req: req}
	b.WriteString(settings)
	if req.System != "" {
		b.WriteString(`,"system":[{"type":"text","text":`)
		b.text(req.System)
		b.WriteString("," + marker + "}]")
	}
	if len(tools) > 0 {
		b.WriteString(`,"tools":[`)
		b.Write(bytes.Join(rawSlices(tools), []byte(",")))
		b.WriteByte(']')
	}
	b.WriteString(`,"messages":[`)
	marked := markedTurns(turns, min(spare, maxOnTurns))
	for i, t := range turns {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := b.turn(ctx, t, slices.Contains(marked, i)); err != nil {
			return nil, err
		}
	}
	b.WriteString("]}")
	return b.Bytes(), nil
}

// settingsOf returns the start of the body, up to system and tools.
func settingsOf(req model.Request, info model.Info) (string, error) {
	limit := req.MaxTokens
	if limit == 0 {
		limit = info.MaxTokens
	}
	if limit < 1 || limit > info.MaxOutput {
		return "", deskhand.Errorf("", deskhand.Invalid, "A reply of %s may have 1 to %d tokens, not %d.", info.ID, info.MaxOutput, limit)
	}
	s := `{"model":` + string(rawjson.String(req.Model)) + `,"max_tokens":` + strconv.Itoa(limit) + `,"stream":true`
	if info.Thinking.Send != "" {
		s += `,"thinking":` + info.Thinking.Send
	}
	switch {
	case req.Effort == "":
	case len(info.Efforts) == 0:
		return "", deskhand.Errorf("", deskhand.Invalid, "%s has no effort setting. Leave the effort out.", info.ID)
	case !slices.Contains(info.Efforts, req.Effort):
		return "", deskhand.Errorf("", deskhand.Invalid, "There is no effort %q. Choose one of %q.", req.Effort, info.Efforts)
	default:
		s += `,"output_config":{"effort":"` + req.Effort + `"}`
	}
	return s, nil
}

// mark returns the tool entries and how many markers are left for messages.
// One marker stands after system and tools: on the system prompt, or without
// one on the last entry.
func mark(req model.Request) (tools []json.RawMessage, spare int) {
	spare = maxMarkers
	for _, raw := range req.Tools {
		if entry, err := rawjson.Parse(raw); err == nil && entry.Get("cache_control") != nil {
			spare-- // as given, so its own
		}
	}
	if req.System != "" {
		return req.Tools, max(0, spare-1)
	}
	tools = slices.Clone(req.Tools)
	last := len(tools) - 1
	if last < 0 || spare < maxMarkers || bytes.Contains(tools[last], []byte(`"defer_loading"`)) {
		return tools, max(0, spare) // deferred members and a marker exclude each other
	}
	entry, err := rawjson.Parse(tools[last])
	if err != nil {
		return tools, spare // the API names the fault better
	}
	entry.Set("cache_control", json.RawMessage(`{"type":"ephemeral"}`))
	tools[last] = entry.Bytes()
	return tools, spare - 1
}

// turn is one message as it is sent.
type turn struct {
	role   model.Role
	raw    json.RawMessage
	blocks []model.Block
}

// turnsOf leaves out assistant messages without content, which the API refuses
// (an empty end_turn), and joins the user messages that then meet.
func turnsOf(messages []model.Message) ([]turn, error) {
	var turns []turn
	for _, m := range messages {
		if m.Role == model.Assistant {
			if !isEmptyArray(m.Raw) {
				turns = append(turns, turn{role: m.Role, raw: m.Raw})
			}
			continue
		}
		blocks := slices.DeleteFunc(slices.Clone(m.Blocks), func(b model.Block) bool { return b.CallID == "" && b.Text == "" && b.Image == nil })
		if len(blocks) == 0 {
			continue
		}
		if last := len(turns) - 1; last >= 0 && turns[last].role == model.User {
			turns[last].blocks = append(turns[last].blocks, blocks...)
			continue
		}
		turns = append(turns, turn{role: model.User, blocks: blocks})
	}
	if len(turns) == 0 || turns[len(turns)-1].role != model.User {
		return nil, deskhand.Errorf("", deskhand.Invalid, "The conversation has no message of the user to answer.")
	}
	return turns, nil
}

func isEmptyArray(raw json.RawMessage) bool {
	var content []json.RawMessage
	return json.Unmarshal(raw, &content) == nil && len(content) == 0
}

// markedTurns returns the last n user turns. The marker before the newest one
// stands exactly where the request before ended, so a hit never depends on the
// API's looking back 20 blocks, however many blocks a turn adds.
func markedTurns(turns []turn, n int) []int {
	var marked []int
	for i := len(turns) - 1; i >= 0 && len(marked) < n; i-- {
		if turns[i].role == model.User {
			marked = append(marked, i)
		}
	}
	return marked
}

// body writes JSON without ever copying what it was given through a struct.
type body struct {
	bytes.Buffer
	req model.Request
}

func (b *body) text(s string) { b.Write(rawjson.String(s)) }

func (b *body) turn(ctx context.Context, t turn, marked bool) error {
	b.WriteString(`{"role":"` + string(t.role) + `","content":`)
	if t.role == model.Assistant {
		b.Write(t.raw)
		b.WriteByte('}')
		return nil
	}
	b.WriteByte('[')
	for i, block := range t.blocks {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := b.block(ctx, block); err != nil {
			return err
		}
		if marked && i == len(t.blocks)-1 {
			b.WriteString("," + marker)
		}
		b.WriteByte('}')
	}
	b.WriteString("]}")
	return nil
}

// block writes a block without its closing brace.
func (b *body) block(ctx context.Context, block model.Block) error {
	switch {
	case block.CallID != "":
	case block.Image != nil:
		return b.image(ctx, block.Image)
	default:
		b.WriteString(`{"type":"text","text":`)
		b.text(block.Text)
		return nil
	}
	b.WriteString(`{"type":"tool_result","tool_use_id":`)
	b.text(block.CallID)
	if block.Toolset != "" {
		b.WriteString(`,"toolset_name":`)
		b.text(block.Toolset)
	}
	if block.Result.IsError {
		b.WriteString(`,"is_error":true`)
	}
	b.WriteString(`,"content":[`)
	for i, c := range sendable(block.Result) {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := b.content(ctx, c); err != nil {
			return err
		}
	}
	b.WriteByte(']')
	return nil
}

// sendable returns what of a result the API takes: no empty texts, no images in
// errors, and never nothing.
func sendable(r deskhand.Result) []deskhand.Content {
	kept := slices.DeleteFunc(slices.Clone(r.Content), func(c deskhand.Content) bool {
		return c.Image == nil && c.Text == "" || r.IsError && c.Image != nil
	})
	switch {
	case len(kept) > 0:
		return kept
	case r.IsError:
		return []deskhand.Content{{Text: emptyError}}
	}
	return []deskhand.Content{{Text: emptyResult}}
}

func (b *body) content(ctx context.Context, c deskhand.Content) error {
	if c.Image == nil {
		b.WriteString(`{"type":"text","text":`)
		b.text(c.Text)
		b.WriteByte('}')
		return nil
	}
	if err := b.image(ctx, c.Image); err != nil {
		return err
	}
	b.WriteByte('}')
	return nil
}

// image writes an image without its closing brace.
func (b *body) image(ctx context.Context, img *deskhand.Image) error {
	data := img.Data
	if data == nil {
		if b.req.Image == nil {
			return deskhand.Errorf("", deskhand.Internal, "An image of the history cannot be read.")
		}
		var err error
		if data, err = b.req.Image(ctx, img.Hash); err != nil {
			return fmt.Errorf("an image of the history cannot be read: %w", err)
		}
	}
	b.WriteString(`{"type":"image","source":{"type":"base64","media_type":`)
	b.text(img.MediaType)
	b.WriteString(`,"data":"`)
	b.Grow(base64.StdEncoding.EncodedLen(len(data)))
	b.Write(base64.StdEncoding.AppendEncode(b.AvailableBuffer(), data))
	b.WriteString(`"}`)
	return nil
}
