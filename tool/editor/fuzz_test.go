package editor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox/host"
	"github.com/deskhand/deskhand/tool/editor"
)

// FuzzEdit holds every edit against what it should have done to the bytes of
// the file, worked out in another way: an edit touches only what it names, a
// refused one nothing, an undone one leaves the file as it was, and what is
// shown is what is there.
func FuzzEdit(f *testing.F) {
	for _, s := range [][3]string{
		{"a\nb\n", "a", "c"}, {"a\r\nb", "b", "\n"}, {"\ufeffx", "x", ""}, {"aaa", "aa", "b"}, {"", "", ""}, {"\r\r\n", "\r", "q"},
		{"a\r\nb\r\n", "a\nb", "x\ny\nz"}, {"a\r\n", "\r\n", "\n"}, {"\ufeff\ufeff", "\ufeff", "x"}, {"a\nb", "b", "c\n"}, {"\r\n", "\n", "\r"}, {"é\n😀\n", "😀", "ü"},
	} {
		for form := range 3 {
			f.Add(s[0], s[1], s[2], form, form)
		}
	}
	dir := f.TempDir()
	place := host.New(host.Config{})
	f.Fuzz(func(t *testing.T, text, old, fresh string, line, form int) {
		if !utf8.ValidString(old) || !utf8.ValidString(fresh) { // JSON has no other strings
			return
		}
		encode, ok := form3(form, text)
		if !ok {
			return
		}
		e, err := editor.New(place, editor.Config{Version: "text_editor_20250124"})
		if err != nil {
			t.Fatal(err)
		}
		name, before := filepath.Join(dir, "f"), encode(text)
		call := func(fields map[string]any) deskhand.Result {
			fields["path"] = name
			raw, err := json.Marshal(fields)
			if err != nil {
				t.Fatal(err)
			}
			r, err := e.Run(context.Background(), deskhand.Call{Input: raw})
			if err != nil || len(r.Content) == 0 {
				t.Fatalf("%s: %v", raw, err)
			}
			return r
		}
		holds := func(what string, want []byte) {
			t.Helper()
			if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%s of %q: it holds %q, not %q (%v)", what, before, got, want, err)
			}
		}
		for _, c := range []struct {
			fields map[string]any
			after  func() (string, bool)
		}{
			{map[string]any{"command": "str_replace", "old_str": old, "new_str": fresh}, func() (string, bool) { return replaced(text, old, fresh) }},
			{map[string]any{"command": "insert", "insert_line": line, "insert_text": fresh}, func() (string, bool) { return inserted(text, fresh, line) }},
			{map[string]any{"command": "view", "view_range": []int{line, -1}}, func() (string, bool) { return text, false }},
		} {
			what := fmt.Sprintf("%v", c.fields)
			if err := os.WriteFile(name, before, 0o600); err != nil {
				t.Fatal(err)
			}
			r := call(c.fields)
			after, changes := c.after()
			if c.fields["command"] == "view" {
				if !r.IsError {
					shows(t, r.Content[0].Text, text, line)
				}
			} else if changes == r.IsError {
				t.Fatalf("%s of %q: %s", what, before, r.Content[0].Text)
			}
			if !changes {
				holds(what, before)
				continue
			}
			holds(what, encode(after))
			if r := call(map[string]any{"command": "undo_edit"}); r.IsError {
				t.Fatalf("undoing %s of %q: %s", what, before, r.Content[0].Text)
			}
			holds("undoing "+what, before)
		}
	})
}

// form3 returns how a text is written in one of three forms, and whether it can
// be: not what would be binary.
func form3(form int, text string) (encode func(string) []byte, ok bool) {
	if strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
		return nil, false
	}
	switch form % 3 {
	case 1:
		return func(s string) []byte { return []byte(utf16LE("\ufeff" + s)) }, true
	case 2:
		return func(s string) []byte { return []byte(swapped(utf16LE("\ufeff" + s))) }, true
	}
	if begin := []byte(text[:min(len(text), 5)]); bytes.HasPrefix(begin, []byte("%PDF-")) || strings.HasPrefix(text, "\ufeff") {
		// the mark is not text; the next form has it
		return func(s string) []byte { return []byte("\ufeff" + s) }, !bytes.HasPrefix(begin, []byte("%PDF-"))
	}
	return func(s string) []byte { return []byte(s) }, true
}

// endings returns the line ending of a text, and s with its line endings.
func endings(text, s string) (eol, as string) {
	if n := strings.Count(text, "\n"); n > 0 && n == strings.Count(text, "\r\n") {
		return "\r\n", strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
	}
	return "\n", s
}

// replaced is what a text should be after a replacement, on its bytes. Where CR
// LF ends each line, a CR that is part of one is not matched by itself.
func replaced(text, old, fresh string) (string, bool) {
	eol, x := endings(text, old)
	_, y := endings(text, fresh)
	at := -1
	for i := 0; old != "" && i+len(x) <= len(text); i++ {
		inside := eol == "\r\n" && (i > 0 && text[i-1] == '\r' && text[i] == '\n' || strings.HasPrefix(text[i+len(x):], "\n"))
		if text[i:i+len(x)] != x || inside {
			continue
		}
		if at >= 0 {
			return "", false
		}
		at = i
	}
	if at < 0 || x == y {
		return "", false
	}
	return text[:at] + y + text[at+len(x):], true
}

// inserted is what a text should be after an insertion.
func inserted(text, fresh string, after int) (string, bool) {
	lines := strings.SplitAfter(text, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	if after < 0 || after > len(lines) {
		return "", false
	}
	eol, add := endings(text, fresh)
	before, rest := strings.Join(lines[:after], ""), strings.Join(lines[after:], "")
	if before != "" && !strings.HasSuffix(before, "\n") {
		return before + eol + add, true
	}
	if text != "" && !strings.HasSuffix(add, "\n") {
		add += eol
	}
	return before + add + rest, true
}

// shows checks that the lines shown are those of text from the line on.
func shows(t *testing.T, shown, text string, from int) {
	t.Helper()
	_, shown, _ = strings.Cut(shown, ":\n")
	if strings.Contains(shown, "<response clipped>") {
		return
	}
	if eol, _ := endings(text, ""); eol == "\r\n" {
		text = strings.ReplaceAll(text, eol, "\n")
	}
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	var want strings.Builder
	for i, line := range lines[from-1:] {
		fmt.Fprintf(&want, "%6d\t%s\n", from+i, strings.TrimSuffix(line, "\n"))
	}
	if shown != want.String() {
		t.Fatalf("%q is shown as %q", text, shown)
	}
}
