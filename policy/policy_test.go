package policy

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bashCallOf returns a call of the bash tool.
func bashCallOf(line string) deskhand.Call {
	raw, _ := json.Marshal(map[string]string{"command": line})
	return deskhand.Call{Name: "bash", Input: raw}
}

func callOf(toolset, name, in string) deskhand.Call {
	return deskhand.Call{Toolset: toolset, Name: name, Input: json.RawMessage(in)}
}

func rulesOf(t testing.TB, m Mode, lines ...string) Rules {
	t.Helper()
	r := Rules{Mode: m}
	for _, l := range lines {
		outcome, pattern, _ := strings.Cut(l, " ")
		rule, err := ParseRule(deskhand.Outcome(outcome), pattern)
		if err != nil {
			t.Fatal(err)
		}
		r.Rules = append(r.Rules, rule)
	}
	return r
}

// TestModes is the table of the four modes.
func TestModes(t *testing.T) {
	t.Parallel()
	box, planned, outside := Context{Sandboxed: true}, Context{Sandboxed: true, Plan: Inside}, Context{Sandboxed: true, Plan: Outside}
	pay := Context{Sandboxed: true, Element: Element{"button", "Pay now"}}
	click := callOf("computer", "left_click", `{"coordinate":[1,1]}`)
	for _, c := range []struct {
		name                   string
		call                   deskhand.Call
		at                     Context
		ask, plan, auto, trust deskhand.Outcome
	}{
		{"look", callOf("computer", "screenshot", `{}`), box, allow, allow, allow, allow},
		{"look at a file", callOf("", "str_replace_based_edit_tool", `{"command":"view","path":"/x"}`), box, allow, allow, allow, allow},
		{"skill", callOf("", "skill", `{"name":"x"}`), box, allow, allow, allow, allow},
		{"harmless", bashCallOf("ls"), box, allow, allow, allow, allow},
		{"click", click, box, ask, deny, allow, allow},
		{"write", callOf("", "str_replace_based_edit_tool", `{"command":"create","path":"/x","file_text":""}`), box, ask, deny, allow, allow},
		{"touch", bashCallOf("touch x"), box, ask, deny, allow, allow},
		{"run", bashCallOf("make"), box, ask, deny, ask, allow},
		{"delete", bashCallOf("rm x"), box, ask, deny, ask, allow},
		{"unknown tool", callOf("", "frobnicate", `{}`), box, ask, deny, ask, allow},
		{"unknown member", callOf("computer", "frobnicate", `{}`), box, ask, deny, ask, allow},
		{"unknown toolset", callOf("robot", "screenshot", `{}`), box, ask, deny, ask, allow},
		{"unreadable", callOf("", "bash", `{"command":1,"command":2}`), box, ask, deny, ask, allow},
		{"memory", callOf("", "memory", `{"command":"create"}`), box, ask, deny, allow, allow},
		{"send", bashCallOf("curl -d x http://x.test"), box, ask, deny, ask, ask},
		{"purge", bashCallOf("rm -rf /"), box, ask, deny, ask, ask},
		{"pay", click, pay, ask, deny, ask, ask},
		{"click in the plan", click, planned, allow, allow, allow, allow},
		{"delete in the plan", bashCallOf("rm x"), planned, allow, allow, ask, allow},
		{"send in the plan", bashCallOf("curl -d x http://x.test"), planned, ask, ask, ask, ask},
		{"click outside the plan", click, outside, ask, ask, ask, ask},
		{"look outside the plan", bashCallOf("ls"), outside, allow, allow, allow, allow},
		{"trust without a sandbox", bashCallOf("make"), Context{}, ask, deny, ask, ask},
	} {
		for mode, want := range map[Mode]deskhand.Outcome{AskMode: c.ask, Plan: c.plan, Auto: c.auto, Trust: c.trust} {
			x := Explain(c.call, Rules{Mode: mode}, c.at)
			if x.Verdict.Outcome != want || x.Verdict.Rule == "" || (want == allow) != (x.Verdict.Reason == "") || (want == allow) != (x.Mend == "") {
				t.Errorf("%s in mode %s: %+v (%s), want %s", c.name, mode, x.Verdict, x.Mend, want)
			}
		}
	}
	for _, mode := range []Mode{"", "Trust", "yes"} {
		if v := Judge(bashCallOf("ls"), Rules{Mode: mode}); v.Outcome != deny {
			t.Errorf("mode %q: %+v", mode, v)
		}
		if _, err := ParseMode(string(mode)); err == nil {
			t.Errorf("mode %q is taken", mode)
		}
		if v := Judge(bashCallOf("touch x"), rulesOf(t, mode, "allow bash(touch x)")); v.Outcome != deny {
			t.Errorf("mode %q with a rule: %+v", mode, v)
		}
	}
}

