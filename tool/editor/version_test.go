package editor_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/tool/editor"
)

func TestVersions(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]struct {
		entry, beta string
		limit, undo bool
	}{
		"text_editor_20250728": {`{"type":"text_editor_20250728","name":"str_replace_based_edit_tool"}`, "", true, false},
		"text_editor_20250429": {`{"type":"text_editor_20250429","name":"str_replace_based_edit_tool"}`, "", false, false},
		"text_editor_20250124": {`{"type":"text_editor_20250124","name":"str_replace_editor"}`, "", false, true},
		"text_editor_20241022": {`{"type":"text_editor_20241022","name":"str_replace_editor"}`, "computer-use-2024-10-22", false, true},
	} {
		d := open(t, editor.Config{Version: kind})
		spec := d.e.Spec()
		if string(spec.Entry) != want.entry || spec.Beta != want.beta || !strings.Contains(want.entry, fmt.Sprintf(`"name":%q`, spec.Name)) || spec.Toolset {
			t.Errorf("%s: %+v %s", kind, spec, spec.Entry)
		}
		limited, err := editor.New(nil, editor.Config{Version: kind, MaxCharacters: 9})
		if want.limit && (err != nil || string(limited.Spec().Entry) != `{"type":"text_editor_20250728","name":"str_replace_based_edit_tool","max_characters":9}`) ||
			!want.limit && deskhand.CodeOf(err) != deskhand.Invalid {
			t.Errorf("%s with a limit: %v", kind, err)
		}
		d.write("f", "one\n")
		name, refusal := "insert_text", "invalid input for tool 'str_replace_based_edit_tool': command: expected one of view, create, str_replace, insert"
		if want.undo {
			name, refusal = "new_str", "No edit history found for DIR/f."
		}
		d.want(`{"command":"undo_edit","path":"DIR/f"}`, refusal, true)
		d.want(`{"command":"insert","path":"DIR/f","insert_line":1}`, "invalid input for tool '"+spec.Name+"': "+name+": expected a string", true)
		for _, field := range []string{"insert_text", "new_str"} {
			if r := d.call(`{"command":"insert","path":"DIR/f","insert_line":0,"` + field + `":"x"}`); r.IsError {
				t.Errorf("%s %s: %+v", kind, field, r)
			}
		}
		d.holds("f", "x\nx\none\n")
	}
}

func TestUndo(t *testing.T) {
	t.Parallel()
	d := open(t, editor.Config{Version: "text_editor_20250124"})
	const first = "\ufeffone\r\ntwo\r\nthree"
	d.write("f", first)
	d.write("g", "other\n")
	done := func(name string) {
		t.Helper()
		d.want(`{"command":"undo_edit","path":"DIR/`+name+`"}`, "Last edit to DIR/"+name+" undone successfully.", false)
	}
	none := func(name string) {
		t.Helper()
		d.want(`{"command":"undo_edit","path":"DIR/`+name+`"}`, "No edit history found for DIR/"+name+".", true)
	}
	replace := func(name, old, fresh string) {
		t.Helper()
		if r := d.call(fmt.Sprintf(`{"command":"str_replace","path":"DIR/%s","old_str":%q,"new_str":%q}`, name, old, fresh)); r.IsError {
			t.Fatalf("%+v", r)
		}
	}
	// Edits are undone one by one, each file for itself, to the byte.
	replace("f", "two", "2")
	replace("g", "other", "another")
	d.call(`{"command":"insert","path":"DIR/f","insert_line":0,"new_str":"zero"}`)
	d.holds("f", "\ufeffzero\r\none\r\n2\r\nthree")
	done("./f")
	d.holds("f", "\ufeffone\r\n2\r\nthree")
	done("f")
	d.holds("f", first)
	none("f")
	d.holds("g", "another\n")
	done("g")
	none("g")

	// What was refused or viewed is no edit; what was created cannot be undone.
	d.want(`{"command":"create","path":"DIR/new","file_text":"x\n"}`, "File created successfully at: DIR/new", false)
	d.call(`{"command":"str_replace","path":"DIR/new","old_str":"nowhere"}`)
	none("new")
	d.want(`{"command":"undo_edit","path":"DIR/missing"}`, "The path DIR/missing does not exist. Please provide a valid path.", true)
	d.want(`{"command":"undo_edit","path":"DIR/f","old_str":"x"}`, "invalid input for tool 'str_replace_editor': old_str: unknown field", true)

	// A file that something else changed stays as it is, viewed or not.
	const changed = "The file DIR/f has changed since it was read. Nothing was written. View it again, then repeat the edit."
	const since = "The file DIR/f has changed since the last edit. Nothing was undone. View it, then change it with str_replace."
	replace("f", "two", "2")
	d.write("f", "mine\n")
	d.want(`{"command":"undo_edit","path":"DIR/f"}`, changed, true)
	d.call(`{"command":"view","path":"DIR/f"}`)
	d.want(`{"command":"undo_edit","path":"DIR/f"}`, since, true)
	d.holds("f", "mine\n")

	// The mode stays.
	d.write("run", "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(d.dir, "run"), 0o750); err != nil {
		t.Fatal(err)
	}
	replace("run", "sh", "bash")
	done("run")
	if info, err := os.Stat(filepath.Join(d.dir, "run")); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// TestUndoIsBounded: the oldest edits are forgotten, by number and by bytes.
func TestUndoIsBounded(t *testing.T) {
	t.Parallel()
	undos := func(edits int, content string) int {
		d := open(t, editor.Config{Version: "text_editor_20241022"})
		d.write("f", content)
		for i := range edits {
			if r := d.call(fmt.Sprintf(`{"command":"str_replace","path":"DIR/f","old_str":"<%d>","new_str":"<%d>"}`, i, i+1)); r.IsError {
				t.Fatalf("%+v", r)
			}
		}
		for i := 0; ; i++ {
			if d.call(`{"command":"undo_edit","path":"DIR/f"}`).IsError {
				return i
			}
		}
	}
	if n := undos(103, "<0>\n"); n != 100 {
		t.Errorf("%d small edits were undone", n)
	}
	if n := undos(5, "<0>"+strings.Repeat("x", 20<<20)); n != 3 {
		t.Errorf("%d edits of 20 MB were undone", n)
	}
}
