package tool

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/input"
	"github.com/deskhand/deskhand/internal/plaintext"
)

// FromSchema returns a tool whose schema is known only when the program runs,
// such as one that a file describes. Where the schema is a Go struct, New does
// more with less.
//
// The model is sent schema as it is written. Input is checked against it before
// run is called: what does not fit is answered with an error result that names
// each field. A field that the schema does not name is refused, unless
// additionalProperties or patternProperties speak of it. What run gets is valid
// JSON in which no name comes twice. Errors of run are treated as those of New.
//
// Invalid: a name that cannot be sent, or a schema that the API would refuse or
// that cannot be checked.
func FromSchema(spec NewSpec, schema json.RawMessage, run func(ctx context.Context, in json.RawMessage) (deskhand.Result, error)) (Tool, error) {
	const op = "tool"
	if !toolName.MatchString(spec.Name) {
		return nil, deskhand.Errorf(op, deskhand.Invalid, "%.100q is not a tool's name", spec.Name)
	}
	rules, err := readRules(schema)
	if err != nil {
		return nil, deskhand.E(op, deskhand.Invalid, err)
	}
	entry, err := json.Marshal(struct {
		Name        string          `json:"name"`
		Description string          `json:"description,omitempty"`
		InputSchema json.RawMessage `json:"input_schema"`
	}{spec.Name, spec.Description, schema})
	if err != nil {
		return nil, deskhand.E(op, deskhand.Invalid, err)
	}
	return &described{Spec{Name: spec.Name, Entry: entry}, rules, run}, nil
}

type described struct {
	spec  Spec
	rules rules
	run   func(context.Context, json.RawMessage) (deskhand.Result, error)
}

func (d *described) Spec() Spec { return d.spec }

func (d *described) Run(ctx context.Context, call deskhand.Call) (deskhand.Result, error) {
	if problem := d.rules.check(call.Input); problem != "" {
		return InvalidInput(d.spec.Name, problem), nil
	}
	result, err := d.run(ctx, call.Input)
	return answer(result, err)
}

// rules are a schema made ready for checking: the whole, and each field alone,
// so that what is wrong with several can be said at once.
type rules struct {
	schema *jsonschema.Schema
	whole  *jsonschema.Resolved
	fields map[string]*jsonschema.Resolved
}

