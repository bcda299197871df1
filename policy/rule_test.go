package policy

import (
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
)

func TestRules(t *testing.T) {
	t.Parallel()
	at := Context{Sandboxed: true, Dir: "/home/u/w", Home: "/home/u"}
	edit := func(path string) deskhand.Call {
		return callOf("", "str_replace_based_edit_tool", `{"command":"create","path":"`+path+`","file_text":""}`)
	}
	view := func(path string) deskhand.Call {
		return callOf("", "str_replace_based_edit_tool", `{"command":"view","path":"`+path+`"}`)
	}
	gimp, pay := at, at
	gimp.Window.Class = "Gimp"
	pay.Window.Class, pay.Element = "Gimp", Element{"button", "Pay"}
	page := at
	page.URL = "https://www.example.com/x"
	shaped := at
	shaped.Reshaped = true
	click := callOf("computer", "left_click", `{}`)
	for _, c := range []struct {
		rules string // separated by ;
		call  deskhand.Call
		at    Context
		want  deskhand.Outcome
	}{
		{"", bashCallOf("git status"), at, ask},
		{"allow bash(git status)", bashCallOf("git status"), at, allow},
		{"allow bash(git status)", bashCallOf("git  'status'"), at, allow},
		{"allow bash(git status)", bashCallOf("git status -s"), at, ask},
		{"allow bash(git status)", bashCallOf("git status; rm x"), at, ask},
		{"allow bash(git status)", bashCallOf("git status > x"), at, ask},
		{"allow bash(git status)", bashCallOf("GIT_PAGER=x git status"), at, ask},
		{"allow bash(git status)", bashCallOf("git status | head"), at, allow},
		{"allow bash(git status)", bashCallOf("git status && git status"), at, allow},
		{"allow bash(git status)", bashCallOf("timeout 5 git status"), at, allow},
		{"allow bash(git status)", bashCallOf("sudo git status"), at, ask},
		{"allow bash(git status)", bashCallOf("git status $(rm x)"), at, ask},
		{"allow bash(git status)", bashCallOf("./git status"), at, ask},
		{"allow bash(git status)", bashCallOf("git status"), shaped, ask},
		{"allow bash(git log *)", bashCallOf("git log"), at, allow},
		{"allow bash(git log *)", bashCallOf("git log -n 3 --oneline"), at, allow},
		{"allow bash(git log *)", bashCallOf("git logx"), at, ask},
		{"allow bash(git log *)", bashCallOf("git log `rm x`"), at, ask},
		{"allow bash(git log *)", bashCallOf("git log >(sh)"), at, ask},
		{"allow bash(git log *)", bashCallOf("bash -c 'git log'"), at, ask},
		{"allow bash(rm *)", bashCallOf("rm x"), at, allow},
		{"allow bash(rm *)", bashCallOf("rm -rf /"), at, ask},
		{"allow bash(git push *)", bashCallOf("git push origin main"), at, allow},
		{"allow bash(npm run test:*)", bashCallOf("npm run test:unit"), at, allow},
		{"allow bash(echo 'a b' c)", bashCallOf("echo a b c > /dev/null"), at, allow},
		{"deny bash(rm *)", bashCallOf("rm x"), at, deny},
		{"deny bash(rm *);allow bash(rm x)", bashCallOf("rm x"), at, deny},
		{"ask bash(ls *);allow bash(ls)", bashCallOf("ls"), at, ask},
		{"deny bash(rm *);ask bash(rm *)", bashCallOf("ls; rm x"), at, deny},
		{"deny bash(rm *)", bashCallOf("/bin/rm x"), at, deny},
		{"deny bash(rm *)", bashCallOf("r''m x"), at, deny},
		{"deny bash(rm *)", bashCallOf("env rm x"), at, deny},
		{"deny bash(rm *)", bashCallOf("sudo -u y rm x"), at, deny},
		{"deny bash(rm *)", bashCallOf("sudo --weird rm x"), at, deny},
		{"deny bash(rm *)", bashCallOf("ls | xargs rm"), at, deny},
		{"deny bash(rm *)", bashCallOf("find . -exec rm {} +"), at, deny},
		{"deny bash(rm *)", bashCallOf("sh -c 'rm x'"), at, deny},
		{"deny bash(rm *)", bashCallOf("eval rm x"), at, deny},
		{"deny bash(rm *)", bashCallOf("echo $(rm x)"), at, deny},
		{"deny bash(rm -rf *)", bashCallOf("rm -f -v -r x"), at, deny},
		{"deny bash(rm -rf *)", bashCallOf("rm -r x"), at, ask},
		{"deny bash(git push *)", bashCallOf("git -C x push"), at, deny},
		{"deny bash(git push)", bashCallOf("git push origin"), at, deny},
		{"deny bash(*)", bashCallOf("ls"), at, deny},
		{"allow files(write:/w/**)", edit("/w/a/b"), at, allow},
		{"allow files(write:/w/**)", edit("/wx/a"), at, ask},
		{"allow files(write:/w/**)", edit("/w/../etc/passwd"), at, ask},
		{"allow files(write:/w/**)", edit("/w/.git/hooks/pre-commit"), at, ask},
		{"allow files(write:/w/.bashrc)", edit("/w/.bashrc"), at, allow},
		{"allow files(write:~/w/**)", edit("/home/u/w/x"), at, allow},
		{"allow files(write:~/w/**)", edit("~/w/x"), at, ask},
		{"allow files(write:/w/*.txt)", edit("/w/a.txt"), at, allow},
		{"allow files(write:/w/*.txt)", edit("/w/d/a.txt"), at, ask},
		{"deny files(read:/secret/**)", view("/secret/x"), at, deny},
		{"deny files(write:/w/**);allow files(write:/w/**)", edit("/w/x"), at, deny},
		{"deny files(write:/w/**)", bashCallOf("echo x > /w/y"), at, deny},
		{"deny files(write:/w/**)", bashCallOf("rm -r /w"), at, deny},
		{"deny files(write:**/.env)", bashCallOf("tee .env"), at, deny},
		{"deny files(write:**/.env)", edit("/a/b/.env"), at, deny},
		{"allow files(write:/home/u/w/**)", bashCallOf("echo x > out.txt"), at, allow},
		{"allow files(write:/home/u/w/**)", bashCallOf("cd /; echo x > out.txt"), at, ask},
		{"allow files(write:/home/u/w/**)", bashCallOf("echo x > ../out.txt"), at, ask},
		{"allow files(write:/home/u/w/**)", bashCallOf(`echo x > "$x"`), at, ask},
		{"allow files(write:/home/u/w/**)", bashCallOf("mkdir -p d && touch d/f"), at, allow},
		{"allow files(delete:~/Photos/**)", bashCallOf("rm -r ~/Photos/2020 /home/u/Photos/a.jpg"), at, allow},
		{"allow files(delete:~/Photos/**)", bashCallOf("rm -r ~/Photos"), at, ask},
		{"allow files(delete:~/Photos/**)", bashCallOf("rm ~/Photos/a ~/b"), at, ask},
		{"allow files(delete:~/Photos/**)", bashCallOf("rm ~/Photos/$x"), at, ask},
		{"allow files(delete:~/Photos/**)", bashCallOf("rm '~/Photos/a'"), at, ask},
		{"allow files(delete:/home/**)", bashCallOf("rm -r /home/u"), at, ask},
		{"deny files(delete:~/Photos/**)", bashCallOf("rm -r ~/Photos"), at, deny},
		{"deny files(delete:~/Photos/**)", bashCallOf("rm $x"), at, ask},
		{"allow computer(app:gimp)", click, gimp, allow},
		{"allow computer(app:gimp)", click, pay, ask},
		{"allow computer(app:gimp)", click, at, ask},
		{"allow computer(app:gimp)", callOf("computer", "key", `{"text":"alt+F2"}`), gimp, ask},
		{"allow computer(app:gimp)", callOf("computer", "key", `{"text":"alt+Tab"}`), gimp, ask},
		{"allow computer(app:gimp)", callOf("computer", "key", `{"text":"ctrl+s"}`), gimp, allow},
		{"deny computer(app:gimp)", click, gimp, deny},
		{"allow browser(domain:*.example.com)", callOf("browser", "left_click", `{}`), page, allow},
		{"allow browser(domain:*.example.com)", callOf("browser", "navigate", `{"url":"https://a.example.com"}`), at, allow},
		{"allow browser(domain:*.example.com)", callOf("browser", "navigate", `{"url":"https://aexample.com"}`), page, ask},
		{"allow browser(domain:*.example.com)", callOf("browser", "navigate", `{"url":"https://example.com.evil.test"}`), page, ask},
		{"allow browser(domain:*.example.com)", callOf("browser", "navigate", `{"url":"https://evil.test\\@a.example.com"}`), page, ask},
		{"allow browser(domain:*.example.com)", callOf("browser", "navigate", `{"url":"https://evil.test#.example.com"}`), page, ask},
		{"deny browser(domain:example.com)", callOf("browser", "navigate", `{"url":"EXAMPLE.com./x"}`), at, deny},
		{"deny browser(domain:*.example.com)", click, page, deny},
		{"allow connector(github.create_issue)", callOf("", "mcp__github__create_issue", `{}`), at, allow},
		{"allow connector(github.create_issue)", callOf("", "github.create_issue", `{}`), at, allow},
		{"allow connector(github.create_issue)", callOf("", "mcp__github__delete_repo", `{}`), at, ask},
		{"deny connector(github.*)", callOf("", "mcp__github__delete_repo", `{}`), at, deny},
		{"allow tool(frobnicate)", callOf("", "frobnicate", `{}`), at, allow},
		{"allow memory(create)", callOf("", "memory", `{"command":"create"}`), at, allow},
		{"allow memory(create)", callOf("", "memory", `{"command":"delete"}`), at, ask},
		{"allow network(x.test:80)", bashCallOf("curl http://x.test/a"), at, allow},
		{"allow network(x.test:443)", bashCallOf("curl http://x.test/a"), at, ask},
		{"allow network(x.test)", bashCallOf("curl -L http://x.test/a"), at, ask},
		{"allow network(x.test)", bashCallOf("curl -d @f http://x.test/a"), at, ask},
		{"allow network(x.test)", bashCallOf("curl http://x.test/a http://y.test"), at, ask},
		{"deny network(x.test)", bashCallOf("curl http://X.test/a"), at, deny},
	} {
		var rules []string
		if c.rules != "" {
			rules = strings.Split(c.rules, ";")
		}
		x := Explain(c.call, rulesOf(t, AskMode, rules...), c.at)
		if x.Verdict.Outcome != c.want {
			t.Errorf("%s: %s %s: %+v, want %s", c.rules, c.call.Name, c.call.Input, x.Verdict, c.want)
		}
	}
}

