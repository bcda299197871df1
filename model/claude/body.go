package claude

import (
	"bytes"
	"cmp"
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
	maxMarkers = 4 // of a request, as the API allows
	maxOnTurns = 3 // of those, on user turns

	emptyError  = "The tool call failed with an empty error message."
	emptyResult = "(empty)"
	tooLarge    = "[An image was left out here: it is larger than this endpoint takes.]"
	notKept     = "[An image was here. It is not kept any more.]"
)

// outgoing is a request as it is sent.
type outgoing struct {
	body    []byte
	betas   []string
	omitted int // images that were left out
}

// encode returns a request as it is sent. The parts of its body stand in a fixed
// order, what does not change first.
func encode(ctx context.Context, req model.Request, info model.Info) (outgoing, error) {
	w := info.Window(req.Messages, req.Tight)
	thinks, bindings := thinking(info, w)
	settings, err := settingsOf(req, info, thinks)
	if err != nil {
		return outgoing{}, err
	}
	turns, err := turnsOf(req.Messages, w)
	if err != nil {
		return outgoing{}, err
	}
	managed, edits := management(info, w)
	tools, spare := mark(req)
	b := &body{req: req, omit: w.Omit, bounds: info.Bounds}
	b.WriteString(settings)
	b.WriteString(managed)
	if req.System != "" {
		b.WriteString(`,"system":[{"type":"text","text":`)
		b.text(req.System)
		b.WriteString("," + marker(req) + "}]")
	}
	if len(tools) > 0 {
		b.WriteString(`,"tools":[`)
		b.Write(bytes.Join(rawSlices(tools), []byte(",")))
		b.WriteByte(']')
	}
	b.WriteString(`,"messages":[`)
	marked := markedTurns(turns, anchorOf(turns, w, req.Cleared), spare)
	for i, t := range turns {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := b.turn(ctx, t, slices.Contains(marked, i)); err != nil {
			return outgoing{}, err
		}
	}
	b.WriteString("]}")
	return outgoing{b.Bytes(), slices.Concat(req.Betas, edits, bindings), w.Omit}, nil
}

// lifetime is the value of a cache marker. An hour costs more to write, and is
// worth it where replies lie further apart than five minutes. All markers of a
// request have the same, as a longer one must not follow a shorter one.
func lifetime(req model.Request) string {
	if req.Slow {
		return `{"type":"ephemeral","ttl":"1h"}`
	}
	return `{"type":"ephemeral"}`
}

func marker(req model.Request) string { return `"cache_control":` + lifetime(req) }

// settingsOf returns the start of the body, up to system and tools.
func settingsOf(req model.Request, info model.Info, thinks string) (string, error) {
	limit := req.MaxTokens
	if limit == 0 {
		limit = info.MaxTokens
	}
	if limit < 1 || limit > info.MaxOutput {
		return "", deskhand.Errorf("", deskhand.Invalid, "A reply of %s may have 1 to %d tokens, not %d.", info.ID, info.MaxOutput, limit)
	}
	s := `{"model":` + string(rawjson.String(cmp.Or(info.Name, req.Model))) + `,"max_tokens":` + strconv.Itoa(limit) + `,"stream":true`
	if thinks != "" {
		s += `,"thinking":` + thinks
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
	entry.Set("cache_control", json.RawMessage(lifetime(req)))
	tools[last] = entry.Bytes()
	return tools, spare - 1
}

// turn is one message as it is sent.
type turn struct {
	role   model.Role
	raw    json.RawMessage
	blocks []model.Block
	until  int // one past the last message of the history that it is made of
}

// turnsOf returns what of a history is sent. It leaves out what stands before a
// summary, except the task itself, and assistant messages without content, which
// the API refuses (an empty end_turn), and joins the user messages that then meet.
func turnsOf(messages []model.Message, w model.Window) ([]turn, error) {
	var turns []turn
	for i, m := range messages {
		if i > 0 && i < w.From {
			continue
		}
		if m.Role == model.Assistant {
			if !isEmptyArray(m.Raw) {
				turns = append(turns, turn{role: m.Role, raw: m.Raw, until: i + 1})
			}
			continue
		}
		blocks := slices.DeleteFunc(slices.Clone(m.Blocks), func(b model.Block) bool { return b.CallID == "" && b.Text == "" && b.Image == nil })
		if len(blocks) == 0 {
			continue
		}
		if last := len(turns) - 1; last >= 0 && turns[last].role == model.User {
			turns[last].blocks, turns[last].until = append(turns[last].blocks, blocks...), i+1
			continue
		}
		turns = append(turns, turn{role: model.User, blocks: blocks, until: i + 1})
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

// anchorOf returns the turn that has the last of what was cleared or left out,
// or -1. When more is cleared, the prompt up to there stays as it is, so it is
// worth keeping in the cache.
func anchorOf(turns []turn, w model.Window, cleared int) int {
	results := 0
	for i, t := range turns {
		for _, b := range t.blocks {
			if b.CallID != "" {
				results++
			}
		}
		if cleared > 0 && results >= cleared || w.OmitIn >= 0 && w.OmitIn < t.until {
			return i
		}
	}
	return -1
}

// markedTurns returns the turns that get one of n markers: the anchor, if there
// is one, and the newest of the user. The marker before the newest one stands
// exactly where the request before ended, so a hit never depends on the API's
// looking back 20 blocks, however many blocks a turn adds.
func markedTurns(turns []turn, anchor, n int) []int {
	var marked []int
	n = min(n, maxOnTurns)
	if anchor >= 0 && n == maxOnTurns {
		marked = append(marked, anchor)
	}
	for i := len(turns) - 1; i >= 0 && len(marked) < n; i-- {
		if turns[i].role == model.User && i != anchor {
			marked = append(marked, i)
		}
	}
	return marked
}

// body writes JSON without ever copying what it was given through a struct.
type body struct {
	bytes.Buffer
	req    model.Request
	omit   int // images still to be left out
	bounds model.Bounds
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
			b.WriteString("," + marker(b.req))
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
	if text := c.Text; c.Image == nil || b.omit > 0 {
		if c.Image != nil {
			text, b.omit = omitted, b.omit-1
		}
		b.WriteString(`{"type":"text","text":`)
		b.text(text)
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
		data, err = b.req.Image(ctx, img.Hash)
		if deskhand.CodeOf(err) == deskhand.NotFound { // its time was over
			b.WriteString(`{"type":"text","text":"` + notKept + `"`)
			return nil
		} else if err != nil {
			return fmt.Errorf("an image of the history cannot be read: %w", err)
		}
	}
	if base64.StdEncoding.EncodedLen(len(data)) > b.bounds.ImageBytes {
		b.WriteString(`{"type":"text","text":"` + tooLarge + `"`)
		return nil
	}
	b.WriteString(`{"type":"image","source":{"type":"base64","media_type":`)
	b.text(img.MediaType)
	b.WriteString(`,"data":"`)
	b.Grow(base64.StdEncoding.EncodedLen(len(data)))
	b.Write(base64.StdEncoding.AppendEncode(b.AvailableBuffer(), data))
	b.WriteString(`"}`)
	return nil
}
