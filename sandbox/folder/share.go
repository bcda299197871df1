package folder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/deskhand/deskhand"
)

// Parse reads PATH, PATH:review, PATH:ro or PATH:rw. Path is made absolute and its
// links are followed, once: the result names the folder itself.
// Invalid: there is no such folder, or the form is wrong.
func Parse(spec string) (deskhand.Folder, error) {
	f := deskhand.Folder{Path: spec, Mode: deskhand.Review}
	for _, mode := range []deskhand.FolderMode{deskhand.Review, deskhand.ReadOnly, deskhand.Through} {
		if path, ok := strings.CutSuffix(spec, ":"+string(mode)); ok {
			f.Path, f.Mode = path, mode
		}
	}
	abs, err := filepath.Abs(f.Path)
	if err != nil || f.Path == "" || strings.ContainsRune(f.Path, 0) {
		return f, deskhand.Errorf("", deskhand.Invalid, "%q is not a path: give --folder a directory", f.Path)
	}
	real, err := filepath.EvalSymlinks(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f, deskhand.Errorf("", deskhand.Invalid, "the folder %q does not exist: check the path given to --folder", f.Path)
	case err != nil:
		return f, deskhand.Errorf("", deskhand.Invalid, "the folder %q cannot be looked at (%s): check the path given to --folder", f.Path, cause(err))
	}
	info, err := os.Lstat(real)
	if err != nil || !info.IsDir() {
		return f, deskhand.Errorf("", deskhand.Invalid, "%q is not a folder: give --folder a directory", f.Path)
	}
	f.Path = real
	return f, nil
}

// system are places that are the machine's own or the sandbox's.
var system = []string{"/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr", "/var/run"}

// Check says why folders cannot be shared together, nil when they can. state is
// the state directory, which no task may see. Invalid.
func Check(folders []deskhand.Folder, state string) error {
	if real, err := filepath.EvalSymlinks(state); err == nil {
		state = real
	}
	for i, f := range folders {
		switch {
		case f.Path == "/" || f.Path == "/home":
			return refuse(f, "it holds everything: choose a folder below it")
		case within(state, f.Path):
			return refuse(f, "it holds deskhand's own state ("+state+"), which no task may see: choose a folder below it, or point DESKHAND_HOME elsewhere")
		case within(f.Path, state):
			return refuse(f, "it is part of deskhand's own state, which no task may see")
		}
		for _, dir := range system {
			if within(f.Path, dir) {
				return refuse(f, dir+" belongs to the machine, and the sandbox has one of its own")
			}
		}
		for _, g := range folders[:i] {
			if within(f.Path, g.Path) || within(g.Path, f.Path) {
				return refuse(f, "it overlaps "+g.Path+", which is shared too: leave out one of them")
			}
		}
	}
	return nil
}

func refuse(f deskhand.Folder, why string) error {
	return deskhand.Errorf("", deskhand.Invalid, "the folder %q cannot be shared: %s", f.Path, why)
}

// within reports whether path is dir or lies below it. Both are clean and
// without links; whole names are compared.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// cause returns why a file operation failed, without repeating path and operation.
func cause(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
