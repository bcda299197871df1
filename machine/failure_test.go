package machine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/procfs"
	"github.com/deskhand/deskhand/sandbox/host"
	"github.com/deskhand/deskhand/tool"
	"github.com/deskhand/deskhand/tool/bash"
	"github.com/deskhand/deskhand/tool/editor"
	"github.com/deskhand/deskhand/tool/memory"
)

// ours matches what a text for the model must not have: parts of a stack, paths,
// sockets and the names that the runtime gives its own operations.
var ours = regexp.MustCompile(`goroutine |\.go:|panic|runtime error|/tmp/|/run/|\.sock|socket|dial |unix |@|127\.0\.0\.1|EOF|broken pipe|connection|guest|sandbox: |editor: |bash: start|computer: |desktop: |x11|bwrap|%!|errno|context `)

// tells checks that r holds nothing of the runtime's.
func tells(t *testing.T, input string, r deskhand.Result, secrets ...string) {
	t.Helper()
	for _, c := range r.Content {
		if at := ours.FindString(c.Text); at != "" {
			t.Errorf("%s: the model reads %q in %q", input, at, c.Text)
		}
		for _, secret := range secrets {
			if secret != "" && strings.Contains(c.Text, secret) {
				t.Errorf("%s: the model reads %q in %q", input, secret, c.Text)
			}
		}
	}
}

// perform runs one call of a set of tools.
func perform(t *testing.T, tools *tool.Set, toolset, name, input string) (deskhand.Result, error) {
	t.Helper()
	call := deskhand.Call{ID: "toolu_1", Toolset: toolset, Name: name, Input: json.RawMessage(input)}
	one, ok := tools.Find(call)
	if !ok {
		t.Fatalf("no tool for %s %s", toolset, name)
	}
	return one.Run(t.Context(), call)
}

const editing = "str_replace_based_edit_tool"

