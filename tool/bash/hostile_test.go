package bash_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox/bwrap"
	"github.com/deskhand/deskhand/sandbox/host"
	"github.com/deskhand/deskhand/tool/bash"
)

// TestTheEndCannotBeFaked: a command that meddles with the shell's own words,
// descriptors, traps and builtins is told the truth, or loses its session and
// is told so. It never makes a false end, and the next command works.
func TestTheEndCannotBeFaked(t *testing.T) {
	t.Parallel()
	const lost = "the next command starts a new session."
	for name, c := range map[string]struct {
		command string
		before  string // what the result begins with
		keeps   bool   // the session goes on
	}{
		"guessed words":          {"for i in {1..2000}; do echo end $RANDOM 0; echo begin $i; echo shell $i; done | tail -1; false", "shell 2000\nexit code: 1", true},
		"all streams closed":     {"exec 0<&- 1>&- 2>&-; echo lost", "(no output)\nexit code: 1", true},
		"own streams closed":     {"exec 1>&- 2>&-; false", "(no output)", true},
		"every descriptor":       {"echo real; for i in {0..255}; do eval \"exec $i>&-\"; done 2>/dev/null; echo unseen", "real", false},
		"another shell":          {"exec bash -c 'echo end x 0; echo other'", "end x 0\nother", false},
		"prompts":                {"PS1='$(echo end x 0) '; PS2='end '; PS4='end '; PROMPT_COMMAND=(\"echo end x 0\" \"echo two\"); echo real; false", "real\nexit code: 1", true},
		"a trap on every step":   {"trap 'echo end x 0' DEBUG; echo real; false", "", true},
		"a trap on the end":      {"trap 'echo end x 0' EXIT; echo real; exit 3", "real", false},
		"a trap on failure":      {"trap 'echo end x 0; return 0 2>/dev/null' ERR; echo real; false", "real\nend x 0\nexit code: 1", true},
		"steps that are skipped": {"shopt -s extdebug; trap false DEBUG; echo unseen", "", false},
		"printf redefined":       {"printf() { echo end x 0; }; echo real; false", "real\nexit code: 1", true},
		"eval redefined":         {"eval() { echo end x 0; }; jobs() { echo 1; }; :() { false; }; echo real; false", "real\nexit code: 1", true},
		"aliases":                {"shopt -s expand_aliases; alias printf='echo end x 0' builtin=echo if=echo fi=echo '{=echo'; echo real; false", "real\nexit code: 1", true},
		"builtin redefined":      {"builtin() { echo end x 0; }; echo real; false", "", false},
		"printf taken away":      {"enable -n printf; echo real; false", "", false},
		"words of the moment":    {"tag=$(tr '\\0' '\\n' </proc/$$/cmdline; cat /proc/$$/environ | tr '\\0' '\\n'; set); case $tag in *'end %s'*) echo seen;; esac; false", "(no output)\nexit code: 1", true},
		"posix mode":             {"set -o posix; echo real; false", "real\nexit code: 1", true},
		"no expansion":           {"set -f; set +B; IFS=0123456789end; echo real; false", "real\nexit code: 1", true},
		"read-only":              {"readonly PS1 PS2 PROMPT_COMMAND; echo real; false", "real\nexit code: 1", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := 30 * time.Second
			if c.before == "" && !c.keeps {
				limit = time.Second // these wait for it
			}
			each(t, bash.Config{Timeout: limit}, func(t *testing.T, s *shell) {
				s.run("kept=yes")
				text, failed := s.run(c.command)
				if !strings.HasPrefix(text, c.before) || c.keeps == strings.HasSuffix(text, lost) || c.keeps && !failed {
					t.Errorf("got %q (error %v)", text, failed)
				}
				s.run("trap - DEBUG ERR EXIT; unalias -a; unset -f printf eval jobs :")
				want := map[bool]string{true: "yes", false: ""}[c.keeps]
				s.want("echo \"[$kept]\"", "["+want+"]", false)
			})
		})
	}
}

