package memory

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/deskhand/deskhand/internal/input"
)

// args is the input of a call after reading.
type args struct {
	command    string
	path, to   place
	fileText   string
	old, new   string
	insertLine int
	insertText string
	viewRange  []int // nil, or two
}

// command is one of the tool's commands: the fields its input must and may have.
type command struct {
	needs, takes []field
	run          func(m *Memory, a args) (string, error)
}

// field is one field of the input. set reads its value, nil when there is none,
// into args and returns what is wrong with it.
type field struct {
	name string
	set  func(a *args, value json.RawMessage) (problem string)
}

var commands = map[string]command{
	"view":        {needs: []field{path}, takes: []field{viewRange}, run: view},
	"create":      {needs: []field{path, fileText}, run: create},
	"str_replace": {needs: []field{path, oldStr}, takes: []field{newStr}, run: replace},
	"insert":      {needs: []field{path, insertLine, insertText}, run: insert},
	"delete":      {needs: []field{path}, run: remove},
	"rename":      {needs: []field{oldPath, newPath}, run: rename},
}

var (
	path       = field{"path", func(a *args, v json.RawMessage) string { return where(&a.path, v) }}
	oldPath    = field{"old_path", func(a *args, v json.RawMessage) string { return where(&a.path, v) }}
	newPath    = field{"new_path", func(a *args, v json.RawMessage) string { return where(&a.to, v) }}
	fileText   = field{"file_text", func(a *args, v json.RawMessage) string { return text(&a.fileText, v) }}
	oldStr     = field{"old_str", setOld}
	newStr     = field{"new_str", func(a *args, v json.RawMessage) string { return text(&a.new, v) }}
	insertText = field{"insert_text", func(a *args, v json.RawMessage) string { return text(&a.insertText, v) }}
	insertLine = field{"insert_line", setInsertLine}
	viewRange  = field{"view_range", setViewRange}

	all = []field{path, oldPath, newPath, fileText, oldStr, newStr, insertText, insertLine, viewRange}
)

// read reads the input strictly. A null in a field that the command can do
// without is an absent field: models write them that way.
func read(raw json.RawMessage) (c command, a args, problem string) {
	o := input.Read(raw)
	value := o.Take("command")
	if wrong := text(&a.command, value); wrong != "" {
		o.Refuse("command", wrong)
	}
	c, known := commands[a.command]
	if !known && a.command != "" {
		o.Refuse("command", "expected one of "+strings.Join(slices.Sorted(maps.Keys(commands)), ", "))
	}
	for _, f := range c.needs {
		if wrong := f.set(&a, o.Take(f.name)); wrong != "" {
			o.Refuse(f.name, wrong)
		}
	}
	for _, f := range c.takes {
		if value := o.Take(f.name); !input.Null(value) {
			if wrong := f.set(&a, value); wrong != "" {
				o.Refuse(f.name, wrong)
			}
		}
	}
	for _, f := range all {
		if !known || input.Null(o.Peek(f.name)) {
			o.Take(f.name)
		}
	}
	return c, a, o.Problem()
}

func text(to *string, v json.RawMessage) (problem string) {
	*to, problem = input.String(v)
	return problem
}

func where(to *place, v json.RawMessage) (problem string) {
	to.shown, problem = input.String(v)
	return problem
}

func setOld(a *args, v json.RawMessage) string {
	problem := text(&a.old, v)
	if problem == "" && a.old == "" {
		return "is empty; name the text to replace"
	}
	return problem
}

func setInsertLine(a *args, v json.RawMessage) string {
	var ok bool
	if a.insertLine, ok = input.Integer(v); !ok {
		return "expected a whole number"
	}
	return ""
}

func setViewRange(a *args, v json.RawMessage) string {
	var ok bool
	if a.viewRange, ok = input.Integers(v, 2); !ok {
		return "expected [start, end]"
	}
	return ""
}
