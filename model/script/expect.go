package script

import (
	"fmt"
	"strconv"
	"strings"
)

// expectation is one line of an expect section: something that must be true of
// the last user message of the request.
type expectation struct {
	line int
	text string // as written
	test func(*turn) bool
}

// expect reads lines such as
//
//	contains "text"
//	no error
func (p *parser) expect(s section) error {
	if len(s.args) > 0 {
		return p.errorf(s.line, "an expect section takes no arguments, not %q", strings.Join(s.args, " "))
	}
	for i, text := range strings.Split(s.text, "\n") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		test, err := parseExpectation(text)
		if err != nil {
			return p.errorf(s.line+1+i, "%v", err)
		}
		p.step.expects = append(p.step.expects, expectation{s.line + 1 + i, text, test})
	}
	return nil
}

func parseExpectation(text string) (func(*turn) bool, error) {
	if rest, ok := strings.CutPrefix(text, "no "); ok {
		test, err := parseExpectation(rest)
		if err != nil {
			return nil, err
		}
		return func(t *turn) bool { return !test(t) }, nil
	}
	word, rest, _ := strings.Cut(text, " ")
	argument := ""
	if rest = strings.TrimSpace(rest); rest != "" {
		unquoted, err := strconv.Unquote(rest)
		if err != nil && word != "results" {
			return nil, fmt.Errorf("%s is not a quoted string", rest)
		}
		argument = unquoted
	}
	switch {
	case word == "contains" && argument != "":
		return func(t *turn) bool { return t.contains(argument, false) }, nil
	case word == "error":
		return func(t *turn) bool { return t.contains(argument, true) }, nil
	case word == "image" && rest == "":
		return func(t *turn) bool { return t.images() > 0 }, nil
	case word == "results" && natural(rest) > 0:
		return func(t *turn) bool { return len(t.results()) == natural(rest) }, nil
	}
	return nil, fmt.Errorf(`%q is not an expectation; write contains "text", error, error "text", image or results N, each perhaps after "no"`, text)
}
