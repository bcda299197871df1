package script

import (
	"fmt"
	"strings"
)

// aside reads a reply to a request beside the conversation: a request without a
// history that may not touch the desktop, such as one that asks for a second
// opinion. Such requests get these replies in order and leave the conversation
// alone.
func (p *parser) aside(s section) error {
	if p.started {
		return p.errorf(s.line, "an aside section does not stand between the sections of a reply")
	}
	blocks, err := p.lines(s)
	if err != nil {
		return err
	}
	p.script.asides = append(p.script.asides, step{line: s.line, blocks: blocks, whole: true})
	return nil
}

// isAside reports whether r stands beside the conversations of s.
func (s *Server) isAside(r *request) bool {
	if len(s.script.asides) == 0 || len(r.turns) != 1 {
		return false
	}
	for _, t := range r.entries {
		if strings.HasPrefix(t.Type, "computer_") {
			return false
		}
	}
	return true
}

// performAside answers the next request beside the conversations.
func (s *Server) performAside(r *request) (*performance, error) {
	if s.asked >= len(s.script.asides) {
		return nil, fmt.Errorf("script %s: the script has no reply for request %d beside the conversation", s.script.name, s.asked+1)
	}
	st := s.script.asides[s.asked]
	s.asked++
	id := digest("aside", fmt.Sprint(s.asked))[:8]
	blocks, stop, err := s.script.reply(r, st, id, position{})
	if err != nil {
		return nil, err
	}
	p := &performance{stream: r.Stream}
	p.answer = answer{id: fmt.Sprintf("msg_%s_%04d", id, s.requests), model: r.Model, blocks: blocks, stop: stop}
	p.answer.usage = s.cache.count(r, p.answer, s.now())
	return p, nil
}
