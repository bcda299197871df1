package script

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/deskhand/deskhand/internal/rawjson"
)

func (s *Script) check(st step, r *request) error {
	for _, e := range st.expects {
		if !e.test(r.last()) {
			return s.errorf(e.line, "expected %s in the request for turn %d", e.text, r.assistants()+1)
		}
	}
	return nil
}

func (r *request) assistants() int {
	n := 0
	for _, t := range r.turns {
		if t.role == "assistant" {
			n++
		}
	}
	return n
}

// reply makes the blocks of a step, or of a look at the screen when what the
// step waits for is not there yet.
func (s *Script) reply(r *request, st step, conversation string, at position) ([]sent, string, error) {
	see := &sight{request: r}
	blocks, err := s.blocks(see, st, fmt.Sprintf("toolu_%s_%d", conversation, at.step))
	var missing notYet
	if errors.As(err, &missing) {
		if at.looks >= s.tries {
			return nil, "", s.errorf(st.line, "%v, after %d looks", missing, at.looks)
		}
		blocks, err = see.look(fmt.Sprintf("toolu_%s_%dw%d", conversation, at.step, at.looks+1))
		if err != nil {
			return nil, "", s.errorf(st.line, "%v", err)
		}
		return blocks, "tool_use", nil
	}
	if err != nil {
		return nil, "", err
	}
	stop := st.stop
	if stop == "" {
		stop = "end_turn"
		for _, b := range blocks {
			if b.object.Text("type") == "tool_use" {
				stop = "tool_use"
			}
		}
	}
	return blocks, stop, nil
}

// blocks makes what a step says, with every place looked up.
func (s *Script) blocks(see *sight, st step, idPrefix string) ([]sent, error) {
	for _, w := range st.whens {
		img, err := see.newest("")
		if err != nil {
			return nil, s.errorf(w.line, "%v", err)
		}
		if err := w.check(img); err != nil {
			return nil, err
		}
	}
	var out []sent
	for i, b := range st.blocks {
		id := fmt.Sprintf("%s_%d", idPrefix, i)
		switch {
		case b.raw != nil:
			one, err := rawBlock(b.raw, id)
			if err != nil {
				return nil, s.errorf(b.line, "%v", err)
			}
			out = append(out, one)
		case b.call != nil:
			one, err := see.call(*b.call, id)
			var missing notYet
			if err != nil && !errors.As(err, &missing) {
				err = s.errorf(b.line, "%v", err)
			}
			if err != nil {
				return nil, err
			}
			out = append(out, one)
		case b.thinking != "":
			if one, ok := see.request.thinkingBlock(b.thinking); ok {
				out = append(out, one)
			}
		default:
			out = append(out, sent{object: object("type", "text", "text", b.text)})
		}
	}
	return out, nil
}

// thinkingBlock is what the model thought, as far as the request lets it show:
// nothing with thinking off, and no words unless they were asked for.
func (r *request) thinkingBlock(text string) (sent, bool) {
	on := r.info.Thinking.Default == "on"
	display := ""
	if r.Thinking != nil {
		on, display = r.Thinking.Type != "disabled", r.Thinking.Display
	}
	if !on {
		return sent{}, false
	}
	sum := sha256.Sum256([]byte(text))
	signature := base64.StdEncoding.EncodeToString(sum[:])
	if display != "summarized" {
		text = ""
	}
	return sent{object: object("type", "thinking", "thinking", text, "signature", signature)}, true
}

// rawBlock is a block of a raw section. A tool_use without an id gets one; its
// input_text, if any, is streamed in place of its input.
func rawBlock(raw json.RawMessage, id string) (sent, error) {
	o, err := rawjson.Parse(raw)
	if err != nil {
		return sent{}, err
	}
	if o.Text("type") != "tool_use" {
		return sent{object: o}, nil
	}
	if o.Get("id") == nil {
		o.Set("id", rawjson.String(id))
	}
	text := o.Text("input_text")
	if o.Get("input_text") == nil {
		return sent{object: o, inputText: string(o.Get("input"))}, nil
	}
	o.Delete("input_text")
	o.Set("input", json.RawMessage(`{}`))
	if in, err := rawjson.Parse([]byte(text)); err == nil {
		o.Set("input", in.Bytes())
	}
	return sent{object: o, inputText: text}, nil
}

// object returns an object of string members, in the order given.
func object(pairs ...string) *rawjson.Object {
	o := &rawjson.Object{}
	for i := 0; i+1 < len(pairs); i += 2 {
		o.Set(pairs[i], rawjson.String(pairs[i+1]))
	}
	return o
}
