package tool_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/tool"
)

const weatherSchema = `{"type": "object", "properties": {
	"location": {"type": "string", "minLength": 2},
	"unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
	"days": {"type": "integer", "minimum": 1, "maximum": 7},
	"near": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
	"place": {"type": "object", "properties": {"zip": {"type": "string", "pattern": "^[0-9]+$"}}}
}, "required": ["location"]}`

func echo(t *testing.T, schema string) tool.Tool {
	t.Helper()
	tl, err := tool.FromSchema(tool.NewSpec{Name: "echo", Description: "Says it again."}, json.RawMessage(schema),
		func(_ context.Context, in json.RawMessage) (deskhand.Result, error) {
			if string(in) == `{"location":"Atlantis"}` {
				return deskhand.Result{}, deskhand.Errorf("echo", deskhand.NotFound, "There is no such place.")
			}
			return deskhand.Text(string(in)), nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return tl
}

func say(t *testing.T, tl tool.Tool, in string) string {
	t.Helper()
	r, err := tl.Run(t.Context(), deskhand.Call{Name: "echo", Input: json.RawMessage(in)})
	if err != nil {
		t.Fatal(err)
	}
	if bad := strings.HasPrefix(r.Content[0].Text, "{"); bad == r.IsError {
		t.Errorf("%s: %q is error %v", in, r.Content[0].Text, r.IsError)
	}
	return r.Content[0].Text
}

func TestFromSchemaChecksInput(t *testing.T) {
	t.Parallel()
	tl := echo(t, weatherSchema)
	for _, in := range []string{
		`{"location":"Oslo"}`, `{"location":"Oslo","unit":"celsius","days":7.0}`, `{"location":"Oslo","near":["a","b"]}`,
		`{"location":"\ud83d\ude00😀","place":{"zip":"0150","more":1}}`,
	} {
		if got := say(t, tl, in); got != in {
			t.Errorf("%s became %s", in, got)
		}
	}
	for in, want := range map[string]string{
		``:                                   "input: expected an object",
		`[]`:                                 "input: expected an object",
		`{`:                                  "input: not valid JSON",
		`{}`:                                 "location: required",
		`{"location":"O"}`:                   `location: minLength: "O" contains 1 Unicode code points, fewer than 2`,
		`{"location":5,"unit":"k"}`:          `location: expected string; unit: expected one of celsius fahrenheit`,
		`{"location":null}`:                  `location: expected string`,
		`{"city":"Oslo"}`:                    "location: required; city: unknown field",
		`{"location":"a","location":"Oslo"}`: "location: given more than once",
		`{"location":"Oslo","place":{"zip":"1","zip":"2"}}`: "place.zip: given more than once",
		`{"location":"Oslo","near":["\ud800"]}`:             "near[0]: contains half of a surrogate pair",
		`{"location":"Oslo","days":8}`:                      "days: is greater than 7",
		`{"location":"Oslo","days":1e999}`:                  "days: has a number that is out of range",
		`{"location":"Oslo","near":5}`:                      "near: does not fit the schema's anyOf",
		`{"location":"Oslo","place":{"zip":"x"}}`:           `place: zip: pattern: "x" does not match regular expression "^[0-9]+$"`,
	} {
		if got := say(t, tl, in); got != "invalid input for tool 'echo': "+want {
			t.Errorf("%s:\n got %s\nwant %s", in, got, want)
		}
	}
	if got := say(t, tl, `{"location":"Atlantis"}`); got != "Error: There is no such place." {
		t.Errorf("got %q", got)
	}
	long := say(t, tl, `{"location":"Oslo","unit":"`+strings.Repeat("x", 5000)+`\u202e"}`)
	if len(long) > 400 || strings.ContainsRune(long, '\u202e') {
		t.Errorf("%d bytes: %q", len(long), long)
	}
	if got := say(t, echo(t, `{"type":"object","additionalProperties":{"type":"string"}}`), `{"any":"thing"}`); got != `{"any":"thing"}` {
		t.Errorf("got %q", got)
	}
}

func TestFromSchemaRefusesSchemas(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]string{
		``:                                  "not sound",
		`[]`:                                "not sound",
		`{"type":"object","type":"object"}`: "given more than once",
		`{"type":"string"}`:                 `"type": "object"`,
		`{}`:                                `"type": "object"`,
		`{"type":"object","anyOf":[{}]}`:    "top level",
		`{"type":"object","properties":{"a b":{}}}`:                                  "name of a field",
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/x"}},"$defs":{"x":{}}}`: "$ref",
		`{"type":"object","properties":{"a":{"$ref":"http://127.0.0.1/x"}}}`:         "$ref",
		`{"type":"object","properties":{"a":{"pattern":"("}}}`:                       "cannot be",
		`{"type":"object","properties":{"a":5}}`:                                     "cannot be read",
		`{"type":"object","$schema":"http://json-schema.org/draft-04/schema#"}`:      "$schema",
	} {
		_, err := tool.FromSchema(tool.NewSpec{Name: "x"}, json.RawMessage(schema), nil)
		if deskhand.CodeOf(err) != deskhand.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", schema, err, want)
		}
	}
	if _, err := tool.FromSchema(tool.NewSpec{Name: "a b"}, json.RawMessage(`{"type":"object"}`), nil); deskhand.CodeOf(err) != deskhand.Invalid {
		t.Error(err)
	}
}

func FuzzFromSchema(f *testing.F) {
	for _, s := range []string{`{"location":"Oslo"}`, `{"location":"a","location":"b"}`, `{"near":[[[]]]}`, `{"place":{"zip":5}}`, `[`, `{"a":"\ud800"}`, `{"days":1e999}`} {
		f.Add([]byte(s))
	}
	ran := false
	tl, err := tool.FromSchema(tool.NewSpec{Name: "echo"}, json.RawMessage(weatherSchema), func(context.Context, json.RawMessage) (deskhand.Result, error) {
		ran = true
		return deskhand.Text("ok"), nil
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		ran = false
		r, err := tl.Run(t.Context(), deskhand.Call{Input: raw})
		if err != nil || ran == r.IsError {
			t.Fatalf("%q: %+v, %v", raw, r, err)
		}
		var in struct{ Location *string }
		if ran && (json.Unmarshal(raw, &in) != nil || in.Location == nil) {
			t.Fatalf("%q was let through", raw)
		}
	})
}
