package tool_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/tool"
)

type address struct {
	Street string `json:"street" doc:"Street and number"`
	Zip    *int   `json:"zip"`
}

type order struct {
	Name   string            `json:"name"`
	Count  int               `json:"count"`
	Price  float64           `json:"price,omitempty"`
	Urgent bool              `json:"urgent,omitempty"`
	Size   string            `json:"size,omitempty" enum:"small,large"`
	Tags   []string          `json:"tags,omitempty"`
	Pair   [2]int8           `json:"pair,omitzero"`
	To     *address          `json:"to,omitempty"`
	More   []address         `json:"more,omitempty"`
	Labels map[string]int    `json:"labels,omitempty"`
	Any    any               `json:"any,omitempty"`
	Hidden string            `json:"-"`
	Extra  map[string]string `json:"extra,omitempty"`
}

func orders(got *order) tool.Tool {
	return tool.New(tool.NewSpec{Name: "order", Description: "Orders things."}, func(_ context.Context, in order) (deskhand.Result, error) {
		*got = in
		return deskhand.Text("ok"), nil
	})
}

func TestNewReadsInput(t *testing.T) {
	t.Parallel()
	zip := 5
	var got order
	tl := orders(&got)
	for in, want := range map[string]order{
		`{"name":"a","count":2}`:                                                                  {Name: "a", Count: 2},
		` {"count":2.0,"name":"a"} `:                                                              {Name: "a", Count: 2},
		`{"name":"a","count":1e2,"price":2.5}`:                                                    {Name: "a", Count: 100, Price: 2.5},
		`{"name":"a","count":0,"price":3}`:                                                        {Name: "a", Price: 3},
		`{"name":"a","count":2,"urgent":true}`:                                                    {Name: "a", Count: 2, Urgent: true},
		`{"name":"a","count":2,"size":"large"}`:                                                   {Name: "a", Count: 2, Size: "large"},
		`{"name":"a","count":2,"tags":["x","y"]}`:                                                 {Name: "a", Count: 2, Tags: []string{"x", "y"}},
		`{"name":"a","count":2,"tags":null}`:                                                      {Name: "a", Count: 2},
		`{"name":"a","count":2,"pair":[1.0,-2]}`:                                                  {Name: "a", Count: 2, Pair: [2]int8{1, -2}},
		`{"name":"a","count":2,"labels":{"x":1.0}}`:                                               {Name: "a", Count: 2, Labels: map[string]int{"x": 1}},
		`{"name":"a","count":2,"any":{"x":[1]}}`:                                                  {Name: "a", Count: 2, Any: map[string]any{"x": []any{1.0}}},
		`{"name":"é\ud83d\ude00","count":2}`:                                                      {Name: "é😀", Count: 2},
		`{"name":"a","count":2,"to":null,"price":-1}`:                                             {Name: "a", Count: 2, Price: -1},
		`{"name":"a","count":2,"to":{"street":"s","zip":5.0},"more":[{"street":"t","zip":null}]}`: {Name: "a", Count: 2, To: &address{"s", &zip}, More: []address{{"t", nil}}},
	} {
		got = order{}
		r, err := tl.Run(context.Background(), deskhand.Call{Name: "order", Input: json.RawMessage(in)})
		if err != nil || r.IsError || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v %v\n got %+v\nwant %+v", in, r, err, got, want)
		}
	}
}

