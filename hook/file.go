package hook

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/deskhand/deskhand"
)

const (
	maxFile        = 256 << 10 // bytes
	maxHooks       = 100
	defaultTimeout = 10 * time.Second
	maxTimeout     = 10 * time.Minute
)

// form is what stands in a file of hooks.
type form struct {
	Hook []struct {
		Name     string   `toml:"name"`
		On       []Point  `toml:"on"`
		Tools    []string `toml:"tools"`
		Command  []string `toml:"command"`
		Env      []string `toml:"env"`
		URL      string   `toml:"url"`
		Timeout  string   `toml:"timeout"`
		Optional bool     `toml:"optional"`
	} `toml:"hook"`
}

const like = `a list such as [[hook]] with name = "…", on = ["before_call"] and command = ["program", "argument"]`

// Parse reads a file of hooks, which name names in messages. Anything in it
// that cannot be used is an error that names the line.
func Parse(name string, data []byte, c Config) (*Hooks, error) {
	if len(data) > maxFile {
		return nil, deskhand.Errorf("hooks", deskhand.Invalid, "%s is larger than %d kB", name, maxFile>>10)
	}
	var f form
	if err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&f); err != nil {
		return nil, unreadable(name, err)
	}
	if c.Env == nil {
		c.Env = func(string) string { return "" }
	}
	t := http.DefaultTransport.(*http.Transport).Clone() // unreachable to be anything else: nothing here replaces it
	h := &Hooks{config: c, transport: t, client: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return errElsewhere }}}
	rows := rowsOf(data)
	for i, row := range f.Hook {
		e := entry{name: row.Name, on: row.On, tools: row.Tools, command: row.Command, env: row.Env, url: row.URL, timeout: defaultTimeout, optional: row.Optional}
		key, problem := e.fault(c, row.Timeout)
		switch {
		case problem == "" && i >= maxHooks:
			key, problem = "", fmt.Sprintf("there are more than %d hooks", maxHooks)
		case problem == "" && slices.ContainsFunc(h.hooks, func(o entry) bool { return o.name == e.name }):
			key, problem = "name", "the file has this hook twice"
		}
		if problem != "" {
			return nil, deskhand.Errorf("hooks", deskhand.Invalid, "%s:%d: %s%s", name, rowOf(data, rows, i, key), keyed(key), problem)
		}
		h.hooks = append(h.hooks, e)
	}
	return h, nil
}

func keyed(key string) string {
	if key == "" {
		return ""
	}
	return key + ": "
}

var (
	nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	envForm  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
)

// fault says what of an entry cannot be used, and in which key; "" is all of it.
func (e *entry) fault(c Config, timeout string) (key, problem string) {
	for _, check := range []struct {
		key string
		f   func() string
	}{
		{"name", func() string {
			return unless(nameForm.MatchString(e.name), "expected 1 to 64 letters, digits, dots, _ and -")
		}},
		{"on", e.onFault},
		{"tools", e.toolsFault},
		{"", func() string {
			return unless((len(e.command) > 0) != (e.url != ""), "give either a command or a url")
		}},
		{"command", func() string { return e.commandFault(c) }},
		{"env", e.envFault},
		{"url", e.urlFault},
		{"timeout", func() string { return e.timeoutFault(timeout) }},
	} {
		if problem := check.f(); problem != "" {
			return check.key, problem
		}
	}
	return "", ""
}

func unless(ok bool, problem string) string {
	if ok {
		return ""
	}
	return problem
}

func (e *entry) onFault() string {
	const want = "expected one or more of before_call, after_call, question and end"
	for _, p := range e.on {
		if !slices.Contains(points, p) {
			return fmt.Sprintf("there is no point %.40q: %s", string(p), want)
		}
	}
	return unless(len(e.on) > 0, want)
}

func (e *entry) toolsFault() string {
	for _, pattern := range e.tools {
		if _, err := path.Match(pattern, ""); err != nil || strings.TrimSpace(pattern) == "" {
			return fmt.Sprintf(`%.80q is no pattern: write one such as "bash", "computer.*" or "mcp__mail__*", and leave tools out for all`, pattern)
		}
	}
	return unless(len(e.tools) == 0 || slices.ContainsFunc(e.on, func(p Point) bool { return p != End }), "a task's end has no tool; leave it out")
}

func (e *entry) commandFault(c Config) string {
	for _, word := range e.command {
		if strings.ContainsRune(word, 0) {
			return "a program and its arguments cannot hold a zero byte"
		}
	}
	switch {
	case len(e.command) == 0:
		return ""
	case e.command[0] == "":
		return `expected a program and its arguments, ["program", "argument"]; a shell line is ["sh", "-c", "line"]`
	case c.Place == nil:
		return "there is no place to run a command; give a url"
	}
	return ""
}

func (e *entry) envFault() string {
	for _, name := range e.env {
		if !envForm.MatchString(name) {
			return fmt.Sprintf("%.80q is not the name of a variable", name)
		}
	}
	return unless(len(e.env) == 0 || len(e.command) > 0, "only a command has variables")
}

func (e *entry) urlFault() string {
	if e.url == "" {
		return ""
	}
	u, err := url.Parse(e.url)
	return unless(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil,
		"expected an address such as http://localhost:8000/hook, without a name and a password")
}

func (e *entry) timeoutFault(text string) string {
	if text == "" {
		return ""
	}
	var err error
	e.timeout, err = time.ParseDuration(text)
	return unless(err == nil && e.timeout >= 100*time.Millisecond && e.timeout <= maxTimeout, `expected a time from 100ms to 10m, such as "5s"`)
}

var header = regexp.MustCompile(`(?m)^[ \t]*\[\[[ \t]*["']?hook["']?[ \t]*\]\]`)

// rowsOf returns where in data each hook begins.
func rowsOf(data []byte) (at []int) {
	for _, m := range header.FindAllIndex(data, -1) {
		at = append(at, m[0])
	}
	return at
}

// rowOf returns the line, from 1, of a key of hook i, or of its beginning.
func rowOf(data []byte, at []int, i int, key string) int {
	if i >= len(at) { // written as a list of inline tables
		return 1
	}
	from, to := at[i], len(data)
	if i+1 < len(at) {
		to = at[i+1]
	}
	if key != "" {
		if m := regexp.MustCompile(`(?m)^[ \t]*["']?` + key + `["']?[ \t]*=`).FindIndex(data[from:to]); m != nil {
			from += m[0]
		}
	}
	return 1 + bytes.Count(data[:from], []byte("\n"))
}

// unreadable says what of a file is no TOML, or not of the form, and where.
func unreadable(name string, err error) error {
	var wrong *toml.DecodeError
	var strict *toml.StrictMissingError
	switch {
	case errors.As(err, &strict) && len(strict.Errors) > 0:
		row, _ := strict.Errors[0].Position()
		return deskhand.Errorf("hooks", deskhand.Invalid, "%s:%d: there is no setting %q: write %s", name, row, strings.Join(strict.Errors[0].Key(), "."), like)
	case errors.As(err, &wrong):
		row, _ := wrong.Position()
		return deskhand.Errorf("hooks", deskhand.Invalid, "%s:%d: %s: write %s", name, row, strings.TrimPrefix(wrong.Error(), "toml: "), like)
	}
	return deskhand.Errorf("hooks", deskhand.Invalid, "%s cannot be read (%w): write %s", name, err, like)
}