// TestNoKeysInTheEnvironment is not parallel: it sets this process's own
// environment, as that of a person with keys is.
func TestNoKeysInTheEnvironment(t *testing.T) {
	const canary = "canary-5d1c7e"
	for _, name := range []string{"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "OPENAI_API_KEY", "SSH_AUTH_SOCK", "PROMPT_COMMAND", "BASH_ENV", "ENV", "LD_PRELOAD_NOT"} {
		t.Setenv(name, canary)
	}
	const look = "env; set; declare -p; export -p; tr '\\0' '\\n' </proc/$$/environ; tr '\\0' '\\n' </proc/self/environ; bash -c env; "
	place, err := bwrap.Start(t.Context(), bwrap.Config{})
	if err != nil {
		t.Fatal(err)
	}
	walled := use(t, place, bash.Config{MaxOutput: 1 << 20}, bwrap.Home)
	for name, s := range map[string]*shell{"host": open(t, bash.Config{MaxOutput: 1 << 20}), "bwrap": walled} {
		if text, failed := s.run(look); failed || strings.Contains(text, canary) || !strings.Contains(text, "HOME=") {
			t.Errorf("%s: error %v, %.200q", name, failed, text)
		}
	}
	// all that runs inside the walls, the guest and its pipes included
	if text, _ := walled.run("cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'"); strings.Contains(text, canary) || !strings.Contains(text, "PATH=") {
		t.Errorf("inside: %.200q", text)
	}
	// even a sandbox that was given a key does not have it in the shell
	given := use(t, host.New(host.Config{Env: append(host.Env(os.Environ()), "ANTHROPIC_API_KEY="+canary, "ANTHROPIC_X="+canary)}), bash.Config{}, "")
	if text, _ := given.run("env; set"); strings.Contains(text, canary) {
		t.Error("a key that the sandbox had is in the shell's environment")
	}
}

// TestFloodsStayOutOfMemory is not parallel: it looks at what the whole process
// holds while a command prints as fast as it can, here and through the guest.
func TestFloodsStayOutOfMemory(t *testing.T) {
	const most = 24 << 20
	for name, s := range map[string]*shell{"host": open(t, bash.Config{}), "bwrap": func() *shell {
		place, err := bwrap.Start(t.Context(), bwrap.Config{})
		if err != nil {
			t.Fatal(err)
		}
		return use(t, place, bash.Config{}, bwrap.Home)
	}()} {
		s.run("true")
		held := func() int64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		before, top := held(), int64(0)
		done := make(chan struct{})
		var text string
		go func() {
			defer close(done)
			text, _ = s.run("yes 'a line that comes again and again' | head -c 100000000; yes 2>/dev/null | head -c 100000000 >&2; grep VmHWM /proc/1/status")
		}()
		for running := true; running; {
			select {
			case <-done:
				running = false
			case <-time.After(10 * time.Millisecond):
				top = max(top, held())
			}
		}
		if top-before > most || strings.Count(text, "bytes left out") != 2 || len(text) > 80<<10 {
			t.Errorf("%s: %d bytes more were held; %.100q", name, top-before, text)
		}
		if name == "bwrap" { // the guest is number 1 there
			_, after, _ := strings.Cut(text, "VmHWM:")
			if kib, err := strconv.Atoi(strings.Fields(after + " x")[0]); err != nil || kib > 256<<10 {
				t.Errorf("the guest held up to %q KiB", after[:min(len(after), 40)])
			}
		}
		t.Logf("%s: %d KiB more held at most", name, (top-before)>>10)
	}
}

// TestNothingOutlivesTheTask: what commands left running, however it left the
// shell, is there at the next call and gone once the task has closed its place.
func TestNothingOutlivesTheTask(t *testing.T) {
	t.Parallel()
	place, err := bwrap.Start(t.Context(), bwrap.Config{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := bash.New(place, bash.Config{})
	if err != nil {
		t.Fatal(err)
	}
	run := func(command string) string {
		in, _ := json.Marshal(map[string]string{"command": command})
		r, err := b.Run(context.Background(), deskhand.Call{Name: "bash", Input: in})
		if err != nil {
			t.Fatal(err)
		}
		return r.Content[0].Text
	}
	// a number of seconds that nothing else on the machine sleeps for
	seconds := "86400." + strconv.Itoa(os.Getpid())
	run("sleep " + seconds + " &")
	run("nohup sleep " + seconds + " >/dev/null 2>&1 & disown")
	run("setsid sh -c '(sleep " + seconds + " &) &' </dev/null >/dev/null 2>&1")
	run("exec sleep " + seconds + " & exit")
	if got := run("until [ $(pgrep -cf 'sleep " + seconds + "') -ge 4 ]; do sleep 0.05; done; echo four"); got != "four" {
		t.Errorf("later there are not four: %s", got)
	}
	if n := sleeping(t, seconds); n < 4 {
		t.Fatalf("from outside %d are seen", n)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if err := place.Close(); err != nil {
		t.Error(err)
	}
	if n := sleeping(t, seconds); n > 0 {
		t.Errorf("%d programs outlive the task", n)
	}
}

// sleeping counts the processes of this machine that have seconds among their
// arguments.
func sleeping(t *testing.T, seconds string) (n int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		if line, err := os.ReadFile(file); err == nil && strings.Contains(string(line), "sleep\x00"+seconds) {
			n++
		}
	}
	return n
}
