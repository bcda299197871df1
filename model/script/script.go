package script

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/deskhand/deskhand"
)

// Script is a parsed script. It does not change while it is played, so one
// Script may serve many servers.
type Script struct {
	name    string
	comment string
	key     string // the credential clients must send; empty accepts any
	tries   int    // looks at the screen before a place counts as missing
	steps   []step
	asides  []step // replies to requests beside the conversation
}

// step is one reply of the model, with what must be true of the request that
// asks for it and what goes wrong before it comes.
type step struct {
	line    int
	expects []expectation
	faults  []fault // each answers one request in place of the reply
	whens   []condition
	wait    time.Duration
	stop    string  // stop_reason; empty works it out
	leftOut bool    // the reply is expected not to stand in the history
	blocks  []block // the reply; nil when the script ends in faults
	whole   bool    // there is a reply, perhaps an empty one
}

// fault is one way of not replying.
type fault struct {
	status     int    // an HTTP error
	message    string // of that error
	retryAfter string // header
	cut        int    // bytes of the stream before the connection is dropped
	event      string // error type sent in the stream after its start
}

// block is one block of a reply, before its places are looked up.
type block struct {
	line     int
	text     string
	thinking string
	call     *call
	raw      json.RawMessage // as written in a raw section
}

// call is one tool_use block as scripts write it.
type call struct {
	toolset string // explicit, else worked out from the request's tools
	name    string
	input   json.RawMessage
}

const (
	defaultTries = 15
	maxScript    = 8 << 20
)

// Comment returns the text before the script's first section.
func (s *Script) Comment() string { return s.comment }

// Parse reads a script; name stands for it in messages. An error is Invalid and
// one sentence that begins with name:line.
func Parse(name string, src []byte) (*Script, error) {
	if len(src) > maxScript {
		return nil, deskhand.Errorf("", deskhand.Invalid, "%s: the script is longer than %d bytes.", name, maxScript)
	}
	src = bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))
	archive := txtar.Parse(src)
	p := &parser{script: &Script{name: name, comment: string(bytes.TrimSpace(archive.Comment)), tries: defaultTries}}
	line := 1 + bytes.Count(archive.Comment, []byte("\n"))
	for _, section := range archive.Files {
		if err := p.section(line, section.Name, string(section.Data)); err != nil {
			return nil, err
		}
		line += 1 + bytes.Count(section.Data, []byte("\n"))
	}
	if p.started {
		p.script.steps = append(p.script.steps, p.step)
	}
	if len(p.script.steps) == 0 {
		return nil, p.errorf(1, "the script has no reply; write a section such as \"-- model --\"")
	}
	return p.script, nil
}

type parser struct {
	script  *Script
	step    step // being put together, ended by its reply
	started bool // step has something in it
}

func (p *parser) errorf(line int, format string, args ...any) error {
	return deskhand.Errorf("", deskhand.Invalid, "%s:%d: %s.", p.script.name, line, fmt.Sprintf(format, args...))
}

func (s *Script) errorf(line int, format string, args ...any) error {
	return fmt.Errorf("script %s:%d: %s", s.name, line, fmt.Sprintf(format, args...))
}
