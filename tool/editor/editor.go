// Package editor is the text editor tool: view, create and change files in the
// sandbox by exact text.
//
// Files keep what an edit does not name: mode, owner, line endings, byte order
// mark, UTF-16, a missing final newline. A write replaces the whole file at once, and
// only the version that was read; what changed behind the model's back is not
// overwritten. Pictures, and the pages of a PDF, are shown as pictures.
//
// Trust: paths and texts come from a model that may have been misled. Which
// files can be reached is the sandbox's to decide, not this package's. Files
// are hostile: pictures are decoded here within bounds, PDFs in the sandbox.
package editor

import (
	"context"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/tool"
)

// Config says how the tool shows files.
type Config struct {
	Version       string        // entry of the tools array; default "text_editor_20250728"
	MaxCharacters int           // of a viewed file, sent as max_characters; default not sent, and 16000
	Draw          time.Duration // for drawing the pages of a PDF, one view; default 1m
}

func (c Config) withDefaults() Config {
	if c.Version == "" {
		c.Version = "text_editor_20250728"
	}
	if c.Draw == 0 {
		c.Draw = time.Minute
	}
	return c
}

// defaultCharacters is how much of a file is shown when nothing was configured.
const defaultCharacters = 16_000

// version is one type of the tools array.
type version struct {
	name     string
	beta     string
	limit    bool     // the entry may have max_characters
	insert   field    // what insert calls its text first; the other name is understood too
	commands []string // in the order they are named to the model
}

const (
	based = "str_replace_based_edit_tool"
	older = "str_replace_editor"
)

var (
	four = []string{"view", "create", "str_replace", "insert"}
	five = []string{"view", "create", "str_replace", "insert", "undo_edit"}
)

// versions are the entries this package can stand behind.
var versions = map[string]version{
	"text_editor_20250728": {name: based, limit: true, insert: insertText, commands: four},
	"text_editor_20250429": {name: based, insert: insertText, commands: four},
	"text_editor_20250124": {name: older, insert: insertTextOnce, commands: five},
	"text_editor_20241022": {name: older, insert: insertTextOnce, commands: five, beta: "computer-use-2024-10-22"},
}

// Versions returns the types of the tools array that this package can stand
// behind, the newest first.
func Versions() []string {
	kinds := slices.Sorted(maps.Keys(versions))
	slices.Reverse(kinds)
	return kinds
}

// Editor is the tool. Calls are performed one at a time.
type Editor struct {
	sandbox sandbox.Sandbox
	limit   int
	draw    time.Duration
	version version
	spec    tool.Spec

	mu   sync.Mutex
	seen map[string]sandbox.FileInfo // by path: the file as it was last shown or written
	past history                     // of the versions with undo_edit
}

// New returns the editor tool on sb. Invalid: an unknown version, or a limit
// that the version does not have.
func New(sb sandbox.Sandbox, c Config) (*Editor, error) {
	c = c.withDefaults()
	v, ok := versions[c.Version]
	switch {
	case !ok:
		return nil, deskhand.Errorf("editor tool", deskhand.Invalid, "there is no version %q; the versions are %s", c.Version, strings.Join(Versions(), ", "))
	case c.Draw < 0 || c.MaxCharacters < 0 || c.MaxCharacters > 0 && !v.limit:
		return nil, deskhand.Errorf("editor tool", deskhand.Invalid, "%s takes no max_characters of %d and no time to draw of %s", c.Version, c.MaxCharacters, c.Draw)
	}
	entry, err := json.Marshal(struct {
		Type  string `json:"type"`
		Name  string `json:"name"`
		Limit int    `json:"max_characters,omitempty"`
	}{c.Version, v.name, c.MaxCharacters})
	if err != nil {
		return nil, deskhand.E("editor tool", deskhand.Internal, err)
	}
	e := &Editor{sandbox: sb, limit: c.MaxCharacters, draw: c.Draw, version: v, seen: map[string]sandbox.FileInfo{}}
	if e.limit == 0 {
		e.limit = defaultCharacters
	}
	e.spec = tool.Spec{Name: v.name, Entry: entry, Beta: v.beta}
	return e, nil
}

// Spec describes the tool.
func (e *Editor) Spec() tool.Spec { return e.spec }

// Run performs one call. It returns an error when ctx ended or the sandbox is
// gone.
func (e *Editor) Run(ctx context.Context, call deskhand.Call) (deskhand.Result, error) {
	a, problem := e.read(call.Input)
	if problem != "" {
		return tool.InvalidInput(e.version.name, problem), nil
	}
	if !strings.HasPrefix(a.path, "/") {
		return deskhand.Failure(say(relativePath, "{p}", a.path, "{q}", path.Join("/", a.path))), nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	result, err := commands[a.command].run(ctx, e, a)
	if err != nil && tool.Readable(err) {
		return deskhand.Failure(tool.Reason(err)), nil
	}
	return result, err
}

// knows reports whether this version has the command.
func (e *Editor) knows(command string) bool { return slices.Contains(e.version.commands, command) }
