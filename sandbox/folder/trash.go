package folder

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
)

// batch is what one Apply replaced, with a list of what it did. Each step is
// written down before it is taken, and again once it was.
type batch struct {
	dir  *tree
	path string
	log  *os.File
	n    int
}

// step is one line of the list.
type step struct {
	N      int      `json:"n"` // also the name of what is kept in the trash
	Do     verb     `json:"do"`
	Path   []byte   `json:"path"` // bytes, which JSON strings cannot hold
	Temp   string   `json:"temp,omitempty"`
	Before identity `json:"before,omitzero"` // of what was there
	After  identity `json:"after,omitzero"`  // of what was put there
	Mode   uint32   `json:"mode,omitempty"`  // permissions that were there
	UID    int      `json:"uid,omitempty"`
	GID    int      `json:"gid,omitempty"`
	ATime  int64    `json:"atime,omitempty"` // of what was there, ns
	MTime  int64    `json:"mtime,omitempty"`
	Done   bool     `json:"done,omitempty"`

	// Of what a task writes through only.
	From    []byte `json:"from,omitempty"`    // where a moved file was
	Of      int    `json:"of,omitempty"`      // the step that made what this one moves
	Dropped bool   `json:"dropped,omitempty"` // what this step made is gone for good: nobody else ever had it
}

// verb is what a step does.
type verb string

const (
	doAdd    verb = "add"
	doChange verb = "change"
	doDelete verb = "delete"
	doMkdir  verb = "mkdir"
	doRmdir  verb = "rmdir"
	doMove   verb = "move"
	doMode   verb = "mode"  // of a folder
	doTimes  verb = "times" // of a folder in which something is about to be done
)

const (
	logFile    = "steps"
	undoneFile = "undone"
	tempPrefix = ".deskhand-"
)

// batches lists those that can be undone, oldest first.
func (l *Layer) batches() ([]string, error) {
	all, err := os.ReadDir(filepath.Join(l.dir, trashDir))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range all {
		_, err := os.Lstat(filepath.Join(l.dir, trashDir, e.Name(), undoneFile))
		if errors.Is(err, fs.ErrNotExist) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// newBatch makes the next batch.
func (l *Layer) newBatch() (*batch, error) {
	trash := filepath.Join(l.dir, trashDir)
	all, err := os.ReadDir(trash)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(trash, fmt.Sprintf("%06d", len(all)+1))
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, err
	}
	return openBatch(path)
}

func openBatch(path string) (*batch, error) {
	dir, err := openTree(path)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(path, logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return &batch{dir: dir, path: path, log: log}, nil
}

// intend writes down what is about to be done.
func (b *batch) intend(s step) (step, error) {
	b.n++
	s.N = b.n
	return s, b.write(s)
}

func (b *batch) done(s step) error {
	s.Done = true
	return b.write(s)
}

func (b *batch) write(s step) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = b.log.Write(append(data, '\n'))
	return err
}

func (b *batch) Close() error { return errors.Join(b.log.Sync(), b.log.Close(), b.dir.Close()) }

// steps returns what was intended, in order, each as far as it was done.
func steps(path string) ([]step, error) {
	f, err := os.Open(filepath.Join(path, logFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []step
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s step
		if json.Unmarshal(lines.Bytes(), &s) != nil {
			break // the process died while it wrote; nothing was done after
		}
		if s.Done {
			if s.N < 1 || s.N > len(all) {
				return nil, deskhand.Errorf("", deskhand.Internal, "the list of what was applied (%s) is damaged", path)
			}
			all[s.N-1] = s
		} else {
			all = append(all, s)
		}
	}
	return all, lines.Err()
}

// lives reports whether what s did still counts: not when it only made, or moved,
// what is gone for good.
func (s step) lives(all []step) bool {
	return !s.Dropped && (s.Of < 1 || s.Of > len(all) || !all[s.Of-1].Dropped)
}

// keptName is where a batch keeps what a step replaced.
func keptName(s step) string { return fmt.Sprintf("%06d", s.N) }

// move renames, and copies where the other place is on another file system: the
// original is removed only once the copy was read back.
func move(fromDir int, from string, toDir int, to string) error {
	err := unix.Renameat2(fromDir, from, toDir, to, unix.RENAME_NOREPLACE)
	if !errors.Is(err, unix.EXDEV) {
		return err
	}
	st, err := statAt(fromDir, from)
	if err != nil {
		return err
	}
	switch typeOf(st) {
	case 0:
		err = copyChecked(fromDir, from, toDir, to, st)
	case fs.ModeSymlink:
		err = copyLink(fromDir, from, toDir, to)
	default:
		err = fmt.Errorf("%s cannot be kept in a trash on another file system: %w", typeOf(st), unix.EXDEV)
	}
	if err == nil {
		err = setTimes(toDir, to, st.Atim.Nano(), st.Mtim.Nano())
	}
	if err != nil {
		return errors.Join(err, ignoreMissing(unix.Unlinkat(toDir, to, 0)))
	}
	return unix.Unlinkat(fromDir, from, 0)
}

func copyChecked(fromDir int, from string, toDir int, to string, st unix.Stat_t) error {
	if err := copyFile(fromDir, from, toDir, to); err != nil {
		return err
	}
	if err := unix.Fchownat(toDir, to, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil && !errors.Is(err, unix.EPERM) {
		return err
	}
	a, errA := sumAt(fromDir, from)
	b, errB := sumAt(toDir, to)
	if err := errors.Join(errA, errB); err != nil || a == b {
		return err
	}
	return errors.New("the copy in the trash differs from the file")
}

func ignoreMissing(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}
