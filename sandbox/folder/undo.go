package folder

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
)

const (
	whyTouched = "it was changed after it was applied"
	whyTaken   = "something else is in its place by now"
)

// Undo puts back what was applied, the last first, byte for byte, with modes and times.
// What was applied is kept in the trash in its turn. A file that somebody changed
// after it was applied is left as it is. The layer must be locked.
//
// NotFound: nothing is applied. Unavailable, Conflict (another folder is in its
// place), Canceled.
func (l *Layer) Undo(ctx context.Context) (Outcome, error) {
	const op = "folder: undo"
	if l.lock == nil {
		return Outcome{}, deskhand.Errorf(op, deskhand.Internal, "the layer is not locked")
	}
	names, err := l.batches()
	if err != nil {
		return Outcome{}, deskhand.E(op, deskhand.Unavailable, err)
	}
	if len(names) == 0 {
		return Outcome{}, deskhand.Errorf(op, deskhand.NotFound, "nothing of this task is applied to %q", l.meta.Folder)
	}
	u := &undoer{layer: l, again: map[uint64]uint64{}}
	if u.known, err = l.known(); err != nil {
		return Outcome{}, deskhand.E(op, deskhand.Internal, err)
	}
	if u.lower, err = l.lower(); err != nil {
		return Outcome{}, deskhand.E(op, "", err)
	}
	for _, name := range slices.Backward(names) {
		if err = u.batch(ctx, filepath.Join(l.dir, trashDir, name)); err != nil {
			break
		}
	}
	return u.out, deskhand.E(op, "", errors.Join(err, unix.Syncfs(u.lower.fd), writeJSON(filepath.Join(l.dir, knownFile), u.known), u.lower.Close()))
}

// undoer is one Undo at work.
type undoer struct {
	layer *Layer
	lower *tree
	trash *tree
	known map[string]identity
	again map[uint64]uint64 // numbers of folders that were made again, by those that they had
	out   Outcome
}

// number is that of a folder now.
func (u *undoer) number(was uint64) uint64 {
	if now, ok := u.again[was]; ok {
		return now
	}
	return was
}

// batch undoes one batch. What could not be undone does not keep it from being
// done with: its files stay in the trash.
func (u *undoer) batch(ctx context.Context, path string) error {
	all, err := steps(path)
	if err != nil {
		return err
	}
	if u.trash, err = openTree(path); err != nil {
		return err
	}
	defer u.trash.close()
	for _, s := range slices.Backward(all) {
		if err := ctx.Err(); err != nil {
			return deskhand.E("", deskhand.Canceled, err)
		}
		if s.Do == doTimes || !s.lives(all) {
			continue
		}
		if err := u.step(s); err != nil {
			return err
		}
	}
	// Once nothing changes in these folders any more. A folder that was removed
	// had been emptied by then: what was written down first is what counts.
	for _, do := range []verb{doRmdir, doTimes} {
		for _, s := range all {
			if s.Do == do {
				u.times(s)
			}
		}
	}
	return os.WriteFile(filepath.Join(path, undoneFile), nil, 0o600)
}

// reverse are the ways back.
var reverse = map[verb]func(u *undoer, s step, dir int, name string) error{
	doAdd: (*undoer).add, doChange: (*undoer).change, doDelete: (*undoer).deletion,
	doMkdir: (*undoer).mkdir, doRmdir: (*undoer).rmdir, doMode: (*undoer).mode, doMove: (*undoer).moved,
}

// kinds name what is taken back.
var kinds = map[verb]deskhand.ChangeKind{
	doAdd: deskhand.Added, doChange: deskhand.Changed, doDelete: deskhand.Deleted,
	doMkdir: deskhand.Added, doRmdir: deskhand.Deleted, doMode: deskhand.Changed, doMove: deskhand.Moved,
}

