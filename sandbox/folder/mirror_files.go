package folder

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// claim makes the file at rel one that the task may write to: of the person's own it
// first puts a copy in its place, empty when it is to be truncated, and the file itself
// into the trash. So its other names, and who has it open, see nothing of it.
func (m *mirror) claim(rel string, truncate bool) error {
	dir, name, err := m.place(rel, false)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	st, err := statAt(dir, name)
	if err != nil {
		return err
	}
	if typeOf(st) != 0 || st.Dev != m.root.Dev {
		return unix.EACCES
	}
	if w := m.ours[st.Ino]; w != nil {
		return m.unsettle(w)
	}
	if err := m.keep(st.Size); err != nil {
		return err
	}
	if !truncate {
		if err := m.space(m.lower.fd, st.Size); err != nil {
			return err
		}
	}
	s, err := m.batch.intend(stepOf(doChange, rel, st))
	if err != nil {
		return err
	}
	return m.exchange(s, dir, name, st, truncate)
}

// exchange puts a copy of the file st into its place.
func (m *mirror) exchange(s step, dir int, name string, st unix.Stat_t, truncate bool) error {
	if truncate {
		f, err := createAt(dir, s.Temp)
		if err != nil {
			return err
		}
		if err := errors.Join(unix.Fchmod(int(f.Fd()), st.Mode&0o777), f.Close()); err != nil {
			return err
		}
	} else if err := errors.Join(copyFile(dir, name, dir, s.Temp), setTimes(dir, s.Temp, st.Atim.Nano(), st.Mtim.Nano())); err != nil {
		return errors.Join(err, ignoreMissing(unix.Unlinkat(dir, s.Temp, 0)))
	}
	if err := unix.Fchownat(dir, s.Temp, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil && !errors.Is(err, unix.EPERM) {
		return err
	}
	fresh, err := statAt(dir, s.Temp)
	if err != nil {
		return err
	}
	if err := unix.Renameat2(dir, s.Temp, dir, name, unix.RENAME_EXCHANGE); err != nil {
		return errors.Join(err, unix.Unlinkat(dir, s.Temp, 0))
	}
	if out, err := statAt(dir, s.Temp); err != nil || !identityOf(st).renamed(identityOf(out)) { // the person saved it this moment
		back := unix.Renameat2(dir, s.Temp, dir, name, unix.RENAME_EXCHANGE)
		if back == nil {
			back = unix.Unlinkat(dir, s.Temp, 0)
		}
		return errors.Join(unix.EBUSY, err, back)
	}
	if err := move(dir, s.Temp, m.batch.dir.fd, keptName(s)); err != nil {
		return errors.Join(err, unix.Renameat2(dir, s.Temp, dir, name, unix.RENAME_EXCHANGE), ignoreMissing(unix.Unlinkat(dir, s.Temp, 0)))
	}
	m.alias[fresh.Ino] = m.number(st.Ino)
	s.After = identity{Ino: fresh.Ino, Size: unsettled}
	m.ours[fresh.Ino] = &written{step: s}
	return m.batch.done(s)
}

// unsettle writes down that w is being written.
func (m *mirror) unsettle(w *written) error {
	if w.step.After.Size == unsettled {
		return nil
	}
	w.step.After.Size = unsettled
	return m.batch.done(w.step)
}

// settle writes down how the file st was left, once nobody writes to it.
func (m *mirror) settle(st unix.Stat_t) error {
	w := m.ours[st.Ino]
	if w == nil || w.open > 0 || w.step.After == identityOf(st) {
		return nil
	}
	w.step.After = identityOf(st)
	return m.batch.done(w.step)
}

// create makes a new file and opens it.
func (m *mirror) create(rel string, flags int, mode uint32) (h *handle, st unix.Stat_t, err error) {
	dir, name, err := m.place(rel, false)
	if err != nil {
		return nil, st, err
	}
	defer unix.Close(dir)
	if err := m.space(dir, 0); err != nil {
		return nil, st, err
	}
	s, err := m.batch.intend(step{Do: doAdd, Path: []byte(rel), Temp: tempPrefix + rand.Text()})
	if err != nil {
		return nil, st, err
	}
	fd, err := unix.Openat(dir, name, flags&(unix.O_ACCMODE|unix.O_TRUNC)|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, st, err
	}
	if err = errors.Join(own(fd, int(m.root.Uid), int(m.root.Gid)), unix.Fchmod(fd, mode&0o777), unix.Fstat(fd, &st)); err != nil {
		return nil, st, errors.Join(err, unix.Close(fd), unix.Unlinkat(dir, name, 0))
	}
	if err := m.made(s, st); err != nil {
		return nil, st, errors.Join(err, unix.Close(fd))
	}
	w := m.ours[st.Ino]
	w.open++
	return &handle{mirror: m, f: os.NewFile(uintptr(fd), "file"), w: w}, st, nil
}

// made notes a file that the task made.
func (m *mirror) made(s step, st unix.Stat_t) error {
	delete(m.alias, st.Ino)
	s.After = identity{Ino: st.Ino, Size: unsettled}
	m.ours[st.Ino] = &written{step: s}
	return m.batch.done(s)
}

// chmod changes the permissions of rel.
func (m *mirror) chmod(rel string, mode uint32) error {
	if mode&(unix.S_ISUID|unix.S_ISGID) != 0 {
		return unix.EPERM
	}
	st, err := m.lower.stat(rel)
	if err != nil {
		return err
	}
	if typeOf(st) == 0 {
		err = m.claim(rel, false)
	} else if err = m.folder(rel); err == nil {
		var s step
		if s, err = m.batch.intend(stepOf(doMode, rel, st)); err == nil {
			err = m.batch.done(s)
		}
	}
	if err != nil {
		return err
	}
	fd, err := m.lower.open(rel, unix.O_PATH)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), mode&0o777|st.Mode&unix.S_ISGID)
}