// TestFailuresInFixedWords provokes what can go wrong in every tool of a real
// computer, and wants the very words.
func TestFailuresInFixedWords(t *testing.T) {
	t.Parallel()
	m := up(t, Config{})
	hostname, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if r, err := perform(t, m.Tools(), "", "bash", `{"command":"mkdir shut && echo x > shut/f && echo y > unread && chmod 000 shut unread && ln -s loop loop && mkfifo pipe"}`); err != nil || r.IsError {
		t.Fatalf("%+v %v", r, err)
	}
	for _, c := range []struct{ toolset, name, input, want string }{
		{"", editing, `{"command":"view","path":"/home/user/unread"}`, "Error: Permission denied. Cannot read /home/user/unread."},
		{"", editing, `{"command":"view","path":"/home/user/shut"}`, "Error: Permission denied. Cannot read /home/user/shut."},
		{"", editing, `{"command":"view","path":"/home/user/shut/f"}`, "Error: Permission denied. Cannot read /home/user/shut/f."},
		{"", editing, `{"command":"create","path":"/home/user/shut/g","file_text":""}`, "Error: Permission denied. Cannot write to file /home/user/shut/g."},
		{"", editing, `{"command":"create","path":"/usr/bin/g","file_text":""}`, "Error: Permission denied. Cannot write to file /usr/bin/g."},
		{"", editing, `{"command":"create","path":"/proc/g","file_text":""}`, "The path /proc/g does not exist. Please provide a valid path."},
		{"", editing, `{"command":"str_replace","path":"/usr/bin/ldd","old_str":"# This is a script","new_str":"x"}`, "No replacement was performed, old_str `# This is a script` did not appear verbatim in /usr/bin/ldd."},
		{"", editing, `{"command":"insert","path":"/usr/bin/ldd","insert_line":1,"insert_text":"x"}`, "Error: Permission denied. Cannot write to file /usr/bin/ldd."},
		{"", editing, `{"command":"view","path":"/home/user/loop"}`, "The path /home/user/loop cannot be used. Please provide a valid path."},
		{"", editing, `{"command":"create","path":"/home/user/loop","file_text":""}`, "The path /home/user/loop cannot be used. Please provide a valid path."},
		{"", editing, `{"command":"view","path":"/home/user/pipe"}`, "The path /home/user/pipe is neither a file nor a directory and cannot be opened."},
		{"", editing, `{"command":"create","path":"/home/user/pipe","file_text":""}`, "File already exists at: /home/user/pipe. Cannot overwrite files using command `create`."},
		{"", editing, `{"command":"view","path":"/proc/self/mem"}`, "Error: /proc/self/mem cannot be read or written: the sandbox reported a failure. Try another way, for example bash."},
		{"", editing, `{"command":"view","path":"/home/user/` + strings.Repeat("n", 300) + `"}`, "The path /home/user/" + strings.Repeat("n", 300) + " cannot be used. Please provide a valid path."},
		{"", editing, `{"command":"view","path":"` + strings.Repeat("/n", 3000) + `"}`, "invalid input for tool 'str_replace_based_edit_tool': path: is longer than 4095 bytes"},
		{"", "bash", `{"command":"cat unread"}`, "[stderr]\ncat: unread: Permission denied\nexit code: 1"},
		{"", "bash", `{"command":"echo x > /usr/bin/g"}`, "[stderr]\nbash: /usr/bin/g: Read-only file system\nexit code: 1"},
		{"", "bash", `{"command":5}`, "invalid input for tool 'bash': command: expected a string"},
		{"computer", "left_click", `{"coordinate":[5000,1]}`, "Error: Coordinates (5000, 1) are outside display bounds (1280x800)."},
		{"computer", "left_click_drag", `{"start_coordinate":[-1,5],"coordinate":[1,1]}`, "Error: Coordinates (-1, 5) are outside display bounds (1280x800)."},
		{"computer", "key", `{"text":"NoSuchKey"}`, "invalid input for computer member 'key': text: "},
		{"computer", "fly", `{}`, "Error: unknown computer toolset member 'fly'"},
	} {
		r, err := perform(t, m.Tools(), c.toolset, c.name, c.input)
		if err != nil || !r.IsError || len(r.Content) != 1 {
			t.Errorf("%s %s: %+v %v", c.name, c.input, r, err)
			continue
		}
		if got := r.Content[0].Text; got != c.want && (!strings.HasSuffix(c.want, " ") || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s %.200s\n got %q\nwant %q", c.name, c.input, got, c.want)
		}
		tells(t, c.input, r, hostname, os.TempDir())
	}
}

// TestGuestGone is not parallel: it ends this process's only descendants. What
// then comes back is an error of the runtime's, which no model reads, or fixed
// words.
func TestGuestGone(t *testing.T) {
	dir := t.TempDir()
	m, err := Up(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }() // it says that its program is gone, which was the point
	if r, err := perform(t, m.Tools(), "", "bash", `{"command":"echo here"}`); err != nil || r.IsError {
		t.Fatalf("%+v %v", r, err)
	}
	for _, p := range descendants(t) {
		if now, err := procfs.Read(p.PID); err == nil && now.Start == p.Start {
			_ = syscall.Kill(p.PID, syscall.SIGKILL) // it may have gone with the one before it
		}
	}
	const gone = "Error: The display is unavailable. Whether this action took effect is unknown. Nothing can be seen or done until the display is back."
	for _, c := range []struct{ toolset, name, input, want string }{
		{"", "bash", `{"command":"echo there"}`, ""},
		{"", "bash", `{"command":"echo there"}`, ""},
		{"", editing, `{"command":"view","path":"/home/user"}`, ""},
		{"", editing, `{"command":"create","path":"/home/user/f","file_text":""}`, ""},
		{"computer", "left_click", `{"coordinate":[1,1]}`, gone},
		{"computer", "type", `{"text":"x"}`, gone},
		{"computer", "cursor_position", `{}`, gone},
		{"computer", "screenshot", `{}`, "Error: Failed to capture screenshot. Display may be locked or unavailable."},
	} {
		r, err := perform(t, m.Tools(), c.toolset, c.name, c.input)
		tells(t, c.input, r, dir)
		switch {
		case c.want == "" && deskhand.CodeOf(err) != deskhand.Unavailable:
			t.Errorf("%s %s: %+v %v", c.name, c.input, r, err)
		case c.want != "" && (err != nil || !r.IsError || r.Content[0].Text != c.want):
			t.Errorf("%s %s: %+v %v", c.name, c.input, r, err)
		}
		if err != nil && regexp.MustCompile(`goroutine |\.go:`).MatchString(err.Error()) {
			t.Errorf("a person reads %q", err)
		}
	}
}

