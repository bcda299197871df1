package memory_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/tool"
	"github.com/deskhand/deskhand/tool/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ tool.Tool = (*memory.Memory)(nil)

// notes is a memory and the directory it lies in.
type notes struct {
	t   testing.TB
	m   *memory.Memory
	dir string
}

func open(t testing.TB, c memory.Config) *notes {
	t.Helper()
	if c.Dir == "" {
		c.Dir = filepath.Join(t.TempDir(), "a", "memory")
	}
	m, err := memory.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return &notes{t, m, c.Dir}
}

func (n *notes) call(input string) deskhand.Result {
	n.t.Helper()
	r, err := n.m.Run(context.Background(), deskhand.Call{Name: "memory", Input: json.RawMessage(input)})
	if err != nil || len(r.Content) != 1 || r.Content[0].Text == "" {
		n.t.Fatalf("%s: %+v, %v", input, r, err)
	}
	if strings.Contains(r.Content[0].Text, n.dir) {
		n.t.Errorf("%s tells where it lies: %s", input, r.Content[0].Text)
	}
	return r
}

func (n *notes) want(input, want string, failed bool) {
	n.t.Helper()
	if r := n.call(input); r.Content[0].Text != want || r.IsError != failed {
		n.t.Errorf("%s\n got %q (error %v)\nwant %q (error %v)", input, r.Content[0].Text, r.IsError, want, failed)
	}
}

func (n *notes) holds(name, want string) {
	n.t.Helper()
	got, err := os.ReadFile(filepath.Join(n.dir, name))
	if err != nil || string(got) != want {
		n.t.Errorf("%s holds %q (%v), want %q", name, got, err, want)
	}
}

