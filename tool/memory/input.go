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

type (
	field  = input.Field[args]
	fields = input.Fields[args]
)

// command is one of the tool's commands: its fields, and what it does.
type command struct {
	fields
	run func(m *Memory, a args) (string, error)
}

var commands = map[string]command{
	"view":        {fields{Needs: []field{path}, Takes: []field{viewRange}}, view},
	"create":      {fields{Needs: []field{path, fileText}}, create},
	"str_replace": {fields{Needs: []field{path, oldStr}, Takes: []field{newStr}}, replace},
	"insert":      {fields{Needs: []field{path, insertLine, insertText}}, insert},
	"delete":      {fields{Needs: []field{path}}, remove},
	"rename":      {fields{Needs: []field{oldPath, newPath}}, rename},
}

var (
	commandName = input.Text("command", func(a *args) *string { return &a.command })
	path        = input.Text("path", func(a *args) *string { return &a.path.shown })
	oldPath     = input.Text("old_path", func(a *args) *string { return &a.path.shown })
	newPath     = input.Text("new_path", func(a *args) *string { return &a.to.shown })
	fileText    = input.Text("file_text", func(a *args) *string { return &a.fileText })
	oldStr      = input.Sought("old_str", func(a *args) *string { return &a.old })
	newStr      = input.Text("new_str", func(a *args) *string { return &a.new })
	insertText  = input.Text("insert_text", func(a *args) *string { return &a.insertText })
	insertLine  = input.Whole("insert_line", func(a *args) *int { return &a.insertLine })
	viewRange   = input.Span("view_range", func(a *args) *[]int { return &a.viewRange })

	all = []field{path, oldPath, newPath, fileText, oldStr, newStr, insertText, insertLine, viewRange}
)

// read reads the input strictly.
func read(raw json.RawMessage) (c command, a args, problem string) {
	o := input.Read(raw)
	fields{Needs: []field{commandName}}.Fill(o, &a)
	c, known := commands[a.command]
	if !known && a.command != "" {
		o.Refuse("command", "expected one of "+strings.Join(slices.Sorted(maps.Keys(commands)), ", "))
	}
	c.Fill(o, &a)
	input.Ignore(o, all, !known)
	return c, a, o.Problem()
}
