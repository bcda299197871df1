package folder

import (
	"context"
	"errors"
	"os"
	"path"
	"syscall"

	fuse "github.com/hanwen/go-fuse/v2/fs"
	wire "github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// node is one file or folder as the kernel sees it. It knows no more than its
// place: everything else is looked up anew.
type node struct {
	fuse.Inode
	mirror *mirror
}

var _ interface {
	fuse.NodeLookuper
	fuse.NodeGetattrer
	fuse.NodeSetattrer
	fuse.NodeReaddirer
	fuse.NodeReadlinker
	fuse.NodeOpener
	fuse.NodeCreater
	fuse.NodeMkdirer
	fuse.NodeSymlinker
	fuse.NodeUnlinker
	fuse.NodeRmdirer
	fuse.NodeRenamer
	fuse.NodeStatfser
} = (*node)(nil)

func (n *node) rel() string {
	if p := n.Path(n.Root()); p != "" {
		return p
	}
	return "."
}

func (n *node) below(name string) string { return path.Join(n.rel(), name) }

// errno is what the task is told of err.
func errno(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	var no syscall.Errno
	if !errors.As(err, &no) {
		return unix.EIO
	}
	if no == unix.EXDEV || no == unix.ELOOP { // a mount or a link where none may be
		return unix.EACCES
	}
	return no
}

// nobody owns, for the task, what is neither this user's nor the folder's.
const nobody = 65534

// tell fills in what the task sees of st.
func (m *mirror) tell(out *wire.Attr, st unix.Stat_t) {
	out.Ino, out.Size, out.Blocks, out.Mode, out.Nlink, out.Rdev = m.number(st.Ino), uint64(st.Size), uint64(st.Blocks), st.Mode, uint32(st.Nlink), uint32(st.Rdev)
	out.Blksize = uint32(st.Blksize)
	out.Atime, out.Atimensec = uint64(st.Atim.Sec), uint32(st.Atim.Nsec)
	out.Mtime, out.Mtimensec = uint64(st.Mtim.Sec), uint32(st.Mtim.Nsec)
	out.Ctime, out.Ctimensec = uint64(st.Ctim.Sec), uint32(st.Ctim.Nsec)
	if int(st.Uid) != os.Getuid() && st.Uid != m.root.Uid {
		out.Uid = nobody
	}
	if int(st.Gid) != os.Getgid() && st.Gid != m.root.Gid {
		out.Gid = nobody
	}
}

// child returns the node of a name that is there as st.
func (n *node) child(ctx context.Context, st unix.Stat_t, out *wire.EntryOut) *fuse.Inode {
	n.mirror.tell(&out.Attr, st)
	return n.NewInode(ctx, &node{mirror: n.mirror}, fuse.StableAttr{Mode: st.Mode & unix.S_IFMT, Ino: n.mirror.number(st.Ino)})
}

// find looks at name.
func (n *node) find(ctx context.Context, name string, out *wire.EntryOut) (*fuse.Inode, error) {
	dir, err := n.mirror.lower.open(n.rel(), unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	st, err := statAt(dir, name)
	if err != nil {
		return nil, err
	}
	if st.Dev != n.mirror.root.Dev { // mounted there, and none of the folder's
		return nil, unix.ENOENT
	}
	return n.child(ctx, st, out), nil
}

func (n *node) Lookup(ctx context.Context, name string, out *wire.EntryOut) (*fuse.Inode, syscall.Errno) {
	n.mirror.mu.Lock()
	defer n.mirror.mu.Unlock()
	child, err := n.find(ctx, name, out)
	return child, errno(err)
}

// Getattr looks at the file itself where a handle has it: it may have no name any more.
func (n *node) Getattr(_ context.Context, f fuse.FileHandle, out *wire.AttrOut) syscall.Errno {
	n.mirror.mu.Lock()
	defer n.mirror.mu.Unlock()
	var st unix.Stat_t
	var err error
	if h, ok := f.(*handle); ok {
		err = unix.Fstat(int(h.f.Fd()), &st)
	} else {
		st, err = n.mirror.lower.stat(n.rel())
	}
	if err == nil {
		n.mirror.tell(&out.Attr, st)
	}
	return errno(err)
}

func (n *node) Setattr(_ context.Context, f fuse.FileHandle, in *wire.SetAttrIn, out *wire.AttrOut) syscall.Errno {
	n.mirror.mu.Lock()
	defer n.mirror.mu.Unlock()
	if uid, ok := in.GetUID(); ok && uid != 0 {
		return unix.EPERM
	}
	if gid, ok := in.GetGID(); ok && gid != 0 {
		return unix.EPERM
	}
	h, _ := f.(*handle)
	var err error
	if size, ok := in.GetSize(); ok {
		err = n.mirror.truncate(n.rel(), h, int64(size))
	}
	if mode, ok := in.GetMode(); ok && err == nil {
		err = n.mirror.chmod(n.rel(), mode)
	}
	if ts := timesOf(in); ts != nil && err == nil {
		if h != nil && h.w != nil {
			err = unix.UtimesNanoAt(int(h.f.Fd()), "", ts, unix.AT_EMPTY_PATH)
		} else {
			err = n.mirror.setTimes(n.rel(), ts)
		}
	}
	if err != nil {
		return errno(err)
	}
	var st unix.Stat_t
	if h != nil {
		err = unix.Fstat(int(h.f.Fd()), &st)
	} else {
		st, err = n.mirror.look(n.rel())
	}
	if err == nil {
		n.mirror.tell(&out.Attr, st)
	}
	return errno(err)
}

// timesOf returns the times that are to be set, nil for none.
func timesOf(in *wire.SetAttrIn) []unix.Timespec {
	ts := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Nsec: unix.UTIME_OMIT}}
	atime, a := in.GetATime()
	mtime, m := in.GetMTime()
	if a {
		ts[0] = unix.NsecToTimespec(atime.UnixNano())
	}
	if m {
		ts[1] = unix.NsecToTimespec(mtime.UnixNano())
	}
	if !a && !m {
		return nil
	}
	return ts
}

