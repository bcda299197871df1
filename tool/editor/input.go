package editor

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/input"
)

// args is the input of a call after reading.
type args struct {
	command, path string
	fileText      string
	old, new      string
	insertLine    int
	insertText    *string
	viewRange     []int // nil, or two
}

// command is one of the editor's commands: the fields its input must and may
// have besides command and path, and what it does.
type command struct {
	needs, takes []field
	run          func(ctx context.Context, e *Editor, a args) (deskhand.Result, error)
}

var commands = map[string]command{
	"view":        {takes: []field{viewRange}, run: view},
	"create":      {needs: []field{fileText}, run: create},
	"str_replace": {needs: []field{oldStr}, takes: []field{newStr}, run: replace},
	"insert":      {needs: []field{insertLine}, takes: []field{insertText, insertTextOnce}, run: insert},
	"undo_edit":   {run: undo},
}

// field is one field of the input. set reads its value, nil when there is none,
// into args and returns what is wrong with it.
type field struct {
	name string
	set  func(a *args, value json.RawMessage) (problem string)
}

var (
	commandName = field{"command", func(a *args, v json.RawMessage) string { return text(&a.command, v) }}
	filePath    = field{"path", setPath}
	fileText    = field{"file_text", func(a *args, v json.RawMessage) string { return text(&a.fileText, v) }}
	oldStr      = field{"old_str", setOld}
	newStr      = field{"new_str", func(a *args, v json.RawMessage) string { return text(&a.new, v) }}
	insertLine  = field{"insert_line", setInsertLine}
	viewRange   = field{"view_range", setViewRange}

	// Models write the text to insert under either name.
	insertText     = field{"insert_text", setInsertText}
	insertTextOnce = field{"new_str", setInsertText}
)

// all is every field of every command. A null in one of another command's is
// an absent field: models write them that way.
var all = []field{fileText, oldStr, newStr, insertLine, insertText, viewRange}

// read reads the input strictly.
func (e *Editor) read(raw json.RawMessage) (a args, problem string) {
	o := input.Read(raw)
	take(o, &a, commandName, true)
	take(o, &a, filePath, true)
	if a.command != "" && !e.knows(a.command) {
		o.Refuse("command", "expected one of "+strings.Join(e.version.commands, ", "))
	}
	c, known := commands[a.command]
	for _, f := range c.needs {
		take(o, &a, f, true)
	}
	for _, f := range c.takes {
		take(o, &a, f, false)
	}
	for _, f := range all {
		if !known || input.Null(o.Peek(f.name)) {
			o.Take(f.name)
		}
	}
	if a.command == "insert" && a.insertText == nil && !o.Refused() {
		o.Refuse(e.version.insert.name, "expected a string")
	}
	return a, o.Problem()
}

func take(o *input.Object, a *args, f field, required bool) {
	value := o.Take(f.name)
	if !required && input.Null(value) {
		return
	}
	if problem := f.set(a, value); problem != "" {
		o.Refuse(f.name, problem)
	}
}

func text(to *string, v json.RawMessage) (problem string) {
	*to, problem = input.String(v)
	return problem
}

func setPath(a *args, v json.RawMessage) string {
	if problem := text(&a.path, v); problem != "" {
		return problem
	}
	switch {
	case a.path == "":
		return "is empty"
	case strings.ContainsRune(a.path, 0):
		return "contains a NUL character"
	}
	return ""
}

func setOld(a *args, v json.RawMessage) string {
	problem := text(&a.old, v)
	if problem == "" && a.old == "" {
		return "is empty; name the text to replace"
	}
	return problem
}

func setInsertText(a *args, v json.RawMessage) string {
	if a.insertText != nil {
		return "given beside insert_text; one of them is enough"
	}
	a.insertText = new(string)
	return text(a.insertText, v)
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
