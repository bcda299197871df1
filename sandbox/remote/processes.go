package remote

import (
	"slices"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/procfs"
)

// Processes lists what runs inside, as this machine sees it, without the guest.
// Only of a place that Launch started.
func (s *Sandbox) Processes() ([]procfs.Process, error) {
	if s.child == nil {
		return nil, deskhand.Errorf("sandbox: processes", deskhand.Unavailable, "another process started the sandbox")
	}
	all, err := procfs.List()
	if err != nil {
		return nil, deskhand.E("sandbox: processes", deskhand.Internal, err)
	}
	walls := s.child.cmd.Process.Pid
	return slices.DeleteFunc(procfs.Below(all, walls), func(p procfs.Process) bool { return p.Parent == walls }), nil
}
