package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/procfs"
)

const (
	defaultRoom = 10 << 30
	// reserve is what the disk keeps free, whatever Config.Room says, in bytes.
	reserve = 256 << 20
	// diskLook is how often the disk is looked at. One look is a system call;
	// only when more went to the disk than there is room for is every file looked at.
	diskLook = 100 * time.Millisecond
	// muchWritten is what a process may still write once there is no more room, in bytes.
	muchWritten = 1 << 20
	// beyond is the part of the limit by which it may be exceeded before everything is ended that calls started.
	beyond = 8
	// endedFirst is the kernel's mark at what calls started; see the guest.
	endedFirst = "500"
)

// room watches what a computer keeps on the host's disk. No file system that an
// ordinary user can mount has a limit of its own on the disk, so that the limit is held as
// memory's is: what writes beyond it is ended, and the rest goes on.
type room struct {
	m     *Machine
	paths []string // that are written inside
	most  int64    // bytes that they may hold together

	held  int64            // when every file was looked at last
	ended int64            // held when anything was ended last
	free  map[string]int64 // of the disks of paths, then
	wrote map[int]int64    // what processes had written when there was no more room; nil while there is
}

// newRoom returns what watches c's directories, nil when nothing is to be.
func newRoom(m *Machine, c Config, d *directories) (*room, error) {
	if c.Driver != Bwrap || c.Room < 0 {
		return nil, nil
	}
	r := &room{m: m, most: c.Room, paths: append([]string{d.home, d.logs}, c.Copies...), free: map[string]int64{}}
	for _, l := range c.Layers {
		r.paths = append(r.paths, l.Upper)
	}
	for _, p := range c.Copies { // of folders: what they begin with is not the task's
		r.most += heldIn(p)
	}
	return r, r.look()
}

// heldIn returns the bytes that all files below dir take of their disk.
func heldIn(dir string) int64 {
	var sum int64
	_ = filepath.WalkDir(dir, func(name string, _ fs.DirEntry, _ error) error { // what cannot be seen is not counted
		var st unix.Stat_t
		if unix.Lstat(name, &st) == nil {
			sum += st.Blocks * 512
		}
		return nil
	})
	return sum
}

// look looks at every file.
func (r *room) look() error {
	r.held = 0
	for _, p := range r.paths {
		free, err := freeAt(p)
		if err != nil {
			return err
		}
		r.free[p] = free
		r.held += heldIn(p)
	}
	return nil
}

func freeAt(path string) (int64, error) {
	var disk unix.Statfs_t
	if err := unix.Statfs(path, &disk); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	return int64(disk.Bavail) * disk.Bsize, nil
}

// full says why nothing more may be written; empty: there is room.
func (r *room) full() (string, error) {
	grown := int64(0)
	for _, p := range r.paths {
		free, err := freeAt(p)
		if err != nil {
			return "", err
		}
		if free < reserve {
			return "the disk of this machine is full", nil
		}
		grown = max(grown, r.free[p]-free)
	}
	if r.held+grown <= r.most {
		return "", nil
	}
	if err := r.look(); err != nil {
		return "", err
	}
	if r.held <= r.most {
		return "", nil
	}
	return fmt.Sprintf("the computer's files have reached their limit of %d MB", r.most>>20), nil
}

// watch looks until ctx ends.
func (r *room) watch(ctx context.Context) {
	tick := time.NewTicker(diskLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		why, err := r.full()
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, fs.ErrNotExist) {
				r.m.log.Error("disk not watched", "err", err)
			}
			return
		}
		if why == "" {
			r.wrote, r.ended = nil, 0
			continue
		}
		if n := r.end(); n > 0 {
			r.m.note(fmt.Sprintf("Of the computer's processes %d were ended, because they wrote to files and %s. Delete what is not needed before you go on.", n, why))
		}
	}
}

// end ends the processes that wrote since there was no more room, and returns
// how many. Far beyond the limit, while it still grows, it ends all that calls
// started: a program that starts others which write little each is no process
// that writes. What deletes is left alone.
func (r *room) end() (n int) {
	all, err := r.m.sandbox.Processes()
	if err != nil {
		return 0 // the computer is gone, of which others tell
	}
	first, far := r.wrote == nil, r.held > r.most+r.most/beyond && r.held > r.ended+muchWritten
	r.ended = r.held
	if first {
		r.wrote = map[int]int64{}
	}
	for _, p := range all {
		now, err := writtenBy(p.PID)
		if err != nil {
			continue
		}
		if first {
			r.wrote[p.PID] = now
		}
		if now-r.wrote[p.PID] < muchWritten && !(far && ofCall(p.PID)) {
			continue
		}
		if h, err := procfs.Open(p); err == nil {
			if h.Signal(unix.SIGKILL) == nil {
				n++
			}
			_ = h.Close()
		}
	}
	return n
}

// ofCall reports whether a process descends from what a call started.
func ofCall(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
	return err == nil && strings.TrimSpace(string(data)) == endedFirst
}

// writtenBy returns how many bytes a process wrote to disks.
func writtenBy(pid int) (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(data), "\nwrite_bytes: ")
	text, _, _ := strings.Cut(rest, "\n")
	if !ok {
		return 0, deskhand.Errorf("", deskhand.Internal, "the kernel does not count what processes write")
	}
	return strconv.ParseInt(text, 10, 64)
}