// TestRestrictionsHoldInTrust: a rule that denies or asks is not avoided by
// hiding what a command is, in the mildest mode.
func TestRestrictionsHoldInTrust(t *testing.T) {
	t.Parallel()
	at := Context{Sandboxed: true}
	for line, want := range map[string]deskhand.Outcome{
		"rm x": deny, "r${y}m x": deny, "$(echo rm) x": ask, `"$c" x`: ask, "make": allow, "git log": allow, "ls": allow, "eval $x": ask, "rm'' x": deny,
		"frob 'unclosed": ask, "ls\u200b": ask,
	} {
		if v := Explain(bashCallOf(line), rulesOf(t, Trust, "deny bash(rm *)"), at).Verdict; v.Outcome != want {
			t.Errorf("%q: %+v, want %s", line, v, want)
		}
		if v := Explain(bashCallOf(line), Rules{Mode: Trust}, at).Verdict; v.Outcome != allow {
			t.Errorf("%q without the rule: %+v", line, v)
		}
	}
}

func TestRulesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for rule, says := range map[string]string{
		"allow bash":                        "not in brackets; write it like bash(git status)",
		"allow bash()":                      "brackets are empty",
		"allow bash(git":                    "not in brackets",
		"allow bash(*)":                     "mode trust",
		"allow bash(* x)":                   "program is not named",
		"allow bash(sh *)":                  "would allow every command",
		"allow bash(sudo *)":                "would allow every command",
		"allow bash(/usr/bin/env *)":        "would allow every command",
		"allow bash(xargs *)":               "would allow every command",
		"allow bash(find *)":                "would allow every command",
		"allow bash(python3 *)":             "would allow every command",
		"allow bash(echo 'x)":               "quotation mark",
		"allow shell(x)":                    "begin with one of bash, browser",
		"allow browser(example.com)":        "names no domain",
		"allow browser(domain:*)":           "every host",
		"allow browser(domain:*.com)":       "top-level",
		"allow browser(domain:Example.com)": "lower case",
		"allow browser(domain:a.*.com)":     "lower case",
		"allow browser(domain:bücher.test)": "xn--",
		"allow computer(gimp)":              "names no app",
		"allow computer(app:*)":             "named in full",
		"allow files(/x)":                   "read:, write: or delete:",
		"allow files(delete:**)":            "every file",
		"allow files(delete:x/y)":           "neither / nor ~/",
		"allow files(delete:/x/../y)":       "..",
		"allow files(delete:/x/[a)":         "bracket",
		"allow connector(*)":                "everything",
		"allow network(*)":                  "every host",
		"maybe bash(ls)":                    "none of allow, ask and deny",
		"allow bash(ls \u200b)":             "cannot be seen",
	} {
		outcome, pattern, _ := strings.Cut(rule, " ")
		_, err := ParseRule(deskhand.Outcome(outcome), pattern)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", rule, err, says)
		}
	}
}

