package tool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/deskhand/deskhand"
)

// NewSpec describes a tool made of a Go function.
type NewSpec struct {
	Name        string // letters, digits, "_" and "-", 1 to 128 characters
	Description string // what the model reads: what it does, when to use it, what comes back
}

// New returns a tool that runs a Go function. The schema the model sees comes
// from In, a struct: json tags name the fields, "omitempty" makes one optional,
// `doc:"…"` describes it and `enum:"a,b"` lists the strings it may be.
//
// Input is checked against the schema before run is called: unknown, missing,
// doubled and wrongly typed fields are answered with an error result that
// names each. An error of run is the model's to read when its code is Invalid,
// NotFound, Denied or Conflict; any other ends the task's run.
//
// New panics when In cannot be a schema or the name cannot be sent: both are
// programmer's errors, seen at the start of the program.
func New[In any](spec NewSpec, run func(ctx context.Context, in In) (deskhand.Result, error)) Tool {
	schema, err := schemaFor[In]()
	if err != nil {
		panic(fmt.Sprintf("tool: %s: %v", spec.Name, err))
	}
	if !toolName.MatchString(spec.Name) {
		panic(fmt.Sprintf("tool: %q is not a tool's name", spec.Name))
	}
	entry, err := json.Marshal(struct {
		Name        string             `json:"name"`
		Description string             `json:"description,omitempty"`
		InputSchema *jsonschema.Schema `json:"input_schema"`
	}{spec.Name, spec.Description, schema})
	if err != nil {
		panic(fmt.Sprintf("tool: %s: %v", spec.Name, err))
	}
	return &function[In]{Spec{Name: spec.Name, Entry: entry}, schema, run}
}

var toolName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)

type function[In any] struct {
	spec   Spec
	schema *jsonschema.Schema
	run    func(context.Context, In) (deskhand.Result, error)
}

func (f *function[In]) Spec() Spec { return f.spec }

func (f *function[In]) Run(ctx context.Context, call deskhand.Call) (deskhand.Result, error) {
	clean, problem := check(f.schema, call.Input)
	var in In
	if problem == "" {
		problem = decode(clean, &in)
	}
	if problem != "" {
		return InvalidInput(f.spec.Name, problem), nil
	}
	result, err := f.run(ctx, in)
	return answer(result, err)
}

// answer turns an error that is for the model to read into a result.
func answer(result deskhand.Result, err error) (deskhand.Result, error) {
	if err != nil && Readable(err) {
		return deskhand.Failure("Error: " + Reason(err)), nil
	}
	return result, err
}

// decode fills in with input that fits the schema. What can still fail is a
// number too large for its field, or a type with rules of its own (time.Time).
func decode(clean json.RawMessage, in any) (problem string) {
	err := json.Unmarshal(clean, in)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &wrong) && wrong.Field != "":
		return wrong.Field + ": out of range"
	}
	return "input: a field has a form that cannot be read"
}

// InvalidInput answers a call whose input is wrong: "field: problem; …".
func InvalidInput(name, problem string) deskhand.Result {
	return deskhand.Failure(fmt.Sprintf("invalid input for tool '%s': %s", name, problem))
}

// Readable reports whether err is for the model to read and go on from, rather
// than a failure of the runtime.
func Readable(err error) bool {
	var e *deskhand.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case deskhand.Invalid, deskhand.NotFound, deskhand.Denied, deskhand.Conflict:
		return true
	}
	return false
}

// Reason returns the sentence of err without the names of the runtime's own
// operations before it.
func Reason(err error) string {
	for {
		var e *deskhand.Error
		if !errors.As(err, &e) {
			return err.Error()
		}
		err = e.Err
	}
}
