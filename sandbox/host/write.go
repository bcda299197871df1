package host

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
)

const opWrite = "sandbox: write"

// WriteFile makes data the content of the file at path.
func (s *Sandbox) WriteFile(ctx context.Context, path string, data []byte, o sandbox.WriteOptions) (sandbox.FileInfo, error) {
	if len(data) > sandbox.MaxRead {
		return sandbox.FileInfo{}, deskhand.Errorf(opWrite, deskhand.Invalid, "%d bytes are more than %d", len(data), sandbox.MaxRead)
	}
	return s.WriteFrom(ctx, path, bytes.NewReader(data), o)
}

// WriteFrom is WriteFile of everything that r holds; nothing has happened when
// r fails.
func (s *Sandbox) WriteFrom(ctx context.Context, path string, r io.Reader, o sandbox.WriteOptions) (sandbox.FileInfo, error) {
	if err := s.openPath(ctx, opWrite, path); err != nil {
		return sandbox.FileInfo{}, err
	}
	switch path[strings.LastIndexByte(path, '/')+1:] {
	case "", ".", "..":
		return sandbox.FileInfo{}, deskhand.Errorf(opWrite, deskhand.Invalid, "%q names a directory", path)
	}
	info, err := write(path, r, o)
	return info, fail(ctx, opWrite, path, err)
}

func write(path string, r io.Reader, o sandbox.WriteOptions) (sandbox.FileInfo, error) {
	target, err := follow(path)
	if err != nil {
		return sandbox.FileInfo{}, err
	}
	old, err := guard(target, o)
	if err != nil {
		return sandbox.FileInfo{}, err
	}
	if err := makeParents(parent(target)); err != nil {
		return sandbox.FileInfo{}, err
	}
	aside, sum, err := writeAside(target, r, old)
	if err != nil {
		return sandbox.FileInfo{}, err
	}
	if err := replace(aside, target, o); err != nil {
		return sandbox.FileInfo{}, errors.Join(err, os.Remove(aside))
	}
	if err := syncDir(parent(target)); err != nil {
		return sandbox.FileInfo{}, err
	}
	info, err := stat(unix.AT_FDCWD, target, 0)
	info.Name, info.Hash = filepath.Base(path), sum
	return info, err
}

// follow returns where path leads when its last part is a symbolic link, also
// one to nothing, so that the link is kept and its target written.
func follow(path string) (string, error) {
	for range 40 { // as many as the kernel follows
		to, err := os.Readlink(path)
		if errors.Is(err, syscall.EINVAL) || errors.Is(err, os.ErrNotExist) {
			return path, nil
		} else if err != nil {
			return "", err
		}
		if !filepath.IsAbs(to) {
			to = parent(path) + "/" + to
		}
		path = to
	}
	return "", syscall.ELOOP
}

// parent returns the directory that path, which is absolute, is in. Unlike
// filepath.Dir it does not drop "x/..": x may be a link, and only the kernel
// knows where its parent is.
func parent(path string) string { return path[:strings.LastIndexByte(path, '/')+1] + "." }

// makeParents makes dir and what is above it. Of a path that goes up again,
// nothing is made: the kernel would not find it either.
func makeParents(dir string) error {
	if strings.Contains(dir, "/../") {
		_, err := os.Stat(dir)
		return err
	}
	return os.MkdirAll(filepath.Clean(dir), 0o777)
}

// guard checks what o demands of the file at target and returns its status,
// nil when there is none.
func guard(target string, o sandbox.WriteOptions) (*unix.Stat_t, error) {
	info, err := stat(unix.AT_FDCWD, target, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if o.IfVersion != "" {
			return nil, deskhand.Errorf(opWrite, deskhand.Conflict, "%q is no longer there", target)
		}
		return nil, nil
	case err != nil:
		return nil, err
	case o.IfAbsent:
		return nil, deskhand.Errorf(opWrite, deskhand.Conflict, "%q exists already", target)
	case o.IfVersion != "" && info.Version != o.IfVersion:
		return nil, deskhand.Errorf(opWrite, deskhand.Conflict, "%q changed since it was read", target)
	}
	if err := regular(target, info); err != nil {
		return nil, err
	}
	var st unix.Stat_t
	return &st, unix.Stat(target, &st)
}

// writeAside writes r to a new file beside target, with the mode and owner of
// old, and returns its name and the hash of the content once it is on disk.
func writeAside(target string, r io.Reader, old *unix.Stat_t) (string, deskhand.Hash, error) {
	perm := os.FileMode(0o666) // less the umask, as any program would create it
	if old != nil {
		perm = 0o600
	}
	aside := parent(target) + "/.deskhand-" + rand.Text()
	f, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, perm)
	if err != nil {
		return "", "", err
	}
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, hash), r)
	if err == nil && old != nil {
		err = like(f, old)
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return "", "", errors.Join(err, os.Remove(aside))
	}
	return aside, deskhand.Hash(hex.EncodeToString(hash.Sum(nil))), nil
}

// like gives f the owner and the permissions of old. The owner goes first
// because a change of it clears bits of the mode.
func like(f *os.File, old *unix.Stat_t) error {
	fd := int(f.Fd())
	var own unix.Stat_t
	if err := unix.Fstat(fd, &own); err != nil {
		return err
	}
	if own.Uid != old.Uid || own.Gid != old.Gid {
		if err := unix.Fchown(fd, int(old.Uid), int(old.Gid)); err != nil {
			return err
		}
	}
	return unix.Fchmod(fd, old.Mode&0o777)
}

// replace puts aside in the place of target. IfAbsent is decided by the
// kernel; IfVersion is checked once more, right before.
func replace(aside, target string, o sandbox.WriteOptions) error {
	if o.IfAbsent {
		err := unix.Renameat2(unix.AT_FDCWD, aside, unix.AT_FDCWD, target, unix.RENAME_NOREPLACE)
		if errors.Is(err, unix.EEXIST) {
			return deskhand.Errorf(opWrite, deskhand.Conflict, "%q exists already", target)
		}
		return err
	}
	if o.IfVersion != "" {
		if _, err := guard(target, o); err != nil {
			return err
		}
	}
	return os.Rename(aside, target)
}

// syncDir makes the rename durable. A directory that may be written but not
// read cannot be synced; the file is there all the same.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if errors.Is(err, os.ErrPermission) {
		return nil
	} else if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
