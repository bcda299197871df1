package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/plaintext"
	"github.com/deskhand/deskhand/policy"
)

// Files of rules and words; docs/policy.md has their form. The first two are in
// the state directory, the third in a project's folder.
const (
	policyFile  = "policy.toml"
	wordsFile   = "words.toml"
	projectFile = ".deskhand/policy.toml"
	maxPolicy   = 1 << 20 // bytes
)

type policyCmd struct {
	Test  policyTestCmd  `cmd:"" help:"Say what the gate would answer to a call, and why."`
	Check policyCheckCmd `cmd:"" help:"Check a file of rules or of words."`
	Trust policyTrustCmd `cmd:"" help:"Let what a project's rules allow count, as long as the file stays as it is."`
}

type policyTestCmd struct {
	Call       string   `arg:"" help:"The call, such as 'bash(git push)', 'files(write:/x)', 'tool(name)', or as JSON with name, toolset_name and input."`
	Permission string   `default:"ask" enum:"${permissions}" placeholder:"MODE" help:"Permission mode: ask, plan, auto or trust (default ask)."`
	Rules      []string `placeholder:"FILE" sep:"none" help:"Files of rules instead of the ones that are in force here."`
	App        string   `placeholder:"CLASS" help:"Class of the window in front."`
	Title      string   `placeholder:"TEXT" help:"Title of the window in front."`
	Role       string   `placeholder:"ROLE" help:"Role of the element under the pointer."`
	Name       string   `placeholder:"TEXT" help:"Name of the element under the pointer."`
	URL        string   `name:"url" placeholder:"URL" help:"Address of the page in front."`
	NoSandbox  bool     `help:"Judge as outside a sandbox."`
	JSON       bool     `name:"json" help:"Print one JSON object."`
}

// Run explains. It does nothing of what it is asked about.
func (c *policyTestCmd) Run(a *app) error {
	call, err := spoken(c.Call)
	if err != nil {
		return err
	}
	rules, note, err := a.policy(c.Rules)
	if err != nil {
		return err
	}
	rules.Mode = policy.Mode(c.Permission)
	dir, err := os.Getwd()
	if err != nil {
		return deskhand.E("policy", deskhand.Unavailable, err)
	}
	x := policy.Explain(call, rules, policy.Context{
		Sandboxed: !c.NoSandbox, Window: policy.Window{Class: c.App, Title: c.Title}, Element: policy.Element{Role: c.Role, Name: c.Name},
		URL: c.URL, Dir: dir, Home: a.env("HOME"),
	})
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(asJSON(x, note))
	}
	fmt.Fprint(a.stdout, inWords(x, note))
	return nil
}

// inWords writes an explanation for a person.
func inWords(x policy.Explanation, note string) string {
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(plaintext.Line(fmt.Sprintf(format, args...)) + "\n") }
	line("%s: %s", x.Verdict.Outcome, x.Verdict.Rule)
	if x.Verdict.Reason != "" {
		line("%s", x.Verdict.Reason)
	}
	for _, p := range x.Parts {
		line("  %-5s %-9s %s  [%s]", p.Outcome, p.Class, p.Text, p.Rule)
	}
	if x.Mend != "" {
		line("%s", x.Mend)
	}
	if note != "" {
		line("%s", note)
	}
	return b.String()
}

// explained is the JSON of an explanation.
type explained struct {
	deskhand.Verdict
	Class policy.Class    `json:"class"`
	Parts []explainedPart `json:"parts"`
	Mend  string          `json:"mend,omitempty"`
	Note  string          `json:"note,omitempty"`
}

type explainedPart struct {
	Text    string           `json:"text"`
	Class   policy.Class     `json:"class"`
	Outcome deskhand.Outcome `json:"outcome"`
	Rule    string           `json:"rule"`
}

func asJSON(x policy.Explanation, note string) explained {
	out := explained{x.Verdict, x.Class, nil, x.Mend, note}
	for _, p := range x.Parts {
		out.Parts = append(out.Parts, explainedPart{p.Text, p.Class, p.Outcome, p.Rule})
	}
	return out
}

