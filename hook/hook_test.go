package hook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/hook"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/host"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "keep" {
		// Not os.Exit, which waits for a second under the race detector.
		syscall.Exit(host.Keep(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

// place is this machine, with a home of the test's own and a keeper, so that
// what escapes its group is found.
func place(t *testing.T) (sandbox.Sandbox, string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	sb := host.New(host.Config{Home: home, Keeper: []string{exe, "keep"}, Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home}})
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return sb, home
}

// rig is the hooks of one file, and what was said to have failed.
type rig struct {
	*hook.Hooks
	home string

	mu     sync.Mutex
	failed []string
}

func open(t *testing.T, file string) *rig {
	t.Helper()
	sb, home := place(t)
	r := &rig{home: home}
	var err error
	r.Hooks, err = hook.Parse("hooks.toml", []byte(file), hook.Config{
		Place: sb, Env: func(name string) string {
			return map[string]string{"TOKEN": "t0ken", "ANTHROPIC_API_KEY": "secret"}[name]
		},
		Failed: func(err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.failed = append(r.failed, err.Error())
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// sh is a hook before calls that runs a shell line.
func sh(name, line string, more ...string) string {
	return fmt.Sprintf("[[hook]]\nname = %q\non = [\"before_call\"]\ncommand = [\"sh\", \"-c\", %q]\n%s\n", name, line, strings.Join(more, "\n"))
}

var (
	task  = deskhand.Task{ID: "abcdefgh", Text: "Push <it>", Model: "claude-sonnet-5-5", Permission: "ask", Sandbox: "bwrap", Turns: 2}
	push  = deskhand.Call{ID: "t1", Name: "bash", Input: json.RawMessage(`{"command":"git push && rm -rf '$(touch x)'"}`)}
	click = deskhand.Call{ID: "t2", Toolset: "computer", Name: "left_click", Input: json.RawMessage(`{"coordinate":[1,2]}`)}

	allow = deskhand.Verdict{Outcome: deskhand.Allow, Rule: "mode:auto"}
	ask   = deskhand.Verdict{Outcome: deskhand.Ask, Rule: "mode:ask", Reason: "It sends something."}
	deny  = deskhand.Verdict{Outcome: deskhand.Deny, Rule: "deny bash(*)", Reason: "Never."}
)

// TestStricterOnly plays what a hook can say against each verdict: it can make
// it stricter and nothing else, and what is denied is not asked about.
func TestStricterOnly(t *testing.T) {
	t.Parallel()
	said := map[string]string{
		"nothing": `:`, "white space": `echo`, "allow": `echo '{"decision":"allow","reason":"fine"}'`,
		"ask": `echo '{"decision":"ask","reason":"see it first"}'`, "deny": `echo '{"decision":"deny","reason":"no pushing"}'`,
		"exit 2": `echo 'no pushing' >&2; exit 2`, "exit 2 with allow": `echo '{"decision":"allow"}'; echo 'no pushing' >&2; exit 2`,
		"deny without a reason": `echo '{"decision":"deny"}'`, "exit 2 without a word": `exit 2`,
	}
	says := func(o deskhand.Outcome, reason string) deskhand.Verdict {
		return deskhand.Verdict{Outcome: o, Rule: "hook:h", Reason: `The hook "h" ` + reason}
	}
	no, silent := says(deskhand.Deny, "says: no pushing"), says(deskhand.Deny, "wants it so.")
	for name, want := range map[string][3]deskhand.Verdict{ // of allow, ask and deny
		"nothing": {allow, ask, deny}, "white space": {allow, ask, deny}, "allow": {allow, ask, deny},
		"ask":  {says(deskhand.Ask, "says: see it first"), ask, deny},
		"deny": {no, no, deny}, "exit 2": {no, no, deny}, "exit 2 with allow": {no, no, deny},
		"deny without a reason": {silent, silent, deny}, "exit 2 without a word": {silent, silent, deny},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t, sh("h", "echo >> asked; "+said[name]))
			for i, v := range []deskhand.Verdict{allow, ask, deny} {
				if got := r.Before(t.Context(), task, push, v); got != want[i] {
					t.Errorf("%s becomes %+v, want %+v", v.Outcome, got, want[i])
				}
			}
			if n, err := os.ReadFile(filepath.Join(r.home, "asked")); err != nil || len(n) != 2 {
				t.Errorf("asked %d times, %v", len(n), err)
			}
			if len(r.failed) > 0 {
				t.Errorf("failed: %q", r.failed)
			}
		})
	}
	r := open(t, sh("h", "exit 0"))
	if got := r.Before(t.Context(), task, push, deskhand.Verdict{Outcome: "yes please"}); got.Outcome != "yes please" {
		t.Errorf("an outcome that nobody knows, which denies, becomes %+v", got)
	}
	if got := (*hook.Hooks)(nil).Before(t.Context(), task, push, allow); got != allow {
		t.Errorf("without hooks: %+v", got)
	}
}

// TestFailClosed: whatever keeps a hook from answering is a no, and with
// optional it is told in the verdict.
func TestFailClosed(t *testing.T) {
	t.Parallel()
	const script = `[[hook]]
name = "h"
on = ["before_call"]
`
	for name, c := range map[string]struct{ file, want string }{
		"exit 1":           {sh("h", `echo '{"decision":"allow"}'; exit 1`), "its program ended with status 1"},
		"exit 127":         {sh("h", `no-such-program`), "status 127"},
		"signal":           {sh("h", `kill -9 $$`), "the signal 9 ended its program"},
		"not there":        {script + `command = ["/no/such/program"]`, "its program is not there"},
		"no program":       {script + `command = ["/etc/passwd"]`, "its program may not be started"},
		"no JSON":          {sh("h", `echo fine`), "is not an object of JSON"},
		"half a JSON":      {sh("h", `printf '{"decision":"allow"'`), "is not an object of JSON"},
		"two":              {sh("h", `echo '{"decision":"allow"}{"decision":"deny"}'`), "is not an object of JSON"},
		"a list":           {sh("h", `echo '[]'`), "is not an object of JSON"},
		"null":             {sh("h", `echo null`), "is not an object of JSON"},
		"no decision":      {sh("h", `echo '{"reason":"no"}'`), "decision: "},
		"another decision": {sh("h", `echo '{"decision":"block"}'`), "expected allow, ask or deny"},
		"capitals":         {sh("h", `echo '{"Decision":"deny"}'`), "decision: "},
		"another member":   {sh("h", `echo '{"permission":"deny","decision":"allow"}'`), "permission: unknown field"},
		"twice":            {sh("h", `echo '{"decision":"deny","decision":"allow"}'`), "decision: given more than once"},
		"no text":          {sh("h", `echo '{"decision":true}'`), "decision: "},
		"reason is none":   {sh("h", `echo '{"decision":"allow","reason":5}'`), "reason: "},
		"bad bytes":        {sh("h", `printf '{"decision":"allow","reason":"\377"}'`), "is not an object of JSON"},
		"much":             {sh("h", `echo '{"decision":"allow"}'; head -c 100000 /dev/zero | tr '\0' ' '`), "it said more than 64 kB"},
		"endless":          {sh("h", `yes`), "it said more than 64 kB"},
		"hangs":            {sh("h", `echo '{"decision":"allow"}'; exec sleep 1000`, `timeout = "300ms"`), "it did not answer within 300ms"},
		"hangs on stderr":  {sh("h", `yes >&2`, `timeout = "300ms"`), "it did not answer within 300ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t, c.file)
			got := r.Before(t.Context(), task, push, allow)
			if got.Outcome != deskhand.Deny || got.Rule != "hook:h" || !strings.HasPrefix(got.Reason, `The hook "h" could not be asked: `) || !strings.Contains(got.Reason, c.want) || !strings.HasSuffix(got.Reason, "Without its answer the call does not run.") {
				t.Errorf("%+v, want a denial because %s", got, c.want)
			}
			if len(r.failed) != 1 || !strings.Contains(r.failed[0], c.want) {
				t.Errorf("failed: %q", r.failed)
			}
			r = open(t, c.file+"\noptional = true\n")
			if got := r.Before(t.Context(), task, push, ask); got.Outcome != deskhand.Ask || got.Rule != ask.Rule || !strings.HasPrefix(got.Reason, "It sends something. The hook") || !strings.Contains(got.Reason, c.want) {
				t.Errorf("optional: %+v", got)
			}
		})
	}
}

// TestEndsWhole: what a hook leaves behind, and what does not end by itself, is
// gone when the verdict is there, also when it left the group and the session.
func TestEndsWhole(t *testing.T) {
	t.Parallel()
	const leave = `setsid sh -c 'echo $$ >> pids; exec sleep 1000' & sh -c 'echo $$ >> pids; exec sleep 1000' & while [ "$(wc -l < pids)" -lt 2 ]; do :; done 2>/dev/null; `
	for name, c := range map[string]struct {
		file  string
		want  deskhand.Outcome
		least int
	}{
		"answers": {sh("h", leave+"echo; exit 0"), deskhand.Allow, 2},
		"hangs":   {sh("h", leave+"exec sleep 1000", `timeout = "1s"`), deskhand.Deny, 0}, // on a busy machine it may be stopped before it left anything
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t, c.file)
			if err := os.WriteFile(filepath.Join(r.home, "pids"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if got := r.Before(t.Context(), task, push, allow); got.Outcome != c.want {
				t.Errorf("%+v", got)
			}
			data, err := os.ReadFile(filepath.Join(r.home, "pids"))
			pids := strings.Fields(string(data))
			if err != nil || len(pids) < c.least {
				t.Fatalf("%q, %v", data, err)
			}
			for _, pid := range pids {
				if line, err := os.ReadFile("/proc/" + pid + "/cmdline"); err == nil && strings.HasPrefix(string(line), "sleep") {
					t.Errorf("%s still runs", pid)
				}
			}
		})
	}
}

// TestStopped: a task that is stopped while a hook is asked gets a no, also of
// an optional one, and the hook is gone.
func TestStopped(t *testing.T) {
	t.Parallel()
	r := open(t, sh("h", "echo > began; exec sleep 1000", "optional = true"))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil { // until it runs
			if _, err := os.Stat(filepath.Join(r.home, "began")); err == nil {
				return
			}
			<-tick.C
		}
	}()
	if got := r.Before(ctx, task, push, allow); got.Outcome != deskhand.Deny || !strings.Contains(got.Reason, "the task was stopped") {
		t.Errorf("%+v", got)
	}
}

