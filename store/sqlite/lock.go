package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

type lockMode int

const (
	shared    lockMode = syscall.LOCK_SH
	exclusive lockMode = syscall.LOCK_EX
)

const (
	lockTimeout = 10 * time.Second // lockFile: how long to wait for another process
	lockPoll    = 2 * time.Millisecond
)

// tryLock locks the file at path and returns how to unlock it, or EWOULDBLOCK.
// The kernel unlocks it when the process dies. An exclusive lock leaves the
// process's id in the file for others to read.
func tryLock(path string, mode lockMode) (unlock func(), err error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(f.Fd()), int(mode)|syscall.LOCK_NB); err != nil {
			f.Close()
			return nil, err
		}
		if !stillAt(path, f) { // removed by its last holder in between
			f.Close()
			continue
		}
		if mode == exclusive {
			if err := sign(f); err != nil {
				f.Close()
				return nil, err
			}
		}
		return sync.OnceFunc(func() { f.Close() }), nil
	}
}

func stillAt(path string, f *os.File) bool {
	a, errA := os.Stat(path)
	b, errB := f.Stat()
	return errA == nil && errB == nil && os.SameFile(a, b)
}

func sign(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := fmt.Fprintln(f, os.Getpid())
	return err
}

// lockFile is tryLock that waits for whoever has the lock, at most lockTimeout.
func lockFile(ctx context.Context, path string, mode lockMode) (unlock func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockTimeout, fmt.Errorf("another process kept %s locked for %s", path, lockTimeout))
	defer cancel()
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		unlock, err := tryLock(path, mode)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
	}
}
