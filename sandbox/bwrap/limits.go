package bwrap

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/cgroup"
	"github.com/deskhand/deskhand/internal/guestapi"
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
)

// Shares of Limits.Memory that the other places in memory may hold.
const (
	scratchShare = 4
	shmShare     = 8
	runtimeShare = 32
)

func (l Limits) withDefaults() (Limits, error) {
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

// tmpfs mounts an empty place in memory that holds at most size bytes.
func (w *walls) tmpfs(perms string, size int64, path string) {
	w.add("--perms", perms, "--size", strconv.FormatInt(max(size, 1<<20), 10), "--tmpfs", path)
}

// bounded are the limits that need a control group, as Walls name them.
var bounded = []string{"memory", "processes"}

// group makes the control group of a sandbox; nil when there is none to be had.
func (l Limits) group() (g *cgroup.Group, missing []string, err error) {
	g, err = cgroup.New(cgroup.Limits{Memory: l.Memory, Processes: l.Processes, Weight: l.Weight})
	if err != nil {
		return nil, bounded, err
	}
	return g, slices.DeleteFunc(slices.Clone(bounded), func(b string) bool { return slices.Contains(g.Bounds(), b) }), nil
}

// Bounds says how everything in a sandbox together is bounded on this machine,
// and which of memory and processes cannot be, with the reason.
func Bounds() (how string, missing []string, err error) {
	l, err := Limits{}.withDefaults()
	if err != nil {
		return "", bounded, err
	}
	g, missing, err := l.group()
	if err != nil {
		return "", missing, err
	}
	how = fmt.Sprintf("control groups of version %d bound %s", g.Version(), strings.Join(g.Bounds(), ", "))
	return how, missing, g.Close()
}

// perProcess is what one process may take, for the guest to set for itself and
// all that it starts. Memory is bounded for each process only where it is not for
// all together: programs that reserve much and use little would fail for nothing.
func (l Limits) perProcess(missing []string) guestapi.Limits {
	p := guestapi.Limits{FileSize: uint64(l.FileSize), Files: uint64(l.Files), Processes: uint64(l.Processes)}
	if slices.Contains(missing, "memory") {
		p.Data = uint64(l.Memory)
	}
	return p
}
