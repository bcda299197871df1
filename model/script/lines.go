package script

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// callLine is the start of a call: a name, perhaps with its toolset, and the
// brace of its input.
var callLine = regexp.MustCompile(`^((?:computer|browser)\.)?([a-zA-Z0-9_-]{1,128})[ \t]+(\{)`)

const thinkingPrefix = "thinking:"

// lines reads the text of a model section.
func (p *parser) lines(s section) ([]block, error) {
	l := &lineReader{parser: p, rest: s.text, line: s.line + 1}
	for l.rest != "" {
		if err := l.next(); err != nil {
			return nil, err
		}
	}
	l.flush()
	return l.blocks, nil
}

type lineReader struct {
	*parser
	rest   string
	line   int
	text   []string // lines of the text block under construction
	start  int      // line of its first
	blocks []block
}

func (l *lineReader) next() error {
	if m := callLine.FindStringSubmatchIndex(l.rest); m != nil {
		return l.call(m)
	}
	text, rest, _ := strings.Cut(l.rest, "\n")
	switch {
	case strings.HasPrefix(text, thinkingPrefix):
		l.flush()
		l.blocks = append(l.blocks, block{line: l.line, thinking: strings.TrimSpace(text[len(thinkingPrefix):])})
	default:
		if len(l.text) == 0 {
			l.start = l.line
		}
		l.text = append(l.text, text)
	}
	l.rest = rest
	l.line++
	return nil
}

// call reads a call; its JSON may go on over several lines.
func (l *lineReader) call(m []int) error {
	l.flush()
	toolset := ""
	if m[2] >= 0 {
		toolset = strings.TrimSuffix(l.rest[m[2]:m[3]], ".")
	}
	name, input := l.rest[m[4]:m[5]], l.rest[m[6]:]
	dec := json.NewDecoder(strings.NewReader(input))
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return l.errorf(l.line, "the input of %s is not a JSON object: %v", name, err)
	}
	end := int(dec.InputOffset())
	tail, rest, _ := strings.Cut(input[end:], "\n")
	if strings.TrimSpace(tail) != "" {
		return l.errorf(l.line+strings.Count(input[:end], "\n"), "text follows the input of %s on its line", name)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return l.errorf(l.line, "the input of %s is not JSON: %v", name, err)
	}
	if err := checkPlaces(compact.Bytes()); err != nil {
		return l.errorf(l.line, "%v", err)
	}
	l.blocks = append(l.blocks, block{line: l.line, call: &call{toolset, name, compact.Bytes()}})
	l.line += 1 + strings.Count(input[:end], "\n")
	l.rest = rest
	return nil
}

// flush ends a text block. Blank lines around it are not part of it.
func (l *lineReader) flush() {
	if text := strings.TrimSpace(strings.Join(l.text, "\n")); text != "" {
		l.blocks = append(l.blocks, block{line: l.start, text: text})
	}
	l.text = nil
}