// TestDiskFull has the tools write to a full disk of one megabyte: in a process
// of its own, whose mounts nobody else sees.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "unshare", "--user", "--map-root-user", "--mount", "--propagation", "private",
		"sh", "-c", `mount -t tmpfs -o size=1m tmpfs "$1" && exec "$2" full "$1"`, "sh", dir, os.Args[0])
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, complaint.String())
	}
	var answers map[string]deskhand.Result
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, want := range map[string]string{
		"create":  "Error: There is no room to write DIR/new. The file is as it was.",
		"replace": "Error: There is no room to write DIR/small. The file is as it was.",
		"insert":  "Error: There is no room to write DIR/small. The file is as it was.",
		"view":    "Here's the result of running `cat -n` on DIR/small:\n     1\tsmall\n",
		"memory":  "Error: There is no room on the disk for this. Nothing was written.",
		"bash":    "[stderr]\nbash: line N: echo: write error: No space left on device\nexit code: 1",
		"left":    "full\nmemory\nsmall",
	} {
		r := answers[name]
		if len(r.Content) != 1 {
			t.Errorf("%s: %+v", name, r)
			continue
		}
		got := regexp.MustCompile(`line [0-9]+`).ReplaceAllString(strings.ReplaceAll(r.Content[0].Text, dir, "DIR"), "line N")
		got = strings.Replace(got, "bash: echo", "bash: line N: echo", 1)
		if got != want || r.IsError == (name == "view" || name == "left") {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		r.Content[0].Text = got
		tells(t, name, r)
	}
}

// full is the process of TestDiskFull: it fills the file system at dir and
// prints what the tools say.
func full(dir string) int {
	answers, err := answersWhenFull(dir)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(answers)
	}
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		return 1
	}
	return 0
}

func answersWhenFull(dir string) (map[string]deskhand.Result, error) {
	place := host.New(host.Config{Home: dir})
	files, err := editor.New(place, editor.Config{})
	if err != nil {
		return nil, err
	}
	shell, err := bash.New(place, bash.Config{Dir: dir})
	if err != nil {
		return nil, err
	}
	notes, err := memory.New(memory.Config{Dir: filepath.Join(dir, "memory")})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "small"), []byte("small\n"), 0o600); err != nil {
		return nil, err
	}
	// full to the last page
	_ = os.WriteFile(filepath.Join(dir, "full"), make([]byte, 2<<20), 0o600)
	answers := map[string]deskhand.Result{}
	long := strings.Repeat("x", 8192)
	for name, c := range map[string]struct {
		one   tool.Tool
		input map[string]any
	}{
		"create":  {files, map[string]any{"command": "create", "path": dir + "/new", "file_text": long}},
		"replace": {files, map[string]any{"command": "str_replace", "path": dir + "/small", "old_str": "small", "new_str": long}},
		"insert":  {files, map[string]any{"command": "insert", "path": dir + "/small", "insert_line": 0, "insert_text": long}},
		"view":    {files, map[string]any{"command": "view", "path": dir + "/small"}},
		"memory":  {notes, map[string]any{"command": "create", "path": "/memories/new", "file_text": long}},
		"bash":    {shell, map[string]any{"command": "echo " + long + " >> full"}},
	} {
		input, err := json.Marshal(c.input)
		if err != nil {
			return nil, err
		}
		if answers[name], err = c.one.Run(context.Background(), deskhand.Call{Name: c.one.Spec().Name, Input: input}); err != nil {
			return nil, err
		}
	}
	var left []string
	all, err := os.ReadDir(dir)
	for _, entry := range all {
		left = append(left, entry.Name())
	}
	answers["left"] = deskhand.Text(strings.Join(left, "\n"))
	return answers, errors.Join(err, shell.Close(), notes.Close(), place.Close())
}
