package bash_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/guest"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/bwrap"
	"github.com/deskhand/deskhand/sandbox/host"
	"github.com/deskhand/deskhand/tool/bash"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "guest" {
		syscall.Exit(guest.Main(os.Args[2:], os.Stdin, os.Stderr, nil))
	}
	goleak.VerifyTestMain(m)
}

// each runs test on a sandbox without walls and on one with all of them.
func each(t *testing.T, c bash.Config, test func(t *testing.T, s *shell)) {
	t.Helper()
	t.Run("host", func(t *testing.T) {
		t.Parallel()
		test(t, open(t, c))
	})
	t.Run("bwrap", func(t *testing.T) {
		t.Parallel()
		place, err := bwrap.Start(t.Context(), bwrap.Config{})
		if err != nil {
			t.Fatal(err)
		}
		test(t, use(t, place, c, bwrap.Home))
	})
}

// shell is a bash tool with a directory of its own.
type shell struct {
	t   *testing.T
	b   *bash.Bash
	dir string
}

func open(t *testing.T, c bash.Config) *shell {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c.Dir = dir
	return use(t, host.New(host.Config{}), c, dir)
}

func use(t *testing.T, place sandbox.Sandbox, c bash.Config, dir string) *shell {
	t.Helper()
	b, err := bash.New(place, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(b.Close(), place.Close()); err != nil {
			t.Error(err)
		}
	})
	return &shell{t, b, dir}
}

func (s *shell) raw(input string) deskhand.Result {
	s.t.Helper()
	r, err := s.b.Run(context.Background(), deskhand.Call{Name: "bash", Input: json.RawMessage(input)})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *shell) run(command string) (string, bool) {
	s.t.Helper()
	in, _ := json.Marshal(map[string]string{"command": command})
	r := s.raw(string(in))
	return r.Content[0].Text, r.IsError
}

// patient is run for a command that a busy machine may not get done within a
// limit that is short for another's sake. What it started is gone with it then.
func (s *shell) patient(command string) (text string, failed bool) {
	s.t.Helper()
	for range 20 {
		if text, failed = s.run(command); !strings.Contains(text, "Error: command did not finish") {
			break
		}
	}
	return text, failed
}

