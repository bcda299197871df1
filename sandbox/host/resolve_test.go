package host_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/host"
)

// parts are what paths and links are made of.
var parts = []string{"a", "b", "c", "d", "..", ".", "", "a/..", "b/../c"}

// grow makes a tree of directories, files and links below root as steps say,
// and returns a path to try. Two calls with the same steps make the same tree.
func grow(root string, steps []byte) (path string) {
	next := func() int {
		if len(steps) == 0 {
			return 0
		}
		n := steps[0]
		steps = steps[1:]
		return int(n)
	}
	some := func() string {
		var names []string
		for range 1 + next()%4 {
			names = append(names, parts[next()%len(parts)])
		}
		return strings.TrimLeft(strings.Join(names, "/"), "/")
	}
	beneath := func(p string) bool { return !strings.Contains(p, "..") }
	for i := range next() % 12 {
		at := some()
		if !beneath(at) { // the tree itself is built where it says
			continue
		}
		at = filepath.Join(root, at)
		switch next() % 3 {
		case 0:
			_ = os.Mkdir(at, 0o755) // it may be there, or have no parent
		case 1:
			if f, err := os.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644); err == nil {
				fmt.Fprintf(f, "file %d\n", i)
				_ = f.Close()
			}
		case 2:
			_ = os.Symlink(some(), at)
		}
	}
	return some()
}

// beneath opens path below the directory root as the kernel finds it, unless it
// leaves root.
func beneath(root, path string, flags uint64) (int, error) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(dir)
	return unix.Openat2(dir, path, &unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Mode: mode(flags), Resolve: unix.RESOLVE_BENEATH})
}

func mode(flags uint64) uint64 {
	if flags&unix.O_CREAT != 0 {
		return 0o644
	}
	return 0
}

// FuzzPathsAreTheKernels: on any tree, a file is read and written where the
// kernel itself finds the path, links and ".." included, and nothing else of
// the tree changes.
func FuzzPathsAreTheKernels(f *testing.F) {
	f.Add([]byte{3, 0, 0, 0, 0, 1, 2, 0, 0, 1, 2, 1, 0, 1, 1, 0})
	f.Add([]byte{4, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 1, 0, 1, 0, 3, 1, 2, 4, 3})
	f.Add([]byte{5, 1, 0, 0, 2, 2, 1, 4, 1, 0, 1, 0, 0, 2, 1, 0, 7, 2, 0, 8, 1})
	place := host.New(host.Config{})
	f.Fuzz(func(t *testing.T, steps []byte) {
		base, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		here, twin := filepath.Join(base, "here"), filepath.Join(base, "twin")
		if err := errors.Join(os.Mkdir(here, 0o755), os.Mkdir(twin, 0o755)); err != nil {
			t.Fatal(err)
		}
		path := grow(here, steps)
		if grow(twin, steps) != path {
			t.Fatal("two trees")
		}
		last := path[strings.LastIndexByte(path, '/')+1:]
		// Reading: the same bytes, or none.
		if fd, err := beneath(here, path, unix.O_RDONLY|unix.O_NONBLOCK); err == nil {
			found := os.NewFile(uintptr(fd), "found")
			info, err := found.Stat()
			want, _ := os.ReadFile(fmt.Sprintf("/proc/self/fd/%d", fd))
			got, _, failed := place.ReadFile(t.Context(), here+"/"+path, 0, 0)
			if err != nil || info.Mode().IsRegular() != (failed == nil) || info.Mode().IsRegular() && string(got) != string(want) {
				t.Fatalf("%q is %q for the kernel (%v), %q here (%v)", path, want, err, got, failed)
			}
			_ = found.Close()
		}
		// Writing: where the kernel would, if that is beneath.
		fd, err := beneath(twin, path, unix.O_WRONLY|unix.O_CREAT)
		if err != nil || last == "" || last == "." || last == ".." {
			return
		}
		written := os.NewFile(uintptr(fd), "written")
		real, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		if err := errors.Join(err, written.Truncate(0)); err != nil {
			t.Fatal(err)
		}
		_, werr := written.WriteString("new")
		if err := errors.Join(werr, written.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := place.WriteFile(t.Context(), here+"/"+path, []byte("new"), sandbox.WriteOptions{}); err != nil {
			t.Fatalf("%q: the kernel writes %s, here: %v", path, real, err)
		}
		if a, b := picture(t, here), picture(t, twin); a != b {
			t.Fatalf("%q: written by the kernel:\n%s\nand here:\n%s", path, b, a)
		}
	})
}

// picture describes everything below root.
func picture(t *testing.T, root string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		content := ""
		switch {
		case d.Type().IsRegular():
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			content = string(data)
		case d.Type()&os.ModeSymlink != 0:
			content, err = os.Readlink(p)
		}
		fmt.Fprintf(&b, "%s %s %q\n", strings.TrimPrefix(p, root), d.Type(), content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
