package guest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand/internal/cgroup"
)

// crowded is what TestThreadsInACrowd runs in a group that is full: it takes
// what is left of it with children, then needs threads, as the guest does.
func crowded(reserve bool) {
	if reserve {
		reserveThreads(spareThreads)
	}
	var children []*exec.Cmd
	for {
		c := exec.Command("sleep", "1000")
		c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if c.Start() != nil {
			break
		}
		children = append(children, c)
	}
	var busy sync.WaitGroup
	for range spareThreads / 2 {
		busy.Go(func() { // a blocking call keeps its thread
			limit := unix.NsecToTimespec((300 * time.Millisecond).Nanoseconds())
			_ = unix.Nanosleep(&limit, nil)
		})
	}
	busy.Wait()
	fmt.Println("alive")
	for _, c := range children {
		_ = c.Process.Kill()
	}
}

// TestThreadsInACrowd fills a group of processes: without a reserve of threads a
// Go program in it dies, with one it does not.
func TestThreadsInACrowd(t *testing.T) {
	if how := os.Getenv("GUEST_TEST_CROWDED"); how != "" {
		crowded(how == "reserve")
		return
	}
	t.Parallel()
	for how, lives := range map[string]bool{"bare": false, "reserve": true} {
		g, err := cgroup.New(cgroup.Limits{Processes: spareThreads + 40})
		if err != nil {
			t.Skipf("no control group can be made here: %v", err)
		}
		argv := g.Command([]string{os.Args[0], "-test.run=^TestThreadsInACrowd$"})
		c := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
		c.Env = append(os.Environ(), "GUEST_TEST_CROWDED="+how)
		out, err := c.CombinedOutput()
		if alive := strings.Contains(string(out), "alive\n"); alive != lives {
			t.Errorf("%s: alive %v, want %v: %v, %.600s", how, alive, lives, err, out)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}
}
