package script

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/deskhand/deskhand/internal/rawjson"
)

// conversation is what the server remembers of one conversation.
type conversation struct {
	id      string
	start   string         // digest of its first message
	setup   string         // digest of system, tools and model
	history []string       // digests of the blocks of the newest request
	replies map[int]string // digest of the reply that stands as the nth assistant message
	empty   map[int]int    // step that replied with nothing → blocks of the request it answered
	failed  map[int]int    // step → faults played
	open    bool           // the newest request got a fault instead of a reply
	given   int            // steps that have been replied
}

// callID is the id of a tool_use block: conversation, step, for a look at the
// screen the number of the look, and the block. Where a conversation stands is
// read from its own history, so another process can go on with it.
var callID = regexp.MustCompile(`^toolu_([0-9a-f]{8})_(\d{1,6})(?:w(\d{1,6}))?_\d+$`)

// position is where the history of a request stands: the step to play, and how
// often it has looked at the screen for it.
type position struct{ step, looks int }

func (r *request) position() (p position, conversation string) {
	for _, t := range r.turns {
		if t.role != "assistant" {
			continue
		}
		known := false
		for _, call := range t.calls() {
			m := callID.FindStringSubmatch(call.ID)
			if m == nil {
				continue
			}
			known, conversation = true, m[1]
			step, _ := strconv.Atoi(m[2]) // six digits at most
			looks, _ := strconv.Atoi(m[3])
			if m[3] != "" {
				p = position{step, looks}
			} else {
				p = position{step + 1, 0}
			}
			break
		}
		if !known {
			p = position{p.step + 1, 0}
		}
	}
	return p, conversation
}

// conversation returns the conversation a request belongs to, a new one for a
// first message. A history that is not an extension of what was sent before is refused.
func (s *Server) conversation(r *request) (*conversation, *refusal) {
	start, setup, history := digest(r.turns[0].blocks[0].digest()), r.setupDigest(), r.digests()
	_, named := r.position()
	begins := len(r.turns) == 1
	for i := len(s.conversations) - 1; i >= 0; i-- {
		c := s.conversations[i]
		switch {
		case begins && c.start == start && c.open:
		case !begins && named != "" && c.id == named:
		case !begins && named == "" && c.start == start:
		default:
			continue
		}
		if refused := c.extend(r, setup, history); refused != nil {
			return nil, refused
		}
		return c, nil
	}
	c := &conversation{
		id: start[:8], start: start, setup: setup, history: history,
		replies: map[int]string{}, empty: map[int]int{}, failed: map[int]int{},
	}
	for again := 1; s.taken(c.id); again++ {
		c.id = digest(start, strconv.Itoa(again))[:8]
	}
	if named != "" {
		c.id = named // begun in another process
	}
	s.conversations = append(s.conversations, c)
	return c, nil
}

func (s *Server) taken(id string) bool {
	for _, c := range s.conversations {
		if c.id == id {
			return true
		}
	}
	return false
}

// extend checks that a request goes on from the one before it.
func (c *conversation) extend(r *request, setup string, history []string) *refusal {
	if setup != c.setup {
		return invalid("system or tools differ from the requests before; they must stay byte for byte the same within a conversation")
	}
	nth := 0
	for i, t := range r.turns {
		if t.role != "assistant" {
			continue
		}
		if want, known := c.replies[nth]; known && digest("", t.digests()) != want {
			if t.thinks() {
				return invalid("messages.%d.content: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified", i)
			}
			return invalid("messages.%d: the assistant message is not the reply that was sent; echo its content byte for byte", i)
		}
		nth++
	}
	if len(history) < len(c.history) {
		return invalid("messages: the history is shorter than before; it must only grow")
	}
	for i, before := range c.history {
		if history[i] != before {
			return invalid("messages: the history differs from the request before at block %d; earlier messages must stay byte for byte the same", i)
		}
	}
	c.history = history
	return nil
}

func (t *turn) thinks() bool {
	for _, b := range t.blocks {
		if b.Type == "thinking" || b.Type == "redacted_thinking" {
			return true
		}
	}
	return false
}

// perform picks the answer to a judged request.
func (c *conversation) perform(s *Server, r *request) (*performance, error) {
	at, _ := r.position()
	for before, seen := c.empty[at.step]; seen && len(c.history) > before; before, seen = c.empty[at.step] {
		at = position{at.step + 1, 0} // a reply without content leaves no trace in the history
	}
	if at.step >= len(s.script.steps) {
		return nil, fmt.Errorf("script %s: the script has no reply for turn %d", s.script.name, at.step+1)
	}
	st := s.script.steps[at.step]
	if at.looks == 0 {
		if err := s.script.check(st, r); err != nil {
			return nil, err
		}
	}
	p := &performance{stream: r.Stream, wait: st.wait}
	if n := c.failed[at.step]; n < len(st.faults) {
		c.failed[at.step]++
		c.open = true
		p.fault = &st.faults[n]
		if p.fault.status != 0 {
			return p, nil
		}
	} else if !st.whole {
		return nil, fmt.Errorf("script %s: the script has no reply for turn %d", s.script.name, at.step+1)
	}
	blocks, stop, err := s.script.reply(r, st, c.id, at)
	if err != nil {
		return nil, err
	}
	p.answer = answer{id: fmt.Sprintf("msg_%s_%04d", c.id, s.requests), model: r.Model, blocks: blocks, stop: stop}
	p.answer.usage = s.cache.count(r, p.answer, s.now())
	if p.fault == nil {
		return p, c.remember(r, p.answer, at)
	}
	return p, nil
}

// remember notes a reply, so that its echo can be compared.
func (c *conversation) remember(r *request, a answer, at position) error {
	c.open = false
	c.given = max(c.given, at.step+1)
	content, err := readBlocks(a.contentJSON())
	if err != nil {
		return errors.New("script: the reply cannot be read back")
	}
	if len(content) == 0 {
		c.open = true
		c.empty[at.step] = len(c.history)
		return nil
	}
	nth := 0
	for _, t := range r.turns {
		if t.role == "assistant" {
			nth++
		}
	}
	c.replies[nth] = digest("", (&turn{blocks: content}).digests())
	return nil
}

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

// digest is a short name of some texts.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:", len(p))
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil))
}
