package policy

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/deskhand/deskhand"
)

// listed finds the beginning of the list of rules that allow.
var listed = regexp.MustCompile(`(?m)^[ \t]*allow[ \t]*=[ \t]*\[`)

// Allowing returns a file of rules with more that allow, and everything that a
// person wrote in it as it was. Note stands beside them. A rule that is there
// already is not added again. Invalid: the file cannot be read, or could not be
// with the rules in it.
func Allowing(name string, data []byte, more []Rule, note string) ([]byte, error) {
	have, err := Parse(name, data)
	if err != nil {
		return nil, err
	}
	var lines bytes.Buffer
	for _, rule := range more {
		known := slices.ContainsFunc(have, func(r Rule) bool { return r.Outcome == allow && r.Pattern() == rule.Pattern() })
		if !known {
			fmt.Fprintf(&lines, "  %s, # %s\n", strconv.Quote(rule.Pattern()), note)
		}
	}
	if lines.Len() == 0 {
		return data, nil
	}
	var out []byte
	if at := listed.FindIndex(data); at != nil {
		out = slices.Concat(data[:at[1]], []byte("\n"), lines.Bytes(), bytes.TrimPrefix(data[at[1]:], []byte("\n")))
	} else {
		out = slices.Concat([]byte("allow = [\n"), lines.Bytes(), []byte("]\n"), data)
	}
	now, err := Parse(name, out)
	if err != nil || len(now) != len(have)+bytes.Count(lines.Bytes(), []byte("\n")) {
		return nil, deskhand.Errorf("policy", deskhand.Invalid, "%s cannot be added to: put the rule in by hand", name)
	}
	return out, nil
}
