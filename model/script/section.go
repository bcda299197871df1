package script

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// section is one "-- name arguments --" with the text below it.
type section struct {
	line int // of the marker; the text begins on the next
	args []string
	text string
}

// section takes in one section.
func (p *parser) section(line int, name, text string) error {
	words := strings.Fields(name)
	if len(words) == 0 {
		return p.errorf(line, "a section has no name")
	}
	handlers := map[string]func(section) error{
		"options":     p.options,
		"model":       p.model,
		"aside":       p.aside,
		"raw":         p.raw,
		"expect":      p.expect,
		"when":        p.when,
		"status":      p.status,
		"cut":         p.cut,
		"error":       p.errorEvent,
		"wait":        p.wait,
		"stop_reason": p.stopReason,
		"left_out":    p.leftOut,
	}
	handle, ok := handlers[words[0]]
	if !ok {
		return p.errorf(line, "there is no section %q; the sections are %s", words[0], strings.Join(slices.Sorted(maps.Keys(handlers)), ", "))
	}
	if words[0] != "options" && words[0] != "aside" && !p.started {
		p.step.line, p.started = line, true
	}
	return handle(section{line, words[1:], text})
}

// bare refuses text below a section that has none.
func (p *parser) bare(s section, name string) error {
	if strings.TrimSpace(s.text) != "" {
		return p.errorf(s.line+1, "a %s section has no text of its own", name)
	}
	return nil
}

// reply ends the step under construction.
func (p *parser) reply(s section, blocks []block) error {
	if len(s.args) > 0 {
		return p.errorf(s.line, "a reply's section takes no arguments, not %q", strings.Join(s.args, " "))
	}
	p.step.line, p.step.blocks, p.step.whole = s.line, blocks, true
	p.script.steps = append(p.script.steps, p.step)
	p.step, p.started = step{}, false
	return nil
}

func (p *parser) model(s section) error {
	blocks, err := p.lines(s)
	if err != nil {
		return err
	}
	return p.reply(s, blocks)
}

// raw reads a content array as the API would send it.
func (p *parser) raw(s section) error {
	var content []json.RawMessage
	if err := json.Unmarshal([]byte(s.text), &content); err != nil {
		return p.errorf(s.line+1, "a raw section is a JSON array of content blocks: %v", err)
	}
	var blocks []block
	for _, raw := range content {
		var head struct {
			Type string `json:"type"`
		}
		if json.Unmarshal(raw, &head) != nil || head.Type == "" {
			return p.errorf(s.line+1, "every block of a raw section is an object with a type")
		}
		blocks = append(blocks, block{line: s.line + 1, raw: raw})
	}
	return p.reply(s, blocks)
}

func (p *parser) options(s section) error {
	if len(p.script.steps) > 0 || p.started {
		return p.errorf(s.line, "the options section comes first")
	}
	for i, text := range strings.Split(s.text, "\n") {
		words := strings.Fields(text)
		switch {
		case len(words) == 0:
		case len(words) == 2 && words[0] == "key":
			p.script.key = words[1]
		case len(words) == 2 && words[0] == "tries" && natural(words[1]) > 0:
			p.script.tries = natural(words[1])
		default:
			return p.errorf(s.line+1+i, "%q is not an option; the options are \"key NAME\" and \"tries N\"", text)
		}
	}
	return nil
}

// natural returns a whole number from 1 to a million, 0 for anything else.
func natural(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 1_000_000 {
		return 0
	}
	return n
}

func (p *parser) status(s section) error {
	f := fault{message: strings.TrimSpace(s.text)}
	if len(s.args) == 3 && s.args[1] == "retry-after" {
		f.retryAfter = s.args[2]
	} else if len(s.args) != 1 {
		return p.errorf(s.line, "write \"-- status CODE --\" or \"-- status CODE retry-after SECONDS --\"")
	}
	if f.status = natural(s.args[0]); f.status < 400 || f.status > 599 {
		return p.errorf(s.line, "%q is not an HTTP error status (400 to 599)", s.args[0])
	}
	if f.message == "" {
		f.message = http.StatusText(f.status)
	}
	p.step.faults = append(p.step.faults, f)
	return nil
}

func (p *parser) cut(s section) error {
	if len(s.args) != 1 || natural(s.args[0]) == 0 {
		return p.errorf(s.line, "write \"-- cut BYTES --\" with the bytes of the stream that still arrive")
	}
	p.step.faults = append(p.step.faults, fault{cut: natural(s.args[0])})
	return p.bare(s, "cut")
}

func (p *parser) errorEvent(s section) error {
	if len(s.args) != 1 || typeStatus(s.args[0]) == 0 {
		return p.errorf(s.line, "write \"-- error TYPE --\" with a type of the API, such as overloaded_error")
	}
	p.step.faults = append(p.step.faults, fault{event: s.args[0], message: strings.TrimSpace(s.text)})
	return nil
}

// maxPause bounds the deliberate delay of a reply.
const maxPause = time.Hour

func (p *parser) wait(s section) error {
	if len(s.args) != 1 {
		return p.errorf(s.line, "write \"-- wait DURATION --\", such as 100ms")
	}
	d, err := time.ParseDuration(s.args[0])
	if err != nil || d < 0 || d > maxPause {
		return p.errorf(s.line, "%q is not a duration such as 100ms, up to 1h", s.args[0])
	}
	p.step.wait = d
	return p.bare(s, "wait")
}

func (p *parser) stopReason(s section) error {
	if len(s.args) != 1 {
		return p.errorf(s.line, "write \"-- stop_reason NAME --\", such as max_tokens")
	}
	p.step.stop = s.args[0]
	return p.bare(s, "stop_reason")
}

func (p *parser) leftOut(s section) error {
	if len(s.args) > 0 {
		return p.errorf(s.line, "a left_out section takes no arguments")
	}
	p.step.leftOut = true
	return p.bare(s, "left_out")
}

func (p *parser) when(s section) error {
	c, err := parseCondition(s.args)
	if err != nil {
		return p.errorf(s.line, "%v", err)
	}
	c.line = s.line
	p.step.whens = append(p.step.whens, c)
	return p.bare(s, "when")
}
