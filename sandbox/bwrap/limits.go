package bwrap

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/deskhand/deskhand/internal/cgroup"
	"github.com/deskhand/deskhand/internal/guestapi"
	"github.com/deskhand/deskhand/sandbox"
)

// Limits bound what runs inside; see there.
type Limits = sandbox.Limits

// Shares of Limits.Memory that the other places in memory may hold.
const (
	shmShare     = 8
	runtimeShare = 32
)

// tmpfs mounts an empty place in memory that holds at most size bytes.
func (w *walls) tmpfs(perms string, size int64, path string) {
	w.add("--perms", perms, "--size", strconv.FormatInt(max(size, 1<<20), 10), "--tmpfs", path)
}

// bounded are the limits that need a control group, as Walls name them.
var bounded = []string{"memory", "processes"}

// group makes the control group of a sandbox; nil when there is none to be had.
func group(l Limits) (g *cgroup.Group, missing []string, err error) {
	g, err = cgroup.New(cgroup.Limits{Memory: l.Memory, Processes: l.Processes, Weight: l.Weight})
	if err != nil {
		return nil, bounded, err
	}
	return g, slices.DeleteFunc(slices.Clone(bounded), func(b string) bool { return slices.Contains(g.Bounds(), b) }), nil
}

// Bounds says how everything in a sandbox together is bounded on this machine,
// and which of memory and processes cannot be, with the reason.
func Bounds() (how string, missing []string, err error) {
	l, err := Limits{}.WithDefaults()
	if err != nil {
		return "", bounded, err
	}
	g, missing, err := group(l)
	if err != nil {
		return "", missing, err
	}
	how = fmt.Sprintf("control groups of version %d bound %s", g.Version(), strings.Join(g.Bounds(), ", "))
	return how, missing, g.Close()
}

// perProcess is what one process may take, for the guest to set for itself and
// all that it starts. Memory is bounded for each process only where it is not for
// all together: programs that reserve much and use little would fail for nothing.
func perProcess(l Limits, missing []string) guestapi.Limits {
	p := guestapi.Limits{FileSize: uint64(l.FileSize), Files: uint64(l.Files), Processes: uint64(l.Processes)}
	if slices.Contains(missing, "memory") {
		p.Data = uint64(l.Memory)
	}
	return p
}
