package guard_test

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/secret"
	"github.com/deskhand/deskhand/secret/guard"
	"github.com/deskhand/deskhand/tool"
)

func several(t *testing.T) *secret.Set {
	t.Helper()
	var all []secret.Secret
	for _, c := range [][]string{{"token", "window:xterm", "https://github.com", "window:/usr/bin/mousepad:Sign in"}, {"page", "https://github.com"}, {"free"}} {
		one, err := secret.New(c[0], canary+c[0], c[1:]...)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	s, err := secret.NewSet(all...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTyping(t *testing.T) {
	t.Parallel()
	typing := guard.Typing(several(t))
	into := []desktop.Place{{Program: "xterm"}, {Program: "/usr/bin/mousepad", Title: "Sign in"}}
	got, err := typing("me\t{{secret:token}}\n")
	want := []desktop.Action{
		{Kind: desktop.Type, Text: "me\t", Into: into},
		{Kind: desktop.Type, Text: canary + "token", Into: into, Covered: true},
		{Kind: desktop.Type, Text: "\n", Into: into},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%d actions, %v", len(got), err)
	}
	if got, err := typing("plain"); err != nil || !reflect.DeepEqual(got, []desktop.Action{{Kind: desktop.Type, Text: "plain"}}) {
		t.Errorf("%+v, %v", got, err)
	}
	for text, want := range map[string]string{
		"{{secret:page}}": "bound to a web page", "{{secret:free}}": "not bound to any window",
		"{{secret:other}}": "no secret of that name", "{{secret:token}}{{secret:free}}": "one secret only",
	} {
		if got, err := typing(text); got != nil || !tool.Readable(err) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %d actions, %v", text, len(got), err)
		}
	}
}

// filler is a tool that fills in the calls that are named "type".
type filler struct{ recorder }

func (*filler) Fills(c deskhand.Call) bool { return c.Name == "type" }

// TestFillers: a reference reaches a tool that fills it in, and no other.
func TestFillers(t *testing.T) {
	t.Parallel()
	const refers, carries = `{"text":"{{secret:token}}"}`, `{"text":"` + canary + `token"}`
	for name, inner := range map[string]tool.Tool{"filler": &filler{}, "other": &recorder{}} {
		g := guard.Tool(inner, several(t))
		for call, input := range map[string]string{"type": refers, "key": refers, "type ": carries} {
			r, err := g.Run(context.Background(), deskhand.Call{Name: strings.TrimSpace(call), Input: []byte(input)})
			if runs := name == "filler" && call == "type"; err != nil || r.IsError == runs {
				t.Errorf("%s, %s: %+v, %v", name, call, r, err)
			}
		}
	}
}

func TestListing(t *testing.T) {
	t.Parallel()
	got := guard.Listing(several(t))
	for _, want := range []string{
		"- {{secret:token}}: windows of xterm; windows of /usr/bin/mousepad with \"Sign in\" in the title\n", "- {{secret:page}}: no window\n", "- {{secret:free}}: no window\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	if strings.Contains(got, canary) || guard.Listing(nil) != "" {
		t.Errorf("%q", got)
	}
}
