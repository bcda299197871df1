package rawjson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
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

// FuzzParse: what is read is what encoding/json reads, an edit of one member
// leaves the bytes of all others, and edits can be taken back.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"a":[1,2,{"b":null}],"a":"twice"}`), "a")
	f.Add([]byte(` { "z" : 1.50e+3 , "\u0061":"\ud83d\ude00<&>" , "":{} } `), "new")
	f.Add([]byte("{\"\xff\":\"\xff\"}"), "\xff")
	f.Fuzz(func(t *testing.T, data []byte, key string) {
		var whole map[string]json.RawMessage
		o, err := Parse(data)
		if plain := json.Unmarshal(data, &whole); (err == nil) != (plain == nil && whole != nil) {
			t.Fatalf("Parse(%q): %v, encoding/json: %v", data, err, plain)
		}
		if err != nil {
			return
		}
		for name, value := range whole {
			if string(o.Get(name)) != string(value) {
				t.Fatalf("%q of %q is %q, not %q", name, data, o.Get(name), value)
			}
		}
		written := o.Bytes()
		again, err := Parse(written)
		if err != nil || !reflect.DeepEqual(again.Keys(), o.Keys()) || !bytes.Equal(again.Bytes(), written) {
			t.Fatalf("Parse(%q).Bytes() = %q, which reads as %v, %v", data, written, again, err)
		}
		key = strings.ToValidUTF8(key, "\ufffd")
		_, there := whole[key]
		again.Set(key, json.RawMessage("[ 0 ]"))
		for name, value := range whole {
			if name != key && string(again.Get(name)) != string(value) {
				t.Fatalf("setting %q in %q changed %q", key, data, name)
			}
		}
		changed, err := Parse(again.Bytes())
		if err != nil || changed.Get(key) == nil {
			t.Fatalf("setting %q in %q gave %q, %v", key, data, again.Bytes(), err)
		}
		if again.Delete(key); again.Get(key) != nil || !there && !bytes.Equal(again.Bytes(), written) {
			t.Fatalf("setting %q in %q and deleting it gave %q", key, data, again.Bytes())
		}
	})
}
