package guest

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// reaping runs f in a goroutine of its own while this one, which must hold the
// first thread, adopts and reaps orphans.
//
// The kernel keeps children per thread. Programs that Go starts belong to
// whatever thread started them; orphans fall to the first thread of the
// process. Waiting on that thread with __WNOTHREAD therefore reaps orphans
// and nothing else, so that no status is taken from os/exec, however and by
// whichever package a program was started. It needs the first thread to start
// no program itself, which locking it to the reaper sees to.
func reaping(f func() error) error {
	if os.Getpid() != 1 {
		// Somebody else is PID 1; orphans still come here.
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("the guest cannot adopt orphans: %w", err)
		}
	}
	child := make(chan os.Signal, 1)
	signal.Notify(child, unix.SIGCHLD)
	defer signal.Stop(child)
	result, done := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(done)
		result <- f()
	}()
	reap(child, done)
	return <-result
}

// reap reaps orphans on this thread whenever a child ends, until done.
func reap(child <-chan os.Signal, done <-chan struct{}) {
	for {
		reapOrphans()
		select {
		case <-child:
		case <-done:
			return
		}
	}
}

func reapOrphans() {
	for {
		var s syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &s, syscall.WNOHANG|unix.WNOTHREAD, nil)
		if pid <= 0 && !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}

// holdFirstThread locks this goroutine to the first thread of the process. A
// goroutine cannot choose its thread, but the main goroutine starts on the
// first and, locked early, stays. Should it have moved already, the program
// starts over in the same process: nothing was read or opened yet.
func holdFirstThread() error {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		return nil
	}
	const again = "DESKHAND_GUEST_AGAIN"
	tries := os.Getenv(again)
	if len(tries) >= 5 {
		return errors.New("the guest does not get hold of its first thread")
	}
	if err := os.Setenv(again, tries+"x"); err != nil {
		return err
	}
	return syscall.Exec("/proc/self/exe", os.Args, os.Environ())
}
