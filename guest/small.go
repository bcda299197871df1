package guest

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// The guest lives beside the programs it serves and makes large, short-lived
// buffers now and then. Collecting early costs it little time and keeps it small.
const (
	heapGrowth = 25       // percent of the live heap that may become garbage
	heapAim    = 33 << 20 // bytes; above it the collector works harder
)

// beSmall trades a little processor time of the guest for memory, and gives
// back the pages of the program that only its start needed: the same file is
// also deskhand's other half. What is needed again comes from the page cache.
func beSmall() error {
	debug.SetGCPercent(heapGrowth)
	debug.SetMemoryLimit(heapAim)
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("the guest does not find its own file: %w", err)
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("the guest cannot see its memory: %w", err)
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to uintptr
		var mode string
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); n != 3 || strings.Contains(mode, "w") || !strings.HasSuffix(lines.Text(), " "+exe) {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("the guest cannot give memory back: %w", errno)
		}
	}
	return nil
}