// spoken reads a call as people write it, or as JSON.
func spoken(text string) (deskhand.Call, error) {
	if strings.HasPrefix(text, "{") {
		var call deskhand.Call
		if err := json.Unmarshal([]byte(text), &call); err != nil || call.Name == "" {
			return call, usage(`the call cannot be read: write it like {"name":"bash","input":{"command":"ls"}}`)
		}
		return call, nil
	}
	tool, rest, found := strings.Cut(text, "(")
	what, closed := strings.CutSuffix(rest, ")")
	if !found || !closed {
		return deskhand.Call{}, usage("the call %q cannot be read: write it like 'bash(git push)', or as JSON", text)
	}
	make := func(toolset, name string, in map[string]any) (deskhand.Call, error) {
		raw, err := json.Marshal(in)
		return deskhand.Call{Toolset: toolset, Name: name, Input: raw}, err
	}
	op, path, _ := strings.Cut(what, ":")
	switch tool {
	case "bash":
		return make("", "bash", map[string]any{"command": what})
	case "files":
		command, ok := map[string]string{"read": "view", "write": "create"}[op]
		if !ok {
			return deskhand.Call{}, usage("files(%s:…) is no call of its own: write files(read:PATH), files(write:PATH) or 'bash(rm PATH)'", op)
		}
		return make("", "str_replace_based_edit_tool", map[string]any{"command": command, "path": path})
	case "computer":
		return make("computer", what, map[string]any{})
	case "browser":
		return make("browser", "navigate", map[string]any{"url": what})
	case "connector", "tool":
		return make("", what, map[string]any{})
	case "memory":
		return make("", "memory", map[string]any{"command": what})
	}
	return deskhand.Call{}, usage("there is no tool %q: write bash(…), files(…), computer(…), browser(…), connector(…), memory(…) or tool(…)", tool)
}

type policyCheckCmd struct {
	File string `arg:"" help:"The file: rules, or words when its name is words.toml."`
}

// Run checks.
func (c *policyCheckCmd) Run(a *app) error {
	data, err := readFile(c.File, maxPolicy, "policy check")
	if err != nil {
		return err
	}
	if filepath.Base(c.File) == wordsFile {
		if _, err := policy.ParseWords(c.File, data); err != nil {
			return usage("%s", told(err))
		}
		fmt.Fprintln(a.stdout, "The words can be used.")
		return nil
	}
	rules, err := policy.Parse(c.File, data)
	if err != nil {
		return usage("%s", told(err))
	}
	for _, r := range rules {
		fmt.Fprintln(a.stdout, plaintext.Line(r.String()))
	}
	fmt.Fprintf(a.stdout, "%d rules can be used.\n", len(rules))
	return nil
}

// told returns what an error says, without where in the program it arose.
func told(err error) string {
	var own *deskhand.Error
	if errors.As(err, &own) && own.Err != nil {
		return own.Err.Error()
	}
	return err.Error()
}

// policy returns the rules in force here, or the rules of files. The note says
// what does not count.
func (a *app) policy(files []string) (rules policy.Rules, note string, err error) {
	if rules, err = a.ownRules(); err != nil {
		return rules, "", err
	}
	if len(files) > 0 {
		rules.Rules = nil
	}
	for _, file := range files {
		data, err := readFile(file, maxPolicy, "--rules")
		if err != nil {
			return rules, "", err
		}
		if err := add(&rules, file, data); err != nil {
			return rules, "", err
		}
	}
	if len(files) > 0 {
		return rules, "", nil
	}
	own, trusted, err := a.projectRules(".")
	rules.Rules = append(rules.Rules, own...)
	if !trusted {
		note = "What " + projectFile + " allows does not count: this folder is not trusted (deskhand policy trust)."
	}
	return rules, note, err
}

func add(rules *policy.Rules, name string, data []byte) error {
	more, err := policy.Parse(name, data)
	if err != nil {
		return usage("%s", told(err))
	}
	rules.Rules = append(rules.Rules, more...)
	return nil
}

// optional reads a file that need not be there: then it is nil.
func optional(path string) ([]byte, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return readFile(path, maxPolicy, "DESKHAND_HOME")
}
