package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
)

// Stat describes the file at path.
func (s *Sandbox) Stat(ctx context.Context, path string) (sandbox.FileInfo, error) {
	const op = "sandbox: stat"
	if err := s.openPath(ctx, op, path); err != nil {
		return sandbox.FileInfo{}, err
	}
	info, err := stat(unix.AT_FDCWD, path, 0)
	return info, fail(ctx, op, path, err)
}

// ReadFile reads a part of a regular file.
func (s *Sandbox) ReadFile(ctx context.Context, path string, offset, limit int64) ([]byte, sandbox.FileInfo, error) {
	const op = "sandbox: read"
	f, info, err := s.OpenFile(ctx, path, offset)
	if err != nil {
		return nil, sandbox.FileInfo{}, err
	}
	defer f.Close()
	if limit, err = Limit(limit); err != nil {
		return nil, sandbox.FileInfo{}, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil, sandbox.FileInfo{}, fail(ctx, op, path, err)
	}
	if offset == 0 && int64(len(data)) == info.Size {
		info.Hash = deskhand.HashOf(data)
	}
	return data, info, nil
}

// Limit returns the limit of a ReadFile that asks for limit.
func Limit(limit int64) (int64, error) {
	if limit < 0 || limit > sandbox.MaxRead {
		return 0, deskhand.Errorf("sandbox: read", deskhand.Invalid, "the limit %d is not between 0 and %d", limit, int64(sandbox.MaxRead))
	}
	if limit == 0 {
		limit = sandbox.MaxRead
	}
	return limit, nil
}

// OpenFile opens the regular file at path for reading from offset. Anything
// else is Invalid, found out without opening it: opening a FIFO would wake or
// await its other end, and opening a device may act.
func (s *Sandbox) OpenFile(ctx context.Context, path string, offset int64) (*os.File, sandbox.FileInfo, error) {
	const op = "sandbox: read"
	if err := s.openPath(ctx, op, path); err != nil {
		return nil, sandbox.FileInfo{}, err
	}
	if offset < 0 {
		return nil, sandbox.FileInfo{}, deskhand.Errorf(op, deskhand.Invalid, "the offset %d is negative", offset)
	}
	f, info, err := openRegular(path, offset)
	if err != nil {
		return nil, sandbox.FileInfo{}, fail(ctx, op, path, err)
	}
	return f, info, nil
}

func openRegular(path string, offset int64) (*os.File, sandbox.FileInfo, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, sandbox.FileInfo{}, err
	}
	defer unix.Close(fd)
	// What is described is read before the content, so that a change in between
	// makes the version old rather than the content.
	info, err := stat(fd, "", unix.AT_EMPTY_PATH)
	if err != nil {
		return nil, sandbox.FileInfo{}, err
	}
	if err := regular(path, info); err != nil {
		return nil, sandbox.FileInfo{}, err
	}
	info.Name = filepath.Base(path)
	f, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_RDONLY, 0)
	if err != nil {
		return nil, sandbox.FileInfo{}, err
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, sandbox.FileInfo{}, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// ReadDir lists a directory in name order.
func (s *Sandbox) ReadDir(ctx context.Context, path string) ([]sandbox.FileInfo, error) {
	const op = "sandbox: list"
	if err := s.openPath(ctx, op, path); err != nil {
		return nil, err
	}
	d, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ENOTDIR) {
		if _, e := stat(unix.AT_FDCWD, path, 0); e == nil {
			return nil, deskhand.Errorf(op, deskhand.Invalid, "%q is not a directory", path)
		}
	}
	if err != nil {
		return nil, fail(ctx, op, path, err)
	}
	defer d.Close()
	names, err := firstNames(ctx, d)
	if err != nil {
		return nil, fail(ctx, op, path, err)
	}
	infos := make([]sandbox.FileInfo, 0, len(names))
	for _, name := range names {
		info, err := stat(int(d.Fd()), name, unix.AT_SYMLINK_NOFOLLOW)
		if err != nil {
			continue // it went away since
		}
		if info.Mode&fs.ModeSymlink != 0 {
			info.Link, _ = os.Readlink(filepath.Join(path, name))
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// firstNames returns the first MaxEntries names of d in name order, in memory
// bounded whatever the directory holds.
func firstNames(ctx context.Context, d *os.File) ([]string, error) {
	var names []string
	for {
		more, err := d.Readdirnames(1024)
		names = append(names, more...)
		if len(names) > 4*sandbox.MaxEntries || err != nil {
			slices.Sort(names)
			names = names[:min(len(names), sandbox.MaxEntries)]
		}
		if err == io.EOF {
			return names, nil
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
	}
}

// openPath is open for the methods that take a path.
func (s *Sandbox) openPath(ctx context.Context, op, path string) error {
	if err := s.open(ctx, op); err != nil {
		return err
	}
	if !filepath.IsAbs(path) || strings.ContainsRune(path, 0) {
		return deskhand.Errorf(op, deskhand.Invalid, "%q is not an absolute path", path)
	}
	return nil
}

func regular(path string, info sandbox.FileInfo) error {
	if !info.Mode.IsRegular() {
		return deskhand.Errorf("sandbox: file", deskhand.Invalid, "%q is not a regular file", path)
	}
	return nil
}

// stat describes what is at path below the directory fd.
func stat(fd int, path string, flags int) (sandbox.FileInfo, error) {
	var st unix.Stat_t
	for {
		if err := unix.Fstatat(fd, path, &st, flags); err != unix.EINTR {
			if err != nil {
				return sandbox.FileInfo{}, err
			}
			break
		}
	}
	return sandbox.FileInfo{
		Name:    filepath.Base(path),
		Size:    st.Size,
		Mode:    mode(st.Mode),
		ModTime: time.Unix(st.Mtim.Unix()).UTC(),
		Version: fmt.Sprintf("%x-%x-%x-%x-%x", st.Dev, st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano()),
	}, nil
}

// kinds maps the kernel's file types and special bits to Go's.
var kinds = map[uint32]fs.FileMode{
	unix.S_IFBLK: fs.ModeDevice, unix.S_IFCHR: fs.ModeDevice | fs.ModeCharDevice, unix.S_IFDIR: fs.ModeDir,
	unix.S_IFIFO: fs.ModeNamedPipe, unix.S_IFLNK: fs.ModeSymlink, unix.S_IFSOCK: fs.ModeSocket,
}

func mode(m uint32) fs.FileMode {
	mode := fs.FileMode(m&0o777) | kinds[m&unix.S_IFMT]
	for bit, flag := range map[uint32]fs.FileMode{
		unix.S_ISUID: fs.ModeSetuid, unix.S_ISGID: fs.ModeSetgid, unix.S_ISVTX: fs.ModeSticky,
	} {
		if m&bit != 0 {
			mode |= flag
		}
	}
	return mode
}
