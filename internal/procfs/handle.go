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

// EndAll kills whatever list finds, until it finds nothing that runs, and
// reports whether that was before the deadline. Everything is stopped before
// anything is killed: a process that cannot start another leaves no orphan
// behind that list would not find.
func EndAll(list func() ([]Process, error), deadline time.Time) (bool, error) {
	for {
		running, err := freeze(list, deadline)
		if err != nil {
			return false, err
		}
		if len(running) == 0 {
			return true, nil
		}
		if !End(running, deadline) {
			return false, nil
		}
	}
}

// freeze stops whatever list finds until it finds nothing new, and returns it.
func freeze(list func() ([]Process, error), deadline time.Time) ([]Process, error) {
	type name struct {
		pid   int
		start uint64
	}
	frozen := map[name]bool{}
	for {
		all, err := list()
		if err != nil {
			return nil, err
		}
		var running []Process
		news := false
		for _, p := range all {
			if p.Ended() {
				continue
			}
			running = append(running, p)
			if n := (name{p.PID, p.Start}); !frozen[n] {
				frozen[n], news = true, true
				if h, err := Open(p); err == nil {
					_ = h.Signal(unix.SIGSTOP)
					_ = h.Close()
				}
			}
		}
		if !news || time.Now().After(deadline) {
			return running, nil
		}
	}
}

// EndBelow is EndAll of the descendants of root.
func EndBelow(root int, deadline time.Time) (bool, error) {
	return EndAll(func() ([]Process, error) {
		all, err := List()
		return Below(all, root), err
	}, deadline)
}