func (n *node) Readdir(context.Context) (fuse.DirStream, syscall.Errno) {
	fd, err := n.mirror.lower.open(n.rel(), unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, errno(err)
	}
	f := os.NewFile(uintptr(fd), "folder")
	defer f.Close()
	all, err := f.ReadDir(-1)
	var entries []wire.DirEntry
	for _, e := range all {
		entries = append(entries, wire.DirEntry{Name: e.Name(), Mode: modeOf(e)})
	}
	return fuse.NewListDirStream(entries), errno(err)
}

// modeOf is the type of an entry in the kernel's bits.
func modeOf(e os.DirEntry) uint32 {
	for bits, mode := range map[os.FileMode]uint32{
		0: unix.S_IFREG, os.ModeDir: unix.S_IFDIR, os.ModeSymlink: unix.S_IFLNK, os.ModeNamedPipe: unix.S_IFIFO, os.ModeSocket: unix.S_IFSOCK,
	} {
		if e.Type() == bits {
			return mode
		}
	}
	return unix.S_IFCHR
}

func (n *node) Readlink(context.Context) ([]byte, syscall.Errno) {
	dir, name, err := n.mirror.lower.parent(n.rel())
	if err != nil {
		return nil, errno(err)
	}
	defer unix.Close(dir)
	target, err := linkAt(dir, name)
	return []byte(target), errno(err)
}

func (n *node) Open(_ context.Context, flags uint32) (fuse.FileHandle, uint32, syscall.Errno) {
	h, err := n.mirror.open(n.rel(), int(flags))
	if err != nil {
		return nil, 0, errno(err)
	}
	return h, 0, 0
}

func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *wire.EntryOut) (*fuse.Inode, fuse.FileHandle, uint32, syscall.Errno) {
	n.mirror.mu.Lock()
	defer n.mirror.mu.Unlock()
	h, st, err := n.mirror.create(n.below(name), int(flags), mode)
	if err != nil {
		return nil, nil, 0, errno(err)
	}
	return n.child(ctx, st, out), h, 0, 0
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *wire.EntryOut) (*fuse.Inode, syscall.Errno) {
	return n.make(ctx, name, out, func(rel string) error { return n.mirror.mkdir(rel, mode) })
}

func (n *node) Symlink(ctx context.Context, target, name string, out *wire.EntryOut) (*fuse.Inode, syscall.Errno) {
	return n.make(ctx, name, out, func(rel string) error { return n.mirror.symlink(rel, target) })
}

func (n *node) make(ctx context.Context, name string, out *wire.EntryOut, how func(rel string) error) (*fuse.Inode, syscall.Errno) {
	n.mirror.mu.Lock()
	defer n.mirror.mu.Unlock()
	if err := how(n.below(name)); err != nil {
		return nil, errno(err)
	}
	child, err := n.find(ctx, name, out)
	return child, errno(err)
}

