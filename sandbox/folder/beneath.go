package folder

import (
	"errors"
	"fmt"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// tree is a folder held by descriptor. Everything in it is reached from there,
// never through a link and never across a mount.
type tree struct{ fd int }

// openTree opens an absolute path, no part of which may be a link.
func openTree(p string) (*tree, error) {
	fd, err := unix.Openat2(unix.AT_FDCWD, p, &unix.OpenHow{
		Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: p, Err: err}
	}
	return &tree{fd}, nil
}

func (t *tree) Close() error { return unix.Close(t.fd) }

// close is Close where there is nothing more to do about an error: nothing is
// written through this descriptor.
func (t *tree) close() { _ = unix.Close(t.fd) }

// open opens rel, "." being the tree itself.
func (t *tree) open(rel string, flags int) (int, error) {
	return openAt(t.fd, rel, flags)
}

func openAt(dir int, rel string, flags int) (int, error) {
	if flags&unix.O_PATH == 0 { // with which the kernel takes neither
		flags |= unix.O_NONBLOCK | unix.O_NOCTTY
	}
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC | unix.O_NOFOLLOW),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	}
	for {
		fd, err := unix.Openat2(dir, rel, &how)
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) { // EAGAIN: something was renamed meanwhile
			return fd, err
		}
	}
}

// parent opens the folder that rel is in, and returns the last name of rel.
func (t *tree) parent(rel string) (fd int, name string, err error) {
	fd, err = t.open(path.Dir(rel), unix.O_RDONLY|unix.O_DIRECTORY)
	return fd, path.Base(rel), err
}

// stat looks at rel itself.
func (t *tree) stat(rel string) (unix.Stat_t, error) {
	fd, err := t.open(rel, unix.O_PATH)
	if err != nil {
		return unix.Stat_t{}, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	return st, unix.Fstat(fd, &st)
}

// statAt looks at name in the folder dir.
func statAt(dir int, name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	return st, unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
}

// linkAt reads the target of the link name in dir.
func linkAt(dir int, name string) (string, error) {
	b := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, name, b)
	if err != nil {
		return "", err
	}
	return string(b[:n]), nil
}

// namesIn lists the folder fd.
func namesIn(fd int) ([]string, error) {
	dup, err := openAt(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(dup), "folder")
	defer f.Close()
	return f.Readdirnames(-1)
}

// openRegular opens a file, and nothing else than a file, for reading. A pipe
// or a device is not waited for.
func openRegular(dir int, rel string) (*os.File, unix.Stat_t, error) {
	var st unix.Stat_t
	fd, err := openAt(dir, rel, unix.O_RDONLY)
	if err != nil {
		return nil, st, err
	}
	if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, st, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), rel), st, nil
}

// identity is what tells a file from another one, and from itself after a
// change. A rename keeps it but for CTime.
type identity struct {
	Ino   uint64 `json:"ino"`
	Size  int64  `json:"size"`
	MTime int64  `json:"mtime"` // nanoseconds
	CTime int64  `json:"ctime"`
}

func identityOf(st unix.Stat_t) identity {
	return identity{st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano()}
}

// unsettled is the Size of a file that is still being written: whatever has its
// number is it.
const unsettled = -1

// renamed reports whether b can be a after no more than a rename.
func (a identity) renamed(b identity) bool {
	if a.Size == unsettled {
		return a.Ino == b.Ino
	}
	b.CTime = a.CTime
	return a == b
}

// setTimes sets when name in dir was read and written, in nanoseconds.
func setTimes(dir int, name string, atime, mtime int64) error {
	return unix.UtimesNanoAt(dir, name, []unix.Timespec{unix.NsecToTimespec(atime), unix.NsecToTimespec(mtime)}, unix.AT_SYMLINK_NOFOLLOW)
}

// afterNow touches a file in dir until the clock of its file system has moved
// on, and returns a time such that what changes from now on is later.
func afterNow(dir string) (int64, error) {
	f, err := os.CreateTemp(dir, ".clock-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = errors.Join(f.Close(), os.Remove(f.Name())) }()
	const limit = 5 * time.Second
	var first int64
	for until := time.Now().Add(limit); time.Now().Before(until); {
		if err := f.Chmod(0o600); err != nil {
			return 0, err
		}
		var st unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &st); err != nil {
			return 0, err
		}
		if first == 0 {
			first = st.Ctim.Nano()
		} else if st.Ctim.Nano() > first {
			return first, nil
		}
	}
	return 0, fmt.Errorf("the clock of the file system of %s did not move within %s", dir, limit)
}
