// Package input reads the JSON object that a model wrote as a call's input.
//
// Trust: the text is hostile. Reading is strict, so that what is understood is
// what was written: names match case, no field comes twice, numbers are whole
// and exact, strings are whole Unicode. Everything wrong is collected and said
// in one sentence, "field: problem; field: problem".
package input

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/deskhand/deskhand/internal/plaintext"
)

// maxName bounds how much of a name the model made up is repeated to it.
const maxName = 64

// Object is one object being read. It is not safe for concurrent use.
type Object struct {
	values   map[string]json.RawMessage
	names    []string // in the order written
	taken    map[string]bool
	problems []string
	broken   bool // not an object: further complaints would only confuse
}

// Read starts reading raw.
func Read(raw json.RawMessage) *Object {
	o := &Object{values: map[string]json.RawMessage{}, taken: map[string]bool{}}
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0:
		o.breakOff("input: expected an object")
	case !utf8.Valid(raw) || !json.Valid(raw):
		o.breakOff("input: not valid JSON")
	case raw[0] != '{':
		o.breakOff("input: expected an object")
	default:
		o.split(raw)
	}
	return o
}

func (o *Object) breakOff(problem string) {
	o.problems, o.broken = []string{problem}, true
}

// split cuts a valid object into its fields.
func (o *Object) split(raw json.RawMessage) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	_, _ = dec.Token() // the brace; raw is valid JSON
	for dec.More() {
		token, _ := dec.Token()
		name, _ := token.(string)
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			o.breakOff("input: not valid JSON")
			return
		}
		if _, twice := o.values[name]; twice {
			o.Refuse(name, "given more than once")
			continue
		}
		o.values[name] = value
		o.names = append(o.names, name)
	}
}

// Take returns the field's value and marks the field as known. A field that is
// absent, or that nothing can be read from, is nil.
func (o *Object) Take(name string) json.RawMessage {
	o.taken[name] = true
	return o.values[name]
}

// Drop makes a field one that was never written.
func (o *Object) Drop(name string) {
	delete(o.values, name)
	o.names = slices.DeleteFunc(o.names, func(n string) bool { return n == name })
}

// Refuse records what is wrong with a field.
func (o *Object) Refuse(name, problem string) {
	if !o.broken {
		o.problems = append(o.problems, plaintext.Short(name, maxName)+": "+problem)
	}
}

// Problem returns everything that is wrong, fields nobody took included, and
// "" when nothing is. Call it when all known fields have been taken.
func (o *Object) Problem() string {
	problems := o.problems
	if !o.broken {
		for _, name := range o.names {
			if !o.taken[name] {
				problems = append(problems, plaintext.Short(name, maxName)+": unknown field")
			}
		}
	}
	return strings.Join(problems, "; ")
}

// Null reports whether value is absent or null.
func Null(value json.RawMessage) bool { return value == nil || string(value) == "null" }

// Names returns the names of the fields in the order written.
func (o *Object) Names() []string { return o.names }

// Broken reports whether there was no object to read at all.
func (o *Object) Broken() bool { return o.broken }

// Peek returns the field's value without taking it.
func (o *Object) Peek(name string) json.RawMessage { return o.values[name] }

// Refused reports whether something is wrong already.
func (o *Object) Refused() bool { return len(o.problems) > 0 }
