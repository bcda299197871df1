package folder

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
)

// try applies one change. A refusal leaves it, any other error ends the whole.
func (a *applier) try(c Change) error {
	dir, name, err := a.lower.parent(c.Path)
	if err != nil {
		return &refusal{whyParent}
	}
	defer unix.Close(dir)
	if err := a.times(path.Dir(c.Path), dir); err != nil {
		return err
	}
	switch {
	case c.Type == fs.ModeDir && c.Kind == deskhand.Added:
		return a.mkdir(c, dir, name)
	case c.Type == fs.ModeDir && c.Kind == deskhand.Deleted:
		return a.rmdir(c, dir, name)
	case c.Type == fs.ModeDir:
		return a.chmod(c, dir, name)
	case c.Kind == deskhand.Deleted:
		return a.remove(c, c.Path, dir, name)
	case c.Kind == deskhand.Changed:
		return a.replace(c, dir, name)
	case c.Kind == deskhand.Moved:
		return a.move(c, dir, name)
	}
	return a.add(c, dir, name)
}

// times writes down when a folder was last changed, before it is.
func (a *applier) times(rel string, dir int) error {
	if a.timed[rel] {
		return nil
	}
	a.timed[rel] = true
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err != nil {
		return err
	}
	_, err := a.batch.intend(step{Do: doTimes, Path: []byte(rel), ATime: st.Atim.Nano(), MTime: st.Mtim.Nano(), Before: identity{Ino: st.Ino}})
	return err
}

// stepOf is a step for what is, as st, at rel now.
func stepOf(do verb, rel string, st unix.Stat_t) step {
	return step{
		Do: do, Path: []byte(rel), Temp: tempPrefix + rand.Text(), Before: identityOf(st), Mode: st.Mode & 0o7777,
		UID: int(st.Uid), GID: int(st.Gid), ATime: st.Atim.Nano(), MTime: st.Mtim.Nano(),
	}
}

// add puts what is new where nothing is.
func (a *applier) add(c Change, dir int, name string) error {
	s, err := a.batch.intend(step{Do: doAdd, Path: []byte(c.Path), Temp: tempPrefix + rand.Text()})
	if err != nil {
		return err
	}
	if err := a.write(c, dir, s.Temp, nil); err != nil {
		return err
	}
	if err := unix.Renameat2(dir, s.Temp, dir, name, unix.RENAME_NOREPLACE); err != nil {
		gone := unix.Unlinkat(dir, s.Temp, 0)
		if errors.Is(err, unix.EEXIST) {
			return after(&refusal{exists(c)}, gone)
		}
		return errors.Join(err, gone)
	}
	return a.settled(s, c.Path, dir, name)
}

func exists(c Change) string {
	if c.WasAnotherType {
		return whyOld
	}
	return whyExists
}

// replace exchanges the real file with the new one, then looks at what came
// out: when it is not the file that was compared, both go back.
func (a *applier) replace(c Change, dir int, name string) error {
	old, err := statAt(dir, name)
	if err != nil {
		return &refusal{whyGone}
	}
	s, err := a.batch.intend(stepOf(doChange, c.Path, old))
	if err != nil {
		return err
	}
	if err := a.write(c, dir, s.Temp, &old); err != nil {
		return err
	}
	if err := unix.Renameat2(dir, s.Temp, dir, name, unix.RENAME_EXCHANGE); err != nil {
		gone := unix.Unlinkat(dir, s.Temp, 0)
		if errors.Is(err, unix.ENOENT) {
			return after(&refusal{whyGone}, gone)
		}
		return errors.Join(err, gone)
	}
	out, err := statAt(dir, s.Temp)
	if err != nil {
		return err
	}
	if !c.before.renamed(identityOf(out)) {
		back := unix.Renameat2(dir, s.Temp, dir, name, unix.RENAME_EXCHANGE)
		if back == nil {
			back = unix.Unlinkat(dir, s.Temp, 0)
		}
		return after(&refusal{whyReplaced}, back)
	}
	if err := move(dir, s.Temp, a.batch.dir.fd, keptName(s)); err != nil {
		back := unix.Renameat2(dir, s.Temp, dir, name, unix.RENAME_EXCHANGE)
		return errors.Join(err, back, ignoreMissing(unix.Unlinkat(dir, s.Temp, 0)))
	}
	return a.settled(s, c.Path, dir, name)
}

// remove takes the real file aside, looks at it, and puts it into the trash.
func (a *applier) remove(c Change, rel string, dir int, name string) error {
	old, err := statAt(dir, name)
	if err != nil {
		return &refusal{whyGone}
	}
	s, err := a.batch.intend(stepOf(doDelete, rel, old))
	if err != nil {
		return err
	}
	if err := unix.Renameat2(dir, name, dir, s.Temp, unix.RENAME_NOREPLACE); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return &refusal{whyGone}
		}
		return err
	}
	out, err := statAt(dir, s.Temp)
	if err == nil && !c.before.renamed(identityOf(out)) {
		return after(&refusal{whyReplaced}, unix.Renameat2(dir, s.Temp, dir, name, unix.RENAME_NOREPLACE))
	}
	if err == nil {
		err = move(dir, s.Temp, a.batch.dir.fd, keptName(s))
	}
	if err != nil {
		return errors.Join(err, unix.Renameat2(dir, s.Temp, dir, name, unix.RENAME_NOREPLACE))
	}
	delete(a.known, rel)
	return a.batch.done(s)
}

