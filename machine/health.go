package machine

import (
	"context"
	"fmt"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/guestapi"
)

// Named limits.
const (
	readyLimit  = 60 * time.Second // for the desktop, from nothing
	noticesWait = 30 * time.Minute // one long poll
)

// ready returns when the desktop is, with the number of the last notice.
func (m *Machine) ready(ctx context.Context) (int64, error) {
	limit := fmt.Errorf("the desktop did not become ready within %s", readyLimit)
	within, cancel := context.WithTimeoutCause(ctx, readyLimit, limit)
	defer cancel()
	h, err := m.sandbox.Health(within, readyLimit, -1)
	switch {
	case h.Failed != "":
		return 0, deskhand.Errorf(op, deskhand.Unavailable, "%s", h.Failed)
	case ctx.Err() == nil && (within.Err() != nil || err == nil && !h.Ready):
		return 0, deskhand.Errorf(op, deskhand.Unavailable, "%w (%s)", limit, states(h.Programs))
	case err != nil:
		return 0, deskhand.E(op, "", err)
	}
	m.take(h.Notices)
	return last(h.Notices, 0), nil
}

// states says how programs stand, for an error.
func states(programs []guestapi.Program) string {
	text := "its programs:"
	for _, p := range programs {
		text += " " + p.Name + " " + p.State
	}
	return text
}

// watch collects notices until ctx ends or the machine is gone.
func (m *Machine) watch(ctx context.Context, after int64) {
	failed := ""
	for {
		h, err := m.sandbox.Health(ctx, noticesWait, after)
		if err != nil {
			if ctx.Err() == nil {
				m.log.Warn("computer does not answer any more", "err", err)
				m.note("The computer is gone.")
				close(m.gone)
			}
			return
		}
		m.take(h.Notices)
		after = last(h.Notices, after)
		if h.Failed != failed && h.Failed != "" {
			m.note(h.Failed)
			failed = h.Failed
		}
	}
}

func last(notices []guestapi.Notice, before int64) int64 {
	for _, n := range notices {
		before = max(before, n.N)
	}
	return before
}

func (m *Machine) take(notices []guestapi.Notice) {
	for _, n := range notices {
		m.note(n.Text)
	}
}

func (m *Machine) note(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.notices = append(m.notices, text)
}

// Notices returns what happened since the last call, one sentence each.
func (m *Machine) Notices() []string {
	kills, err := m.sandbox.Kills()
	if err != nil {
		m.log.Error("memory not watched", "err", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.notices
	m.notices = nil
	if kills > m.kills {
		out = append(out, fmt.Sprintf("The computer ran out of memory, so %d of its processes were ended. Close what is not needed, or work on less at a time.", kills-m.kills))
		m.kills = kills
	}
	return out
}
