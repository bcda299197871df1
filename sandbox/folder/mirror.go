package folder

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// mirror does what a task asks of a folder that it writes through to. Every
// change is written down before it is made, as Apply's are.
type mirror struct {
	layer *Layer
	lower *tree
	root  unix.Stat_t
	guard guard
	c     ThroughConfig

	mu      sync.Mutex // of all that changes names, and of the fields below
	batch   *batch
	timed   map[string]bool     // folders whose times are written down
	ours    map[uint64]*written // files that this task made, by number
	alias   map[uint64]uint64   // numbers that are told, of files that took another's place
	kept    int64               // bytes in the trash
	notices []string
	said    map[string]bool
}

// written is a file that the task made or took the place of another with.
type written struct {
	step step // that has to say how the file was left
	open int  // handles that may write
}

func newMirror(l *Layer, c ThroughConfig) (*mirror, error) {
	if c.MaxTrash == 0 {
		c.MaxTrash = defaultMaxTrash
	}
	if c.Reserve == 0 {
		c.Reserve = defaultReserve
	}
	m := &mirror{
		layer: l, guard: guard{c.Unlocked}, c: c, timed: map[string]bool{}, ours: map[uint64]*written{}, alias: map[uint64]uint64{},
		kept: sizeOf(filepath.Join(l.dir, trashDir)), said: map[string]bool{},
	}
	var err error
	if m.lower, err = l.lower(); err != nil {
		return nil, err
	}
	if err = unix.Fstat(m.lower.fd, &m.root); err == nil {
		m.batch, err = l.newBatch()
	}
	if err != nil {
		return nil, errors.Join(err, m.lower.Close())
	}
	return m, nil
}

func (m *mirror) close() error {
	return errors.Join(unix.Syncfs(m.lower.fd), m.batch.Close(), m.lower.Close())
}

// Sentences for the task.
const (
	saysTrash = "The folder %q takes no change any more that needs a copy of what was there: its trash holds all that it may. New files can still be made."
	saysDisk  = "The folder %q takes nothing more: the disk is full but for its reserve. Delete what you made and do not need."
	saysGuard = "Some names in the folder %q cannot be written, because other programs run or obey them later (such as .git/hooks, .bashrc, .mcp.json), nor can links that lead out of it be made."
)

// say keeps a sentence for the task, each once.
func (m *mirror) say(form string) {
	if !m.said[form] {
		m.said[form] = true
		m.notices = append(m.notices, fmt.Sprintf(form, m.layer.meta.Folder))
	}
}

func (m *mirror) takeNotices() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.notices
	m.notices = nil
	return all
}

// space refuses what would take the reserve of a disk.
func (m *mirror) space(fd int, need int64) error {
	var disk unix.Statfs_t
	if err := unix.Fstatfs(fd, &disk); err != nil {
		return err
	}
	if int64(disk.Bavail)*disk.Bsize-need < m.c.Reserve {
		m.say(saysDisk)
		return unix.ENOSPC
	}
	return nil
}

// keep refuses what the trash has no room for, and counts it.
func (m *mirror) keep(size int64) error {
	if m.kept+size > m.c.MaxTrash {
		m.say(saysTrash)
		return unix.ENOSPC
	}
	if err := m.space(m.batch.dir.fd, size); err != nil {
		return err
	}
	m.kept += size
	return nil
}

// closed refuses names that somebody runs or obeys later, and what would make
// git take a folder for a repository that has some. dir is the folder of rel.
func (m *mirror) closed(rel string, isFolder bool, dir int) error {
	name := path.Base(rel)
	why := m.guard.name(m.layer.meta.Folder, rel, isFolder)
	if why == "" && isBare(dir) {
		why = m.guard.inBare(name)
	}
	if why == "" && (name == "HEAD" || name == "objects" || name == "refs") {
		for _, hooks := range []string{"hooks", "config"} {
			if _, err := statAt(dir, hooks); err == nil && m.guard.inBare(hooks) != "" {
				why = hooks
			}
		}
	}
	if why != "" {
		m.say(saysGuard)
		return unix.EACCES
	}
	return nil
}

// times writes down when a folder was last changed, before it is.
func (m *mirror) times(rel string, dir int) error {
	if m.timed[rel] {
		return nil
	}
	m.timed[rel] = true
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err != nil {
		return err
	}
	_, err := m.batch.intend(step{Do: doTimes, Path: []byte(rel), ATime: st.Atim.Nano(), MTime: st.Mtim.Nano(), Before: identity{Ino: st.Ino}})
	return err
}

// place opens the folder of rel to change something in it.
func (m *mirror) place(rel string, isFolder bool) (dir int, name string, err error) {
	dir, name, err = m.lower.parent(rel)
	if err != nil {
		return none, "", err
	}
	if err = m.closed(rel, isFolder, dir); err == nil {
		err = m.times(path.Dir(rel), dir)
	}
	if err != nil {
		return none, "", errors.Join(err, unix.Close(dir))
	}
	return dir, name, nil
}

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

// number is what the task is told for the number of a file.
func (m *mirror) number(ino uint64) uint64 {
	if told, ok := m.alias[ino]; ok {
		return told
	}
	return ino
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

// folder refuses a change to the folder rel itself.
func (m *mirror) folder(rel string) error {
	if rel == "." {
		return unix.EPERM // it belongs to the person as a whole
	}
	dir, _, err := m.lower.parent(rel)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	return m.closed(rel, true, dir)
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

// look settles the file at rel after a change to it that had no handle.
func (m *mirror) look(rel string) (unix.Stat_t, error) {
	st, err := m.lower.stat(rel)
	if err == nil {
		err = m.settle(st)
	}
	return st, err
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