func (u *undoer) step(s step) error {
	rel := string(s.Path)
	c := Change{Path: rel, From: string(s.From), Kind: kinds[s.Do], Mode: fs.FileMode(s.Mode & 0o777), Size: s.After.Size, OldSize: s.Before.Size}
	if s.Do == doMkdir || s.Do == doRmdir || s.Do == doMode {
		c.Type = fs.ModeDir
	}
	dir, name, err := u.lower.parent(rel)
	if err != nil {
		if s.Done {
			c.Refused = whyParent
			u.out.Left = append(u.out.Left, c)
		}
		return nil
	}
	defer unix.Close(dir)
	if !s.Done {
		return u.halfway(s, dir, name)
	}
	var left *refusal
	if err := reverse[s.Do](u, s, dir, name); errors.As(err, &left) {
		c.Refused, c.Conflict = left.why, true
		u.out.Left = append(u.out.Left, c)
		return nil
	} else if err != nil {
		return deskhand.Errorf("", deskhand.Unavailable, "%q could not be put back: %w", rel, err)
	}
	u.out.Applied = append(u.out.Applied, c)
	return nil
}

// halfway ends a step during which the process died: it is taken back.
func (u *undoer) halfway(s step, dir int, name string) error {
	if s.Do == doMkdir || s.Do == doRmdir || s.Do == doMode {
		return nil // a folder that is there or not, with nothing in it: harmless
	}
	if s.Do == doMove {
		return u.halfMoved(s, dir, name)
	}
	if _, err := statAt(u.trash.fd, keptName(s)); err == nil {
		return u.back(s, dir, name) // only the word "done" is missing
	}
	st, err := statAt(dir, s.Temp)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil // nothing was done yet, or it was undone at once
	case err != nil:
		return err
	case s.Do != doAdd && s.Before.renamed(identityOf(st)): // the real file, taken aside
		if s.Do == doDelete {
			return ignoreExisting(unix.Renameat2(dir, s.Temp, dir, name, unix.RENAME_NOREPLACE))
		}
		if err := unix.Renameat2(dir, s.Temp, dir, name, unix.RENAME_EXCHANGE); err != nil {
			return err
		}
	}
	return unix.Unlinkat(dir, s.Temp, 0) // a copy of what is in the layer
}

