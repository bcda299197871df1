package folder

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/overlay"
)

// Kind is how a layer is made.
type Kind string

// The kinds.
const (
	Overlay Kind = "overlay" // the kernel keeps what was written, and only that
	Copy    Kind = "copy"    // the whole folder was copied first
	Direct  Kind = "direct"  // none: what is written is in the folder at once; see Through
)

// Layer is what a task wrote to one folder, with what was replaced when it was
// applied. Methods must not be called concurrently.
type Layer struct {
	dir  string
	meta meta
	lock *os.File // nil: only looked at
}

// meta is what stays of a layer between processes.
type meta struct {
	Folder string `json:"folder"`
	Kind   Kind   `json:"kind"`
	Dev    uint64 `json:"dev"` // of the folder, so that another one in its place is noticed
	Ino    uint64 `json:"ino"`
	Since  int64  `json:"since"` // what changed in the folder later than this, somebody else changed; ns
}

const (
	metaFile  = "layer.json"
	upperDir  = "upper"
	workDir   = "work"
	mergedDir = "merged"
	trashDir  = "trash"
	knownFile = "known.json"
)

// Open opens the layer in dir over the folder at path, made when there is none,
// and locks it until Close. companion is the program that mounts, with its
// arguments up to overlay.Arg. Conflict: it is in use, or another folder is at
// path now. Unavailable.
func Open(ctx context.Context, dir, path string, companion []string) (*Layer, error) {
	l, err := openLayer(dir, path, func(lower *tree, upper string) (Kind, error) {
		if len(companion) > 0 && overlay.Probe(ctx, companion, layerOf(dir, path)) == nil {
			return Overlay, nil
		}
		return Copy, copyTree(lower.fd, upper)
	})
	if err != nil && deskhand.CodeOf(err) != deskhand.Conflict {
		return nil, deskhand.Errorf("", deskhand.Unavailable, "the folder %q cannot be shared for review: %w", path, err)
	}
	return l, err
}

// openLayer opens and locks the layer in dir, made when there is none: fill
// then settles its kind, and puts into upper what is there from the beginning.
func openLayer(dir, path string, fill func(lower *tree, upper string) (Kind, error)) (*Layer, error) {
	l, err := Existing(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = create(dir, path, fill)
		if err == nil {
			l, err = Existing(dir)
		}
	}
	if err != nil {
		return nil, err
	}
	if l.meta.Folder != path {
		return nil, deskhand.Errorf("", deskhand.Conflict, "the layer in %s belongs to the folder %q", dir, l.meta.Folder)
	}
	return l, l.Lock()
}

// Existing opens a layer to look at it. fs.ErrNotExist: there is none.
func Existing(dir string) (*Layer, error) {
	data, err := os.ReadFile(filepath.Join(dir, metaFile))
	if err != nil {
		return nil, err
	}
	l := &Layer{dir: dir}
	return l, json.Unmarshal(data, &l.meta)
}

// create makes a layer. What a process that died in the middle left is removed.
func create(dir, path string, fill func(lower *tree, upper string) (Kind, error)) error {
	if err := errors.Join(Remove(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return err
	}
	for _, name := range []string{upperDir, workDir, mergedDir, trashDir} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return err
		}
	}
	lower, err := openTree(path)
	if err != nil {
		return err
	}
	defer lower.close()
	var st unix.Stat_t
	if err := unix.Fstat(lower.fd, &st); err != nil {
		return err
	}
	m := meta{Folder: path, Dev: st.Dev, Ino: st.Ino}
	if m.Since, err = afterNow(dir); err != nil {
		return err
	}
	upper := filepath.Join(dir, upperDir)
	if m.Kind, err = fill(lower, upper); err != nil {
		return err
	}
	if err := os.Chmod(upper, fs.FileMode(st.Mode&0o777)); err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, metaFile), m)
}

func layerOf(dir, path string) overlay.Layer {
	return overlay.Layer{
		Lower: path, Upper: filepath.Join(dir, upperDir), Work: filepath.Join(dir, workDir), Merged: filepath.Join(dir, mergedDir),
	}
}

// Lock keeps the layer for this process until Close. Conflict.
func (l *Layer) Lock() error {
	f, err := os.Open(l.dir)
	if err != nil {
		return deskhand.E("", deskhand.Unavailable, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return errors.Join(deskhand.Errorf("", deskhand.Conflict,
			"the folder %q is in use by its task: wait for the task to end, or stop it; a desktop that was kept up is ended with deskhand desktop rm", l.meta.Folder), f.Close())
	}
	l.lock = f
	return nil
}

// Close lets go of the layer, which stays.
func (l *Layer) Close() error {
	if l.lock == nil {
		return nil
	}
	f := l.lock
	l.lock = nil
	// Not left to Close: a program that is being started just now has the descriptor too, for a moment.
	return errors.Join(unix.Flock(int(f.Fd()), unix.LOCK_UN), f.Close())
}

// Folder is the path of the folder.
func (l *Layer) Folder() string { return l.meta.Folder }

// Kind says how the layer is made.
func (l *Layer) Kind() Kind { return l.meta.Kind }

// Sizes returns how many bytes the layer and its trash hold.
func (l *Layer) Sizes() (layer, trash int64) {
	return sizeOf(filepath.Join(l.dir, upperDir)), sizeOf(filepath.Join(l.dir, trashDir))
}

// Mount returns what is to be mounted, nothing for a copy, and the host path
// where a sandbox finds the folder then.
func (l *Layer) Mount() (mounts []overlay.Layer, source string) {
	if l.meta.Kind == Copy {
		return nil, filepath.Join(l.dir, upperDir)
	}
	o := layerOf(l.dir, l.meta.Folder)
	return []overlay.Layer{o}, o.Merged
}

// lower opens the folder, and refuses another one in its place.
func (l *Layer) lower() (*tree, error) {
	t, err := openTree(l.meta.Folder)
	if err != nil {
		return nil, deskhand.Errorf("", deskhand.Unavailable, "the folder %q cannot be opened: %w", l.meta.Folder, cause(err))
	}
	var st unix.Stat_t
	if err := unix.Fstat(t.fd, &st); err != nil || st.Dev != l.meta.Dev || st.Ino != l.meta.Ino {
		return nil, errors.Join(deskhand.Errorf("", deskhand.Conflict,
			"%q is not the folder that was shared: another one is in its place", l.meta.Folder), err, t.Close())
	}
	return t, nil
}

// known returns the files of the folder that Apply and Undo left, as they left them.
func (l *Layer) known() (map[string]identity, error) {
	all := map[string]identity{}
	data, err := os.ReadFile(filepath.Join(l.dir, knownFile))
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	} else if err != nil {
		return nil, err
	}
	return all, json.Unmarshal(data, &all)
}

// writeJSON replaces a file of our own, whole or not at all.
func writeJSON(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Remove removes a layer and its trash. The kernel leaves folders that their
// owner may not enter, and so may a task.
func Remove(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if e != nil && e.IsDir() && err == nil {
			return os.Chmod(name, 0o700) // called before the folder is read
		}
		return nil // what is left over, RemoveAll says
	})
	return errors.Join(err, os.RemoveAll(dir))
}
