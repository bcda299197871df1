package transcript

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/plaintext"
)

// input is the fields that calls of the known tools carry.
type input struct {
	Coordinate []float64 `json:"coordinate"`
	Start      []float64 `json:"start_coordinate"`
	Region     []float64 `json:"region"`
	Text       string    `json:"text"`
	Repeat     float64   `json:"repeat"`
	Duration   float64   `json:"duration"`
	Direction  string    `json:"scroll_direction"`
	Amount     float64   `json:"scroll_amount"`
	Command    string    `json:"command"`
	Restart    bool      `json:"restart"`
	Path       string    `json:"path"`
	FileText   string    `json:"file_text"`
	InsertLine float64   `json:"insert_line"`
	ViewRange  []float64 `json:"view_range"`
	OldPath    string    `json:"old_path"`
	NewPath    string    `json:"new_path"`
}

// humans puts a call into words, by toolset (or "") and name, separated by a slash.
var humans = map[string]func(input) string{
	"computer/screenshot":          fixed("screenshot"),
	"computer/cursor_position":     fixed("cursor position"),
	"computer/left_mouse_down":     fixed("press left button"),
	"computer/left_mouse_up":       fixed("release left button"),
	"computer/left_click":          clicks("click"),
	"computer/right_click":         clicks("right-click"),
	"computer/middle_click":        clicks("middle-click"),
	"computer/double_click":        clicks("double-click"),
	"computer/triple_click":        clicks("triple-click"),
	"computer/mouse_move":          func(in input) string { return "move to" + at(in.Coordinate) },
	"computer/left_click_drag":     func(in input) string { return held(in.Text) + "drag" + at(in.Start) + " →" + at(in.Coordinate) },
	"computer/zoom":                func(in input) string { return "zoom" + at(in.Region) },
	"computer/type":                func(in input) string { return "type " + quoted(in.Text) },
	"computer/key":                 func(in input) string { return "key " + in.Text + times(in.Repeat) },
	"computer/hold_key":            func(in input) string { return "hold " + in.Text + " " + num(in.Duration) + " s" },
	"computer/wait":                func(in input) string { return "wait " + num(in.Duration) + " s" },
	"computer/scroll":              scrolls,
	"/bash":                        bashes,
	"/str_replace_based_edit_tool": edits,
	"/str_replace_editor":          edits,
	"/memory":                      remembers,
	"/" + deskhand.PlanTool:        fixed("propose a plan"),
}

// Human returns the call in a few words, on one line, fit to be shown: "click
// 512,742", `type "Grüße"`, "bash ls -l". A call it does not know, or whose
// input is malformed, is its name and its input as the model wrote it.
func Human(c deskhand.Call) string {
	c = asMember(c)
	if f, known := humans[c.Toolset+"/"+c.Name]; known {
		var in input
		if json.Unmarshal(c.Input, &in) == nil {
			return plaintext.Line(f(in))
		}
	}
	name := c.Name
	if c.Toolset != "" && c.Toolset != "computer" {
		name = c.Toolset + "." + c.Name
	}
	var short bytes.Buffer
	if len(c.Input) == 0 || string(c.Input) == "{}" || json.Compact(&short, c.Input) != nil {
		return plaintext.Line(strings.TrimSpace(name + " " + string(bytes.Trim(c.Input, "{} \n"))))
	}
	return plaintext.Line(name + " " + short.String())
}

// asMember returns a call to a single computer tool as one to the member that
// its action names. Other calls are returned as they are.
func asMember(c deskhand.Call) deskhand.Call {
	var in struct {
		Action string `json:"action"`
	}
	if c.Toolset != "" || c.Name != "computer" || json.Unmarshal(c.Input, &in) != nil || humans["computer/"+in.Action] == nil {
		return c
	}
	c.Toolset, c.Name = "computer", in.Action
	return c
}

// Mark is a place on the screenshot that a call points at.
type Mark struct {
	N     int // of the call
	Point deskhand.ModelPoint
}

// Marks returns the places a computer call points at, in screenshot pixels.
func Marks(n int, c deskhand.Call) []Mark {
	c = asMember(c)
	var in input
	if c.Toolset != "computer" || json.Unmarshal(c.Input, &in) != nil {
		return nil
	}
	var out []Mark
	for _, p := range [][]float64{in.Start, in.Coordinate} {
		if len(p) == 2 {
			out = append(out, Mark{n, deskhand.ModelPoint{X: int(p[0]), Y: int(p[1])}})
		}
	}
	return out
}

func fixed(s string) func(input) string { return func(input) string { return s } }

func clicks(verb string) func(input) string {
	return func(in input) string { return held(in.Text) + verb + at(in.Coordinate) }
}

func scrolls(in input) string {
	return held(in.Text) + "scroll " + in.Direction + " " + num(in.Amount) + prefixed(" at", at(in.Coordinate))
}

func bashes(in input) string {
	if in.Restart {
		return "bash (restart)"
	}
	return "bash " + in.Command
}

func edits(in input) string {
	switch in.Command {
	case "view":
		return "view " + in.Path + prefixed(" lines", at(in.ViewRange))
	case "create":
		return fmt.Sprintf("create %s (%d bytes)", in.Path, len(in.FileText))
	case "str_replace":
		return "edit " + in.Path
	case "insert":
		return "insert into " + in.Path + " after line " + num(in.InsertLine)
	case "undo_edit":
		return "undo the last edit of " + in.Path
	}
	return "edit " + in.Command + " " + in.Path
}

// remembers words what the memory does beyond an editor.
func remembers(in input) string {
	switch in.Command {
	case "delete":
		return "delete " + in.Path
	case "rename":
		return "rename " + in.OldPath + " to " + in.NewPath
	}
	return edits(in)
}

// at returns " 1,2" for [1, 2] and "" for nothing.
func at(numbers []float64) string {
	if len(numbers) == 0 {
		return ""
	}
	words := make([]string, len(numbers))
	for i, n := range numbers {
		words[i] = num(n)
	}
	return " " + strings.Join(words, ",")
}

func held(modifiers string) string {
	if modifiers == "" {
		return ""
	}
	return modifiers + "+"
}

func times(n float64) string {
	if n == 0 || n == 1 {
		return ""
	}
	return " ×" + num(n)
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func num(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// quoted puts s between quotation marks and shows line breaks and tabs as escapes.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
