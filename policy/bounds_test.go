package policy_test

import (
	"encoding/json"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/policy"
)

// TestBounds: inside an accepted plan what it covers is allowed, what it does
// not cover asks as leaving it, in both modes that know plans.
func TestBounds(t *testing.T) {
	t.Parallel()
	plan := &policy.Bounds{
		Folders: []string{"/home/ann/Invoices"}, Deletions: []string{"/home/ann/Invoices/old/*.pdf"}, Sites: []string{"*.example.org"},
		Programs: []string{"gimp", "git"}, Connectors: []string{"github.create_*"}, Shared: []string{"/home/ann/Invoices", "/home/ann/Photos", "/home/user/Shared"},
	}
	at := policy.Context{Sandboxed: true, Home: "/home/user", Dir: "/home/user", Bounds: plan}
	bash := func(command string) deskhand.Call {
		in, _ := json.Marshal(map[string]string{"command": command})
		return deskhand.Call{Name: "bash", Input: in}
	}
	write := func(path string) deskhand.Call {
		in, _ := json.Marshal(map[string]string{"command": "create", "path": path, "file_text": ""})
		return deskhand.Call{Name: "str_replace_based_edit_tool", Input: in}
	}
	click := deskhand.Call{Toolset: "computer", Name: "left_click", Input: json.RawMessage(`{"coordinate":[1,1]}`)}
	named := func(name string) deskhand.Call { return deskhand.Call{Name: name, Input: json.RawMessage(`{}`)} }
	in := func(app string) policy.Context { c := at; c.Window.Class = app; return c }
	for _, c := range []struct {
		name   string
		call   deskhand.Call
		at     policy.Context
		inside bool
	}{
		{"a file in the folder", write("/home/ann/Invoices/2026/a.txt"), at, true},
		{"a file beside the folder", write("/home/ann/Invoices-2/a.txt"), at, false},
		{"out of the folder again", write("/home/ann/Invoices/../Photos/a.txt"), at, false},
		{"another shared folder", write("/home/ann/Photos/a.txt"), at, false},
		{"a shared folder below the home", write("/home/user/Shared/a.txt"), at, false},
		{"scratch", write("/tmp/a.txt"), at, true},
		{"the home, which is scratch", bash("mkdir notes"), at, true},
		{"touch in the folder", bash("touch /home/ann/Invoices/a"), at, true},
		{"touch beside it", bash("touch /home/ann/Photos/a"), at, false},
		{"both", bash("touch /home/ann/Invoices/a; touch /home/ann/Photos/a"), at, false},
		{"an expected deletion", bash("rm /home/ann/Invoices/old/a.pdf"), at, true},
		{"one that is not", bash("rm /home/ann/Invoices/new/a.pdf"), at, false},
		{"by a pattern", bash("rm /home/ann/Invoices/old/*"), at, false},
		{"a program of the plan, on the screen", click, in("Gimp"), true},
		{"another", click, in("Thunderbird"), false},
		{"the panel", click, in("Tint2"), true},
		{"a connector of the plan", named("github.create_issue"), at, false}, // what it does cannot be told: it asks, by the table
		{"another tool", named("github.delete_repository"), at, false},
		{"a site of the plan", bash("curl https://a.example.org/x"), at, true},
		{"another site", bash("curl https://example.com/x"), at, false},
		{"a look anywhere", bash("cat /home/ann/Photos/a"), at, true},
	} {
		for _, mode := range []policy.Mode{policy.AskMode, policy.Plan} {
			x := policy.Explain(c.call, policy.Rules{Mode: mode}, c.at)
			if want := map[bool]deskhand.Outcome{true: deskhand.Allow, false: deskhand.Ask}[c.inside]; x.Verdict.Outcome != want {
				t.Errorf("%s, in mode %s: %+v, want %s", c.name, mode, x.Verdict, want)
			}
		}
	}
	if x := policy.Explain(named("github.create_issue"), policy.Rules{Mode: policy.AskMode}, at); x.Class == policy.Leaves {
		t.Errorf("a connector of the plan is outside it: %+v", x)
	}
	// A plan never covers the never-automatic list.
	for _, call := range []deskhand.Call{bash("git push"), bash("rm -rf /home/ann/Invoices"), bash("shred /tmp/a")} {
		if x := policy.Explain(call, policy.Rules{Mode: policy.AskMode}, at); x.Verdict.Outcome != deskhand.Ask {
			t.Errorf("%s: %+v", call.Input, x.Verdict)
		}
	}
	whole := at
	whole.Bounds = &policy.Bounds{Folders: []string{"/"}}
	if x := policy.Explain(write("/etc/passwd"), policy.Rules{Mode: policy.AskMode}, whole); x.Verdict.Outcome == deskhand.Allow {
		t.Error("a plan for / covers everything")
	}
}
