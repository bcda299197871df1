package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/deskhand/deskhand"
)

// hostile tries to move the cursor, change the title and turn the text around.
const hostile = "\x1b[2J\x1b]0;owned\a\u202evil\r"

func said(kind deskhand.Kind, data any) deskhand.Event {
	return deskhand.NewEvent("abcdefgh", kind, data)
}

// played is a task of one turn, with deltas, a retry, an error and a result.
func played() []deskhand.Event {
	click := deskhand.Call{ID: "a", Toolset: "computer", Name: "left_click", Input: json.RawMessage(`{"coordinate":[512,742]}`)}
	typed := deskhand.Call{ID: "b", Toolset: "computer", Name: "type", Input: json.RawMessage(`{"text":"Grüße ` + strings.Repeat("long ", 60) + `"}`)}
	content := `[{"type":"text","text":"I click ü.` + `"},{"type":"tool_use","id":"a","toolset_name":"computer","name":"left_click","input":{"coordinate":[512,742]}},` +
		`{"type":"tool_use","id":"b","toolset_name":"computer","name":"type","input":` + string(typed.Input) + `}]`
	return []deskhand.Event{
		said(deskhand.KindTaskCreated, deskhand.TaskCreated{Task: deskhand.Task{Text: "Do it " + hostile, Model: "m", Screen: deskhand.Size{W: 1280, H: 800}, Sandbox: "bwrap", Permission: "trust"}}),
		said(deskhand.KindTaskStatus, deskhand.TaskStatus{From: deskhand.Queued, To: deskhand.Running}),
		said(deskhand.KindTurnStarted, deskhand.TurnStarted{Turn: 1}),
		said(deskhand.KindModelDelta, deskhand.ModelDelta{Text: "I was cut"}),
		said(deskhand.KindModelFailed, deskhand.ModelFailed{Turn: 1, Attempt: 1, Message: "Overloaded." + hostile, RetryMS: 1500}),
		said(deskhand.KindModelDelta, deskhand.ModelDelta{Text: "I cl", Attempt: 2}),
		said(deskhand.KindModelReplied, deskhand.ModelReplied{Turn: 1, Content: json.RawMessage(content), StopReason: "tool_use", CostUSD: 0.0041, DurationMS: 2300,
			Usage: deskhand.Usage{Input: 3412, Output: 120}}),
		said(deskhand.KindCallStarted, deskhand.CallStarted{Turn: 1, Call: click}),
		said(deskhand.KindCallFinished, deskhand.CallFinished{Turn: 1, CallID: "a", Result: deskhand.Text("Clicked."), DurationMS: 31}),
		said(deskhand.KindCallStarted, deskhand.CallStarted{Turn: 1, Call: typed}),
		said(deskhand.KindCallFinished, deskhand.CallFinished{Turn: 1, CallID: "b", Result: deskhand.Failure("No." + hostile), DurationMS: 4}),
		said(deskhand.KindNote, deskhand.Note{Text: "The panel was started again."}),
	}
}

func show(t *testing.T, out io.Writer, env map[string]string) {
	t.Helper()
	v := newTextView(out, func(name string) string { return env[name] })
	for _, e := range played() {
		if err := v.event(e); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	v.end(deskhand.Task{ID: "abcdefgh", Status: deskhand.Done, Result: "All done.", Turns: 1, Calls: 2, CostUSD: 0.0041, Created: now, Updated: now.Add(65 * time.Second)})
	v.close()
}

func TestViewIntoAFile(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	show(t, &out, map[string]string{"LANG": "C.UTF-8"})
	text := out.String()
	for _, want := range []string{
		"I was cut\n  ! The model could not be asked: Overloaded.", "Trying again in 1.5 s",
		"! The reply broke off and starts again.", "I click ü.\n", "turn 1 · 3412 in · 120 out · $0.0041 · 2.3 s · total $0.0041",
		"  → click 512,742 · 31 ms\n", `  ✗ type "Grüße long`, "… · 4 ms\n", "    No.", "All done.",
		"done · not verified · 1 turn · 2 calls", "1 min 05 s", "deskhand task export abcdefgh", `\x1b[2J\x1b]0;owned\x07\u202evil`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the view lacks %q", want)
		}
	}
	for _, never := range []string{"\x1b", "\r", "\a", "\u202e"} {
		if strings.Contains(text, never) {
			t.Errorf("the view holds %q", never)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestViewInASCII(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	show(t, &out, map[string]string{"LC_ALL": "C", "LANG": "C.UTF-8"})
	for _, r := range out.String() {
		if r > '~' || r < ' ' && r != '\n' {
			t.Fatalf("%U is not for this terminal in %q", r, out.String())
		}
	}
	if !strings.Contains(out.String(), `Gr\u00fc\u00dfe`) || !strings.Contains(out.String(), "-> click 512,742") {
		t.Error(out.String())
	}
}

// sgr is the colours.
var sgr = regexp.MustCompile("\x1b\\[[0-9]*m")

func TestViewOnATerminal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		env     map[string]string
		columns uint16
		colour  bool
		spinner bool
	}{
		{"colour", map[string]string{"TERM": "xterm", "LANG": "C.UTF-8"}, 60, true, true},
		{"narrow", map[string]string{"TERM": "xterm", "LANG": "C.UTF-8"}, 24, true, true},
		{"NO_COLOR", map[string]string{"TERM": "xterm", "LANG": "C.UTF-8", "NO_COLOR": "1"}, 60, false, true},
		{"dumb", map[string]string{"TERM": "dumb", "LANG": "C.UTF-8"}, 60, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text := onTerminal(t, c.columns, func(tty *os.File) { show(t, tty, c.env) })
			if got := strings.Contains(text, "\x1b[2m"); got != c.colour {
				t.Errorf("colours: %v", got)
			}
			if got := strings.Contains(text, "thinking"); got != c.spinner {
				t.Errorf("a line that says what is going on: %v", got)
			}
			rest := sgr.ReplaceAllString(strings.NewReplacer("\r\n", "\n", "\r\x1b[K", "\n").Replace(text), "")
			if strings.ContainsAny(rest, "\x1b\r\a\u202e") {
				t.Errorf("something steers the terminal: %q", rest)
			}
			for line := range strings.Lines(rest) {
				if strings.Contains(line, "type \"") && len([]rune(line)) > int(c.columns)+1 {
					t.Errorf("%q is wider than %d columns", line, c.columns)
				}
			}
		})
	}
}

// onTerminal returns what f writes to a terminal of so many columns.
func onTerminal(t *testing.T, columns uint16, f func(tty *os.File)) string {
	t.Helper()
	ptmx, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(ptmx, &pty.Winsize{Cols: columns, Rows: 24}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	var reading sync.WaitGroup
	reading.Go(func() { io.Copy(&out, ptmx) }) // ends with an error once the other side is closed
	f(tty)
	tty.Close()
	reading.Wait()
	ptmx.Close()
	return out.String()
}

func TestStreamJSONIsOneEventPerLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	v := newStreamView(&out)
	for _, e := range played() {
		if err := v.event(e); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != len(played()) {
		t.Fatalf("%d lines for %d events", len(lines), len(played()))
	}
	for i, line := range lines {
		var e struct {
			V    int
			Kind deskhand.Kind
			Task deskhand.TaskID
			Data json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.V != 1 || e.Kind != played()[i].Kind || e.Task != "abcdefgh" || len(e.Data) == 0 {
			t.Errorf("%s: %v", line, err)
		}
	}
}
