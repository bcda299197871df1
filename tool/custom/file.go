package custom

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/input"
	"github.com/deskhand/deskhand/tool"
)

// Config is what the entries of a file may refer to.
type Config struct {
	Taken []string                          // names that other tools have; default: none
	Env   func(name string) string          // for ${ENV:NAME}; default: every variable is empty
	Read  func(path string) ([]byte, error) // for ${FILE:PATH}; default: no file can be read
}

// Bounds of an entry, and its defaults.
const (
	maxName        = 64
	defaultTimeout = time.Minute
	maxTimeout     = 10 * time.Minute
	defaultOutput  = 32 << 10 // bytes
	leastOutput    = 1 << 10
	mostOutput     = 256 << 10
)

// Parse reads a file of tools, a JSON list. path stands for the file in errors,
// and files that it names are found beside it. Everything that can be wrong with
// a tool is found here.
//
// Invalid: one sentence that names the entry and what to do.
func Parse(path string, data []byte, c Config) (Set, error) {
	var rows []json.RawMessage
	if err := json.Unmarshal(data, &rows); err != nil || rows == nil {
		return Set{}, deskhand.Errorf("", deskhand.Invalid, "%s: expected a JSON list of tools, [{…}, …]%s", path, lineOf(data, err))
	}
	var s Set
	for i, raw := range rows {
		e, problem := c.entry(filepath.Dir(path), raw)
		if problem == "" && slices.Contains(s.Names(), e.name) {
			problem = "name: the file has this tool twice; give each its own"
		}
		if problem != "" {
			return Set{}, deskhand.Errorf("", deskhand.Invalid, "%s: tool %d%s: %s", path, i+1, bracketed(e.name), problem)
		}
		s.entries = append(s.entries, e)
	}
	return s, nil
}

// lineOf says where text stops being JSON, if that is what err is about.
func lineOf(data []byte, err error) string {
	syntax, ok := err.(*json.SyntaxError) //nolint:errorlint // json returns it as it is
	if !ok {
		return ""
	}
	return fmt.Sprintf("; line %d is not JSON", 1+bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n")))
}

func bracketed(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" (%.100q)", name)
}

// fields are what an entry may have, in the order in which they are read.
var fields = []struct {
	name     string
	required bool
	set      func(c Config, dir string, e *entry, value json.RawMessage) (problem string)
}{
	{"name", true, Config.setName},
	{"description", true, setDescription},
	{"input_schema", true, setSchema},
	{"command", false, setCommand},
	{"where", false, setWhere},
	{"http", false, Config.setEndpoint},
	{"timeout", false, setTimeout},
	{"max_output", false, setOutput},
}

// entry reads one row of a file.
func (c Config) entry(dir string, raw json.RawMessage) (e entry, problem string) {
	o := input.Read(raw)
	if o.Broken() {
		return e, "expected an object"
	}
	e = entry{timeout: defaultTimeout, maxOutput: defaultOutput}
	for _, f := range fields {
		value := o.Take(f.name)
		if value == nil && !f.required {
			continue
		}
		if problem := f.set(c, dir, &e, value); problem != "" {
			o.Refuse(f.name, problem)
		}
	}
	if problem := o.Problem(); problem != "" {
		return e, problem
	}
	return e, e.fault()
}

// fault says what does not go together.
func (e entry) fault() string {
	switch {
	case (e.command == nil) == (e.endpoint == nil):
		return "give either a command or http"
	case e.onHost && e.endpoint != nil:
		return "where: only a command has a place; requests are made by the host"
	case e.endpoint != nil:
		return e.endpoint.fixes(e.schema)
	}
	return ""
}

var nameForm = regexp.MustCompile(fmt.Sprintf(`^[a-zA-Z0-9_-]{1,%d}$`, maxName))

func (c Config) setName(_ string, e *entry, value json.RawMessage) (problem string) {
	e.name, problem = input.String(value)
	switch {
	case problem != "":
		return problem
	case !nameForm.MatchString(e.name):
		return fmt.Sprintf("expected 1 to %d letters, digits, _ and -", maxName)
	case slices.Contains(c.Taken, e.name):
		return "another tool has this name; choose a different one"
	}
	return ""
}

func setDescription(_ Config, _ string, e *entry, value json.RawMessage) (problem string) {
	if e.description, problem = input.String(value); problem == "" && strings.TrimSpace(e.description) == "" {
		return "is empty; say what the tool does, when to use it and what comes back"
	}
	return problem
}

// setSchema reads the schema by making a tool of it.
func setSchema(_ Config, _ string, e *entry, value json.RawMessage) string {
	if input.Null(value) {
		return `expected a JSON schema such as {"type": "object", "properties": {…}}`
	}
	_, err := tool.FromSchema(tool.NewSpec{Name: "x"}, value, nil)
	e.schema = value
	if err != nil {
		return tool.Reason(err)
	}
	return ""
}

func setCommand(_ Config, _ string, e *entry, value json.RawMessage) string {
	const want = `expected a program and its arguments, ["program", "argument"]; a shell line is ["sh", "-c", "line"]`
	var words []json.RawMessage
	if json.Unmarshal(value, &words) != nil || len(words) == 0 {
		return want
	}
	e.command = []string{}
	for _, word := range words {
		text, problem := input.String(word)
		if problem != "" || strings.ContainsRune(text, 0) {
			return want
		}
		e.command = append(e.command, text)
	}
	if e.command[0] == "" {
		return want
	}
	return ""
}

func setWhere(_ Config, _ string, e *entry, value json.RawMessage) string {
	text, _ := input.String(value)
	e.onHost = text == "host"
	if text != "host" && text != "sandbox" {
		return `expected "sandbox", or "host" for a command that may do on this machine whatever you may`
	}
	return ""
}

func setTimeout(_ Config, _ string, e *entry, value json.RawMessage) string {
	text, _ := input.String(value)
	var err error
	if e.timeout, err = time.ParseDuration(text); err != nil || e.timeout < time.Second || e.timeout > maxTimeout {
		return fmt.Sprintf(`expected a time from 1s to %s, such as "30s"`, strings.TrimSuffix(maxTimeout.String(), "0s"))
	}
	return ""
}

func setOutput(_ Config, _ string, e *entry, value json.RawMessage) string {
	var ok bool
	if e.maxOutput, ok = input.Integer(value); !ok || e.maxOutput < leastOutput || e.maxOutput > mostOutput {
		return fmt.Sprintf("expected a number of bytes from %d to %d", leastOutput, mostOutput)
	}
	return ""
}
