package procfs

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// Handle is a hold on one process that a reused number cannot mislead.
type Handle struct{ fd int }

// Open takes hold of p. It fails with ESRCH when p has ended.
func Open(p Process) (Handle, error) {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return Handle{-1}, err
	}
	if now, err := Read(p.PID); err != nil || now.Start != p.Start {
		return Handle{-1}, errors.Join(unix.ESRCH, unix.Close(fd))
	}
	return Handle{fd}, nil
}

// Signal sends sig.
func (h Handle) Signal(sig unix.Signal) error { return unix.PidfdSendSignal(h.fd, sig, nil, 0) }

// Wait returns true when the process ended within limit. The first process of
// a PID namespace ends only after everything else in it.
func (h Handle) Wait(limit time.Duration) bool {
	deadline := time.Now().Add(limit)
	for {
		left := max(time.Until(deadline), 0)
		fds := []unix.PollFd{{Fd: int32(h.fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int((left+time.Millisecond-1)/time.Millisecond))
		if err != unix.EINTR {
			return err == nil && n > 0
		}
	}
}

// Close lets go.
func (h Handle) Close() error { return unix.Close(h.fd) }

// End kills all of victims with SIGKILL, first of all so that none can go on
// forking while others are waited for, and reports whether they had ended by
// the deadline.
func End(victims []Process, deadline time.Time) bool {
	var held []Handle
	defer func() {
		for _, h := range held {
			_ = h.Close()
		}
	}()
	for _, v := range victims {
		h, err := Open(v)
		if errors.Is(err, unix.ESRCH) {
			continue
		} else if err != nil { // out of descriptors: the number must do
			_ = unix.Kill(v.PID, unix.SIGKILL)
			continue
		}
		_ = h.Signal(unix.SIGKILL)
		held = append(held, h)
	}
	for _, h := range held {
		if !h.Wait(time.Until(deadline)) {
			return false
		}
	}
	return time.Now().Before(deadline)
}

// EndBelow kills every descendant of root, those that appear meanwhile too,
// and reports whether none was left by the deadline.
func EndBelow(root int, deadline time.Time) (bool, error) {
	for {
		all, err := List()
		if err != nil {
			return false, err
		}
		var running []Process
		for _, p := range Below(all, root) {
			if !p.Ended() {
				running = append(running, p)
			}
		}
		if len(running) == 0 {
			return true, nil
		}
		if !End(running, deadline) {
			return false, nil
		}
	}
}
