package folder

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// copyTree copies what is in the open folder from into the empty folder to, with modes
// and times. Where the file system can, files share their blocks until one is
// written. Pipes, sockets and devices, and what is mounted below, are left out.
func copyTree(from int, to string) error {
	dst, err := openTree(to)
	if err != nil {
		return err
	}
	return errors.Join(copyFolder(from, dst.fd), dst.Close())
}

func copyFolder(from, to int) error {
	names, err := namesIn(from)
	if err != nil {
		return err
	}
	for _, name := range names {
		st, err := statAt(from, name)
		if err != nil {
			return &os.PathError{Op: "copy", Path: name, Err: err}
		}
		if err := copyEntry(from, to, name, st); err != nil {
			return &os.PathError{Op: "copy", Path: name, Err: err}
		}
	}
	return nil
}

func copyEntry(from, to int, name string, st unix.Stat_t) error {
	switch typeOf(st) {
	case 0:
		if err := copyFile(from, name, to, name); err != nil {
			return err
		}
	case fs.ModeSymlink:
		if err := copyLink(from, name, to, name); err != nil {
			return err
		}
	case fs.ModeDir:
		if err := copySubfolder(from, to, name); err != nil {
			return err
		}
	default:
		return nil
	}
	return setTimes(to, name, st.Atim.Nano(), st.Mtim.Nano())
}

func copySubfolder(from, to int, name string) error {
	src, err := openAt(from, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if errors.Is(err, unix.EXDEV) {
		return nil
	} else if err != nil {
		return err
	}
	defer unix.Close(src)
	if err := unix.Mkdirat(to, name, 0o700); err != nil {
		return err
	}
	dst, err := openAt(to, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(dst)
	if err := copyFolder(src, dst); err != nil {
		return err
	}
	var st unix.Stat_t
	return errors.Join(unix.Fstat(src, &st), unix.Fchmod(dst, st.Mode&0o777))
}

// copyLink makes a link to in toDir with the target of the other.
func copyLink(fromDir int, from string, toDir int, to string) error {
	target, err := linkAt(fromDir, from)
	if err != nil {
		return err
	}
	return unix.Symlinkat(target, toDir, to)
}

// copyFile makes a new file with content, permissions and user attributes of
// the other, sharing blocks where that is possible.
func copyFile(fromDir int, from string, toDir int, to string) error {
	src, st, err := openRegular(fromDir, from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := createAt(toDir, to)
	if err != nil {
		return err
	}
	if unix.IoctlFileClone(int(dst.Fd()), int(src.Fd())) != nil {
		_, err = io.Copy(dst, src)
	}
	err = errors.Join(err, unix.Fchmod(int(dst.Fd()), st.Mode&0o7777), dst.Close())
	return err
}

// createAt makes a new file, readable by its owner only.
func createAt(dir int, name string) (*os.File, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &os.PathError{Op: "create", Path: filepath.Base(name), Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}
