// Package rawjson edits a JSON object without touching the bytes of the members
// it does not edit, and writes JSON strings as the web does: with <, > and &
// as they are.
package rawjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// Object is a JSON object with its members in the order they were written.
type Object struct{ members []member }

type member struct {
	key   string
	value json.RawMessage
}

var errNotObject = errors.New("not a JSON object")

// Parse reads one JSON object and nothing else.
func Parse(data []byte) (*Object, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	open, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if open != json.Delim('{') {
		return nil, errNotObject
	}
	o := &Object{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, ok := key.(string)
		if !ok {
			return nil, errNotObject // unreachable: the decoder refuses other keys itself
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		o.members = append(o.members, member{name, value})
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("text after the JSON object")
	}
	return o, nil
}

// Get returns the value of the last member named key, nil when there is none.
func (o *Object) Get(key string) json.RawMessage {
	for i := len(o.members) - 1; i >= 0; i-- {
		if o.members[i].key == key {
			return o.members[i].value
		}
	}
	return nil
}

// Text returns the member named key when it is a string, else "".
func (o *Object) Text(key string) string {
	var s string
	if json.Unmarshal(o.Get(key), &s) != nil {
		return ""
	}
	return s
}

// Set replaces the value of key in place, or adds the member at the end.
func (o *Object) Set(key string, value json.RawMessage) {
	for i := range o.members {
		if o.members[i].key == key {
			o.members[i].value = value
			return
		}
	}
	o.members = append(o.members, member{key, value})
}

// Delete removes every member named key.
func (o *Object) Delete(key string) {
	kept := o.members[:0]
	for _, m := range o.members {
		if m.key != key {
			kept = append(kept, m)
		}
	}
	o.members = kept
}

// Keys returns the names of the members in order.
func (o *Object) Keys() []string {
	keys := make([]string, len(o.members))
	for i, m := range o.members {
		keys[i] = m.key
	}
	return keys
}

// Bytes returns the object as JSON: values as they were, no space between members.
func (o *Object) Bytes() []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o.members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(String(m.key))
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// String returns s as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func String(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic("rawjson: string: " + err.Error()) // unreachable: strings always marshal
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