// propertyName is what the API takes as the name of a field.
var propertyName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,64}$`)

// readRules reads a schema as strictly as the API does.
func readRules(raw json.RawMessage) (rules, error) {
	r := rules{schema: &jsonschema.Schema{}, fields: map[string]*jsonschema.Resolved{}}
	if problem := sound(raw, ""); problem != "" {
		return r, fmt.Errorf("the schema is not sound: %s", problem)
	}
	if err := json.Unmarshal(raw, r.schema); err != nil {
		return r, fmt.Errorf("the schema cannot be read: %w", err)
	}
	if r.schema.Type != "object" {
		return r, fmt.Errorf(`the schema must have "type": "object"`)
	}
	if r.schema.OneOf != nil || r.schema.AllOf != nil || r.schema.AnyOf != nil {
		return r, fmt.Errorf("the schema must not have oneOf, allOf or anyOf at its top level; the API refuses that")
	}
	if hasReference(raw) {
		return r, fmt.Errorf("the schema must not have $ref or $dynamicRef; write out what it refers to")
	}
	var err error
	if r.whole, err = r.schema.Resolve(nil); err != nil {
		return r, fmt.Errorf("the schema cannot be used: %w", err)
	}
	if err := r.whole.Validate(map[string]any{}); err != nil && strings.Contains(err.Error(), "cannot validate version") {
		return r, fmt.Errorf("the schema's $schema is not known; leave it out")
	}
	for name, s := range r.schema.Properties {
		if !propertyName.MatchString(name) {
			return r, fmt.Errorf("the API does not take %.100q as the name of a field", name)
		}
		if r.fields[name], err = s.CloneSchemas().Resolve(nil); err != nil {
			return r, fmt.Errorf("the schema of %s cannot be used: %w", name, err)
		}
	}
	return r, nil
}

// hasReference reports whether a schema refers to another one.
func hasReference(raw json.RawMessage) bool {
	o := input.Read(raw)
	for _, name := range o.Names() {
		if name == "$ref" || name == "$dynamicRef" || hasReference(o.Peek(name)) {
			return true
		}
	}
	var items []json.RawMessage
	return json.Unmarshal(raw, &items) == nil && slices.ContainsFunc(items, hasReference)
}

// sound says what is wrong with JSON that two readers could understand
// differently: a name given twice, half of a surrogate pair. "" is nothing.
func sound(raw json.RawMessage, path string) string {
	switch raw = bytes.TrimSpace(raw); {
	case len(raw) > 0 && raw[0] == '{', path == "":
		return soundObject(raw, path)
	case raw[0] == '[':
		var items []json.RawMessage
		_ = json.Unmarshal(raw, &items) // a part of valid JSON
		for i, item := range items {
			if problem := sound(item, fmt.Sprintf("%s[%d]", path, i)); problem != "" {
				return problem
			}
		}
	case raw[0] == '"':
		if _, problem := input.String(raw); problem != "" {
			return path + ": " + problem
		}
	}
	return ""
}

func soundObject(raw json.RawMessage, path string) string {
	o := input.Read(raw)
	for _, name := range o.Names() {
		o.Take(name)
	}
	if problem := o.Problem(); problem != "" {
		return strings.TrimPrefix(path+"."+problem, ".")
	}
	for _, name := range o.Names() {
		if problem := sound(o.Peek(name), strings.TrimPrefix(path+"."+plaintext.Short(name, maxField), ".")); problem != "" {
			return problem
		}
	}
	return ""
}

// Bounds of what is repeated to the model, in characters.
const (
	maxField   = 64
	maxProblem = 300
)

// check says what is wrong with an input, "" when nothing is.
func (r rules) check(raw json.RawMessage) string {
	if problem := sound(raw, ""); problem != "" {
		return problem
	}
	o := input.Read(raw)
	for _, name := range slices.Sorted(maps.Keys(r.fields)) {
		switch value := o.Take(name); {
		case value != nil:
			if problem := fault(r.fields[name], value); problem != "" {
				o.Refuse(name, problem)
			}
		case slices.Contains(r.schema.Required, name):
			o.Refuse(name, "required")
		}
	}
	if r.schema.AdditionalProperties != nil || r.schema.PatternProperties != nil {
		for _, name := range o.Names() {
			o.Take(name)
		}
	}
	if problem := o.Problem(); problem != "" {
		return problem
	}
	if problem := fault(r.whole, raw); problem != "" {
		return "input: " + problem
	}
	return ""
}

// where is how the library says in which part of a schema it was, and the last
// part it was in.
var where = regexp.MustCompile(`^(?:validating [^:\n]*: )*validating ([^:\n]*): `)

// fault says why a value does not fit, in the library's words about its rule.
func fault(schema *jsonschema.Resolved, raw json.RawMessage) string {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return "has a number that is out of range"
	}
	err := schema.Validate(value)
	if err == nil {
		return ""
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	at := where.FindStringSubmatch(text)
	if at == nil {
		return plaintext.Short(text, maxProblem)
	}
	text = strings.TrimPrefix(text, at[0])
	for _, w := range wordings {
		text = w.library.ReplaceAllString(text, w.ours)
	}
	inner := strings.NewReplacer("/properties/", ".", "/items", "[]").Replace(at[1])
	if inner = strings.TrimPrefix(inner, "."); inner != "root" && !strings.Contains(inner, "/") {
		text = inner + ": " + text
	}
	return plaintext.Short(text, maxProblem)
}

// wordings are for what the library says in the words of Go, or by printing its
// own memory.
var wordings = []struct {
	library *regexp.Regexp
	ours    string
}{
	{regexp.MustCompile(`^type: .* want (?:one of )?"([a-z, ]+)"$`), "expected $1"},
	{regexp.MustCompile(`^enum: .* does not equal any of: \[(.*)\]$`), "expected one of $1"},
	{regexp.MustCompile(`^(?:minimum|maximum|exclusiveMinimum|exclusiveMaximum): \S+ (is .*?)\.?0*$`), "$1"},
	{regexp.MustCompile(`^(anyOf|oneOf|not|contains|const|multipleOf): .*`), "does not fit the schema's $1"},
}
