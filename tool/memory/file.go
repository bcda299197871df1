package memory

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// lockEvery is how often a lock is tried that another process holds: one of a
// file cannot be waited for with a context.
const lockEvery = 2 * time.Millisecond

// locked runs f while nobody else, in this process or another, has the memory.
func (m *Memory) locked(ctx context.Context, f func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, err := m.root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close() // which lets go of the lock
	ctx, cancel := context.WithTimeoutCause(ctx, m.config.Wait, fmt.Errorf("another process held the memory for %s", m.config.Wait))
	defer cancel()
	again := time.NewTicker(lockEvery)
	defer again.Stop()
	for {
		err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f()
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// sweep removes what a crash left half written.
func (m *Memory) sweep() error {
	return m.walk(func(p string, d fs.DirEntry) error {
		if strings.HasPrefix(d.Name(), aside) && d.Type().IsRegular() {
			return m.root.Remove(p)
		}
		return nil
	})
}

// walk calls f for everything below the root.
func (m *Memory) walk(f func(p string, d fs.DirEntry) error) error {
	return fs.WalkDir(m.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == "." {
			return err
		}
		return f(p, d)
	})
}

// room checks that more bytes and more files fit.
func (m *Memory) room(bytes int64, files int) error {
	err := m.walk(func(_ string, d fs.DirEntry) error {
		info, err := d.Info()
		if err == nil && info.Mode().IsRegular() {
			bytes += info.Size()
		}
		files++
		return err
	})
	switch {
	case err != nil:
		return err
	case bytes > m.config.MaxTotal:
		return refuse(full, "{limit}", size(m.config.MaxTotal))
	case files > m.config.MaxFiles:
		return refuse(full, "{limit}", strconv.Itoa(m.config.MaxFiles)+" files and directories")
	}
	return nil
}

// text reads the text file at p.
func (m *Memory) text(p place, info fs.FileInfo) (string, error) {
	if info.Size() > int64(m.config.MaxFile) {
		return "", refuse(unreadable, "{p}", p.shown, "{n}", strconv.FormatInt(info.Size(), 10), "{limit}", strconv.Itoa(m.config.MaxFile))
	}
	f, err := m.root.OpenFile(p.rel(), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if opened, err := f.Stat(); err != nil || !os.SameFile(info, opened) || !plain(opened) {
		return "", errors.Join(err, refuse(isLink, "{p}", p.shown))
	}
	data, err := io.ReadAll(io.LimitReader(f, int64(m.config.MaxFile)+1))
	if err == nil && (!utf8.Valid(data) || strings.ContainsRune(string(data), 0)) {
		err = refuse(notText, "{p}", p.shown)
	}
	return string(data), err
}

// put makes text the content of the file at p, at once. was is the size of what
// it replaces; fresh refuses to replace anything.
func (m *Memory) put(p place, text string, was int64, fresh bool) error {
	files := 0
	if fresh {
		files = len(p.parts)
	}
	if len(text) > m.config.MaxFile {
		return refuse(tooLarge, "{p}", p.shown, "{n}", strconv.Itoa(len(text)), "{limit}", strconv.Itoa(m.config.MaxFile))
	}
	if strings.ContainsRune(text, 0) {
		return refuse(notText, "{p}", p.shown)
	}
	if err := m.room(int64(len(text))-was, files); err != nil {
		return err
	}
	dir, err := m.enter(p.above())
	if err != nil {
		return err
	}
	defer dir.Close()
	draft := aside + rand.Text()
	if err := errors.Join(draftFile(dir, draft, text), move(dir, draft, dir, p.base(), fresh)); err != nil {
		gone := dir.Remove(draft)
		if errors.Is(gone, fs.ErrNotExist) {
			gone = nil
		}
		return errors.Join(err, gone)
	}
	return nil
}

// enter opens a directory of the memory, made when it is not there.
func (m *Memory) enter(p place) (*os.Root, error) {
	if err := m.root.MkdirAll(p.rel(), 0o700); errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrExist) {
		return nil, refuse(badPath, "{p}", p.shown, "{s}", "a part of it is a file")
	} else if err != nil {
		return nil, err
	}
	if _, err := m.find(p); err != nil { // no link took its place
		return nil, err
	}
	return m.root.OpenRoot(p.rel())
}

func draftFile(dir *os.Root, name, text string) error {
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// move renames within the memory and makes it durable. With vacant set the
// kernel refuses to replace anything (fs.ErrExist), where it can.
func move(from *os.Root, name string, to *os.Root, as string, vacant bool) error {
	source, err := from.Open(".")
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := to.Open(".")
	if err != nil {
		return err
	}
	defer target.Close()
	flags := uint(0)
	if vacant {
		flags = unix.RENAME_NOREPLACE
	}
	err = unix.Renameat2(int(source.Fd()), name, int(target.Fd()), as, flags)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSYS) { // a file system without the flag: the lock has to do
		err = unix.Renameat(int(source.Fd()), name, int(target.Fd()), as)
	}
	if err != nil {
		return err
	}
	return errors.Join(source.Sync(), target.Sync())
}
