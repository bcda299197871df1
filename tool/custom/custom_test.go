package custom_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/host"
	"github.com/deskhand/deskhand/tool"
	"github.com/deskhand/deskhand/tool/custom"
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
	sb := host.New(host.Config{Home: home, Keeper: []string{exe, "keep"}})
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return sb, home
}

// one makes the only tool of a file.
func one(t *testing.T, sb sandbox.Sandbox, c custom.Config, entry string) tool.Tool {
	t.Helper()
	set, err := custom.Parse("tools.json", []byte("["+entry+"]"), c)
	if err != nil {
		t.Fatal(err)
	}
	tools, err := set.Tools(sb, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := tools[0].(interface{ Close() error }); ok {
		t.Cleanup(func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return tools[0]
}

func call(t *testing.T, tl tool.Tool, in string) deskhand.Result {
	t.Helper()
	r, err := tl.Run(t.Context(), deskhand.Call{ID: "1", Name: tl.Spec().Name, Input: []byte(in)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// want calls and compares the whole answer.
func want(t *testing.T, tl tool.Tool, in, text string, isError bool) {
	t.Helper()
	if r := call(t, tl, in); len(r.Content) != 1 || r.Content[0].Text != text || r.IsError != isError {
		t.Errorf("%s: error %v\n got %q\nwant %q", in, r.IsError, r.Content[0].Text, text)
	}
}

const about = `"name": "n", "description": "d", "input_schema": {"type": "object", "properties": {"a": {}, "q": {}}}`

func TestEntryIsAsWritten(t *testing.T) {
	t.Parallel()
	sb, _ := place(t)
	tl := one(t, sb, custom.Config{}, `{"name": "get-it", "description": "Gets it.", "input_schema": {"type":"object", "properties": {"z":{},"a":{}}}, "command": ["cat"]}`)
	const entry = `{"name":"get-it","description":"Gets it.","input_schema":{"type":"object","properties":{"z":{},"a":{}}}}`
	if got := tl.Spec(); string(got.Entry) != entry || got.Name != "get-it" || got.Toolset || got.Halt != "" {
		t.Errorf("%+v: %s", got, got.Entry)
	}
}

func TestWrongFiles(t *testing.T) {
	t.Parallel()
	config := custom.Config{
		Taken: []string{"bash", "left_click"},
		Env: func(name string) string {
			return map[string]string{"SHORT": "abc", "KEY": "a-secret-value", "LINES": "a-secret\nX-Evil: 1"}[name]
		},
		Read: func(string) ([]byte, error) { return nil, os.ErrNotExist },
	}
	with := func(more string) string { return "[{" + about + ", " + more + "}]" }
	to := func(headers string) string {
		return with(`"http": {"url": "https://h/", "headers": {` + headers + `}}`)
	}
	for file, problem := range map[string]string{
		``:                  `tools.json: expected a JSON list of tools, [{…}, …]`,
		`null`:              `tools.json: expected a JSON list of tools, [{…}, …]`,
		"[\n{]":             `line 2 is not JSON`,
		`[5]`:               `tools.json: tool 1: expected an object`,
		`[{}]`:              `tool 1: name: expected a string; description: expected a string; input_schema: expected a JSON schema`,
		`[{"nam": "x"}]`:    `nam: unknown field`,
		`[{` + about + `}]`: `tool 1 ("n"): give either a command or http`,
		with(`"command": ["x"], "http": {"url": "http://h"}`):                                `give either a command or http`,
		`[{` + about + `, "command": ["x"]}, {` + about + `, "command": ["x"]}]`:             `tool 2 ("n"): name: the file has this tool twice`,
		with(`"command": ["x"], "name": "m"`):                                                `name: given more than once`,
		strings.Replace(with(`"command": ["x"]`), `"n"`, `"bash"`, 1):                        `name: another tool has this name; choose a different one`,
		strings.Replace(with(`"command": ["x"]`), `"n"`, `"left_click"`, 1):                  `name: another tool has this name`,
		strings.Replace(with(`"command": ["x"]`), `"n"`, `"a b"`, 1):                         `name: expected 1 to 64 letters, digits, _ and -`,
		strings.Replace(with(`"command": ["x"]`), `"n"`, `"`+strings.Repeat("n", 65)+`"`, 1): `name: expected 1 to 64`,
		strings.Replace(with(`"command": ["x"]`), `"d"`, `" "`, 1):                           `description: is empty; say what the tool does`,
		strings.Replace(with(`"command": ["x"]`), `"object"`, `"list"`, 1):                   `input_schema: the schema must have "type": "object"`,
		with(`"command": "ls -l"`):                                                           `command: expected a program and its arguments`,
		with(`"command": []`):                                                                `command: expected a program`,
		with(`"command": [""]`):                                                              `command: expected a program`,
		with(`"command": ["a", null]`):                                                       `command: expected a program`,
		with(`"command": ["a\u0000"]`):                                                       `command: expected a program`,
		with(`"command": ["x"], "where": "here"`):                                            `where: expected "sandbox", or "host"`,
		with(`"command": ["x"], "timeout": 5`):                                               `timeout: expected a time from 1s to 10m, such as "30s"`,
		with(`"command": ["x"], "timeout": "1h"`):                                            `timeout: expected a time`,
		with(`"command": ["x"], "max_output": 5`):                                            `max_output: expected a number of bytes from 1024 to 262144`,
		with(`"http": {"url": "https://h/"}, "where": "host"`):                               `where: only a command has a place`,
		with(`"http": {}`):                                                                   `http: url: expected a string`,
		with(`"http": {"url": "file:///etc/passwd"}`):                                        `http: url: expected an address`,
		with(`"http": {"url": "https://me:key@h/"}`):                                         `http: url: leave out name, password and fragment`,
		with(`"http": {"url": "https://h/", "method": "BREW"}`):                              `http: method: expected DELETE, GET, PATCH, POST, PUT`,
		with(`"http": {"url": "https://h/?q=1", "method": "GET"}`):                           `the url fixes "q"`,
		to(`"X-Key": "${ENV:NONE}"`):                                                         `headers.X-Key: the environment has no NONE; set it before starting deskhand`,
		to(`"X-Key": "${ENV:SHORT}"`):                                                        `is shorter than 6 bytes`,
		to(`"X-Key": "${FILE:key}"`):                                                         `the file "key" cannot be read; put the secret there`,
		to(`"X-Key": "${KEY}"`):                                                              `expected ${ENV:NAME} or ${FILE:PATH}`,
		to(`"X-Key": "${ENV:LINES}"`):                                                        `has characters that a header cannot have`,
		to(`"X Key": "v"`):                                                                   `not the name of a header`,
		to(`"host": "v"`):                                                                    `set by the connection`,
		with(`"http": {"url": "http://h/", "headers": {"X": "${ENV:KEY}"}}`):                 `http: url: a secret is only sent over https`,
	} {
		_, err := custom.Parse("tools.json", []byte(file), config)
		if deskhand.CodeOf(err) != deskhand.Invalid || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s\n got %v\nwant %s", file, err, problem)
		}
		if err != nil && (strings.Contains(err.Error(), "a-secret") || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %q", file, err)
		}
	}
}

func TestNamesAndPlaces(t *testing.T) {
	t.Parallel()
	set, err := custom.Parse("t", []byte(`[{`+about+`, "command": ["x"], "where": "host"}, {`+strings.Replace(about, `"n"`, `"m"`, 1)+`, "command": ["x"], "where": "sandbox"}]`), custom.Config{})
	if err != nil || strings.Join(set.Names(), " ") != "n m" || strings.Join(set.OnHost(), " ") != "n" {
		t.Errorf("%q %q %v", set.Names(), set.OnHost(), err)
	}
	if _, err := set.Tools(nil, nil); deskhand.CodeOf(err) != deskhand.Invalid {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`[]`, `[{` + about + `, "command": ["x"]}]`, `[{` + about + `, "http": {"url": "https://h/?a=1", "headers": {"X": "${ENV:A}"}}}]`, `[{"name":"\ud800"}]`, `[null]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := custom.Parse("t", data, custom.Config{Env: func(string) string { return "a-secret" }})
		if err != nil {
			if deskhand.CodeOf(err) != deskhand.Invalid {
				t.Fatal(err)
			}
			return
		}
		sb := host.New(host.Config{})
		tools, err := set.Tools(sb, sb)
		if err != nil || len(tools) != len(set.Names()) {
			t.Fatalf("%s: %v", data, err)
		}
	})
}
