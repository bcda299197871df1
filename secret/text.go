package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"

	"github.com/deskhand/deskhand"
)

// Spot is where a text stands in JSON.
type Spot struct {
	Path []string // names of the members that lead to it; lists have none
	Key  bool     // it is itself the name of a member of what is at Path
}

// MaskJSON is Mask for every text in raw, which is JSON, at a spot that is free;
// nil is everywhere. Everything else keeps its bytes. Invalid: raw is not JSON.
func (s *Set) MaskJSON(raw json.RawMessage, free func(Spot) bool) (json.RawMessage, error) {
	if s == nil || len(s.secrets) == 0 {
		return raw, nil
	}
	return eachString(raw, func(text string, at Spot) string {
		if free != nil && !free(at) {
			return text
		}
		return s.Mask(text)
	})
}

// reference is what a model writes for a secret.
var reference = regexp.MustCompile(`\{\{secret:([^{}]*)\}\}`)

// Refers returns the names of the secrets that a text in raw, which is JSON,
// refers to, each as often as it does. Invalid: raw is not JSON.
func Refers(raw json.RawMessage) (names []string, err error) {
	_, err = eachString(raw, func(text string, _ Spot) string {
		for _, m := range reference.FindAllStringSubmatch(text, -1) {
			names = append(names, m[1])
		}
		return text
	})
	return names, err
}

// What a model is told. Nothing in it depends on a secret.
const (
	noSuch  = "This task has no secret of that name. Nothing was done."
	onlyOne = "A text can hold one secret only: fill in one after the other. Nothing was done."
)

// Part is a piece of a text that is to be filled in.
type Part struct {
	Text   string
	Secret bool // it is a value
}

// Fill returns text in parts, with the value in the place of each reference, and
// where all of it may go: nowhere else, whole or in part. Without a reference it
// is one part that may go anywhere, and into is nil. NotFound: there is no such
// secret; Invalid: there are references to more than one. Both say so in fixed
// words for a model, and nothing of the text is returned.
func (s *Set) Fill(text string) (parts []Part, into []Target, err error) {
	found := reference.FindAllStringSubmatchIndex(text, -1)
	if len(found) == 0 {
		return []Part{{Text: text}}, nil, nil
	}
	last, done := -1, 0
	for _, m := range found {
		i := -1
		if s != nil {
			i = s.find(text[m[2]:m[3]])
		}
		switch {
		case i < 0:
			return nil, nil, deskhand.Errorf("", deskhand.NotFound, noSuch)
		case last >= 0 && i != last:
			return nil, nil, deskhand.Errorf("", deskhand.Invalid, onlyOne)
		}
		if m[0] > done {
			parts = append(parts, Part{Text: text[done:m[0]]})
		}
		parts = append(parts, Part{s.secrets[i].value, true})
		last, done = i, m[1]
	}
	if done < len(text) {
		parts = append(parts, Part{Text: text[done:]})
	}
	return parts, append([]Target{}, s.secrets[last].bound...), nil
}

var errNotJSON = errors.New("not JSON")

// eachString puts what change returns in the place of every string of raw, keys
// included. Strings that stay, and all between them, keep their bytes.
func eachString(raw json.RawMessage, change func(string, Spot) string) (json.RawMessage, error) {
	if !json.Valid(raw) {
		return nil, deskhand.E(op, deskhand.Invalid, errNotJSON)
	}
	var out bytes.Buffer
	var open levels
	done := 0 // bytes of raw that out has
	for i := 0; i < len(raw); i++ {
		if raw[i] != '"' {
			open.pass(raw[i])
			continue
		}
		end := stringEnd(raw, i)
		text, err := unquote(raw[i:end])
		if err != nil {
			return nil, deskhand.E(op, deskhand.Invalid, err)
		}
		if changed := change(text, open.spot()); changed != text {
			out.Write(raw[done:i])
			out.WriteString(`"` + jsonText(changed, false) + `"`)
			done = end
		}
		open.name(text)
		i = end - 1
	}
	if done == 0 {
		return raw, nil
	}
	out.Write(raw[done:])
	return out.Bytes(), nil
}

// levels are the objects and lists that are open while JSON is gone through,
// the outermost first.
type levels []level

type level struct {
	object bool
	value  bool   // of an object: its name has gone by, and the value comes
	name   string // of the member
}

// pass takes a byte between strings.
func (l *levels) pass(b byte) {
	switch b {
	case '{', '[':
		*l = append(*l, level{object: b == '{'})
	case '}', ']':
		*l = (*l)[:len(*l)-1]
	case ':', ',':
		(*l)[len(*l)-1].value = b == ':'
	}
}

// name takes a string, which is the name of a member where one is expected.
func (l levels) name(text string) {
	if l.key() {
		l[len(l)-1].name = text
	}
}

func (l levels) key() bool { return len(l) > 0 && l[len(l)-1].object && !l[len(l)-1].value }

func (l levels) spot() Spot {
	at := Spot{Key: l.key()}
	for _, one := range l {
		if one.value {
			at.Path = append(at.Path, one.name)
		}
	}
	return at
}

// stringEnd returns where the string that begins at i ends, in valid JSON.
func stringEnd(raw []byte, i int) int {
	for i++; raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func unquote(literal []byte) (text string, err error) {
	if inner := literal[1 : len(literal)-1]; !bytes.ContainsRune(inner, '\\') {
		return string(inner), nil
	}
	err = json.Unmarshal(literal, &text)
	return text, err
}