// TestToldOnStdin: a command is told on its standard input and nowhere else,
// and has no variables but those of its place and those that its entry names.
func TestToldOnStdin(t *testing.T) {
	t.Parallel()
	t.Run("before", func(t *testing.T) {
		t.Parallel()
		r := open(t, sh("h", `cat > in; env > env; echo "$#$0" > args`, `env = ["TOKEN", "NOT_SET"]`))
		if got := r.Before(t.Context(), task, push, ask); got != ask {
			t.Fatalf("%+v", got)
		}
		const want = `{"version":1,"point":"before_call","task":{"id":"abcdefgh","text":"Push <it>","model":"claude-sonnet-5-5","permission":"ask","sandbox":"bwrap","turns":2,"calls":0,"cost_usd":0},` +
			`"call":{"tool":"bash","id":"t1","name":"bash","input":{"command":"git push && rm -rf '$(touch x)'"}},"verdict":{"outcome":"ask","rule":"mode:ask","reason":"It sends something."}}` + "\n"
		same(t, filepath.Join(r.home, "in"), want)
		same(t, filepath.Join(r.home, "args"), "0sh\n")
		env, err := os.ReadFile(filepath.Join(r.home, "env"))
		if err != nil || !strings.Contains(string(env), "TOKEN=t0ken\n") || strings.Contains(string(env), "secret") || strings.Contains(string(env), "NOT_SET") || strings.Contains(string(env), "git push") {
			t.Errorf("%s, %v", env, err)
		}
	})
	t.Run("others", func(t *testing.T) {
		t.Parallel()
		r := open(t, strings.ReplaceAll(sh("h", `cat >> in`), `"before_call"`, `"after_call", "question", "end"`))
		if got := r.Before(t.Context(), task, push, allow); got != allow {
			t.Fatalf("a hook that is not for it was asked: %+v", got)
		}
		long := strings.Repeat("é", 5000)
		r.After(t.Context(), task, click, allow, deskhand.Result{Content: []deskhand.Content{{Text: long}, {Image: &deskhand.Image{}}}, IsError: true, Effect: deskhand.EffectNone})
		r.Question(t.Context(), task, hook.Asked{About: "call", Text: "May it?", Call: &push, Verdict: &ask})
		r.Question(t.Context(), task, hook.Asked{About: "budget", Text: "Go on?"})
		r.End(t.Context(), task, hook.Ended{Status: deskhand.Done, Result: "Pushed.", Events: 9, Head: "ab"})
		data, err := os.ReadFile(filepath.Join(r.home, "in"))
		lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
		if err != nil || len(lines) != 4 {
			t.Fatalf("%q, %v", data, err)
		}
		for i, want := range []string{
			`"call":{"tool":"computer.left_click","id":"t2","toolset_name":"computer","name":"left_click","input":{"coordinate":[1,2]}},"verdict":{"outcome":"allow","rule":"mode:auto"},"result":{"is_error":true,"text":"` + strings.Repeat("é", 4096) + `","truncated":true,"pictures":1,"effect":"none"}}`,
			`"verdict":{"outcome":"ask","rule":"mode:ask","reason":"It sends something."},"question":{"about":"call","text":"May it?"}}`,
			`"cost_usd":0},"question":{"about":"budget","text":"Go on?"}}`,
			`"cost_usd":0},"end":{"status":"done","result":"Pushed.","events":9,"head":"ab"}}`,
		} {
			if !strings.HasSuffix(lines[i], want) {
				t.Errorf("told %s\nwant …%s", lines[i], want)
			}
		}
	})
	t.Run("no JSON", func(t *testing.T) {
		t.Parallel()
		r := open(t, sh("h", `cat > in`))
		odd := push
		odd.Input = json.RawMessage(`{"a`)
		if got := r.Before(t.Context(), task, odd, allow); got != allow {
			t.Fatalf("%+v", got)
		}
		if data, err := os.ReadFile(filepath.Join(r.home, "in")); err != nil || !strings.Contains(string(data), `"input":"{\"a"`) {
			t.Errorf("%s, %v", data, err)
		}
	})
}