func ignoreExisting(err error) error {
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

// back puts the kept file into its place, whatever was put there.
func (u *undoer) back(s step, dir int, name string) error {
	if err := move(u.trash.fd, keptName(s), dir, s.Temp); err != nil {
		return err
	}
	err := unix.Renameat2(dir, s.Temp, dir, name, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EEXIST) {
		if err = unix.Renameat2(dir, s.Temp, dir, name, unix.RENAME_EXCHANGE); err == nil {
			err = move(dir, s.Temp, u.trash.fd, keptName(s)+".undone")
		}
	}
	return errors.Join(err, u.restored(s, dir, name))
}

// applied refuses when what is at name is not what was applied.
func applied(s step, dir int, name string) error {
	if st, err := statAt(dir, name); err != nil || !s.After.renamed(identityOf(st)) {
		return &refusal{whyTouched}
	}
	return nil
}

// add takes the new file away, into the trash.
func (u *undoer) add(s step, dir int, name string) error {
	if err := applied(s, dir, name); err != nil {
		return err
	}
	if err := unix.Renameat2(dir, name, dir, s.Temp, unix.RENAME_NOREPLACE); err != nil {
		return err
	}
	if err := applied(s, dir, s.Temp); err != nil { // exchanged in between
		return after(err, unix.Renameat2(dir, s.Temp, dir, name, unix.RENAME_NOREPLACE))
	}
	delete(u.known, string(s.Path))
	return move(dir, s.Temp, u.trash.fd, keptName(s)+".undone")
}

// change exchanges the two again.
func (u *undoer) change(s step, dir int, name string) error {
	if err := applied(s, dir, name); err != nil {
		return err
	}
	if err := move(u.trash.fd, keptName(s), dir, s.Temp); err != nil {
		return err
	}
	if err := unix.Renameat2(dir, s.Temp, dir, name, unix.RENAME_EXCHANGE); err != nil {
		return errors.Join(err, move(dir, s.Temp, u.trash.fd, keptName(s)))
	}
	if err := applied(s, dir, s.Temp); err != nil { // exchanged in between
		return after(err, unix.Renameat2(dir, s.Temp, dir, name, unix.RENAME_EXCHANGE), move(dir, s.Temp, u.trash.fd, keptName(s)))
	}
	if err := move(dir, s.Temp, u.trash.fd, keptName(s)+".undone"); err != nil {
		return err
	}
	return u.restored(s, dir, name)
}

func (u *undoer) deletion(s step, dir int, name string) error {
	if err := move(u.trash.fd, keptName(s), dir, s.Temp); err != nil {
		return err
	}
	if err := unix.Renameat2(dir, s.Temp, dir, name, unix.RENAME_NOREPLACE); err != nil {
		back := move(dir, s.Temp, u.trash.fd, keptName(s))
		if errors.Is(err, unix.EEXIST) {
			return after(&refusal{whyTaken}, back)
		}
		return errors.Join(err, back)
	}
	return u.restored(s, dir, name)
}

// restored notes the file that is back as the one the task began with.
func (u *undoer) restored(s step, dir int, name string) error {
	st, err := statAt(dir, name)
	if err == nil {
		u.known[string(s.Path)] = identityOf(st)
	}
	return err
}

// moved takes a file or folder back to where it was.
func (u *undoer) moved(s step, dir int, name string) error {
	if st, err := statAt(dir, name); err != nil || st.Ino != u.number(s.After.Ino) {
		return &refusal{whyTouched}
	}
	from, old, err := u.lower.parent(string(s.From))
	if err != nil {
		return &refusal{whyParent}
	}
	defer unix.Close(from)
	if err := unix.Renameat2(dir, name, from, old, unix.RENAME_NOREPLACE); errors.Is(err, unix.EEXIST) {
		return &refusal{whyTaken}
	} else if err != nil {
		return err
	}
	return nil
}

// halfMoved takes back a move during which the process died, perhaps with what
// had been there in its old place.
func (u *undoer) halfMoved(s step, dir int, name string) error {
	if st, err := statAt(dir, name); err != nil || st.Ino != s.After.Ino {
		return nil
	}
	from, old, err := u.lower.parent(string(s.From))
	if err != nil {
		return nil
	}
	defer unix.Close(from)
	if err := unix.Renameat2(dir, name, from, old, unix.RENAME_NOREPLACE); !errors.Is(err, unix.EEXIST) {
		return err
	}
	return unix.Renameat2(dir, name, from, old, unix.RENAME_EXCHANGE)
}

func (u *undoer) mkdir(s step, dir int, name string) error {
	st, err := statAt(dir, name)
	if err != nil || st.Ino != u.number(s.After.Ino) {
		return &refusal{whyTouched}
	}
	if err := unix.Unlinkat(dir, name, unix.AT_REMOVEDIR); errors.Is(err, unix.ENOTEMPTY) {
		return &refusal{whyNotEmpty}
	} else if err != nil {
		return err
	}
	return nil
}

func (u *undoer) rmdir(s step, dir int, name string) error {
	if err := unix.Mkdirat(dir, name, 0o700); errors.Is(err, unix.EEXIST) {
		return &refusal{whyTaken}
	} else if err != nil {
		return err
	}
	fd, err := openAt(dir, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	u.again[s.Before.Ino] = st.Ino
	return errors.Join(own(fd, s.UID, s.GID), unix.Fchmod(fd, s.Mode))
}

func (u *undoer) mode(s step, dir int, name string) error {
	fd, err := openAt(dir, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return &refusal{whyTaken}
	}
	defer unix.Close(fd)
	return unix.Fchmod(fd, s.Mode)
}

// times sets those of a folder in which something was done, and of a folder
// that was made again. A folder that is another one by now keeps its own.
func (u *undoer) times(s step) {
	fd, err := u.lower.open(string(s.Path), unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	_ = setTimes(fd, ".", s.ATime, s.MTime) // of no weight beside the files
}