func TestNewRefusesInput(t *testing.T) {
	t.Parallel()
	var got order
	tl := orders(&got)
	for in, want := range map[string]string{
		``:                                       "input: expected an object",
		`null`:                                   "input: expected an object",
		`[]`:                                     "input: expected an object",
		`"x"`:                                    "input: expected an object",
		`{`:                                      "input: not valid JSON",
		`{}`:                                     "name: required; count: required",
		`{"name":"a"}`:                           "count: required",
		`{"name":5,"count":1}`:                   "name: expected a string",
		`{"name":null,"count":1}`:                "name: expected a string",
		`{"name":"a","count":"1"}`:               "count: expected a whole number",
		`{"name":"a","count":1.5}`:               "count: expected a whole number",
		`{"name":"a","count":1e308}`:             "count: expected a whole number",
		`{"name":"a","count":null}`:              "count: expected a whole number",
		`{"name":"a","count":1,"price":"2"}`:     "price: expected a number",
		`{"name":"a","count":1,"price":1e999}`:   "price: out of range",
		`{"name":"a","count":1,"urgent":"yes"}`:  "urgent: expected true or false",
		`{"name":"a","count":1,"size":"medium"}`: "size: expected one of small, large",
		`{"name":"a","count":1,"tags":"x"}`:      "tags: expected a list",
		`{"name":"a","count":1,"tags":["x",5]}`:  "tags[1]: expected a string",
		`{"name":"a","count":1,"pair":[1]}`:      "pair: expected 2 items",
		`{"name":"a","count":1,"pair":[1,300]}`:  "pair: out of range",
		`{"name":"a","count":1,"to":"x"}`:        "to: expected an object",
		`{"name":"a","count":1,"to":{"street":5,"zap":1}}`:                         "to.street: expected a string; to.zip: required; to.zap: unknown field",
		`{"name":"a","count":1,"more":[{"street":"s","zip":1,"zip":2}]}`:           "more[0].zip: given more than once",
		`{"name":"a","count":1,"labels":{"x":"y"}}`:                                "labels.x: expected a whole number",
		`{"name":"a","count":1,"Hidden":"x"}`:                                      "Hidden: unknown field",
		`{"name":"a","count":1,"-":"x"}`:                                           "-: unknown field",
		`{"Name":"a","count":1}`:                                                   "name: required; Name: unknown field",
		`{"name":"a","count":1,"name":"b"}`:                                        "name: given more than once",
		`{"name":"a\ud800","count":1}`:                                             "name: contains half of a surrogate pair",
		`{"name":"a","count":1,"x":1,"y\u001b":2}`:                                 "x: unknown field; y : unknown field",
		"{\"name\":\"\xff\",\"count\":1}":                                          "input: not valid JSON",
		`{"name":"a","count":1,"to":` + strings.Repeat(`[`, 20000) + `]}`:          "input: not valid JSON",
		`{"name":"a","count":1,"any":{"x":1,"x":2},"tags":[],"price":"` + `"}`:     "price: expected a number",
		`{"name":"a","count":1,"` + strings.Repeat("x", 1000) + `":1}`:             strings.Repeat("x", 64) + "…: unknown field",
		`{"name":"a","count":9007199254740993,"size":"small","tags":["a"]}`:        "count: expected a whole number",
		`{"name":"a","count":1,"more":{"street":"s"},"labels":[],"urgent":"true"}`: "urgent: expected true or false; more: expected a list; labels: expected an object",
	} {
		r, err := tl.Run(context.Background(), deskhand.Call{Name: "order", Input: json.RawMessage(in)})
		if want = "invalid input for tool 'order': " + want; err != nil || !r.IsError || r.Content[0].Text != want {
			t.Errorf("%.200s: %v\n got %q\nwant %q", in, err, r.Content[0].Text, want)
		}
	}
	if !reflect.DeepEqual(got, order{}) {
		t.Errorf("the function ran: %+v", got)
	}
}

func TestNewAnswersErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string // "": the run ends
	}{
		{deskhand.Errorf("weather: lookup", deskhand.NotFound, "There is no such city."), "Error: There is no such city."},
		{deskhand.E("outer", "", deskhand.Errorf("inner", deskhand.Conflict, "It changed.")), "Error: It changed."},
		{deskhand.Errorf("op", deskhand.Invalid, "Say more."), "Error: Say more."},
		{deskhand.Errorf("op", deskhand.Denied, "Not yours."), "Error: Not yours."},
		{deskhand.Errorf("op", deskhand.Unavailable, "host db-7 is down"), ""},
		{deskhand.Errorf("op", deskhand.Internal, "boom"), ""},
		{errors.New("plain"), ""},
		{context.Canceled, ""},
	} {
		tl := tool.New(tool.NewSpec{Name: "x"}, func(context.Context, struct{}) (deskhand.Result, error) {
			return deskhand.Result{}, c.err
		})
		r, err := tl.Run(context.Background(), deskhand.Call{Input: json.RawMessage(`{}`)})
		if c.want == "" && !errors.Is(err, c.err) || c.want != "" && (err != nil || !r.IsError || r.Content[0].Text != c.want) {
			t.Errorf("%v: %+v %v", c.err, r, err)
		}
	}
}

func TestNewPanics(t *testing.T) {
	t.Parallel()
	for name, build := range map[string]func(){
		"not a struct":  func() { makeTool[[]string]("x") },
		"a func field":  func() { makeTool[struct{ F func() }]("x") },
		"an empty name": func() { makeTool[struct{}]("") },
		"a spaced name": func() { makeTool[struct{}]("a b") },
		"a cycle":       func() { makeTool[cycle]("x") },
		"a numeric enum": func() {
			makeTool[struct {
				N int `enum:"1,2"`
			}]("x")
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			build()
		}()
	}
}

type cycle struct{ Next *cycle }

func makeTool[In any](name string) tool.Tool {
	return tool.New(tool.NewSpec{Name: name}, func(context.Context, In) (deskhand.Result, error) { return deskhand.Result{}, nil })
}

type toolset struct{ name string }

func (s toolset) Spec() tool.Spec { return tool.Spec{Name: s.name, Toolset: true} }
func (toolset) Run(context.Context, deskhand.Call) (deskhand.Result, error) {
	return deskhand.Result{}, nil
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	set, err := tool.NewSet(toolset{"computer"}, makeTool[struct{}]("browser"))
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		`{"actions":"[{\"action\": \"screenshot\"}]"}`:                              "'actions' is text, not a list of actions",
		`{"actions":{"action":"screenshot"}}`:                                       "'actions' is not a list of actions",
		`{"actions":null}`:                                                          "'actions' is not a list of actions",
		`{"actions":[]}`:                                                            "the 'actions' list is empty",
		`{"actions":[{"action":"screenshot"},{"coordinate":[1,1]}]}`:                "action 1 must be an object with a string 'action' field",
		`{"actions":[{"action":5}]}`:                                                "action 0 must be an object with a string 'action' field",
		`{"actions":["screenshot"]}`:                                                "action 0 must be an object with a string 'action' field",
		`{"actions":[{"action":"a"},{"action":"b\n"}]}`:                             "its actions could not be run as sent (actions: 'a', 'b ')",
		`{"actions":[` + strings.Repeat(`{"action":"a"},`, 11) + `{"action":"a"}]}`: "its actions could not be run as sent (actions: " + strings.Repeat("'a', ", 10) + "and 2 more)",
		`{"action":"screenshot"}`:                                                   "the call has no 'actions' list (action: 'screenshot')",
		`{"action":5}`:                                                              "the call has no 'actions' list",
		`{}`:                                                                        "the call has no 'actions' list",
		``:                                                                          "the call has no 'actions' list",
		`[1]`:                                                                       "the call has no 'actions' list",
	} {
		owner, text, ok := set.Malformed(deskhand.Call{Name: "computer", Input: json.RawMessage(in)})
		if want = "Error: the 'computer' toolset could not run this call: " + want + "; nothing in the batch was executed"; !ok || text != want || owner.Spec().Name != "computer" {
			t.Errorf("%s\n got %q\nwant %q", in, text, want)
		}
	}
	for _, call := range []deskhand.Call{{Name: "computer", Toolset: "computer"}, {Name: "browser"}, {Name: "screenshot"}, {}} {
		if _, text, ok := set.Malformed(call); ok {
			t.Errorf("%+v: %q", call, text)
		}
	}
}
