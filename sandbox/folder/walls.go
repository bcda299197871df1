package folder

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	mostLooked = 200_000 // names that are looked at for walls
	mostWalls  = 200     // mounts that are made for them
)

// Walls lists the protected files and folders that are there now, relative to
// the folder, so that a sandbox can mount the real ones over them, read-only. It
// is a second wall: what is absent, or beyond the first 200,000 names, is refused
// when changes are applied. The layer must be locked.
func (l *Layer) Walls(unlocked []string) ([]string, error) {
	lower, err := l.lower()
	if err != nil {
		return nil, err
	}
	defer lower.close()
	upper, err := openTree(filepath.Join(l.dir, upperDir))
	if err != nil {
		return nil, err
	}
	defer upper.close()
	w := &walls{guard: guard{unlocked}, root: l.meta.Folder, upper: upper, whole: l.meta.Kind == Copy}
	w.folder(".", lower.fd)
	return w.found, nil
}

type walls struct {
	guard  guard
	root   string
	upper  *tree
	whole  bool // upper has all that is seen
	looked int
	found  []string
}

// folder looks for names to protect. What cannot be read, a task cannot write.
func (w *walls) folder(rel string, fd int) {
	dup, err := openAt(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(dup), "folder")
	defer f.Close()
	all, _ := f.ReadDir(-1)
	bare := isBare(fd)
	for _, e := range all {
		if w.looked++; w.looked > mostLooked || len(w.found) >= mostWalls {
			return
		}
		if e.Type()&^fs.ModeDir != 0 { // a mount over a link would be one over what it leads to
			continue
		}
		at := path.Join(rel, e.Name())
		if w.guard.name(w.root, at, e.IsDir()) != "" || bare && w.guard.inBare(e.Name()) != "" {
			if w.plain(at, e.IsDir()) {
				w.found = append(w.found, at)
			}
			continue
		}
		if !e.IsDir() {
			continue
		}
		if sub, err := openAt(dup, e.Name(), unix.O_RDONLY|unix.O_DIRECTORY); err == nil {
			w.folder(at, sub)
			_ = unix.Close(sub)
		}
	}
}

// plain reports whether the way to rel leads through folders also in the layer,
// and ends in what is in the folder: an earlier run of the task may have
// put links there, through which nothing must be mounted.
func (w *walls) plain(rel string, isFolder bool) bool {
	for p := rel; p != "."; p = path.Dir(p) {
		st, err := w.upper.stat(p)
		if errors.Is(err, unix.ENOENT) && !w.whole {
			continue
		}
		want := fs.FileMode(0)
		if isFolder || p != rel {
			want = fs.ModeDir
		}
		if err != nil || typeOf(st) != want {
			return false
		}
	}
	return true
}
