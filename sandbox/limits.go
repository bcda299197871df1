package sandbox

import (
	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
)

// Limits bound what runs inside. Memory, Processes and Weight are of everything
// together and need control groups of the kernel; where those cannot be had the
// sandbox's Walls name them as missing, and what one process may take still holds.
type Limits struct {
	Memory    int64 // bytes, with what lies in /tmp; default: half of the machine's, at least 1 GiB, at most 8 GiB
	Processes int   // processes and threads; default 4096
	Weight    int   // share of busy processors, against 100 of every other group; default 50
	Scratch   int64 // bytes in /tmp; default a quarter of Memory
	FileSize  int64 // bytes of one file; default 16 GiB
	Files     int   // files that one process has open; default 32768
}

const (
	leastMemory = 1 << 30
	mostMemory  = 8 << 30

	scratchShare = 4 // of Memory that Scratch is
)

// WithDefaults returns l with what is zero filled in. Invalid: a limit is negative.
func (l Limits) WithDefaults() (Limits, error) {
	if l.Memory == 0 {
		var info unix.Sysinfo_t
		if err := unix.Sysinfo(&info); err != nil {
			return l, deskhand.Errorf("", deskhand.Internal, "this machine's memory cannot be told: %w", err)
		}
		l.Memory = min(max(int64(info.Totalram)*int64(info.Unit)/2, leastMemory), mostMemory)
	}
	for _, d := range []struct {
		field *int64
		value int64
	}{{&l.Scratch, l.Memory / scratchShare}, {&l.FileSize, 16 << 30}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	for _, d := range []struct {
		field *int
		value int
	}{{&l.Processes, 4096}, {&l.Weight, 50}, {&l.Files, 32768}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if l.Memory < 0 || l.Scratch < 0 || l.FileSize < 0 || l.Processes < 0 || l.Weight < 0 || l.Files < 0 {
		return l, deskhand.Errorf("", deskhand.Invalid, "a limit of the sandbox is negative")
	}
	return l, nil
}