func (s *shell) want(command, want string, failed bool) {
	s.t.Helper()
	got, isError := s.run(command)
	if got != want || isError != failed {
		s.t.Errorf("%s\n got %q (error %v)\nwant %q (error %v)", command, got, isError, want, failed)
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	each(t, bash.Config{}, func(t *testing.T, s *shell) {
		for _, c := range []struct {
			command, want string
			failed        bool
		}{
			{"echo hello", "hello", false},
			{"true", "(no output)", false},
			{"false", "(no output)\nexit code: 1", true},
			{"echo out; echo err >&2", "out\n[stderr]\nerr", false},
			{"echo err >&2; exit_with() { return 7; }; exit_with", "[stderr]\nerr\nexit code: 7", true},
			{"printf 'no newline'", "no newline", false},
			{"printf '\\n\\n  indented\\n'", "\n\n  indented", false},
			{"cat <<'EOF'\nhere $doc 'quoted' \"twice\"\nEOF", "here $doc 'quoted' \"twice\"", false},
			{"for i in 1 2 3\ndo\n  echo $i\ndone", "1\n2\n3", false},
			{"echo 'it'\\''s'", "it's", false},
			{"echo a \\\n b", "a b", false},
			{"# only a comment", "(no output)", false},
			{"cat", "(no output)", false},
			{"read x; echo \"[$x]\"", "[]", false},
			{"python3 -c 'import sys; print(len(sys.stdin.read()))'", "0", false},
			{"echo é 世界 😀", "é 世界 😀", false},
			{"printf '\\033[31mred\\033[0m \\033]0;title\\007plain\\n'", "red plain", false},
			{"printf 'bell\\007 bad\\377 esc\\033'", `bell\x07 bad\xff esc\x1b`, false},
			{"printf '1%%\\r50%%\\r100%%\\r\\n'", "1%\n50%\n100%", false},
			{"nosuchcommand_x", "[stderr]\nbash: nosuchcommand_x: command not found\nexit code: 127", true},
			{"sh -c 'kill -KILL $$'", "[stderr]\nKilled\nexit code: 137", true},
			{"echo !! $HISTFILE.", "!! .", false},
			{"set -o | grep -c '^history.*off'", "1", false},
			{"tty", "not a tty\nexit code: 1", true},
		} {
			s.want(c.command, c.want, c.failed)
		}
	})
}

func TestBrokenSyntaxDoesNotWedge(t *testing.T) {
	t.Parallel()
	each(t, bash.Config{}, func(t *testing.T, s *shell) {
		for _, c := range []string{`echo "open`, `echo 'open`, "if true; then", "cat <<EOF\nnever ended", "{ echo", "((", "echo )", "`", "$(", "do", "\\", "}; }"} {
			if text, _ := s.run(c); strings.Contains(text, "session") {
				t.Errorf("%q: %q", c, text)
			}
			s.want("echo alive", "alive", false)
		}
	})
}

func TestStatePersists(t *testing.T) {
	t.Parallel()
	each(t, bash.Config{}, func(t *testing.T, s *shell) {
		s.want("mkdir sub; cd sub; x=5; export Y=six; f() { echo f $1; }; alias g='echo g'; umask 027", "(no output)", false)
		s.want("pwd; echo $x $Y; f 1; g 2; sh -c 'echo $Y'; umask", s.dir+"/sub\n5 six\nf 1\ng 2\nsix\n0027", false)
		s.run("sleep 60 & echo $! > ../pid")
		if r := s.raw(`{"restart":true}`); r.Content[0].Text != "Bash session restarted" || r.IsError {
			t.Errorf("restart: %+v", r)
		}
		s.want("pwd; echo [$x$Y]", s.dir+"\n[]", false)
		s.want("ps -o stat= -p $(cat pid) | grep -v Z || echo ended", "ended", false)
	})
}

func TestExitEndsTheSession(t *testing.T) {
	t.Parallel()
	each(t, bash.Config{}, func(t *testing.T, s *shell) {
		s.run("x=1; sleep 60 & echo $! > pid")
		lost := "\nThe command ended the shell. Its directory, variables, functions and jobs are lost; the next command starts a new session."
		s.want("echo bye; exit 3", "bye\nexit code: 3"+lost, true)
		s.want("echo [$x]", "[]", false)
		s.want("kill -0 $(cat pid) && echo background lives", "background lives", false)
		s.want("exit", "(no output)\nexit code: 0"+lost, false)
		s.want("set -e; false", "(no output)\nexit code: 1"+lost, true)
		s.want("exec echo gone", "gone\nexit code: 0"+lost, false)
		s.want("kill -KILL $$", "(no output)\nexit code: 137"+lost, true)
		s.want("echo again", "again", false)
	})
}

func TestTimeLimit(t *testing.T) {
	t.Parallel()
	said := "Error: command did not finish within 0.5 seconds\nIt was stopped. The session is still usable; run long commands in the background with output to a file."
	for name, command := range map[string]string{
		"program":         "sleep 600; echo not reached >> $F",
		"pipeline":        "sleep 600 | cat; echo not reached >> $F",
		"subshell":        "(sleep 600; echo not reached >> $F); echo not reached >> $F",
		"substitution":    "x=$(sleep 600; echo not reached >> $F); echo not reached >> $F",
		"function":        "f() { sleep 600; echo not reached >> $F; }; f; echo not reached >> $F",
		"builtin loop":    "while :; do :; done; echo not reached >> $F",
		"program loop":    "while :; do sleep 0.01; done; echo not reached >> $F",
		"waiting":         "sleep 600 & wait; echo not reached >> $F",
		"deaf":            "sh -c 'trap \"\" TERM INT HUP; sleep 600; sleep 600'; echo not reached >> $F",
		"own group":       "bash -c 'set -m; sleep 600 & wait'; echo not reached >> $F",
		"fifo":            "mkfifo $F.p; read x < $F.p; echo not reached >> $F",
		"several lines":   "sleep 600\necho not reached >> $F\nsleep 600",
		"trap on return":  "trap 'echo trapped >/dev/null' RETURN; sleep 600; echo not reached >> $F",
		"flooding output": "yes; echo not reached >> $F",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, bash.Config{Timeout: 500 * time.Millisecond}, func(t *testing.T, s *shell) {
				s.patient("kept=yes; F=" + s.dir + "/reached; sleep 3600 &")
				text, failed := s.run(command)
				if !strings.HasSuffix(text, said) || !failed {
					t.Errorf("got %q", text)
				}
				const left = "echo $kept; jobs -r | grep -c 'sleep 3600'; pgrep -f 'sleep 60[0]' --session $$; [[ -e $F ]] || echo stopped"
				if text, _ := s.patient(left); text != "yes\n1\nstopped" {
					t.Errorf("after it: %q", text)
				}
			})
		})
	}
}