// TestNeverAutomatic: every class of the list asks in every mode, and every
// mode knows every class.
func TestNeverAutomatic(t *testing.T) {
	t.Parallel()
	for _, r := range rows {
		for _, m := range []Mode{AskMode, Plan, Auto, Trust} {
			for _, p := range []Standing{NoPlan, Inside, Outside} {
				o, _ := m.outcome(r.class, Context{Sandboxed: true, Plan: p})
				if _, known := weight[o]; !known || r.never && o == allow {
					t.Errorf("%s in mode %s, plan %q: %q", r.class, m, p, o)
				}
			}
		}
	}
	for _, c := range []Class{Purges, Sends, Pays, Agrees, Grants, Registers, Secret, Installs, Leaves} {
		if !c.Never() {
			t.Errorf("%s is not on the never-automatic list", c)
		}
	}
	if Class("").Never() || rank("nonsense") != rank(Unknown) {
		t.Error("a class nobody knows is not read as unknown")
	}
}

// TestGuardsOfTheScreen: words, windows and pages turn what a mode allows into
// a question. The mode is trust, which allows all the rest.
func TestGuardsOfTheScreen(t *testing.T) {
	t.Parallel()
	on := func(class, title, role, name, url string) Context {
		return Context{Sandboxed: true, Window: Window{class, title}, Element: Element{role, name}, URL: url}
	}
	click, enter := callOf("computer", "left_click", `{"coordinate":[1,1]}`), callOf("computer", "key", `{"text":"Return"}`)
	typing := func(text string) deskhand.Call {
		raw, _ := json.Marshal(map[string]string{"text": text})
		return deskhand.Call{Toolset: "computer", Name: "type", Input: raw}
	}
	key := func(text string) deskhand.Call { return callOf("computer", "key", `{"text":"`+text+`"}`) }
	for _, c := range []struct {
		name  string
		call  deskhand.Call
		at    Context
		class Class
	}{
		{"button", click, on("firefox", "", "button", "Accept all", ""), Agrees},
		{"old tool", callOf("", "computer", `{"action":"left_click","coordinate":[1,1]}`), on("firefox", "", "button", "Pay", ""), Pays},
		{"old look", callOf("", "computer", `{"action":"screenshot"}`), on("firefox", "", "button", "Pay", ""), Looks},
		{"enter on a button", enter, on("firefox", "", "button", "Send", ""), Sends},
		{"space on a button", key("space"), on("firefox", "", "button", "Send", ""), Sends},
		{"several keys", key("Tab Return"), on("firefox", "", "button", "Pay", ""), Pays},
		{"shop", click, on("firefox", "Shop", "button", "Continue", "https://shop.test/checkout/step2"), Pays},
		{"shop by title", click, on("firefox", "Checkout – Shop", "button", "Continue", ""), Pays},
		{"near shop", click, on("firefox", "", "button", "Continue", "https://shop.test/payment-history"), Changes},
		{"scroll in a shop", callOf("computer", "scroll", `{"scroll_direction":"down","scroll_amount":1}`), on("firefox", "", "", "", "https://shop.test/checkout"), Looks},
		{"typing in a shop", typing("4111"), on("firefox", "", "entry", "Name", "https://shop.test/checkout"), Pays},
		{"password", typing("hunter2"), on("firefox", "", "password text", "", ""), Secret},
		{"card", typing("4111"), on("firefox", "", "entry", "Card number", ""), Secret},
		{"password by keys", key("h"), on("firefox", "", "password text", "", ""), Secret},
		{"password, tab", key("Tab"), on("firefox", "", "password text", "", ""), Changes},
		{"terminal", typing("ls\n"), on("XTerm", "user@host", "terminal", "", ""), Runs},
		{"terminal, rm", typing("rm -rf ~/x\n"), on("xterm", "", "", "", ""), Unknown},
		{"terminal, rm all", typing("rm -rf ~\n"), on("gnome-terminal-server", "", "", "", ""), Purges},
		{"terminal, curl", typing("curl -d @f http://x.test\n"), on("Alacritty", "", "", "", ""), Sends},
		{"terminal, enter", enter, on("XTerm", "", "", "", ""), Runs},
		{"run dialog", typing("xterm"), on("Mate-panel", "Run Application", "entry", "", ""), Unknown},
		{"run dialog by title", typing("xterm"), on("x", "Run command", "entry", "", ""), Unknown},
		{"alt+F2", key("alt+F2"), on("firefox", "", "", "", ""), Runs},
		{"delete in files", key("Delete"), on("pcmanfm", "", "", "", ""), Deletes},
		{"shift+delete in files", key("shift+Delete"), on("org.gnome.Nautilus", "", "", "", ""), Purges},
		{"delete in a text", key("Delete"), on("mousepad", "", "", "", ""), Changes},
		{"mail", key("ctrl+Return"), on("thunderbird", "", "", "", ""), Sends},
		{"console", key("ctrl+shift+I"), on("chromium", "", "", "", ""), Runs},
		{"F12", key("F12"), on("Chromium", "", "", "", ""), Runs},
		{"javascript", typing("javascript:alert(1)"), on("chromium", "", "entry", "Address", ""), Runs},
		{"file", typing("file:///etc/passwd"), on("chromium", "", "entry", "Address", ""), Runs},
		{"unseen", typing("a\u202eb"), on("chromium", "", "entry", "x", ""), Unknown},
		{"text", typing("hello\nworld"), on("mousepad", "", "text", "", ""), Changes},
		{"navigate", callOf("browser", "navigate", `{"url":"example.test"}`), Context{}, Reaches},
		{"navigate to a script", callOf("browser", "navigate", `{"url":"JavaScript:alert(1)"}`), Context{}, Runs},
		{"navigate to a file", callOf("browser", "navigate", `{"url":"file:///x"}`), Context{}, Runs},
		{"navigate with a password", callOf("browser", "navigate", `{"url":"https://a:b@x.test"}`), Context{}, Sends},
		{"script", callOf("browser", "javascript_exec", `{"text":"1"}`), Context{}, Runs},
		{"upload", callOf("browser", "file_upload", `{"target":{"type":"ref","ref":"r"}}`), Context{}, Sends},
		{"form password", callOf("browser", "form_input", `{"value":"x"}`), on("", "", "textbox", "Password", ""), Secret},
		{"read", callOf("browser", "read_page", `{}`), Context{}, Looks},
		{"editor, rc", callOf("", "str_replace_based_edit_tool", `{"command":"create","path":"/home/u/.bashrc","file_text":""}`), Context{}, Persists},
		{"editor, hook", callOf("", "str_replace_based_edit_tool", `{"command":"insert","path":"/w/a/.git/x/../hooks/pre-commit"}`), Context{}, Persists},
		{"memory", callOf("", "memory", `{"command":"delete"}`), Context{}, Deletes},
	} {
		x := Explain(c.call, Rules{Mode: Trust}, c.at)
		want := c.class
		if c.name == "terminal, rm" {
			want = Runs.Worse(Deletes)
		}
		if x.Class != want {
			t.Errorf("%s: %s, want %s (%+v)", c.name, x.Class, want, x.Verdict)
		}
	}
}

// TestVerdictsReadWell: what a person reads is one sentence without anything
// that cannot be seen.
func TestVerdictsReadWell(t *testing.T) {
	t.Parallel()
	for _, c := range append(corpus(t, "shell.txt"), corpus(t, "labels.txt")...) {
		for _, call := range []deskhand.Call{bashCallOf(c.text), callOf("computer", "left_click", `{}`)} {
			x := Explain(call, Rules{Mode: AskMode}, Context{Element: Element{"button", c.text}})
			if s := x.Verdict.Reason; s != "" && (!strings.HasSuffix(s, ".") || strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Bidi_Control, r) })) {
				t.Errorf("%q: %q", c.text, s)
			}
		}
	}
}