func (n *node) Unlink(_ context.Context, name string) syscall.Errno {
	n.mirror.mu.Lock()
	defer n.mirror.mu.Unlock()
	return errno(n.mirror.unlink(n.below(name)))
}

func (n *node) Rmdir(_ context.Context, name string) syscall.Errno {
	n.mirror.mu.Lock()
	defer n.mirror.mu.Unlock()
	return errno(n.mirror.rmdir(n.below(name)))
}

func (n *node) Rename(_ context.Context, name string, to fuse.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	n.mirror.mu.Lock()
	defer n.mirror.mu.Unlock()
	other, ok := to.(*node)
	if !ok {
		return unix.EXDEV
	}
	return errno(n.mirror.rename(n.below(name), other.below(newName), flags))
}

func (n *node) Statfs(_ context.Context, out *wire.StatfsOut) syscall.Errno {
	var disk syscall.Statfs_t
	if err := syscall.Fstatfs(n.mirror.lower.fd, &disk); err != nil {
		return errno(err)
	}
	reserve := uint64(n.mirror.c.Reserve / disk.Bsize) //nolint:gosec // neither is negative
	disk.Bfree, disk.Bavail = disk.Bfree-min(reserve, disk.Bfree), disk.Bavail-min(reserve, disk.Bavail)
	out.FromStatfsT(&disk)
	return 0
}

// handle is an open file.
type handle struct {
	mirror *mirror
	f      *os.File
	w      *written // nil: only read
	since  int64    // bytes written since the disk was looked at; guarded by mirror.mu
}

var _ interface {
	fuse.FileReader
	fuse.FileWriter
	fuse.FileFlusher
	fuse.FileFsyncer
	fuse.FileReleaser
	fuse.FileAllocater
	fuse.FileLseeker
} = (*handle)(nil)

func (h *handle) Read(_ context.Context, into []byte, at int64) (wire.ReadResult, syscall.Errno) {
	return wire.ReadResultFd(h.f.Fd(), at, len(into)), 0
}

// lookEvery is how many bytes are written between two looks at the disk.
const lookEvery = 8 << 20

// spend refuses bytes for which the disk has no room.
func (h *handle) spend(n int64) error {
	h.mirror.mu.Lock()
	defer h.mirror.mu.Unlock()
	if h.since += n; h.since < lookEvery {
		return nil
	}
	h.since = 0
	return h.mirror.space(int(h.f.Fd()), n)
}

func (h *handle) Write(_ context.Context, data []byte, at int64) (uint32, syscall.Errno) {
	if err := h.spend(int64(len(data))); err != nil {
		return 0, errno(err)
	}
	n, err := unix.Pwrite(int(h.f.Fd()), data, at)
	return uint32(max(n, 0)), errno(err) //nolint:gosec // of at most 1 MiB
}

// Flush is where programs hear of a late failure of a file system.
func (h *handle) Flush(context.Context) syscall.Errno {
	fd, err := unix.FcntlInt(h.f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.Close(fd)
	}
	return errno(err)
}

func (h *handle) Fsync(context.Context, uint32) syscall.Errno { return errno(h.f.Sync()) }

func (h *handle) Allocate(_ context.Context, off, size uint64, mode uint32) syscall.Errno {
	if err := h.spend(int64(size)); err != nil { //nolint:gosec // the kernel's are below 1<<63
		return errno(err)
	}
	return errno(unix.Fallocate(int(h.f.Fd()), mode, int64(off), int64(size))) //nolint:gosec // likewise
}

func (h *handle) Lseek(_ context.Context, off uint64, whence uint32) (uint64, syscall.Errno) {
	at, err := unix.Seek(int(h.f.Fd()), int64(off), int(whence)) //nolint:gosec // likewise
	return uint64(max(at, 0)), errno(err)                        //nolint:gosec // not negative
}

// Release notes how the file was left, when this was the last who wrote to it.
func (h *handle) Release(context.Context) syscall.Errno {
	h.mirror.mu.Lock()
	defer h.mirror.mu.Unlock()
	var err error
	if h.w != nil {
		h.w.open--
		var st unix.Stat_t
		if err = unix.Fstat(int(h.f.Fd()), &st); err == nil {
			err = h.mirror.settle(st)
		}
	}
	return errno(errors.Join(err, h.f.Close()))
}
