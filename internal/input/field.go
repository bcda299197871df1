package input

import "encoding/json"

// Field is one field of an input that is read into an A. Set reads its value,
// nil when there is none, and returns what is wrong with it, "" for nothing.
type Field[A any] struct {
	Name string
	Set  func(to *A, value json.RawMessage) (problem string)
}

// Fields are what one command takes: the fields it cannot do without, and those
// it may have. A null in the latter is an absent field: models write them that way.
type Fields[A any] struct{ Needs, Takes []Field[A] }

// Fill reads the fields into to, and records in o what is wrong.
func (f Fields[A]) Fill(o *Object, to *A) {
	for _, field := range f.Needs {
		field.read(o, to)
	}
	for _, field := range f.Takes {
		if Null(o.Peek(field.Name)) {
			o.Take(field.Name)
			continue
		}
		field.read(o, to)
	}
}

func (f Field[A]) read(o *Object, to *A) {
	if problem := f.Set(to, o.Take(f.Name)); problem != "" {
		o.Refuse(f.Name, problem)
	}
}

// Ignore takes those of the fields that are null, which are absent ones, and
// all of them when always is set: then there is no command they could belong to.
func Ignore[A any](o *Object, fields []Field[A], always bool) {
	for _, f := range fields {
		if always || Null(o.Peek(f.Name)) {
			o.Take(f.Name)
		}
	}
}

// Text returns a field that is a string.
func Text[A any](name string, of func(*A) *string) Field[A] {
	return Field[A]{name, func(to *A, v json.RawMessage) (problem string) {
		*of(to), problem = String(v)
		return problem
	}}
}

// Sought returns a field that is a text to look for, which is not empty.
func Sought[A any](name string, of func(*A) *string) Field[A] {
	text := Text(name, of)
	return Field[A]{name, func(to *A, v json.RawMessage) string {
		problem := text.Set(to, v)
		if problem == "" && *of(to) == "" {
			return "is empty; name the text to replace"
		}
		return problem
	}}
}

// Whole returns a field that is a whole number.
func Whole[A any](name string, of func(*A) *int) Field[A] {
	return Field[A]{name, func(to *A, v json.RawMessage) string {
		n, ok := Integer(v)
		if !ok {
			return "expected a whole number"
		}
		*of(to) = n
		return ""
	}}
}

// Span returns a field that is a list of the first and the last of something.
func Span[A any](name string, of func(*A) *[]int) Field[A] {
	return Field[A]{name, func(to *A, v json.RawMessage) string {
		pair, ok := Integers(v, 2)
		if !ok {
			return "expected [start, end]"
		}
		*of(to) = pair
		return ""
	}}
}