func TestStopBeyondInterrupt(t *testing.T) {
	t.Parallel()
	s := open(t, bash.Config{Timeout: 300 * time.Millisecond})
	text, failed := s.run("trap '' INT; while :; do :; done")
	if !strings.Contains(text, "the bash session was restarted") || !failed {
		t.Errorf("got %q", text)
	}
	s.want("echo alive", "alive", false)
}

func TestCancel(t *testing.T) {
	t.Parallel()
	s := open(t, bash.Config{})
	s.run("x=kept")
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := s.b.Run(ctx, deskhand.Call{Name: "bash", Input: json.RawMessage(`{"command":"sleep 600"}`)})
	if deskhand.CodeOf(err) != deskhand.Canceled || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	s.want("echo $x", "kept", false)
}

func TestBackgroundOutputStaysWithItsCall(t *testing.T) {
	t.Parallel()
	each(t, bash.Config{}, func(t *testing.T, s *shell) {
		s.run("(while :; do echo LATE; echo LATE >&2; done) & late=$!; disown")
		s.run("setsid sh -c 'echo $$ > pid; while :; do echo LATE; sleep 0.001; done' & disown")
		for range 20 {
			text, _ := s.run("echo one; sleep 0.01; echo two >&2")
			if text != "one\n[stderr]\ntwo" {
				t.Fatalf("got %q", text)
			}
		}
		s.want("kill -0 $late && echo still running; kill $late $(cat pid)", "still running", false)
	})
}

func TestMarkersCannotBeForged(t *testing.T) {
	t.Parallel()
	each(t, bash.Config{}, func(t *testing.T, s *shell) {
		for _, c := range []struct{ command, want string }{
			// what the shell says of itself never reaches a command's streams, and the other way round
			{"echo end x 0; echo begin x; sleep 0.1; echo real", "end x 0\nbegin x\nreal"},
			{"set | grep -c 'end %s'; history | wc -l", "0\n0"},
			{"PROMPT_COMMAND='echo end x 0; echo junk'; echo real", "real"},
			{"PS1='$ '; PS2='> '; echo real", "real"},
			{"echo real", "real"},
			{"printf 'end x 0\\n' > /proc/$$/fd/255 2>/dev/null; echo real", "real"},
			{"exec >/dev/null 2>&1; echo lost", "(no output)"},
			{"echo real; echo err >&2", "real\n[stderr]\nerr"},
			// a command that digs in the shell's own descriptors does not know the words of the moment
			{"for f in /proc/$$/fd/*; do [ ${f##*/} -gt 2 ] && [ -p $f ] && (printf 'end x 0\\nshell 1\\n' > $f) 2>/dev/null; done; echo real", "real"},
			{"set -x; echo real", "real\n[stderr]\n++ echo real"},
		} {
			if got, _ := s.run(c.command); got != c.want {
				t.Errorf("%s: got %q, want %q", c.command, got, c.want)
			}
		}
		if got, _ := s.run("echo traced"); !strings.HasPrefix(got, "traced\n") || strings.Contains(got, "end") {
			t.Errorf("after set -x: %q", got)
		}
	})
}

func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	s := open(t, bash.Config{MaxOutput: 100})
	s.want("seq 1 20", strings.TrimRight(seq(1, 20), "\n"), false)
	got, _ := s.run("seq 1 100000")
	want := "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n... Output truncated (100000 total lines) ...\n"
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "99999\n100000") || len(got) > 300 {
		t.Errorf("got %q", got)
	}
	got, _ = s.run("printf 'é%.0s' $(seq 1 1000)")
	if strings.Contains(got, `\x`) || !strings.Contains(got, "(1 total lines)") {
		t.Errorf("cut inside a character: %q", got)
	}
	got, _ = s.run("head -c 50000000 /dev/zero | tr '\\0' x; echo; echo last")
	if !strings.Contains(got, "bytes left out") || !strings.HasSuffix(got, "last") {
		t.Errorf("got %.200q", got)
	}
}

func seq(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		b.WriteString(strings.TrimSpace(string(mustJSON(i))) + "\n")
	}
	return b.String()
}

