package rawjson

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestObjectKeepsWhatItDoesNotTouch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in, want string
		edit           func(*Object)
	}{
		{"order, numbers and spaces inside values", `{"z":1.50, "a":{ "b" : 1e3 },"unknown":[ ]}`, `{"z":1.50,"a":{ "b" : 1e3 },"unknown":[ ]}`, func(*Object) {}},
		{"replace in place", `{"a":1,"b":2,"c":3}`, `{"a":1,"b":9,"c":3}`, func(o *Object) { o.Set("b", json.RawMessage("9")) }},
		{"add at the end", `{"a":1}`, `{"a":1,"b":2}`, func(o *Object) { o.Set("b", json.RawMessage("2")) }},
		{"delete", `{"a":1,"b":2}`, `{"b":2}`, func(o *Object) { o.Delete("a") }},
		{"strings as the web writes them", `{}`, `{"<a&b>":"<é>\n"}`, func(o *Object) { o.Set("<a&b>", String("<é>\n")) }},
	}
	for _, tt := range tests {
		o, err := Parse([]byte(tt.in))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		tt.edit(o)
		if got := string(o.Bytes()); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "[]", `"a"`, "{", `{"a"}`, `{"a":1}{}`, `{"a":1} x`, "null"} {
		if _, err := Parse([]byte(in)); err == nil {
			t.Errorf("Parse(%q) gave no error", in)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"a":[1,2,{"b":null}],"a":"twice"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := Parse(data)
		if err != nil {
			return
		}
		again, err := Parse(o.Bytes())
		if err != nil || !reflect.DeepEqual(again.Keys(), o.Keys()) {
			t.Errorf("Parse(%q).Bytes() = %q, which reads as %v, %v", data, o.Bytes(), again, err)
		}
	})
}
