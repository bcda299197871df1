package guest

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand/internal/procfs"
)

// leaveLimit bounds how long what is killed at the end may take to be gone.
const leaveLimit = 5 * time.Second

// leave ends everything below this process: what a program of the desktop
// started has lost its parents by now and belongs to the guest, who adopts
// orphans. Walls would end it too; without walls nobody could find it later.
func leave() error {
	for deadline := time.Now().Add(leaveLimit); time.Now().Before(deadline); {
		all, err := procfs.List()
		if err != nil {
			return fmt.Errorf("the table of processes cannot be read: %w", err)
		}
		left := 0
		for _, p := range procfs.Below(all, os.Getpid()) {
			if p.Ended() {
				continue
			}
			left++
			if err := end(p, time.Until(deadline)); err != nil {
				return err
			}
		}
		if left == 0 {
			return nil
		}
	}
	return fmt.Errorf("programs were left that did not end within %s", leaveLimit)
}

// end kills one process and waits until it is gone.
func end(p procfs.Process, limit time.Duration) error {
	h, err := procfs.Open(p)
	if errors.Is(err, unix.ESRCH) {
		return nil
	} else if err != nil {
		return errors.Join(err, syscall.Kill(p.PID, syscall.SIGKILL))
	}
	_ = h.Signal(unix.SIGKILL) // fails only when it is gone
	h.Wait(limit)
	return h.Close()
}