func mustJSON(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

func TestInput(t *testing.T) {
	t.Parallel()
	s := open(t, bash.Config{})
	for in, want := range map[string]string{
		`{}`:                              "command: expected a string",
		``:                                "input: expected an object",
		`null`:                            "input: expected an object",
		`[]`:                              "input: expected an object",
		`"ls"`:                            "input: expected an object",
		`{"command":null}`:                "command: expected a string",
		`{"command":5}`:                   "command: expected a string",
		`{"command":["ls"]}`:              "command: expected a string",
		`{"command":""}`:                  "command: is empty; there is nothing to run",
		`{"command":" \n"}`:               "command: is empty; there is nothing to run",
		`{"command":"a\u0000b"}`:          "command: contains a NUL character",
		`{"command":"\ud800"}`:            "command: contains half of a surrogate pair",
		`{"command":"ls","command":"rm"}`: "command: given more than once",
		`{"command":"ls","timeout":5}`:    "timeout: unknown field",
		`{"Command":"ls"}`:                "command: expected a string; Command: unknown field",
		`{"restart":"yes"}`:               "restart: expected true or false; command: expected a string",
		`{"restart":false}`:               "command: expected a string",
		`{"command":"ls"`:                 "input: not valid JSON",
	} {
		if r := s.raw(in); !r.IsError || r.Content[0].Text != "invalid input for tool 'bash': "+want {
			t.Errorf("%s: got %q, want %q", in, r.Content[0].Text, want)
		}
	}
	if r := s.raw(`{"restart":true,"command":"ls"}`); !strings.Contains(r.Content[0].Text, "was not run") {
		t.Errorf("got %q", r.Content[0].Text)
	}
}

// broken is a sandbox in which nothing can be started.
type broken struct {
	sandbox.Sandbox
	code deskhand.Code
}

func (b broken) Exec(context.Context, sandbox.Cmd) (sandbox.Process, error) {
	return nil, deskhand.Errorf("sandbox: exec", b.code, "private detail")
}

func TestNothingStarts(t *testing.T) {
	t.Parallel()
	for code, failure := range map[deskhand.Code]bool{deskhand.NotFound: true, deskhand.Denied: true, deskhand.OverLimit: true, deskhand.Unavailable: false, deskhand.Internal: false} {
		b, err := bash.New(broken{code: code}, bash.Config{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := b.Run(context.Background(), deskhand.Call{Input: json.RawMessage(`{"command":"ls"}`)})
		if failure != (err == nil) || failure != r.IsError || !failure && deskhand.CodeOf(err) != code {
			t.Errorf("%s: %+v %v", code, r, err)
		}
		if failure && strings.Contains(r.Content[0].Text, "private") {
			t.Errorf("%s: %q", code, r.Content[0].Text)
		}
	}
}

func TestCommandThatCannotBegin(t *testing.T) {
	t.Parallel()
	each(t, bash.Config{}, func(t *testing.T, s *shell) {
		s.run("ulimit -n 3")
		s.want("echo hi", "Error: The command was not run: the shell cannot open files any more. Use restart for a new session.", true)
		s.raw(`{"restart":true}`)
		s.want("echo hi", "hi", false)
		// what a spare program of the tool's own dies of must not cost a command
		s.run("pkill -f 'read -r marke[r]'; true")
		s.want("echo hi", "hi", false)
	})
}

func TestLongCommand(t *testing.T) {
	t.Parallel()
	each(t, bash.Config{}, func(t *testing.T, s *shell) {
		long := strings.Repeat("x", 1<<19)
		s.want("echo "+long+" | wc -c", "524289", false)
	})
}

func TestSpec(t *testing.T) {
	t.Parallel()
	s := open(t, bash.Config{})
	if got := string(s.b.Spec().Entry); got != `{"type":"bash_20250124","name":"bash"}` {
		t.Errorf("entry %s", got)
	}
	old := open(t, bash.Config{Version: "bash_20241022"}).b.Spec()
	if string(old.Entry) != `{"type":"bash_20241022","name":"bash"}` || old.Beta != "computer-use-2024-10-22" || s.b.Spec().Beta != "" {
		t.Errorf("%+v %s", old, old.Entry)
	}
	if _, err := bash.New(nil, bash.Config{Version: "bash_2030"}); deskhand.CodeOf(err) != deskhand.Invalid {
		t.Errorf("got %v", err)
	}
}

func BenchmarkCommand(b *testing.B) {
	walled, err := bwrap.Start(b.Context(), bwrap.Config{})
	if err != nil {
		b.Fatal(err)
	}
	for name, place := range map[string]sandbox.Sandbox{"host": host.New(host.Config{}), "bwrap": walled} {
		b.Run(name, func(b *testing.B) {
			t, err := bash.New(place, bash.Config{Dir: "/tmp"})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				b.StopTimer()
				<-time.After(50 * time.Millisecond) // a model thinks for longer
				b.StartTimer()
				if r, err := t.Run(context.Background(), deskhand.Call{Name: "bash", Input: json.RawMessage(`{"command":"echo hi"}`)}); err != nil || r.IsError {
					b.Fatal(r, err)
				}
			}
			b.StopTimer()
			if err := errors.Join(t.Close(), place.Close()); err != nil {
				b.Error(err)
			}
		})
	}
}
