package policy_test

import (
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/policy"
)

// TestAllowing: rules are added, what a person wrote stays, and what is saved
// reads as what was shown.
func TestAllowing(t *testing.T) {
	t.Parallel()
	rule := func(text string) policy.Rule {
		r, err := policy.ParseRule(deskhand.Allow, text)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	more := []policy.Rule{rule("bash(touch /tmp/x)"), rule(`bash(mkdir "a b")`)}
	for name, file := range map[string]string{
		"no file":        "",
		"no list":        "# mine\ndeny = [\"bash(rm *)\"]\n",
		"a list":         "# mine\nallow = [\n  # git\n  \"bash(git status)\",\n]\ndeny = [\"bash(rm *)\"]\n",
		"on one line":    "allow = [\"bash(git status)\"] # mine\n",
		"an empty list":  "allow = []\n",
		"one is there":   "allow = [\"bash(touch /tmp/x)\"]\n",
		"a comment only": "# allow = [ nothing ]\n",
	} {
		out, err := policy.Allowing("policy.toml", []byte(file), more, "2026-01-02, task abcdefgh")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		rules, err := policy.Parse("policy.toml", out)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		before, _ := policy.Parse("policy.toml", []byte(file))
		var got []string
		for _, r := range rules {
			if r.Outcome == deskhand.Allow {
				got = append(got, r.Pattern())
			}
		}
		for _, r := range append(before, more...) {
			if n := strings.Count(strings.Join(got, "\n")+"\n", r.Pattern()+"\n"); r.Outcome == deskhand.Allow && n != 1 {
				t.Errorf("%s: %s is there %d times in\n%s", name, r.Pattern(), n, out)
			}
		}
		if strings.Contains(file, "# mine") && !strings.Contains(string(out), "# mine") {
			t.Errorf("%s: what was written is gone from\n%s", name, out)
		}
		if again, err := policy.Allowing("policy.toml", out, more, "again"); err != nil || string(again) != string(out) {
			t.Errorf("%s: added twice it is\n%s", name, again)
		}
	}
	if _, err := policy.Allowing("policy.toml", []byte("allow = [\n"), more, ""); err == nil {
		t.Error("a file that cannot be read is added to")
	}
	if _, err := policy.Allowing("policy.toml", []byte("note = '''\nallow = [\n'''\n"), more, ""); err == nil {
		t.Error("a list in a text is added to")
	}
}
