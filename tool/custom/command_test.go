package custom_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/tool/custom"
)

func command(words string) string { return `{` + about + `, "command": [` + words + `]}` }

func TestCommandGetsTheInput(t *testing.T) {
	t.Parallel()
	sb, home := place(t)
	cat := one(t, sb, custom.Config{}, command(`"cat"`))
	for _, in := range []string{`{}`, `{"a":"Grüße, 猫 $(touch x); \"'"}`, `{"a": 5.0, "q": [1,  2]}`, `{"a":"` + strings.Repeat("x", 20_000) + `"}`} {
		want(t, cat, in, in, false)
	}
	want(t, cat, `{"b":1}`, "invalid input for tool 'n': b: unknown field", true)
	want(t, one(t, sb, custom.Config{}, command(`"true"`)), `{"a":"`+strings.Repeat("x", 1<<20)+`"}`, "(no output)", false)
	if left, err := os.ReadDir(home); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestCommandResults(t *testing.T) {
	t.Parallel()
	sb, _ := place(t)
	sh := func(line string) string { return command(`"sh", "-c", ` + strconv.Quote(line)) }
	for line, r := range map[string]struct {
		text    string
		isError bool
	}{
		`echo out; echo err >&2`:         {"out\n[stderr]\nerr", false},
		`echo out; exit 3`:               {"out\nexit code: 3", true},
		`kill -TERM $$`:                  {"(no output)\nexit code: 143", true},
		`exit 1`:                         {"(no output)\nexit code: 1", true},
		`printf "a\033[2Jb\r\n\001\200"`: {"ab\n\\x01\\x80", false},
	} {
		want(t, one(t, sb, custom.Config{}, sh(line)), `{}`, r.text, r.isError)
	}
	long := one(t, sb, custom.Config{}, `{`+about+`, "max_output": 1024, "command": ["sh", "-c", "seq 1 100000"]}`)
	text := call(t, long, `{}`).Content[0].Text
	if len(text) > 1200 || !strings.HasPrefix(text, "1\n2\n") || !strings.HasSuffix(text, "\n100000") || !strings.Contains(text, "... Output truncated (100000 total lines) ...") {
		t.Errorf("%d bytes: %q", len(text), text)
	}
	want(t, one(t, sb, custom.Config{}, command(`"/no/such/program"`)), `{}`, "Error: The program of n is not there. Go on without it.", true)
	want(t, one(t, sb, custom.Config{}, command(`"/etc/passwd"`)), `{}`, "Error: The program of n may not be started. Go on without it.", true)
}

// TestCommandEndsWhole: what a command leaves behind, and what does not end by
// itself, is gone after the call, also when it left the group and the session.
func TestCommandEndsWhole(t *testing.T) {
	t.Parallel()
	sb, home := place(t)
	const leave = `setsid sh -c 'echo $$ >> pids; exec sleep 1000' & sh -c 'echo $$ >> pids; exec sleep 1000' & while [ $(wc -l < pids) -lt 2 ]; do :; done 2>/dev/null; `
	if err := os.WriteFile(filepath.Join(home, "pids"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, one(t, sb, custom.Config{}, command(`"sh", "-c", `+strconv.Quote(leave+"echo done"))), `{}`, "done", false)
	gone(t, home, 2)
	slow := `{` + about + `, "timeout": "1s", "command": ["sh", "-c", ` + strconv.Quote(leave+"sleep 1000") + `]}`
	if err := os.WriteFile(filepath.Join(home, "pids"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, one(t, sb, custom.Config{}, slow), `{}`, "Error: n did not finish within 1 seconds. It was stopped.", true)
	gone(t, home, 0) // on a busy machine it may have been stopped before it left anything
}

func gone(t *testing.T, home string, least int) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(home, "pids"))
	pids := strings.Fields(string(data))
	if err != nil || len(pids) < least {
		t.Fatalf("%q, %v", data, err)
	}
	for _, pid := range pids {
		cmdline, err := os.ReadFile("/proc/" + pid + "/cmdline")
		if err == nil && strings.HasPrefix(string(cmdline), "sleep") {
			t.Errorf("%s still runs", pid)
		}
	}
}

func TestCommandIsInterrupted(t *testing.T) {
	t.Parallel()
	sb, home := place(t)
	tl := one(t, sb, custom.Config{}, command(`"sh", "-c", "echo > began; exec sleep 1000"`))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil { // until it runs
			if _, err := os.Stat(filepath.Join(home, "began")); err == nil {
				return
			}
			<-tick.C
		}
	}()
	_, err := tl.Run(ctx, deskhand.Call{Input: []byte(`{}`)})
	if deskhand.CodeOf(err) != deskhand.Canceled {
		t.Error(err)
	}
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := tl.Run(t.Context(), deskhand.Call{Input: []byte(`{}`)}); deskhand.CodeOf(err) != deskhand.Unavailable {
		t.Errorf("after the sandbox is gone: %v", errors.Unwrap(err))
	}
}
