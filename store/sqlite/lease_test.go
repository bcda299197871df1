package sqlite

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
)

// TestLeaseOfTheDead: the lease of a process that has died is waited for while
// a child of it that is not on its own feet yet has it open. That of a living
// one is refused at once.
func TestLeaseOfTheDead(t *testing.T) {
	t.Parallel()
	for _, alive := range []bool{false, true} {
		s, err := Open(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		id := deskhand.NewTaskID()
		pid := os.Getpid()
		if !alive {
			c := exec.CommandContext(t.Context(), "true")
			if err := c.Run(); err != nil {
				t.Fatal(err)
			}
			pid = c.Process.Pid
		}
		f, err := os.Create(s.leasePath(id))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(f, pid)
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		let := time.AfterFunc(50*time.Millisecond, func() { f.Close() })
		if alive { // it would never come
			let.Stop()
			cancel()
		}
		release, err := s.Lease(ctx, id)
		cancel()
		if got := deskhand.CodeOf(err); alive && got != deskhand.Conflict || !alive && err != nil {
			t.Errorf("the holder lives: %v; the lease: %v", alive, err)
		}
		if release != nil {
			release()
		}
		f.Close()
	}
}
