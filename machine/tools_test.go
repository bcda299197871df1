package machine

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/engine"
)

var _ engine.Computer = (*Machine)(nil)

// TestToolsReachOneComputer drives all three tools and sees that they mean the
// same computer.
func TestToolsReachOneComputer(t *testing.T) {
	t.Parallel()
	m := up(t, Config{})
	var names []string
	for _, one := range m.Tools().All() {
		names = append(names, one.Spec().Name)
	}
	if got := strings.Join(names, " "); got != "computer bash str_replace_based_edit_tool" {
		t.Errorf("tools are %s", got)
	}
	call := func(toolset, name, input string) deskhand.Result {
		t.Helper()
		c := deskhand.Call{ID: "toolu_1", Toolset: toolset, Name: name, Input: json.RawMessage(input)}
		one, ok := m.Tools().Find(c)
		if !ok {
			t.Fatalf("no tool for %s %s", toolset, name)
		}
		r, err := one.Run(t.Context(), c)
		if err != nil || r.IsError || len(r.Content) == 0 {
			t.Fatalf("%s: %+v, %v", name, r, err)
		}
		return r
	}
	call("", "str_replace_based_edit_tool", `{"command":"create","path":"/home/user/Desktop/note.txt","file_text":"one desk\n"}`)
	if r := call("", "bash", `{"command":"cat ~/Desktop/note.txt; mousepad ~/Desktop/note.txt >/dev/null 2>&1 &"}`); !strings.Contains(r.Content[0].Text, "one desk") {
		t.Errorf("bash says %q", r.Content[0].Text)
	}
	if w := window(t, m, "Mousepad"); !strings.Contains(w.Title, "note.txt") {
		t.Errorf("window is %+v", w)
	}
	// a program started from the shell is on the desktop, outlives its call, and
	// goes with the shell's session
	call("", "bash", `{"command":"xterm -T 'of the shell' & disown"}`)
	if w := window(t, m, "XTerm"); w.Title != "of the shell" {
		t.Errorf("window is %+v", w)
	}
	call("", "bash", `{"command":"true"}`)
	window(t, m, "XTerm")
	call("", "bash", `{"restart":true}`)
	until(t, "the shell's programs to be gone", func(ctx context.Context) bool {
		all, err := m.Desktop().Windows(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return !slices.ContainsFunc(all, func(w desktop.Window) bool { return w.Class == "XTerm" || w.Class == "Mousepad" })
	})
	r := call("computer", "screenshot", `{}`)
	if img := r.Content[0].Image; img == nil || img.Size != (deskhand.Size{W: 1280, H: 800}) {
		t.Errorf("screenshot is %+v", r.Content[0])
	}
}
