package guest

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand/internal/guestapi"
)

// limit lowers the limits of this process and of everything that it will start,
// for good. No process leaves a core file, which may hold anything.
func limit(l guestapi.Limits) error {
	for _, r := range []struct {
		what  string
		kind  int
		value uint64
		zero  bool // zero is a limit too
	}{
		{"core files", unix.RLIMIT_CORE, 0, true},
		{"memory", unix.RLIMIT_DATA, l.Data, false},
		{"file size", unix.RLIMIT_FSIZE, l.FileSize, false},
		{"open files", unix.RLIMIT_NOFILE, l.Files, false},
		{"processes", unix.RLIMIT_NPROC, l.Processes, false},
	} {
		if r.value == 0 && !r.zero {
			continue
		}
		var now unix.Rlimit
		if err := unix.Getrlimit(r.kind, &now); err != nil {
			return fmt.Errorf("the guest cannot tell its limit of %s: %w", r.what, err)
		}
		most := min(now.Max, r.value)
		if err := unix.Setrlimit(r.kind, &unix.Rlimit{Cur: min(now.Cur, most), Max: most}); err != nil {
			return fmt.Errorf("the guest cannot limit %s: %w", r.what, err)
		}
	}
	return nil
}