// setTimes sets when rel was read and written.
func (m *mirror) setTimes(rel string, ts []unix.Timespec) error {
	st, err := m.lower.stat(rel)
	if err != nil {
		return err
	}
	switch typeOf(st) {
	case 0:
		err = m.claim(rel, false)
	case fs.ModeDir:
		var fd int
		if fd, err = m.lower.open(rel, unix.O_RDONLY|unix.O_DIRECTORY); err == nil {
			err = errors.Join(m.times(rel, fd), unix.Close(fd))
		}
	default:
		if m.ours[st.Ino] == nil {
			err = unix.EPERM
		}
	}
	if err != nil {
		return err
	}
	dir, name, err := m.lower.parent(rel)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	return unix.UtimesNanoAt(dir, name, ts, unix.AT_SYMLINK_NOFOLLOW)
}

// open opens the file at rel as the kernel asks.
func (m *mirror) open(rel string, flags int) (*handle, error) {
	writes := flags&unix.O_ACCMODE != unix.O_RDONLY || flags&unix.O_TRUNC != 0
	m.mu.Lock()
	defer m.mu.Unlock()
	if writes {
		if err := m.claim(rel, flags&unix.O_TRUNC != 0); err != nil {
			return nil, err
		}
	}
	fd, err := m.lower.open(rel, flags&(unix.O_ACCMODE|unix.O_TRUNC))
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && typeOf(st) != 0 {
		err = unix.EACCES
	}
	h := &handle{mirror: m}
	if err == nil && writes {
		if h.w = m.ours[st.Ino]; h.w == nil {
			err = unix.EBUSY // the person put another file there this moment
		}
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	if h.w != nil {
		h.w.open++
	}
	h.f = os.NewFile(uintptr(fd), "file")
	return h, nil
}

// truncate sets the size of the file that h has open, else of the one at rel.
func (m *mirror) truncate(rel string, h *handle, size int64) error {
	if h != nil && h.w != nil {
		return unix.Ftruncate(int(h.f.Fd()), size)
	}
	if err := m.claim(rel, size == 0); err != nil {
		return err
	}
	fd, err := m.lower.open(rel, unix.O_WRONLY)
	if err != nil {
		return err
	}
	return errors.Join(unix.Ftruncate(fd, size), unix.Close(fd))
}
