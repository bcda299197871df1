package policy

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"

	"github.com/pelletier/go-toml/v2"

	"github.com/deskhand/deskhand"
)

// maxFile is the largest file of rules, in bytes.
const maxFile = 256 << 10

// form is what stands in a file of rules.
type form struct {
	Allow []string `toml:"allow"`
	Ask   []string `toml:"ask"`
	Deny  []string `toml:"deny"`
}

// Parse reads a file of rules, which name names in messages and in the rules.
// Anything in it that cannot be used is an error that names the line.
func Parse(name string, data []byte) ([]Rule, error) {
	if len(data) > maxFile {
		return nil, deskhand.Errorf("policy", deskhand.Invalid, "%s is larger than %d kB: rules are short lines", name, maxFile>>10)
	}
	var f form
	if err := strictly(data, &f); err != nil {
		return nil, unreadable(name, err, `lists of rules such as allow = ["bash(git status)"], ask = […] and deny = […]`)
	}
	var out []Rule
	for _, list := range []struct {
		outcome deskhand.Outcome
		texts   []string
	}{{deny, f.Deny}, {ask, f.Ask}, {allow, f.Allow}} {
		rest := keyed(data, list.outcome)
		for _, text := range list.texts {
			row := 0
			row, rest = rowOf(data, rest, text)
			r, err := ParseRule(list.outcome, text)
			if err != nil {
				return nil, deskhand.Errorf("policy", deskhand.Invalid, "%s:%d: %s", name, row, problem(err))
			}
			r.Source = fmt.Sprintf("%s:%d", name, row)
			out = append(out, r)
		}
	}
	return out, nil
}

// keyed returns where in data the list of an outcome begins.
func keyed(data []byte, o deskhand.Outcome) int {
	at := regexp.MustCompile(`(?m)^[ \t]*["']?` + string(o) + `["']?[ \t]*=`).FindIndex(data)
	if at == nil {
		return 0
	}
	return at[1]
}

// rowOf returns the line, from 1, of the first place from on where text stands,
// and where to look for the next. A text that is written with escapes is taken
// to be where the one before it is.
func rowOf(data []byte, from int, text string) (row, next int) {
	next = from
	if i := bytes.Index(data[from:], []byte(text)); i >= 0 {
		from += i
		next = from + len(text)
	}
	return 1 + bytes.Count(data[:from], []byte("\n")), next
}

// problem returns what an error says, without the package it comes from.
func problem(err error) string {
	var own *deskhand.Error
	if errors.As(err, &own) && own.Err != nil {
		return own.Err.Error()
	}
	return err.Error()
}

// Project reads the rules of a project's folder. Those that allow count only
// when trusted, the hash that a person accepted, is that of data; those that
// ask and deny always do. It reports whether the file is trusted.
func Project(name string, data []byte, trusted deskhand.Hash) (rules []Rule, ok bool, err error) {
	all, err := Parse(name, data)
	if err != nil {
		return nil, false, err
	}
	ok = trusted == deskhand.HashOf(data)
	for _, r := range all {
		if ok || r.Outcome != allow {
			rules = append(rules, r)
		}
	}
	return rules, ok, nil
}

func strictly(data []byte, to any) error {
	return toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(to)
}
