package editor

import (
	"context"
	"encoding/json"
	"fmt"
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

type (
	field  = input.Field[args]
	fields = input.Fields[args]
)

// command is one of the editor's commands: the fields its input has besides
// command and path, and what it does.
type command struct {
	fields
	run func(ctx context.Context, e *Editor, a args) (deskhand.Result, error)
}

var commands = map[string]command{
	"view":        {fields{Takes: []field{viewRange}}, view},
	"create":      {fields{Needs: []field{fileText}}, create},
	"str_replace": {fields{Needs: []field{oldStr}, Takes: []field{newStr}}, replace},
	"insert":      {fields{Needs: []field{insertLine}, Takes: []field{insertText, insertTextOnce}}, insert},
	"undo_edit":   {run: undo},
}

var (
	commandName = input.Text("command", func(a *args) *string { return &a.command })
	filePath    = field{Name: "path", Set: setPath}
	fileText    = input.Text("file_text", func(a *args) *string { return &a.fileText })
	oldStr      = input.Sought("old_str", func(a *args) *string { return &a.old })
	newStr      = input.Text("new_str", func(a *args) *string { return &a.new })
	insertLine  = input.Whole("insert_line", func(a *args) *int { return &a.insertLine })
	viewRange   = input.Span("view_range", func(a *args) *[]int { return &a.viewRange })

	// Models write the text to insert under either name.
	insertText     = field{Name: "insert_text", Set: setInsertText}
	insertTextOnce = field{Name: "new_str", Set: setInsertText}
)

// all is every field of every command.
var all = []field{fileText, oldStr, newStr, insertLine, insertText, viewRange}

// read reads the input strictly.
func (e *Editor) read(raw json.RawMessage) (a args, problem string) {
	o := input.Read(raw)
	fields{Needs: []field{commandName, filePath}}.Fill(o, &a)
	if a.command != "" && !e.knows(a.command) {
		o.Refuse("command", "expected one of "+strings.Join(e.version.commands, ", "))
	}
	c, known := commands[a.command]
	c.Fill(o, &a)
	input.Ignore(o, all, !known)
	if a.command == "insert" && a.insertText == nil && !o.Refused() {
		o.Refuse(e.version.insert.Name, "expected a string")
	}
	return a, o.Problem()
}

// maxPath is the longest path the kernel takes, in bytes.
const maxPath = 4095

func setPath(a *args, v json.RawMessage) (problem string) {
	a.path, problem = input.String(v)
	switch {
	case problem != "":
		return problem
	case a.path == "":
		return "is empty"
	case strings.ContainsRune(a.path, 0):
		return "contains a NUL character"
	case len(a.path) > maxPath:
		return fmt.Sprintf("is longer than %d bytes", maxPath)
	}
	return ""
}

func setInsertText(a *args, v json.RawMessage) (problem string) {
	if a.insertText != nil {
		return "given beside insert_text; one of them is enough"
	}
	a.insertText = new(string)
	*a.insertText, problem = input.String(v)
	return problem
}
