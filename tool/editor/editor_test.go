package editor_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode/utf16"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/guest"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/host"
	"github.com/deskhand/deskhand/tool/editor"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "guest" {
		syscall.Exit(guest.Main(os.Args[2:], os.Stdin, os.Stderr, nil))
	}
	goleak.VerifyTestMain(m)
}

// desk is an editor and the directory it works in.
type desk struct {
	t     *testing.T
	place sandbox.Sandbox
	e     *editor.Editor
	dir   string
}

func open(t *testing.T, c editor.Config) *desk {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return use(t, host.New(host.Config{}), c, dir)
}

// use is open on another sandbox, which it closes at the end.
func use(t *testing.T, place sandbox.Sandbox, c editor.Config, dir string) *desk {
	t.Helper()
	t.Cleanup(func() {
		if err := place.Close(); err != nil {
			t.Error(err)
		}
	})
	e, err := editor.New(place, c)
	if err != nil {
		t.Fatal(err)
	}
	return &desk{t, place, e, dir}
}

// call runs a call whose input is JSON with DIR for the directory.
func (d *desk) call(input string) deskhand.Result {
	d.t.Helper()
	r, err := d.e.Run(context.Background(), deskhand.Call{
		Name: "str_replace_based_edit_tool", Input: json.RawMessage(strings.ReplaceAll(input, "DIR", d.dir)),
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

// want checks a text answer, with DIR for the directory.
func (d *desk) want(input, want string, failed bool) {
	d.t.Helper()
	r := d.call(input)
	got := strings.ReplaceAll(r.Content[0].Text, d.dir, "DIR")
	if got != want || r.IsError != failed {
		d.t.Errorf("%s\n got %q (error %v)\nwant %q (error %v)", input, got, r.IsError, want, failed)
	}
}

func (d *desk) write(name, content string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(content), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) holds(name, want string) {
	d.t.Helper()
	got, err := os.ReadFile(filepath.Join(d.dir, name))
	if err != nil || string(got) != want {
		d.t.Errorf("%s holds %q (%v), want %q", name, got, err, want)
	}
}

// utf16LE returns s in UTF-16, the low byte first.
func utf16LE(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

// swapped returns s with the two bytes of every unit exchanged.
func swapped(s string) string {
	b := []byte(s)
	for i := 0; i+1 < len(b); i += 2 {
		b[i], b[i+1] = b[i+1], b[i]
	}
	return string(b)
}

const review = "Review the changes and make sure they are as expected. Edit the file again if necessary."

func snippet(name, lines string) string {
	return "The file DIR/" + name + " has been edited. Here's the result of running `cat -n` on a snippet of DIR/" + name + ":\n" + lines + review
}

func TestView(t *testing.T) {
	t.Parallel()
	d := open(t, editor.Config{})
	d.write("f", "one\ntwo\n\tthree\nfour")
	d.write("empty", "")
	d.write("crlf", "a\r\nb\r\n")
	d.write("bom", "\ufeffa\n")
	d.write("latin", "caf\xe9\n")
	d.write("wide", utf16LE("\ufeffdü\r\n😀\r\n"))
	d.write("bin", "a\x00b")
	d.write("braces", "{p} {n}\n")
	if err := syscall.Mkfifo(filepath.Join(d.dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	head := func(name string) string { return "Here's the result of running `cat -n` on DIR/" + name + ":\n" }
	for _, c := range []struct {
		input, want string
		failed      bool
	}{
		{`{"command":"view","path":"DIR/f"}`, head("f") + "     1\tone\n     2\ttwo\n     3\t\tthree\n     4\tfour\n", false},
		{`{"command":"view","path":"DIR/f","view_range":[2,3]}`, head("f") + "     2\ttwo\n     3\t\tthree\n", false},
		{`{"command":"view","path":"DIR/f","view_range":[4,-1]}`, head("f") + "     4\tfour\n", false},
		{`{"command":"view","path":"DIR/f","view_range":[1.0,1e0]}`, head("f") + "     1\tone\n", false},
		{`{"command":"view","path":"DIR/f","view_range":null,"old_str":null}`, head("f") + "     1\tone\n     2\ttwo\n     3\t\tthree\n     4\tfour\n", false},
		{`{"command":"view","path":"DIR/f","view_range":[0,2]}`, "Invalid `view_range`: [0, 2]. Its first element `0` should be within the range of lines of the file: [1, 4]", true},
		{`{"command":"view","path":"DIR/f","view_range":[5,6]}`, "Invalid `view_range`: [5, 6]. Its first element `5` should be within the range of lines of the file: [1, 4]", true},
		{`{"command":"view","path":"DIR/f","view_range":[2,9]}`, "Invalid `view_range`: [2, 9]. Its second element `9` should be smaller than the number of lines in the file: `4`", true},
		{`{"command":"view","path":"DIR/f","view_range":[3,2]}`, "Invalid `view_range`: [3, 2]. Its second element `2` should be larger or equal than its first `3`", true},
		{`{"command":"view","path":"DIR/f","view_range":[3,-2]}`, "Invalid `view_range`: [3, -2]. Its second element `-2` should be larger or equal than its first `3`", true},
		{`{"command":"view","path":"DIR/empty"}`, head("empty"), false},
		{`{"command":"view","path":"DIR/crlf"}`, head("crlf") + "     1\ta\n     2\tb\n", false},
		{`{"command":"view","path":"DIR/bom"}`, head("bom") + "     1\ta\n", false},
		{`{"command":"view","path":"DIR/braces"}`, head("braces") + "     1\t{p} {n}\n", false},
		{`{"command":"view","path":"DIR/latin"}`, head("latin") + "[The file is not UTF-8 text; bytes that are not are shown as \ufffd. It can be changed with bash only.]\n     1\tcaf\ufffd\n", false},
		{`{"command":"view","path":"DIR/wide"}`, head("wide") + "     1\tdü\n     2\t😀\n", false},
		{`{"command":"view","path":"DIR/bin"}`, "The file DIR/bin is binary (3 bytes) and cannot be shown as text. Use bash, for example `file` or `xxd | head`.", true},
		{`{"command":"view","path":"DIR/none"}`, "The path DIR/none does not exist. Please provide a valid path.", true},
		{`{"command":"view","path":"DIR/f/none"}`, "The path DIR/f/none does not exist. Please provide a valid path.", true},
		{`{"command":"view","path":"DIR/fifo"}`, "The path DIR/fifo is neither a file nor a directory and cannot be opened.", true},
		{`{"command":"view","path":"/proc/self/mem"}`, "Error: /proc/self/mem cannot be read or written: the sandbox reported a failure. Try another way, for example bash.", true},
		{`{"command":"view","path":"DIR/a\u001b[31m\u202eb\n"}`, "The path DIR/a\\x1b[31m\\u202eb\\n does not exist. Please provide a valid path.", true},
		{`{"command":"view","path":"/dev/zero"}`, "The path /dev/zero is neither a file nor a directory and cannot be opened.", true},
		{`{"command":"view","path":"notes/a.txt"}`, "The path notes/a.txt is not an absolute path, it should start with `/`. Maybe you meant /notes/a.txt?", true},
		{`{"command":"view","path":"DIR","view_range":[1,2]}`, "The `view_range` parameter is not allowed when `path` points to a directory.", true},
	} {
		d.want(c.input, c.want, c.failed)
	}
}

func TestViewDirectory(t *testing.T) {
	t.Parallel()
	d := open(t, editor.Config{})
	for _, dir := range []string{"a/b/c", ".hidden/x", "z"} {
		if err := os.MkdirAll(filepath.Join(d.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d.write("a/f.txt", "")
	d.write("a/b/deep.txt", "")
	d.write("a/.secret", "")
	d.write("z/new\nline\u202e.txt", "")
	if err := os.Symlink(filepath.Join(d.dir, "a"), filepath.Join(d.dir, "link")); err != nil {
		t.Fatal(err)
	}
	want := "Here's the files and directories up to 2 levels deep in DIR, excluding hidden items:\n" +
		"DIR\nDIR/a\nDIR/a/b\nDIR/a/f.txt\nDIR/link\nDIR/z\nDIR/z/new\\nline\\u202e.txt\n"
	d.want(`{"command":"view","path":"DIR"}`, want, false)

	small := open(t, editor.Config{MaxCharacters: 300})
	for i := range 100 {
		small.write(fmt.Sprintf("file%02d", i), "")
	}
	text := small.call(`{"command":"view","path":"DIR"}`).Content[0].Text
	if !strings.Contains(text, "<response clipped>") || strings.Contains(text, "file99") {
		t.Errorf("got %q", text)
	}
}

func TestViewIsBounded(t *testing.T) {
	t.Parallel()
	d := open(t, editor.Config{MaxCharacters: 20})
	d.write("long", strings.Repeat("12345\n", 1000))
	d.write("wide", strings.Repeat("é", 1000))
	const note = "<response clipped><NOTE>Only part of this file is shown, to save context. Search it with `grep -n` first to find the line numbers you need, then view that range.</NOTE>"
	head := "Here's the result of running `cat -n` on DIR/"
	d.want(`{"command":"view","path":"DIR/long"}`, head+"long:\n     1\t12345\n     2\t12345\n     3\t12345\n"+note, false)
	d.want(`{"command":"view","path":"DIR/long","view_range":[900,901]}`, head+"long:\n   900\t12345\n   901\t12345\n", false)
	d.want(`{"command":"view","path":"DIR/wide"}`, head+"wide:\n     1\t"+strings.Repeat("é", 20)+"\n"+note, false)

	if got := string(d.e.Spec().Entry); got != `{"type":"text_editor_20250728","name":"str_replace_based_edit_tool","max_characters":20}` {
		t.Errorf("entry %s", got)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	d := open(t, editor.Config{})
	d.want(`{"command":"create","path":"DIR/new/dir/f.txt","file_text":"héllo\nworld"}`, "File created successfully at: DIR/new/dir/f.txt", false)
	d.holds("new/dir/f.txt", "héllo\nworld")
	refused := "File already exists at: DIR/new/dir/f.txt. Cannot overwrite files using command `create`."
	d.want(`{"command":"create","path":"DIR/new/dir/f.txt","file_text":"other"}`, refused, true)
	d.want(`{"command":"create","path":"DIR/new","file_text":"other"}`, strings.ReplaceAll(refused, "/dir/f.txt", ""), true)
	d.holds("new/dir/f.txt", "héllo\nworld")
	d.want(`{"command":"create","path":"DIR/empty","file_text":""}`, "File created successfully at: DIR/empty", false)
	d.holds("empty", "")
	d.want(`{"command":"create","path":"DIR/empty/below","file_text":""}`, "The path DIR/empty/below does not exist. Please provide a valid path.", true)
	d.want(`{"command":"str_replace","path":"DIR/new/dir/f.txt","old_str":"world","new_str":"you"}`, snippet("new/dir/f.txt", "     1\théllo\n     2\tyou\n"), false)
}

func TestReplace(t *testing.T) {
	t.Parallel()
	ten := "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n"
	for _, c := range []struct {
		name, before, input, want, after string
		failed                           bool
	}{
		{"middle", ten, `"old_str":"5\n","new_str":"five\nand more\n"`, snippet("f", "     1\t1\n     2\t2\n     3\t3\n     4\t4\n     5\tfive\n     6\tand more\n     7\t6\n     8\t7\n     9\t8\n    10\t9\n    11\t10\n"), strings.Replace(ten, "5\n", "five\nand more\n", 1), false},
		{"delete", "a b c", `"old_str":" b"`, snippet("f", "     1\ta c\n"), "a c", false},
		{"null deletes", "a b c", `"old_str":" b","new_str":null`, snippet("f", "     1\ta c\n"), "a c", false},
		{"everything", "a", `"old_str":"a","new_str":""`, snippet("f", ""), "", false},
		{"final newline kept away", "a\nb", `"old_str":"b","new_str":"c"`, snippet("f", "     1\ta\n     2\tc\n"), "a\nc", false},
		{"tabs exact", "\ta\n    a\n", `"old_str":"\ta","new_str":"\tb"`, snippet("f", "     1\t\tb\n     2\t    a\n"), "\tb\n    a\n", false},
		{"braces", "{p}", `"old_str":"{p}","new_str":"{snippet}"`, snippet("f", "     1\t{snippet}\n"), "{snippet}", false},
		{"crlf", "a\r\nb\r\nc\r\n", `"old_str":"a\nb","new_str":"x\ny\nz"`, snippet("f", "     1\tx\n     2\ty\n     3\tz\n     4\tc\n"), "x\r\ny\r\nz\r\nc\r\n", false},
		{"crlf given", "a\r\nb\r\n", `"old_str":"a\r\nb","new_str":"x\r\ny"`, snippet("f", "     1\tx\n     2\ty\n"), "x\r\ny\r\n", false},
		{"mixed endings", "a\r\nb\nc", `"old_str":"b\nc","new_str":"d"`, snippet("f", "     1\ta\r\n     2\td\n"), "a\r\nd", false},
		{"byte order mark", "\ufeffa\n", `"old_str":"a","new_str":"b"`, snippet("f", "     1\tb\n"), "\ufeffb\n", false},
		{"no match", "abc\n", `"old_str":"ABC","new_str":"x"`, "No replacement was performed, old_str `ABC` did not appear verbatim in DIR/f.", "abc\n", true},
		{"several", "x\ny x\nz\n", `"old_str":"x","new_str":"q"`, "No replacement was performed. Multiple occurrences of old_str `x` in lines [1, 2]. Please ensure it is unique", "x\ny x\nz\n", true},
		{"several on several lines", "a\nb\na\nb\n", `"old_str":"a\nb","new_str":"q"`, "No replacement was performed. Multiple occurrences of old_str `a\nb` in lines [1, 3]. Please ensure it is unique", "a\nb\na\nb\n", true},
		{"overlapping", "aaa", `"old_str":"aa","new_str":"b"`, "No replacement was performed. Multiple occurrences of old_str `aa` in lines [1]. Please ensure it is unique", "aaa", true},
		{"same", "a", `"old_str":"a","new_str":"a"`, "No replacement was performed: old_str and new_str are the same.", "a", true},
		{"utf-16 little", utf16LE("\ufeffé\r\n😀 a\r\n"), `"old_str":"😀 a\n","new_str":"ö\n𝄞\n"`, snippet("f", "     1\té\n     2\tö\n     3\t𝄞\n"), utf16LE("\ufeffé\r\nö\r\n𝄞\r\n"), false},
		{"utf-16 big", swapped(utf16LE("\ufeffone\ntwo")), `"old_str":"two","new_str":"2"`, snippet("f", "     1\tone\n     2\t2\n"), swapped(utf16LE("\ufeffone\n2")), false},
		{"half a utf-16 pair", "\xff\xfea\x00\x00\xd8", `"old_str":"a","new_str":"b"`, "The file DIR/f is not UTF-8 text, so it cannot be edited without changing other bytes. Use bash, for example iconv or sed.", "\xff\xfea\x00\x00\xd8", true},
		{"odd utf-16", "\xff\xfea\x00b", `"old_str":"a","new_str":"b"`, "The file DIR/f is not UTF-8 text, so it cannot be edited without changing other bytes. Use bash, for example iconv or sed.", "\xff\xfea\x00b", true},
		{"utf-16 without a mark", "a\x00b\x00", `"old_str":"a","new_str":"b"`, "The file DIR/f is binary (4 bytes) and cannot be shown as text. Use bash, for example `file` or `xxd | head`.", "a\x00b\x00", true},
		{"utf-32", "\xff\xfe\x00\x00a\x00\x00\x00", `"old_str":"a","new_str":"b"`, "The file DIR/f is binary (8 bytes) and cannot be shown as text. Use bash, for example `file` or `xxd | head`.", "\xff\xfe\x00\x00a\x00\x00\x00", true},
		{"latin", "caf\xe9", `"old_str":"caf","new_str":"x"`, "The file DIR/f is not UTF-8 text, so it cannot be edited without changing other bytes. Use bash, for example iconv or sed.", "caf\xe9", true},
		{"binary", "a\x00b", `"old_str":"a","new_str":"x"`, "The file DIR/f is binary (3 bytes) and cannot be shown as text. Use bash, for example `file` or `xxd | head`.", "a\x00b", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := open(t, editor.Config{})
			d.write("f", c.before)
			d.want(`{"command":"str_replace","path":"DIR/f",`+c.input+`}`, c.want, c.failed)
			d.holds("f", c.after)
		})
	}
}

func TestInsert(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, before, input, after string
	}{
		{"start", "a\nb\n", `"insert_line":0,"insert_text":"x"`, "x\na\nb\n"},
		{"after one", "a\nb\n", `"insert_line":1,"insert_text":"x\ny\n"`, "a\nx\ny\nb\n"},
		{"new_str", "a\nb\n", `"insert_line":1,"new_str":"x"`, "a\nx\nb\n"},
		{"end", "a\nb\n", `"insert_line":2,"insert_text":"x"`, "a\nb\nx\n"},
		{"end without newline", "a\nb", `"insert_line":2,"insert_text":"x"`, "a\nb\nx"},
		{"end with newline given", "a\nb", `"insert_line":2,"insert_text":"x\n"`, "a\nb\nx\n"},
		{"empty file", "", `"insert_line":0,"insert_text":"x"`, "x"},
		{"empty line", "a\nb\n", `"insert_line":1,"insert_text":""`, "a\n\nb\n"},
		{"blank line kept", "a\nb\n", `"insert_line":1,"insert_text":"x\n\n"`, "a\nx\n\nb\n"},
		{"crlf", "a\r\nb\r\n", `"insert_line":1,"insert_text":"x\ny"`, "a\r\nx\r\ny\r\nb\r\n"},
		{"byte order mark", "\ufeffa\n", `"insert_line":0,"insert_text":"x"`, "\ufeffx\na\n"},
		{"whole float", "a\n", `"insert_line":1.0,"insert_text":"x"`, "a\nx\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := open(t, editor.Config{})
			d.write("f", c.before)
			if r := d.call(`{"command":"insert","path":"DIR/f",` + c.input + `}`); r.IsError {
				t.Errorf("%+v", r)
			}
			d.holds("f", c.after)
		})
	}
	d := open(t, editor.Config{})
	d.write("f", "a\nb\nc\n")
	d.want(`{"command":"insert","path":"DIR/f","insert_line":2,"insert_text":"x\ny"}`, snippet("f", "     1\ta\n     2\tb\n     3\tx\n     4\ty\n     5\tc\n"), false)
	d.want(`{"command":"insert","path":"DIR/f","insert_line":6,"insert_text":"x"}`, "Invalid `insert_line` parameter: 6. It should be within the range of lines of the file: [0, 5]", true)
	d.want(`{"command":"insert","path":"DIR/f","insert_line":-1,"insert_text":"x"}`, "Invalid `insert_line` parameter: -1. It should be within the range of lines of the file: [0, 5]", true)
	d.want(`{"command":"insert","path":"DIR","insert_line":0,"insert_text":"x"}`, "The path DIR is a directory and only the `view` command can be used on directories", true)
}

func TestChangedSinceRead(t *testing.T) {
	t.Parallel()
	d := open(t, editor.Config{})
	d.write("f", "one\n")
	d.call(`{"command":"view","path":"DIR/f"}`)
	d.write("f", "one\nby another\n")
	edit := `{"command":"str_replace","path":"DIR/f","old_str":"one","new_str":"two"}`
	d.want(edit, "The file DIR/f has changed since it was read. Nothing was written. View it again, then repeat the edit.", true)
	d.want(strings.ReplaceAll(edit, "DIR/f", "DIR/./f"), "The file DIR/./f has changed since it was read. Nothing was written. View it again, then repeat the edit.", true)
	d.holds("f", "one\nby another\n")
	d.call(`{"command":"view","path":"DIR/f"}`)
	if r := d.call(edit); r.IsError {
		t.Errorf("after viewing again: %+v", r)
	}
	if err := os.Chmod(filepath.Join(d.dir, "f"), 0o755); err != nil { // not a change of what was read
		t.Fatal(err)
	}
	if r := d.call(`{"command":"str_replace","path":"DIR/f","old_str":"two","new_str":"three"}`); r.IsError {
		t.Errorf("after chmod: %+v", r)
	}
	d.holds("f", "three\nby another\n")
	if info, err := os.Stat(filepath.Join(d.dir, "f")); err != nil || info.Mode() != 0o755 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestInput(t *testing.T) {
	t.Parallel()
	d := open(t, editor.Config{})
	d.write("f", "a\n")
	for in, want := range map[string]string{
		``:                                    "input: expected an object",
		`[]`:                                  "input: expected an object",
		`{}`:                                  "command: expected a string; path: expected a string",
		`{"path":"/f"}`:                       "command: expected a string",
		`{"command":"view"}`:                  "path: expected a string",
		`{"command":"undo_edit","path":"/f"}`: "command: expected one of view, create, str_replace, insert",
		`{"command":"rm","path":"/f","file_text":"x"}`:                                           "command: expected one of view, create, str_replace, insert",
		`{"command":"view","path":""}`:                                                           "path: is empty",
		`{"command":"view","path":"/a\u0000b"}`:                                                  "path: contains a NUL character",
		`{"command":"view","path":5}`:                                                            "path: expected a string",
		`{"command":"view","path":"/f","view_range":[1]}`:                                        "view_range: expected [start, end]",
		`{"command":"view","path":"/f","view_range":"1-2"}`:                                      "view_range: expected [start, end]",
		`{"command":"view","path":"/f","view_range":[1,2.5]}`:                                    "view_range: expected [start, end]",
		`{"command":"view","path":"/f","old_str":"x"}`:                                           "old_str: unknown field",
		`{"command":"create","path":"/f"}`:                                                       "file_text: expected a string",
		`{"command":"create","path":"/f","file_text":null}`:                                      "file_text: expected a string",
		`{"command":"create","path":"/f","file_text":"\udfff"}`:                                  "file_text: contains half of a surrogate pair",
		`{"command":"str_replace","path":"/f","new_str":"x"}`:                                    "old_str: expected a string",
		`{"command":"str_replace","path":"/f","old_str":"","new_str":"x"}`:                       "old_str: is empty; name the text to replace",
		`{"command":"insert","path":"/f","insert_text":"x"}`:                                     "insert_line: expected a whole number",
		`{"command":"insert","path":"/f","insert_line":"1","insert_text":"x"}`:                   "insert_line: expected a whole number",
		`{"command":"insert","path":"/f","insert_line":1e308,"insert_text":"x"}`:                 "insert_line: expected a whole number",
		`{"command":"insert","path":"/f","insert_line":1}`:                                       "insert_text: expected a string",
		`{"command":"insert","path":"/f","insert_line":1,"insert_text":"x","new_str":"y"}`:       "new_str: given beside insert_text; one of them is enough",
		`{"command":"insert","path":"/f","insert_line":1,"insert_text":"x","mode":"append"}`:     "mode: unknown field",
		`{"command":"insert","path":"/f","path":"/g","insert_line":1,"insert_text":"x"}`:         "path: given more than once",
		`{"command":"insert","path":"/f","insert_line":1,"insert_text":"x"} {"command":"view"}`:  "input: not valid JSON",
		`{"command":"insert","path":"/f","insert_line":1,"insert_text":"x","Insert_Text":"two"}`: "Insert_Text: unknown field",
	} {
		d.want(in, "invalid input for tool 'str_replace_based_edit_tool': "+want, true)
	}
	d.holds("f", "a\n")
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, c := range []editor.Config{{Version: "text_editor_2030"}, {MaxCharacters: -1}} {
		if _, err := editor.New(nil, c); deskhand.CodeOf(err) != deskhand.Invalid {
			t.Errorf("%+v: %v", c, err)
		}
	}
	e, err := editor.New(nil, editor.Config{})
	if err != nil || string(e.Spec().Entry) != `{"type":"text_editor_20250728","name":"str_replace_based_edit_tool"}` {
		t.Errorf("%s %v", e.Spec().Entry, err)
	}
}

func TestClosedSandboxEndsTheRun(t *testing.T) {
	t.Parallel()
	place := host.New(host.Config{})
	if err := place.Close(); err != nil {
		t.Fatal(err)
	}
	e, err := editor.New(place, editor.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{`{"command":"view","path":"/"}`, `{"command":"create","path":"/x","file_text":""}`} {
		if _, err := e.Run(context.Background(), deskhand.Call{Input: json.RawMessage(in)}); deskhand.CodeOf(err) != deskhand.Unavailable {
			t.Errorf("%s: %v", in, err)
		}
	}
}