// move adds the file under its new name, and only then takes the old one away.
func (a *applier) move(c Change, dir int, name string) error {
	if err := a.add(c, dir, name); err != nil {
		return err
	}
	from, old, err := a.lower.parent(c.From)
	if err != nil {
		return &refusal{whyGone}
	}
	defer unix.Close(from)
	if err := a.times(path.Dir(c.From), from); err != nil {
		return err
	}
	return a.remove(c, c.From, from, old)
}

func (a *applier) mkdir(c Change, dir int, name string) error {
	s, err := a.batch.intend(step{Do: doMkdir, Path: []byte(c.Path)})
	if err != nil {
		return err
	}
	if err := unix.Mkdirat(dir, name, 0o700); errors.Is(err, unix.EEXIST) {
		if st, err := statAt(dir, name); err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
			return nil // somebody made the same folder
		}
		return &refusal{exists(c)}
	} else if err != nil {
		return err
	}
	fd, err := openAt(dir, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st, up unix.Stat_t
	if err := unix.Fstat(dir, &up); err != nil {
		return err
	}
	owner := own(fd, int(up.Uid), int(up.Gid))
	// Group and set-group-id of a shared folder are inherited; the rest is as chosen.
	if err := errors.Join(owner, unix.Fstat(fd, &st), unix.Fchmod(fd, uint32(c.Mode.Perm())|st.Mode&unix.S_ISGID)); err != nil {
		return err
	}
	s.After = identity{Ino: st.Ino}
	return a.batch.done(s)
}

func (a *applier) rmdir(c Change, dir int, name string) error {
	old, err := statAt(dir, name)
	if err != nil {
		return &refusal{whyGone}
	}
	s, err := a.batch.intend(stepOf(doRmdir, c.Path, old))
	if err != nil {
		return err
	}
	switch err := unix.Unlinkat(dir, name, unix.AT_REMOVEDIR); {
	case errors.Is(err, unix.ENOTEMPTY), errors.Is(err, unix.EEXIST):
		return &refusal{whyNotEmpty}
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ENOENT):
		return &refusal{whyReplaced}
	case err != nil:
		return err
	}
	return a.batch.done(s)
}

func (a *applier) chmod(c Change, dir int, name string) error {
	fd, err := openAt(dir, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return &refusal{whyReplaced}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	s, err := a.batch.intend(stepOf(doMode, c.Path, st))
	if err != nil {
		return err
	}
	if err := unix.Fchmod(fd, uint32(c.Mode.Perm())|st.Mode&0o7000); err != nil {
		return err
	}
	return a.batch.done(s)
}

// settled notes what is in place now.
func (a *applier) settled(s step, rel string, dir int, name string) error {
	st, err := statAt(dir, name)
	if err != nil {
		return err
	}
	s.After = identityOf(st)
	a.known[rel] = s.After
	return a.batch.done(s)
}

// write makes temp in dir of what c has in the layer, and reads it back. old is
// what it will replace, whose owner it gets.
func (a *applier) write(c Change, dir int, temp string, old *unix.Stat_t) error {
	from, name, err := a.upper.parent(c.Path)
	if err != nil {
		return err
	}
	defer unix.Close(from)
	if c.Type == fs.ModeSymlink {
		return copyLink(from, name, dir, temp)
	}
	src, st, err := openRegular(from, name)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := createAt(dir, temp)
	if err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(dst, io.TeeReader(src, h))
	if err == nil && n != st.Size {
		err = &refusal{whyVerify}
	}
	if err == nil {
		err = verify(dst, n, h.Sum(nil))
	}
	fd := int(dst.Fd())
	if err == nil {
		uid, gid, err2 := ownerFor(dir, old)
		err = errors.Join(err2, own(fd, uid, gid), unix.Fchmod(fd, uint32(c.Mode.Perm())))
	}
	err = errors.Join(err, dst.Close())
	if err == nil {
		err = setTimes(dir, temp, st.Atim.Nano(), st.Mtim.Nano())
	}
	if err != nil {
		return errors.Join(err, unix.Unlinkat(dir, temp, 0))
	}
	return nil
}

// verify reads f again from its beginning.
func verify(f io.ReadSeeker, size int64, sum []byte) error {
	h := sha256.New()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	n, err := io.Copy(h, f)
	if err != nil {
		return err
	}
	if n != size || string(h.Sum(nil)) != string(sum) {
		return &refusal{whyVerify}
	}
	return nil
}

// ownerFor is that of what is replaced, else of the folder.
func ownerFor(dir int, old *unix.Stat_t) (uid, gid int, err error) {
	var st unix.Stat_t
	if old != nil {
		st = *old
	} else if err = unix.Fstat(dir, &st); err != nil {
		return 0, 0, fmt.Errorf("the folder cannot be looked at: %w", err)
	}
	return int(st.Uid), int(st.Gid), nil
}

// own gives fd to an owner, as far as this user may.
func own(fd, uid, gid int) error {
	err := unix.Fchown(fd, uid, gid)
	if errors.Is(err, unix.EPERM) {
		return nil // it stays this user's
	}
	return err
}