func (n *notes) write(name, content string) {
	n.t.Helper()
	full := filepath.Join(n.dir, name)
	if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// TestReturnStrings: every text of the reference, to the letter.
func TestReturnStrings(t *testing.T) {
	t.Parallel()
	n := open(t, memory.Config{})
	const dir = "Here're the files and directories up to 2 levels deep in /memories, excluding hidden items and node_modules:\n"
	const file = "Here's the content of /memories/a/todo.md with line numbers:\n"
	const absent = "The path /memories/none does not exist. Please provide a valid path."
	if got := string(n.m.Spec().Entry); got != `{"type":"memory_20250818","name":"memory"}` || n.m.Spec().Beta != "" || n.m.Spec().Name != "memory" {
		t.Errorf("%s", got)
	}
	for _, c := range []struct {
		input, want string
		failed      bool
	}{
		{`{"command":"view","path":"/memories"}`, dir + "0B\t/memories", false},
		{`{"command":"create","path":"/memories/a/todo.md","file_text":"one\ntwo\nthree\n"}`, "File created successfully at: /memories/a/todo.md", false},
		{`{"command":"create","path":"/memories/a/todo.md","file_text":""}`, "Error: File /memories/a/todo.md already exists", true},
		{`{"command":"create","path":"/memories/a","file_text":""}`, "Error: File /memories/a already exists", true},
		{`{"command":"view","path":"/memories/a/todo.md"}`, file + "     1\tone\n     2\ttwo\n     3\tthree\n", false},
		{`{"command":"view","path":"/memories/a/todo.md","view_range":[2,-1]}`, file + "     2\ttwo\n     3\tthree\n", false},
		{`{"command":"view","path":"/memories/a/todo.md","view_range":[2,2]}`, file + "     2\ttwo\n", false},
		{`{"command":"view","path":"/memories/a/todo.md","view_range":[0,2]}`, "Invalid `view_range`: [0, 2]. It should be within the range of lines of the file: [1, 3]", true},
		{`{"command":"view","path":"/memories/a","view_range":[1,2]}`, "The `view_range` parameter is not allowed when `path` points to a directory.", true},
		{`{"command":"view","path":"/memories/none"}`, absent, true},
		{`{"command":"view","path":"/memories/a/todo.md/none"}`, "The path /memories/a/todo.md/none does not exist. Please provide a valid path.", true},
		{`{"command":"str_replace","path":"/memories/a/todo.md","old_str":"two","new_str":"2\n2"}`, "The memory file has been edited.\n     1\tone\n     2\t2\n     3\t2\n     4\tthree\n", false},
		{`{"command":"str_replace","path":"/memories/a/todo.md","old_str":"2\n2"}`, "The memory file has been edited.\n     1\tone\n     2\t\n     3\tthree\n", false},
		{`{"command":"str_replace","path":"/memories/a/todo.md","old_str":"four"}`, "No replacement was performed, old_str `four` did not appear verbatim in /memories/a/todo.md.", true},
		{`{"command":"str_replace","path":"/memories/a/todo.md","old_str":"e"}`, "No replacement was performed. Multiple occurrences of old_str `e` in lines: 1, 3. Please ensure it is unique", true},
		{`{"command":"str_replace","path":"/memories/none","old_str":"e"}`, absent, true},
		{`{"command":"str_replace","path":"/memories/a","old_str":"e"}`, "The path /memories/a does not exist. Please provide a valid path.", true},
		{`{"command":"insert","path":"/memories/a/todo.md","insert_line":0,"insert_text":"zero"}`, "The file /memories/a/todo.md has been edited.", false},
		{`{"command":"insert","path":"/memories/a/todo.md","insert_line":9,"insert_text":"x"}`, "Error: Invalid `insert_line` parameter: 9. It should be within the range of lines of the file: [0, 4]", true},
		{`{"command":"insert","path":"/memories/none","insert_line":0,"insert_text":"x"}`, absent, true},
		{`{"command":"rename","old_path":"/memories/a/todo.md","new_path":"/memories/b/c/done.md"}`, "Successfully renamed /memories/a/todo.md to /memories/b/c/done.md", false},
		{`{"command":"rename","old_path":"/memories/none","new_path":"/memories/x"}`, absent, true},
		{`{"command":"rename","old_path":"/memories/a","new_path":"/memories/b"}`, "Error: The destination /memories/b already exists", true},
		{`{"command":"rename","old_path":"/memories/b","new_path":"/memories/b/d"}`, "Error: /memories/b cannot be moved into itself.", true},
		{`{"command":"rename","old_path":"/memories","new_path":"/memories/x"}`, "Error: The /memories directory itself cannot be deleted or renamed.", true},
		{`{"command":"rename","old_path":"/memories/b","new_path":"/memories"}`, "Error: The destination /memories already exists", true},
		{`{"command":"delete","path":"/memories/a"}`, "Successfully deleted /memories/a", false},
		{`{"command":"delete","path":"/memories/none"}`, absent, true},
		{`{"command":"delete","path":"/memories/"}`, "Error: The /memories directory itself cannot be deleted or renamed.", true},
		{`{"command":"create","path":"/memories/b/c/done.md/x","file_text":""}`, "Error: The path /memories/b/c/done.md/x cannot be used: a part of it is a file.", true},
		{`{"command":"rename","old_path":"/memories/b/c","new_path":"/memories/c"}`, "Successfully renamed /memories/b/c to /memories/c", false},
		{`{"command":"view","path":"/memories"}`, dir + "16B\t/memories\n0B\t/memories/b\n16B\t/memories/c\n16B\t/memories/c/done.md", false},
		{`{"command":"view"}`, "invalid input for tool 'memory': path: expected a string", true},
		{`{"command":"fly","path":"/memories"}`, "invalid input for tool 'memory': command: expected one of create, delete, insert, rename, str_replace, view", true},
		{`{"command":"view","path":"/memories","file_text":"x"}`, "invalid input for tool 'memory': file_text: unknown field", true},
		{`{"command":"view","path":"/memories","file_text":null,"new_path":null}`, dir + "16B\t/memories\n0B\t/memories/b\n16B\t/memories/c\n16B\t/memories/c/done.md", false},
	} {
		n.want(c.input, c.want, c.failed)
	}
	n.holds("c/done.md", "zero\none\n\nthree\n")
}

func TestListing(t *testing.T) {
	t.Parallel()
	n := open(t, memory.Config{})
	n.write("big.md", strings.Repeat("x", 5632))
	n.write("one/two/three/deep.md", strings.Repeat("x", 12*1024))
	n.write("one/two.md", "12345")
	n.write(".hidden/secret", "x")
	n.write("node_modules/m", "x")
	n.write("one/.dot", "x")
	n.want(`{"command":"view","path":"/memories/"}`, "Here're the files and directories up to 2 levels deep in /memories/, excluding hidden items and node_modules:\n"+
		"17.5K\t/memories\n5.5K\t/memories/big.md\n12K\t/memories/one\n12K\t/memories/one/two\n5B\t/memories/one/two.md", false)
	n.want(`{"command":"view","path":"/memories/.hidden"}`, "Here're the files and directories up to 2 levels deep in /memories/.hidden, excluding hidden items and node_modules:\n"+
		"1B\t/memories/.hidden\n1B\t/memories/.hidden/secret", false)
	n.want(`{"command":"view","path":"/memories/one/two"}`, "Here're the files and directories up to 2 levels deep in /memories/one/two, excluding hidden items and node_modules:\n"+
		"12K\t/memories/one/two\n12K\t/memories/one/two/three\n12K\t/memories/one/two/three/deep.md", false)
}

// TestConfined: no path reaches anything but the memory, whichever command.
func TestConfined(t *testing.T) {
	t.Parallel()
	n := open(t, memory.Config{})
	outside := filepath.Join(filepath.Dir(n.dir), "outside")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.write("real/file", "mine")
	for name, target := range map[string]string{"link": outside, "dir": filepath.Dir(n.dir), "inner": "real", "dangling": "nowhere", "self": "self"} {
		if err := os.Symlink(target, filepath.Join(n.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(outside, filepath.Join(n.dir, "hard")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(n.dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := []string{"", "/", "x", "memories/x", "/etc/passwd", "/memoriesx", "/memories/../outside", "/memories/real/../../outside", "/memories/./real/file",
		"/memories//real", "/memories/real//file", "/memories/%2e%2e/outside", "/memories/..%2foutside", "/memories/%2E%2e%2Foutside", "/memories/%252e%252e/outside",
		"/memories/..%c0%afoutside", "/memories/%u002e%u002e/x", `/memories/..\\outside`, "/memories/\\u0000", "/memories/a\\nb", "/memories/\\u202ex",
		"/memories/link", "/memories/dir/outside", "/memories/inner/file", "/memories/inner", "/memories/dangling", "/memories/self", "/memories/hard", "/memories/fifo",
		"/memories/link/x", "/memories/" + strings.Repeat("a/", 20) + "x", "/memories/" + strings.Repeat("n", 201), "/memories/" + strings.Repeat("/n", 600), "/memories/.deskhand-X"}
	for _, p := range bad {
		for _, input := range []string{
			`{"command":"view","path":"P"}`, `{"command":"create","path":"P","file_text":"hacked"}`, `{"command":"str_replace","path":"P","old_str":"secret","new_str":"hacked"}`,
			`{"command":"insert","path":"P","insert_line":0,"insert_text":"hacked"}`, `{"command":"delete","path":"P"}`,
			`{"command":"rename","old_path":"P","new_path":"/memories/moved"}`, `{"command":"rename","old_path":"/memories/real/file","new_path":"P"}`,
		} {
			input = strings.ReplaceAll(input, "P", p)
			r := n.call(input)
			if text := r.Content[0].Text; !r.IsError || !strings.HasPrefix(text, "Error: The path ") || strings.ContainsAny(text, "\n\x00\u202e") {
				t.Errorf("%s: %q", input, text)
			}
		}
	}
	n.holds("real/file", "mine")
	if got, err := os.ReadFile(outside); err != nil || string(got) != "secret" {
		t.Errorf("outside holds %q, %v", got, err)
	}
	if text := n.call(`{"command":"view","path":"/memories"}`).Content[0].Text; !strings.HasSuffix(text, ":\n4B\t/memories\n4B\t/memories/real\n4B\t/memories/real/file") {
		t.Errorf("%q", text)
	}
	n.want(`{"command":"delete","path":"/memories/real"}`, "Successfully deleted /memories/real", false)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	n := open(t, memory.Config{MaxFile: 100, MaxTotal: 250, MaxFiles: 4})
	create := func(name string, size int) string {
		return fmt.Sprintf(`{"command":"create","path":"/memories/%s","file_text":%q}`, name, strings.Repeat("x", size))
	}
	n.want(create("a", 101), "Error: The file /memories/a would have 101 bytes; 100 is the most. Split it into several files.", true)
	n.want(create("a", 100), "File created successfully at: /memories/a", false)
	n.want(create("b", 100), "File created successfully at: /memories/b", false)
	n.want(create("c", 51), "Error: The memory is full (250B is the most). Nothing was written. Delete or shorten files first.", true)
	n.want(`{"command":"insert","path":"/memories/a","insert_line":0,"insert_text":"y"}`, "Error: The file /memories/a would have 102 bytes; 100 is the most. Split it into several files.", true)
	n.want(`{"command":"str_replace","path":"/memories/a","old_str":"`+strings.Repeat("x", 100)+`","new_str":"y"}`, "The memory file has been edited.\n     1\ty\n", false)
	n.want(create("d/e", 10), "File created successfully at: /memories/d/e", false)
	const many = "Error: The memory is full (4 files and directories is the most). Nothing was written. Delete or shorten files first."
	n.want(create("f", 1), many, true)
	n.want(`{"command":"rename","old_path":"/memories/a","new_path":"/memories/g/a"}`, many, true)
	n.want(create("nul", 0)[:len(create("nul", 0))-2]+`\u0000"}`, "Error: The file /memories/nul is not text and cannot be shown or edited.", true)
	n.write("long", strings.Repeat("x", 101))
	n.write("bin", "\xff")
	n.want(`{"command":"view","path":"/memories/long"}`, "Error: The file /memories/long has 101 bytes, more than the 100 that can be read. Delete it.", true)
	n.want(`{"command":"view","path":"/memories/bin"}`, "Error: The file /memories/bin is not text and cannot be shown or edited.", true)

	lines := open(t, memory.Config{})
	lines.write("lines", strings.Repeat("\n", 1_000_000))
	lines.want(`{"command":"view","path":"/memories/lines"}`, "File /memories/lines exceeds maximum line limit of 999,999 lines.", true)
}

// TestSharedByProcesses: two that have the same directory open lose nothing of
// each other's edits, and nothing half written is seen or left.
func TestSharedByProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".deskhand-LEFT"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	first := open(t, memory.Config{Dir: dir})
	first.call(`{"command":"create","path":"/memories/log","file_text":""}`)
	var group sync.WaitGroup
	const each = 20
	for range 2 {
		n := open(t, memory.Config{Dir: dir})
		group.Go(func() {
			for range each {
				if r := n.call(`{"command":"insert","path":"/memories/log","insert_line":0,"insert_text":"line\n"}`); r.IsError {
					t.Error(r.Content[0].Text)
				}
				n.call(`{"command":"view","path":"/memories"}`)
			}
		})
	}
	group.Wait()
	first.holds("log", strings.Repeat("line\n", 2*each))
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestHeldByAnother: a call waits for the other process, and stops waiting when
// it is told to or when that takes too long.
func TestHeldByAnother(t *testing.T) {
	t.Parallel()
	n := open(t, memory.Config{Wait: 200 * time.Millisecond})
	holder, err := os.Open(n.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	if err := syscall.Flock(int(holder.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := n.m.Run(ctx, deskhand.Call{Input: json.RawMessage(`{"command":"view","path":"/memories"}`)})
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	cancel()
	if err := <-done; deskhand.CodeOf(err) != deskhand.Canceled {
		t.Error(err)
	}
	n.want(`{"command":"view","path":"/memories"}`, "Error: The memory cannot be read or written now. Go on without it.", true)
	if err := syscall.Flock(int(holder.Fd()), syscall.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	if r := n.call(`{"command":"view","path":"/memories"}`); r.IsError {
		t.Errorf("%+v", r)
	}
}

func TestNewAndClosed(t *testing.T) {
	t.Parallel()
	if _, err := memory.New(memory.Config{}); deskhand.CodeOf(err) != deskhand.Invalid {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := memory.New(memory.Config{Dir: file}); deskhand.CodeOf(err) != deskhand.Unavailable {
		t.Error(err)
	}
	n := open(t, memory.Config{})
	if info, err := os.Stat(n.dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := n.m.Run(ctx, deskhand.Call{Input: json.RawMessage(`{}`)}); deskhand.CodeOf(err) != deskhand.Canceled {
		t.Error(err)
	}
	gone := open(t, memory.Config{})
	if err := gone.m.Close(); err != nil {
		t.Fatal(err)
	}
	gone.want(`{"command":"view","path":"/memories"}`, "Error: The memory cannot be read or written now. Go on without it.", true)
}
