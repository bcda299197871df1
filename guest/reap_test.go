package guest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// reapProgram runs programs of its own among many orphans, and returns 0 when
// every status reached the one who started the program.
func reapProgram() int {
	if err := holdFirstThread(); err != nil {
		fmt.Println(err)
		return 1
	}
	err := reaping(func() error {
		errs := make([]error, 40)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() {
				err := exec.Command("sh", "-c", fmt.Sprintf("(true & true &); exit %d", i+1)).Run()
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.ExitCode() != i+1 {
					errs[i] = fmt.Errorf("program %d: %w", i, err)
				}
			})
		}
		all.Wait()
		return errors.Join(errs...)
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// TestReaping checks that the reaper takes no status from os/exec.
func TestReaping(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command(os.Args[0], "reap").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
