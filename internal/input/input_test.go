package input_test

import (
	"encoding/json"
	"math"
	"testing"
	"unicode/utf8"

	"github.com/deskhand/deskhand/internal/input"
)

func TestInteger(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{
		"0": 0, "-0": 0, "-0.0": 0, "5": 5, "-17": -17, "100.0": 100, "1e2": 100, "1E+2": 100, "2.5e1": 25, "1200e-2": 12,
		"9007199254740992": 1 << 53, "-9007199254740992": -1 << 53,
	} {
		if got, ok := input.Integer(json.RawMessage(in)); !ok || got != want {
			t.Errorf("%s: %d %v, want %d", in, got, ok, want)
		}
	}
	for _, in := range []string{
		"", "null", "true", `"5"`, "[5]", "{}", "1.5", "0.1", "1e-1", "2.0000000000000000001", "9007199254740993", "-9007199254740993",
		"9223372036854775808", "1e308", "1e309", "-1e400", "Inf", "NaN", "0x10", "1_000", " 5", "5 ", "+-5", "1e99999999999",
	} {
		if got, ok := input.Integer(json.RawMessage(in)); ok {
			t.Errorf("%s was read as %d", in, got)
		}
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`""`: "", `"a\nb"`: "a\nb", `"\ud83d\ude00"`: "😀", `"\\ud800"`: `\ud800`, `"\u00e9é"`: "éé", `"\uFFFD"`: "\ufffd", `"😀"`: "😀",
	} {
		if got, problem := input.String(json.RawMessage(in)); problem != "" || got != want {
			t.Errorf("%s: %q %s", in, got, problem)
		}
	}
	for _, in := range []string{`"\ud800"`, `"\udc00"`, `"\ud800\u0041"`, `"\ud800x\udc00"`, `"\udc00\ud800"`, `"\uD83D\uD83D\uDE00"`, `"x\\\ud800"`} {
		if got, problem := input.String(json.RawMessage(in)); problem != "contains half of a surrogate pair" {
			t.Errorf("%s: %q %q", in, got, problem)
		}
	}
	for _, in := range []string{"", "5", "null", "[]", "{}", `'a'`} {
		if _, problem := input.String(json.RawMessage(in)); problem != "expected a string" {
			t.Errorf("%s: %q", in, problem)
		}
	}
}

func TestIntegers(t *testing.T) {
	t.Parallel()
	if got, ok := input.Integers(json.RawMessage("[1, 2.0]"), 2); !ok || got[0] != 1 || got[1] != 2 {
		t.Errorf("%v %v", got, ok)
	}
	for _, in := range []string{"", "null", "[]", "[1]", "[1,2,3]", "[1,null]", "{}", `"[1,2]"`} {
		if got, ok := input.Integers(json.RawMessage(in), 2); ok {
			t.Errorf("%s was read as %v", in, got)
		}
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	o := input.Read(json.RawMessage(` {"b":1,"a":null,"b":2,"\u001b":3} `))
	if got := string(o.Take("b")); got != "1" {
		t.Errorf("b is %s", got)
	}
	o.Refuse("a", "expected more")
	if got, want := o.Problem(), "b: given more than once; a: expected more; a: unknown field;  : unknown field"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := o.Problem(), "b: given more than once; a: expected more; a: unknown field;  : unknown field"; got != want {
		t.Errorf("asked again: %q", got)
	}
	broken := input.Read(json.RawMessage(`[1]`))
	broken.Refuse("a", "expected more")
	if got := broken.Problem(); got != "input: expected an object" || !broken.Broken() || broken.Take("a") != nil {
		t.Errorf("got %q", got)
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":[1,2.0],"c":"x"}`, `{"a":1e308}`, `{"a":"\ud800"}`, `{"a":1,"a":2}`, `[`, ``, `{"a":{"a":{}}}`, "{\"a\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		o := input.Read(raw)
		var whole map[string]json.RawMessage
		if err := json.Unmarshal(raw, &whole); utf8.Valid(raw) && (err == nil && whole != nil) == o.Broken() {
			t.Fatalf("%q: broken %v, encoding/json: %v", raw, o.Broken(), err)
		}
		if !o.Broken() && (len(o.Names()) != len(whole) || len(whole) > 0 && o.Problem() == "") {
			t.Fatalf("%q: %d fields of %d, and unknown ones are %q", raw, len(o.Names()), len(whole), o.Problem())
		}
		for _, name := range o.Names() {
			v := o.Take(name)
			if n, ok := input.Integer(v); ok {
				var again float64
				if err := json.Unmarshal(v, &again); err != nil || again != math.Trunc(again) || int(again) != n {
					t.Fatalf("%s was read as %d", v, n)
				}
			}
			if s, problem := input.String(v); problem == "" {
				var again string
				if err := json.Unmarshal(v, &again); err != nil || again != s {
					t.Fatalf("%s was read as %q", v, s)
				}
			}
		}
		if o.Broken() && o.Problem() == "" {
			t.Fatal("broken, and no problem")
		}
	})
}