func TestFileOfRules(t *testing.T) {
	t.Parallel()
	good := "# mine\nallow = [\n  \"bash(git status)\", # often\n]\ndeny = [\"files(delete:~/Photos/**)\"]\n"
	rules, err := Parse("policy.toml", []byte(good))
	if err != nil || len(rules) != 2 || rules[0].String() != "deny files(delete:~/Photos/**) (policy.toml:5)" || rules[1].Outcome != allow {
		t.Errorf("%v, %v", rules, err)
	}
	if rules, err := Parse("x", nil); err != nil || len(rules) != 0 {
		t.Errorf("empty: %v, %v", rules, err)
	}
	for text, says := range map[string]string{
		"allow = [\n\"bash(git status)\",\n\"bash(sh *)\"]": "p.toml:3: the rule \"bash(sh *)\" cannot be used",
		"alow = []":                        `p.toml:1: there is no setting "alow": write lists of rules`,
		"\n\nallow = \"bash(ls)\"":         "p.toml:3:",
		"allow = [":                        "p.toml:1:",
		"allow = [1]":                      "p.toml:1:",
		"allow = [\"bash(ls)\"]\nallow=[]": "p.toml:2:",
		"[allow]\nx = 1":                   "p.toml:",
		"deny = [\"bash(\"]":               "p.toml:1:",
	} {
		if _, err := Parse("p.toml", []byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
	if _, err := Parse("p.toml", make([]byte, maxFile+1)); err == nil {
		t.Error("a file too large is taken")
	}
}

// TestProjectRules: what allows counts only when a person has accepted exactly
// this file.
func TestProjectRules(t *testing.T) {
	t.Parallel()
	data := []byte("allow = [\"bash(make)\"]\ndeny = [\"bash(rm *)\"]\n")
	for _, c := range []struct {
		trusted deskhand.Hash
		ok      bool
		rules   int
	}{{"", false, 1}, {deskhand.HashOf(append(data, '\n')), false, 1}, {deskhand.HashOf(data), true, 2}} {
		rules, ok, err := Project("p", data, c.trusted)
		if err != nil || ok != c.ok || len(rules) != c.rules || rules[0].Outcome != deny {
			t.Errorf("%q: %v, %t, %v", c.trusted, rules, ok, err)
		}
	}
	if _, _, err := Project("p", []byte("x"), ""); err == nil {
		t.Error("a broken project file is no error")
	}
}

// TestSuggestedRules: what "always" would save allows the call, and no other.
func TestSuggestedRules(t *testing.T) {
	t.Parallel()
	at := Context{Sandboxed: true, Dir: "/w", Home: "/home/u", Window: Window{Class: "Gimp"}, URL: "https://www.example.com/x"}
	for _, c := range []struct {
		call deskhand.Call
		want string
	}{
		{bashCallOf("git status"), "bash(git status)"},
		{bashCallOf("git status | head"), "bash(git status)"},
		{bashCallOf("git commit -m 'two words'"), `bash(git commit -m "two words")`},
		{bashCallOf("git add x && git push origin main"), "bash(git add x);bash(git push origin main)"},
		{bashCallOf("sh -c ls"), "bash(sh -c ls)"},
		{bashCallOf("echo x > out"), "files(write:/w/out)"},
		{bashCallOf("rm x"), "bash(rm x)"},
		{bashCallOf("rm $x"), ""}, {bashCallOf("rm -rf /"), ""}, {bashCallOf("sudo ls"), ""}, {bashCallOf("rm *.txt"), ""},
		{bashCallOf("A=1 make"), ""}, {bashCallOf("alias ls=x"), "bash(alias ls=x)"}, {bashCallOf("ls 'x"), ""}, {bashCallOf("touch 'a*'"), ""},
		{bashCallOf("make a; make b; make c; make d; make e; make f"), ""},
		{callOf("", "str_replace_based_edit_tool", `{"command":"create","path":"/w/x","file_text":""}`), "files(write:/w/x)"},
		{callOf("computer", "left_click", `{}`), "computer(app:gimp)"},
		{callOf("computer", "key", `{"text":"super"}`), ""},
		{callOf("browser", "left_click", `{}`), "browser(domain:www.example.com)"},
		{callOf("browser", "navigate", `{"url":"https://a.test/b"}`), "browser(domain:a.test)"},
		{callOf("browser", "file_upload", `{}`), ""},
		{callOf("", "mcp__github__create_issue", `{}`), "connector(github.create_issue)"},
		{callOf("", "frobnicate", `{}`), "tool(frobnicate)"},
		{callOf("", "frob*", `{}`), ""},
		{callOf("", "memory", `{"command":"create"}`), "memory(create)"},
		{bashCallOf("ls"), ""},
	} {
		rules := Suggest(c.call, at)
		var got []string
		for _, r := range rules {
			got = append(got, r.Pattern())
		}
		if strings.Join(got, ";") != c.want {
			t.Errorf("%s: %q, want %q", c.call.Input, got, c.want)
		}
		if len(rules) > 0 {
			if v := Explain(c.call, Rules{Mode: AskMode, Rules: rules}, at).Verdict; v.Outcome != allow {
				t.Errorf("%s: with its own rules %+v", c.call.Input, v)
			}
		}
	}
}

// TestSuggestionsAreNarrow: with the rules saved for a command of the corpus,
// the same command with more behind it asks.
func TestSuggestionsAreNarrow(t *testing.T) {
	t.Parallel()
	at := Context{Sandboxed: true, Dir: "/w", Home: "/home/u"}
	saved := 0
	for _, c := range corpus(t, "shell.txt") {
		rules := Rules{Mode: AskMode, Rules: Suggest(bashCallOf(c.text), at)}
		if len(rules.Rules) == 0 {
			continue
		}
		saved++
		if v := Explain(bashCallOf(c.text), rules, at).Verdict; v.Outcome != allow {
			t.Errorf("%q is not allowed by what it saved, %v: %+v", c.text, rules.Rules, v)
		}
		for _, more := range []string{"; touch zz", " > zz", " && $x"} {
			line := c.text + more
			if v := Explain(bashCallOf(line), rules, at).Verdict; v.Outcome == allow && classOf(line) != Looks {
				t.Errorf("%q allows %q: %v", c.text, line, rules.Rules)
			}
		}
	}
	if saved < 50 {
		t.Errorf("only %d commands save anything", saved)
	}
}

func TestReach(t *testing.T) {
	t.Parallel()
	r := rulesOf(t, Trust, "allow network(*.a.test:443)", "deny network(b.a.test)", "allow network(c.test)")
	for _, c := range []struct {
		host string
		port int
		want deskhand.Outcome
	}{{"x.a.test", 443, allow}, {"x.a.test", 80, ask}, {"a.test", 443, ask}, {"b.a.test", 443, deny}, {"c.test", 1, allow}, {"xc.test", 1, ask}, {"", 1, ask}} {
		if v := r.Reach(c.host, c.port); v.Outcome != c.want {
			t.Errorf("%s:%d: %+v", c.host, c.port, v)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("allow = [\"bash(git status)\"]")
	f.Add("deny = [\"files(delete:~/Photos/**)\", 'network(a.test:1)']\nask=[]")
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := Parse("p", []byte(text))
		if err != nil {
			return
		}
		for _, r := range rules {
			again, err := ParseRule(r.Outcome, r.Pattern())
			if err != nil || again.Pattern() != r.Pattern() {
				t.Fatalf("%q is read as %q, %v", r.Pattern(), again.Pattern(), err)
			}
		}
		Explain(bashCallOf("rm x > /y; git status"), Rules{Mode: AskMode, Rules: rules}, Context{})
	})
}