func same(t *testing.T, path, want string) {
	t.Helper()
	if data, err := os.ReadFile(path); err != nil || string(data) != want {
		t.Errorf("%s\ngot  %s\nwant %s, %v", path, data, want, err)
	}
}

// TestUnread: a large input that a hook does not read is nobody's failure.
func TestUnread(t *testing.T) {
	t.Parallel()
	r := open(t, sh("h", `exit 0`))
	big := push
	big.Input = json.RawMessage(`{"command":"` + strings.Repeat("x", 4<<20) + `"}`)
	if got := r.Before(t.Context(), task, big, allow); got != allow {
		t.Errorf("%+v", got)
	}
}

// TestOrder: hooks are asked in the order of the file until one denies, and
// each sees the verdict as it stands.
func TestOrder(t *testing.T) {
	t.Parallel()
	r := open(t, sh("one", `echo one >> order; echo '{"decision":"ask","reason":"see it"}'`)+
		sh("other", `echo other >> order; exit 2`, `tools = ["computer.*", "b?sh2"]`)+
		sh("two", `echo two >> order; grep -q '"rule":"hook:one"' && echo '{"decision":"allow"}'`)+
		sh("three", `echo three >> order; exit 2`)+
		sh("four", `echo four >> order`))
	if got := r.Before(t.Context(), task, push, allow); got.Outcome != deskhand.Deny || got.Rule != "hook:three" {
		t.Errorf("%+v", got)
	}
	same(t, filepath.Join(r.home, "order"), "one\ntwo\nthree\n")
	if got := r.Before(t.Context(), task, click, allow); got.Rule != "hook:other" {
		t.Errorf("%+v", got)
	}
}

