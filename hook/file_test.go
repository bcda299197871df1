package hook_test

import (
	"os"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/hook"
	"github.com/deskhand/deskhand/sandbox/host"
)

const good = `[[hook]]
name = "h"
on = ["before_call"]
`

// TestWrongFiles: each mistake is an error that names its line and what to write.
func TestWrongFiles(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"x":                         "hooks.toml:1: ",
		"a = 1":                     `hooks.toml:1: there is no setting "a"`,
		"\n[[hooks]]\nname = \"h\"": `hooks.toml:2: there is no setting "hooks"`,
		"[hook]\nname = \"h\"":      "hooks.toml:1: ",
		good + `optinal = true`:     `hooks.toml:4: there is no setting "hook.optinal"`,
		good + `command = "ls -l"`:  "hooks.toml:4: ",
		good + `optional = "yes"`:   "hooks.toml:4: ",
		good:                        "hooks.toml:1: give either a command or a url",
		good + "command = []":       "hooks.toml:1: give either a command or a url",
		good + "command = [\"x\"]\n" + `url = "http://h"`:                            "hooks.toml:1: give either a command or a url",
		good + `command = [""]`:                                                      "hooks.toml:4: command: expected a program",
		good + `command = ["a\u0000"]`:                                               "hooks.toml:4: command: ",
		"[[hook]]\non = [\"end\"]\ncommand = [\"x\"]":                                "hooks.toml:1: name: expected",
		"[[hook]]\nname = \"a b\"\non = [\"end\"]\ncommand = [\"x\"]":                "hooks.toml:2: name: expected",
		"[[hook]]\nname = \"h\"\ncommand = [\"x\"]":                                  "hooks.toml:1: on: expected one or more of",
		"[[hook]]\nname = \"h\"\non = [\"before\"]\ncommand = [\"x\"]":               `hooks.toml:3: on: there is no point "before"`,
		good + "command = [\"x\"]\n\n# again\n" + good + "command = [\"x\"]":         "hooks.toml:8: name: the file has this hook twice",
		good + "command = [\"x\"]\ntools = [\"[\"]":                                  `hooks.toml:5: tools: "[" is no pattern`,
		good + "command = [\"x\"]\ntools = [\"\"]":                                   `hooks.toml:5: tools: "" is no pattern`,
		"[[hook]]\nname = \"h\"\non = [\"end\"]\ncommand = [\"x\"]\ntools = [\"b\"]": "hooks.toml:5: tools: a task's end has no tool",
		good + "command = [\"x\"]\nenv = [\"A=b\"]":                                  `hooks.toml:5: env: "A=b" is not the name of a variable`,
		good + "url = \"http://h\"\nenv = [\"A\"]":                                   "hooks.toml:5: env: only a command has variables",
		good + `url = "file:///etc/passwd"`:                                          "hooks.toml:4: url: expected an address",
		good + `url = "http://me:pass@h"`:                                            "hooks.toml:4: url: expected an address",
		good + "command = [\"x\"]\ntimeout = \"5\"":                                  "hooks.toml:5: timeout: expected a time",
		good + "command = [\"x\"]\ntimeout = \"0s\"":                                 "hooks.toml:5: timeout: expected a time",
		good + "command = [\"x\"]\ntimeout = \"1h\"":                                 "hooks.toml:5: timeout: expected a time",
		strings.Repeat("#", 300<<10):                                                 "is larger than 256 kB",
	} {
		_, err := hook.Parse("hooks.toml", []byte(file), hook.Config{Place: host.New(host.Config{})})
		if deskhand.CodeOf(err) != deskhand.Invalid || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "pass@") {
			t.Errorf("%.200s\n got %v\nwant %s", file, err, want)
		}
	}
	if _, err := hook.Parse("h", []byte(good+`command = ["x"]`), hook.Config{}); deskhand.CodeOf(err) != deskhand.Invalid || !strings.Contains(err.Error(), "no place to run a command") {
		t.Errorf("without a place: %v", err)
	}
}

// TestDocumentedFile: the file of docs/hooks.md is one that can be used.
func TestDocumentedFile(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/hooks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```toml\n")
	file, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/hooks.md shows no file")
	}
	h, err := hook.Parse("docs/hooks.md", []byte(file), hook.Config{Place: host.New(host.Config{})})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []hook.Point{hook.BeforeCall, hook.AfterCall, hook.Question, hook.End} {
		if !h.Has(p) || (*hook.Hooks)(nil).Has(p) {
			t.Errorf("no hook at %s", p)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good + "command = [\"x\"]\ntools = [\"a*\"]\ntimeout = \"5s\""))
	f.Add([]byte("hook = [{name = \"h\", on = [\"end\"], url = \"http://h\"}]"))
	f.Add([]byte("[[hook]]\n[[hook]]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := hook.Parse("f", data, hook.Config{Place: host.New(host.Config{})})
		if err != nil && deskhand.CodeOf(err) != deskhand.Invalid || err == nil && h == nil {
			t.Fatal(err)
		}
	})
}
