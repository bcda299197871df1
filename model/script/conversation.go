package script

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// conversation is what the server remembers of one conversation.
type conversation struct {
	id      string
	start   string         // digest of its first message
	setup   string         // digest of system, tools and model
	history []string       // digests of the blocks of the newest request
	replies map[int]string // digest of the reply that stands as the nth assistant message
	empty   map[int]int    // step whose reply cannot stand in a history → blocks of the request it answered
	failed  map[int]int    // step → faults played
	summary map[string]int // digest of a summary → the assistant message that begins with it
	open    bool           // the newest request got a fault instead of a reply
	given   int            // steps that have been replied
}

// callID is the id of a tool_use block: conversation, step, for a look at the
// screen the number of the look, and the block. Where a conversation stands is
// read from its own history, so another process can go on with it.
var callID = regexp.MustCompile(`^toolu_([0-9a-f]{8})_(\d{1,6})(?:w(\d{1,6}))?_\d+$`)

// summaryID is what a summary says of where it stands.
var summaryID = regexp.MustCompile(`^([0-9a-f]{8})_(\d{1,6})$`)

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
		if c := t.summary(); c != nil && !known {
			if m := summaryID.FindStringSubmatch(c.Encrypted); m != nil {
				step, _ := strconv.Atoi(m[2])
				known, conversation, p = true, m[1], position{step + 1, 0}
			}
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
		replies: map[int]string{}, empty: map[int]int{}, failed: map[int]int{}, summary: map[string]int{},
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
	nth := c.firstReply(r)
	r.before = nth
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
	expected := c.expected(history)
	if len(history) < len(expected) {
		return invalid("messages: the history is shorter than before; it must only grow")
	}
	blocks := r.blocks()
	thought := false
	for i, before := range expected {
		if history[i] != before && !blocks[i].shortens() {
			return invalid("messages: the history differs from the request before at block %d; earlier messages must stay byte for byte the same", i)
		}
		thought = thought || history[i] != before
	}
	if thought && r.info.Preserved && !r.drops() {
		return invalid("messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation. Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to \"drop_block\".")
	}
	c.history = history
	return nil
}

// firstReply returns which reply the first assistant message of a request is:
// after a summary the replies before it need not be sent.
func (c *conversation) firstReply(r *request) int {
	for _, t := range r.turns {
		if t.role == "assistant" {
			if s := t.summary(); s != nil {
				return c.summary[s.digest()]
			}
			return 0
		}
	}
	return 0
}

// expected returns what a request must begin with: what the request before it
// had, without what stands between the task and a summary if that was left out.
func (c *conversation) expected(history []string) []string {
	for i, sum := range history {
		nth, known := c.summary[strings.TrimPrefix(sum, "assistant")]
		if !known || nth == 0 {
			continue
		}
		if at := slices.Index(c.history, sum); at > i {
			return slices.Concat(c.history[:i], c.history[at:])
		} else if at < 0 && i < len(c.history) {
			return c.history[:min(i, len(c.history))]
		}
	}
	return c.history
}

// blocks returns the blocks of all messages in order.
func (r *request) blocks() []*content {
	var all []*content
	for _, t := range r.turns {
		all = append(all, t.blocks...)
	}
	return all
}

// shortens reports whether a block may stand in the place of a longer one: a
// result without pictures.
func (c *content) shortens() bool {
	return c.Type == "tool_result" && !slices.ContainsFunc(c.inner, func(in *content) bool { return in.Type == "image" })
}

// drops reports whether the request lets thinking be dropped.
func (r *request) drops() bool {
	return r.Thinking != nil && r.Thinking.BlockBinding != nil && r.Thinking.BlockBinding.Mismatch == "drop_block"
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
	var summary *sent
	if r.sums() {
		one := summaryBlock(c.id, at)
		summary, blocks = &one, append([]sent{one}, blocks...)
	}
	p.answer = answer{id: fmt.Sprintf("msg_%s_%04d", c.id, s.requests), model: r.Model, blocks: blocks, stop: stop, summary: summary, applied: r.report()}
	p.answer.usage = s.cache.count(r, p.answer, s.now())
	if p.fault == nil {
		return p, c.remember(r, p.answer, at, st.leftOut)
	}
	return p, nil
}

// answerable reports whether a reply can stand in a history at all: results
// could not be matched to calls that share an id or have none.
func answerable(reply []*content) bool {
	seen := map[string]bool{"": true}
	for _, b := range reply {
		if b.Type != "tool_use" {
			continue
		}
		if seen[b.ID] {
			return false
		}
		seen[b.ID] = true
	}
	return true
}

// remember notes a reply, so that its echo can be compared. One that is left out
// has none.
func (c *conversation) remember(r *request, a answer, at position, leftOut bool) error {
	c.open = false
	c.given = max(c.given, at.step+1)
	content, err := readBlocks(a.contentJSON())
	if err != nil {
		return errors.New("script: the reply cannot be read back")
	}
	if leftOut || len(content) == 0 || !answerable(content) {
		c.open = true
		c.empty[at.step] = len(c.history)
		return nil
	}
	nth := r.before
	for _, t := range r.turns {
		if t.role == "assistant" {
			nth++
		}
	}
	if content[0].summarises() {
		c.summary[content[0].digest()] = nth
	}
	c.replies[nth] = digest("", (&turn{blocks: content}).digests())
	return nil
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