// TestHostileReason: what a hook says becomes one line that acts on nothing.
func TestHostileReason(t *testing.T) {
	t.Parallel()
	r := open(t, sh("h", `printf 'a\033[2Jb\nc'; head -c 3000 /dev/zero | tr '\0' x; printf '\342\200\256'; exit 2 `)+"")
	r2 := open(t, sh("h", `{ printf 'a\033[2Jb\nc\342\200\256'; head -c 30000 /dev/zero | tr '\0' x; } >&2; exit 2`))
	for _, one := range []*rig{r, r2} {
		got := one.Before(t.Context(), task, push, allow)
		if got.Outcome != deskhand.Deny || len(got.Reason) > 700 || strings.ContainsAny(got.Reason, "\x1b\n\u202e") {
			t.Errorf("%q", got.Reason)
		}
	}
}

// endpoint answers each path in its own way.
func endpoint(t *testing.T) string {
	t.Helper()
	done := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m hook.Moment
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		switch r.URL.Path {
		case "/judge":
			if strings.Contains(string(m.Call.Input), "git push") {
				fmt.Fprint(w, `{"decision":"deny","reason":"no pushing"}`)
			}
		case "/nothing":
			w.WriteHeader(http.StatusNoContent)
		case "/ask":
			fmt.Fprint(w, ` {"decision": "ask"} `)
		case "/refused":
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"decision":"allow"}`)
		case "/elsewhere":
			http.Redirect(w, r, "/nothing", http.StatusTemporaryRedirect)
		case "/page":
			fmt.Fprint(w, `<html>fine</html>`)
		case "/much":
			fmt.Fprint(w, strings.Repeat(" ", 70<<10))
		case "/broken":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"decision":"allow"}`)
		case "/hangs":
			w.(http.Flusher).Flush()
			<-done
		}
	}))
	t.Cleanup(func() {
		close(done)
		s.Close()
	})
	return s.URL
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	url := endpoint(t)
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	for address, c := range map[string]struct {
		call deskhand.Call
		want deskhand.Outcome
		says string
	}{
		url + "/judge":     {push, deskhand.Deny, `The hook "h" says: no pushing`},
		url + "/judge?a=1": {click, deskhand.Allow, ""},
		url + "/nothing":   {push, deskhand.Allow, ""},
		url + "/ask":       {push, deskhand.Ask, `The hook "h" wants it so.`},
		url + "/refused":   {push, deskhand.Deny, "its endpoint answered with status 403"},
		url + "/elsewhere": {push, deskhand.Deny, "sends on to another place"},
		url + "/page":      {push, deskhand.Deny, "is not an object of JSON"},
		url + "/much":      {push, deskhand.Deny, "it said more than 64 kB"},
		url + "/broken":    {push, deskhand.Deny, "its endpoint broke off its answer"},
		url + "/hangs":     {push, deskhand.Deny, "it did not answer within 500ms"},
		dead.URL:           {push, deskhand.Deny, "its endpoint cannot be reached"},
	} {
		t.Run(address[strings.LastIndex(address, "/"):], func(t *testing.T) {
			t.Parallel()
			limit := "1m"
			if strings.HasSuffix(address, "/hangs") {
				limit = "500ms"
			}
			r := open(t, fmt.Sprintf("[[hook]]\nname = \"h\"\non = [\"before_call\"]\nurl = %q\ntimeout = %q\n", address, limit))
			got := r.Before(t.Context(), task, c.call, allow)
			if got.Outcome != c.want || !strings.Contains(got.Reason, c.says) || strings.Contains(got.Reason, "127.0.0.1") {
				t.Errorf("%+v, want %s %q", got, c.want, c.says)
			}
		})
	}
}
