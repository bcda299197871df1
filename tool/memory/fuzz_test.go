package memory_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand/tool/memory"
)

func FuzzPath(f *testing.F) {
	for _, p := range []string{"/memories", "/memories/a/../b", "/memories/%2e%2e/x", "/memories/a\\b", "/memories/é", "\x00", "/memories/a/"} {
		f.Add(p, "text")
	}
	f.Fuzz(func(t *testing.T, p, text string) {
		above := t.TempDir()
		n := open(t, memory.Config{Dir: filepath.Join(above, "memory")})
		for _, fields := range []map[string]any{
			{"command": "create", "path": p, "file_text": text}, {"command": "view", "path": p},
			{"command": "rename", "old_path": p, "new_path": p + "x"}, {"command": "delete", "path": p + "x"},
		} {
			raw, _ := json.Marshal(fields)
			n.call(string(raw))
		}
		if left, err := os.ReadDir(above); err != nil || len(left) != 1 {
			t.Fatalf("%q left %v beside the memory, %v", p, left, err)
		}
	})
}

// names are what trees, links and paths are made of.
var names = []string{"a", "b", "c", "..", ".", "", ".hid", "%2e%2e", "..\\..", "outside"}

// FuzzTree tries every command on any tree that somebody else left in the
// memory, links of both kinds included. A file is shown, or written, only where
// the kernel finds it without a link and without leaving (openat2), and what
// lies beside the memory stays as it is.
func FuzzTree(f *testing.F) {
	f.Add([]byte{3, 0, 0, 0, 0, 1, 2, 0, 0, 1, 2, 1, 0, 1, 1, 0}, "new")
	f.Add([]byte{4, 1, 0, 2, 0, 1, 3, 1, 1, 0, 0, 1, 1, 0, 2, 1, 9}, "")
	f.Add([]byte{5, 0, 1, 3, 2, 1, 3, 9, 2, 0, 1, 2, 1, 3, 0, 1, 2, 0}, "x\ny")
	f.Fuzz(func(t *testing.T, steps []byte, text string) {
		above, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		n := open(t, memory.Config{Dir: filepath.Join(above, "memory")})
		text = strings.ToValidUTF8(text, "\ufffd") // JSON has no other strings
		canary := filepath.Join(above, "outside")
		if err := os.WriteFile(canary, []byte("canary"), 0o600); err != nil {
			t.Fatal(err)
		}
		path, other := grow(n.dir, canary, steps)
		for _, fields := range []map[string]any{
			{"command": "view", "path": "/memories/" + path}, {"command": "create", "path": "/memories/" + path, "file_text": text},
			{"command": "str_replace", "path": "/memories/" + path, "old_str": "file", "new_str": text},
			{"command": "insert", "path": "/memories/" + path, "insert_line": 0, "insert_text": text},
			{"command": "rename", "old_path": "/memories/" + path, "new_path": "/memories/" + other}, {"command": "view", "path": "/memories/" + other},
			{"command": "delete", "path": "/memories/" + other},
		} {
			raw, err := json.Marshal(fields)
			if err != nil {
				t.Fatal(err)
			}
			r := n.call(string(raw))
			said := r.Content[0].Text
			if strings.Contains(said, "canary") {
				t.Fatalf("%s shows what lies outside: %q", raw, said)
			}
			at := path
			if strings.HasSuffix(fmt.Sprint(fields["path"]), other) && fields["command"] == "view" {
				at = other
			}
			switch content, err := plainFile(n.dir, at); {
			case r.IsError:
			case fields["command"] == "view" && strings.HasPrefix(said, "Here's the content of") && (err != nil || !strings.Contains(said, strings.SplitN(content+"\n", "\n", 2)[0])):
				t.Fatalf("%s shows %q; the kernel finds %q, %v", raw, said, content, err)
			case fields["command"] == "create" && (err != nil || content != text):
				t.Fatalf("%s: the kernel finds %q, %v", raw, content, err)
			}
		}
		left, err := os.ReadDir(above)
		data, err2 := os.ReadFile(canary)
		if err := errors.Join(err, err2); err != nil || len(left) != 2 || string(data) != "canary" {
			t.Fatalf("beside the memory: %v, %q, %v", left, data, err)
		}
	})
}

// grow makes a tree below root as steps say, with links in it and out of it,
// and returns two paths to try.
func grow(root, outside string, steps []byte) (path, other string) {
	next := func() int {
		if len(steps) == 0 {
			return 0
		}
		n := steps[0]
		steps = steps[1:]
		return int(n)
	}
	some := func() string {
		var parts []string
		for range 1 + next()%3 {
			parts = append(parts, names[next()%len(names)])
		}
		return strings.Join(parts, "/")
	}
	for range next() % 10 {
		at := filepath.Join(root, filepath.Join("/", some()))
		if real, err := filepath.EvalSymlinks(filepath.Dir(at)); err != nil || real != filepath.Dir(at) {
			continue // the tree is not built through its own links
		}
		switch next() % 5 { // each may fail: something is there
		case 0:
			_ = os.Mkdir(at, 0o700)
		case 1:
			if f, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
				fmt.Fprintf(f, "file %s\n", filepath.Base(at))
				_ = f.Close()
			}
		case 2:
			_ = os.Symlink(some(), at)
		case 3:
			_ = os.Symlink(outside, at)
		case 4:
			_ = os.Link(outside, at)
		}
	}
	return some(), some()
}

// plainFile reads the file at path below root, if the kernel gets there without
// a link and without leaving, and no other name leads to it.
func plainFile(root, path string) (string, error) {
	dir, err := os.Open(root)
	if err != nil {
		return "", err
	}
	defer dir.Close()
	fd, err := unix.Openat2(int(dir.Fd()), strings.Trim(path, "/"), &unix.OpenHow{
		Flags: unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return "", err
	}
	f := os.NewFile(uintptr(fd), "file")
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Nlink != 1 {
		return "", errors.Join(err, errors.New("another name leads there"))
	}
	data, err := io.ReadAll(f)
	return string(data), err
}
