package stack

import "github.com/deskhand/deskhand/internal/guestapi"

// health is what Health returns, as one value.
type health struct {
	programs []guestapi.Program
	notices  []guestapi.Notice
	ready    bool
	failed   string
}

func healthOf(s *Stack) (h health) {
	h.programs, h.notices, h.ready, h.failed = s.Health()
	return h
}

func (h health) program(name string) guestapi.Program {
	for _, p := range h.programs {
		if p.Name == name {
			return p
		}
	}
	return guestapi.Program{}
}
