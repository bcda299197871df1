package folder

import (
	"errors"
	"fmt"
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

// number is what the task is told for the number of a file.
func (m *mirror) number(ino uint64) uint64 {
	if told, ok := m.alias[ino]; ok {
		return told
	}
	return ino
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

// look settles the file at rel after a change to it that had no handle.
func (m *mirror) look(rel string) (unix.Stat_t, error) {
	st, err := m.lower.stat(rel)
	if err == nil {
		err = m.settle(st)
	}
	return st, err
}
