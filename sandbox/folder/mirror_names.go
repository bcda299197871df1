package folder

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"path"

	"golang.org/x/sys/unix"
)

func (m *mirror) symlink(rel, target string) error {
	dir, name, err := m.place(rel, false)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	if err := m.leads(rel, target); err != nil {
		return err
	}
	s, err := m.batch.intend(step{Do: doAdd, Path: []byte(rel), Temp: tempPrefix + rand.Text()})
	if err != nil {
		return err
	}
	if err := unix.Symlinkat(target, dir, name); err != nil {
		return err
	}
	st, err := statAt(dir, name)
	if err != nil {
		return err
	}
	if err := m.made(s, st); err != nil {
		return err
	}
	return m.settle(st)
}

// leads refuses a link at rel that a review would refuse.
func (m *mirror) leads(rel, target string) error {
	s := &scan{layer: m.layer, guard: m.guard, trees: []*tree{m.lower}}
	if s.landing(Change{Path: rel, Target: target}) != "" {
		m.say(saysGuard)
		return unix.EACCES
	}
	return nil
}

func (m *mirror) mkdir(rel string, mode uint32) error {
	dir, name, err := m.place(rel, true)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	s, err := m.batch.intend(step{Do: doMkdir, Path: []byte(rel)})
	if err != nil {
		return err
	}
	if err := unix.Mkdirat(dir, name, 0o700); err != nil {
		return err
	}
	fd, err := openAt(dir, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	owner := own(fd, int(m.root.Uid), int(m.root.Gid))
	if err := errors.Join(owner, unix.Fstat(fd, &st), unix.Fchmod(fd, mode&0o777|st.Mode&unix.S_ISGID)); err != nil {
		return err
	}
	s.After = identity{Ino: st.Ino}
	return m.batch.done(s)
}

func (m *mirror) rmdir(rel string) error {
	dir, name, err := m.place(rel, true)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	st, err := statAt(dir, name)
	if err != nil {
		return err
	}
	s, err := m.batch.intend(stepOf(doRmdir, rel, st))
	if err != nil {
		return err
	}
	if err := unix.Unlinkat(dir, name, unix.AT_REMOVEDIR); err != nil {
		return err
	}
	return m.batch.done(s)
}

// unlink takes a file away: into the trash, or for good when nobody but the task ever had it.
func (m *mirror) unlink(rel string) error {
	dir, name, err := m.place(rel, false)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	st, err := statAt(dir, name)
	if err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return unix.EISDIR
	}
	if m.own(st) {
		return errors.Join(unix.Unlinkat(dir, name, 0), m.drop(st))
	}
	if err := m.keep(st.Size); err != nil {
		return err
	}
	s, err := m.batch.intend(stepOf(doDelete, rel, st))
	if err != nil {
		return err
	}
	if err := move(dir, name, m.batch.dir.fd, keptName(s)); err != nil {
		return err
	}
	return m.batch.done(s)
}

// own reports whether nobody but the task ever had the file.
func (m *mirror) own(st unix.Stat_t) bool {
	w := m.ours[st.Ino]
	return w != nil && w.step.Do == doAdd && st.Nlink == 1
}

// drop notes that a file of the task's own is gone.
func (m *mirror) drop(st unix.Stat_t) error {
	w := m.ours[st.Ino]
	delete(m.ours, st.Ino)
	w.step.Dropped = true
	return m.batch.done(w.step)
}

// rename gives a file or folder another name, with what had that name kept.
func (m *mirror) rename(from, to string, flags uint32) error {
	src, oldName, err := m.lower.parent(from)
	if err != nil {
		return err
	}
	defer unix.Close(src)
	st, err := statAt(src, oldName)
	if err != nil {
		return err
	}
	isFolder := typeOf(st) == fs.ModeDir
	if err := errors.Join(m.closed(from, isFolder, src), m.times(path.Dir(from), src)); err != nil {
		return err
	}
	dst, newName, err := m.place(to, isFolder)
	if err != nil {
		return err
	}
	defer unix.Close(dst)
	if err := m.movable(from, to, src, oldName, st); err != nil {
		return err
	}
	there, err := statAt(dst, newName)
	exists := err == nil
	if exists && there.Ino == st.Ino {
		return nil
	}
	if err := replaceable(exists, isFolder, typeOf(there) == fs.ModeDir, flags); err != nil {
		return err
	}
	if exists && isFolder { // an empty one only
		if err := m.rmdir(to); err != nil {
			return err
		}
		exists = false
	}
	return m.moveOver(from, to, src, oldName, dst, newName, st, there, exists)
}

// replaceable says why something of the one type cannot take the place of the other.
func replaceable(exists, isFolder, overFolder bool, flags uint32) error {
	switch {
	case flags&^unix.RENAME_NOREPLACE != 0:
		return unix.EINVAL
	case !exists:
		return nil
	case flags&unix.RENAME_NOREPLACE != 0:
		return unix.EEXIST
	case isFolder && !overFolder:
		return unix.ENOTDIR
	case overFolder && !isFolder:
		return unix.EISDIR
	}
	return nil
}

// moveOver renames, and keeps the file there that had the name, if any.
func (m *mirror) moveOver(from, to string, src int, oldName string, dst int, newName string, st, there unix.Stat_t, exists bool) error {
	s := step{Do: doMove, Path: []byte(to), From: []byte(from), After: identity{Ino: st.Ino}}
	if m.own(st) {
		s.Of = m.ours[st.Ino].step.N
	}
	if !exists || m.own(there) {
		s, err := m.batch.intend(s)
		if err != nil {
			return err
		}
		if err := unix.Renameat(src, oldName, dst, newName); err != nil {
			return err
		}
		if exists {
			if err := m.drop(there); err != nil {
				return err
			}
		}
		return m.batch.done(s)
	}
	if err := m.keep(there.Size); err != nil {
		return err
	}
	old, err := m.batch.intend(stepOf(doDelete, to, there))
	if err != nil {
		return err
	}
	if s, err = m.batch.intend(s); err != nil {
		return err
	}
	// At no moment is the name without a file; what comes out, whatever it is by now, is kept.
	if err := unix.Renameat2(src, oldName, dst, newName, unix.RENAME_EXCHANGE); err != nil {
		return err
	}
	if err := move(src, oldName, m.batch.dir.fd, keptName(old)); err != nil {
		return errors.Join(err, unix.Renameat2(src, oldName, dst, newName, unix.RENAME_EXCHANGE))
	}
	return errors.Join(m.batch.done(old), m.batch.done(s))
}

// movable refuses to move what would take protected names along, or links whose
// end would lie elsewhere.
func (m *mirror) movable(from, to string, dir int, name string, st unix.Stat_t) error {
	switch typeOf(st) {
	case fs.ModeSymlink:
		target, err := linkAt(dir, name)
		if err != nil {
			return err
		}
		return m.leads(to, target)
	case fs.ModeDir:
	default:
		return nil
	}
	fd, err := openAt(dir, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	names, err := namesIn(fd)
	if err != nil {
		return err
	}
	bare := isBare(fd)
	for _, n := range names {
		below, err := statAt(fd, n)
		if err != nil {
			return err
		}
		isFolder := typeOf(below) == fs.ModeDir
		for _, at := range []string{from, to} {
			if m.guard.name(m.layer.meta.Folder, path.Join(at, n), isFolder) != "" || bare && m.guard.inBare(n) != "" {
				m.say(saysGuard)
				return unix.EACCES
			}
		}
		if err := m.movable(path.Join(from, n), path.Join(to, n), fd, n, below); err != nil {
			return err
		}
	}
	return nil
}
