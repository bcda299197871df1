package tool

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/deskhand/deskhand/internal/input"
	"github.com/deskhand/deskhand/internal/plaintext"
)

// schemaFor returns the schema of In with the doc and enum tags applied.
func schemaFor[In any]() (*jsonschema.Schema, error) {
	schema, err := jsonschema.For[In](nil)
	if err != nil {
		return nil, err
	}
	if schema.Type != "object" || reflect.TypeFor[In]().Kind() != reflect.Struct {
		return nil, fmt.Errorf("the input must be a struct, not %v", reflect.TypeFor[In]())
	}
	if err := applyTags(reflect.TypeFor[In](), schema); err != nil {
		return nil, err
	}
	_, err = schema.Resolve(nil)
	return schema, err
}

// applyTags walks t and its schema together.
func applyTags(t reflect.Type, schema *jsonschema.Schema) error {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
		if t.Kind() != reflect.Pointer && schema.Items != nil {
			schema = schema.Items
		}
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for _, field := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" {
			name = field.Name
		}
		property := schema.Properties[name]
		if property == nil || field.Anonymous {
			continue
		}
		if doc := field.Tag.Get("doc"); doc != "" {
			property.Description = doc
		}
		if err := applyEnum(field, name, property); err != nil {
			return err
		}
		if err := applyTags(field.Type, property); err != nil {
			return err
		}
	}
	return nil
}

func applyEnum(field reflect.StructField, name string, property *jsonschema.Schema) error {
	list, ok := field.Tag.Lookup("enum")
	if !ok {
		return nil
	}
	if property.Type != "string" {
		return fmt.Errorf("field %s: only a string can have an enum tag", name)
	}
	for _, value := range strings.Split(list, ",") {
		property.Enum = append(property.Enum, value)
	}
	return nil
}

// check reads raw against schema. It returns the input with whole floats
// written as integers, or what is wrong.
func check(schema *jsonschema.Schema, raw json.RawMessage) (clean json.RawMessage, problem string) {
	c := checker{}
	clean = c.object(schema, "", raw)
	return clean, strings.Join(c.problems, "; ")
}

type checker struct{ problems []string }

func (c *checker) refuse(path, problem string) json.RawMessage {
	if path == "" {
		path = "input"
	}
	c.problems = append(c.problems, path+": "+problem)
	return nil
}

// object checks an object field by field, in the order of the schema.
func (c *checker) object(schema *jsonschema.Schema, path string, raw json.RawMessage) json.RawMessage {
	o := input.Read(raw)
	out := map[string]json.RawMessage{}
	at := func(name string) string { return strings.TrimPrefix(path+"."+plaintext.Short(name, 64), ".") }
	for _, name := range schema.PropertyOrder {
		value := o.Take(name)
		switch {
		case value != nil:
			out[name] = c.value(schema.Properties[name], at(name), value)
		case slices.Contains(schema.Required, name) && !o.Broken():
			c.refuse(at(name), "required")
		}
	}
	if free(schema) {
		for _, name := range o.Names() {
			if schema.Properties[name] == nil {
				out[name] = c.value(schema.AdditionalProperties, at(name), o.Take(name))
			}
		}
	}
	if problem := o.Problem(); problem != "" {
		if path != "" {
			problem = path + "." + strings.ReplaceAll(problem, "; ", "; "+path+".")
		}
		c.problems = append(c.problems, problem)
	}
	clean, _ := json.Marshal(out) // made of valid JSON
	return clean
}

// free reports whether a schema takes fields that it does not name, as that of
// a map does.
func free(schema *jsonschema.Schema) bool {
	return schema.AdditionalProperties != nil && schema.AdditionalProperties.Not == nil
}

// value checks one value of any type.
func (c *checker) value(schema *jsonschema.Schema, path string, raw json.RawMessage) json.RawMessage {
	types := schema.Types
	if schema.Type != "" {
		types = []string{schema.Type}
	}
	if len(types) == 0 || slices.Contains(types, "null") && input.Null(raw) {
		return raw
	}
	return c.typed(types[len(types)-1], schema, path, raw) // the library writes "null" first
}

// typed checks one value that must be of kind.
func (c *checker) typed(kind string, schema *jsonschema.Schema, path string, raw json.RawMessage) json.RawMessage {
	switch kind {
	case "object":
		if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
			return c.object(schema, path, raw)
		}
	case "array":
		return c.list(schema, path, raw)
	case "string":
		return c.text(schema, path, raw)
	case "integer":
		if n, ok := input.Integer(raw); ok {
			return json.RawMessage(fmt.Sprint(n))
		}
	case "number":
		if raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9' {
			return raw
		}
	case "boolean":
		if _, ok := input.Bool(raw); ok {
			return raw
		}
	}
	return c.refuse(path, "expected "+expected[kind])
}

var expected = map[string]string{
	"object":  "an object",
	"array":   "a list",
	"integer": "a whole number",
	"number":  "a number",
	"boolean": "true or false",
}

func (c *checker) text(schema *jsonschema.Schema, path string, raw json.RawMessage) json.RawMessage {
	text, problem := input.String(raw)
	switch {
	case problem != "":
		return c.refuse(path, problem)
	case schema.Enum != nil && !slices.Contains(schema.Enum, any(text)):
		return c.refuse(path, fmt.Sprintf("expected one of "+strings.TrimSuffix(strings.Repeat("%v, ", len(schema.Enum)), ", "), schema.Enum...))
	}
	return raw
}

func (c *checker) list(schema *jsonschema.Schema, path string, raw json.RawMessage) json.RawMessage {
	var items []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &items) != nil {
		return c.refuse(path, "expected a list")
	}
	if min, max := schema.MinItems, schema.MaxItems; min != nil && len(items) < *min || max != nil && len(items) > *max {
		return c.refuse(path, fmt.Sprintf("expected %d items", *min))
	}
	for i, item := range items {
		if schema.Items != nil {
			items[i] = c.value(schema.Items, fmt.Sprintf("%s[%d]", path, i), item)
		}
	}
	clean, _ := json.Marshal(items)
	return clean
}
