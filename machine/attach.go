package machine

import (
	"context"
	"errors"

	"github.com/deskhand/deskhand/sandbox/remote"
)

// Attach makes a computer of a place whose desktop somebody else started and
// keeps up. Of c only the tools, Judged and Log count. Close leaves the desktop as it
// is and ends the connections. place is closed when Attach fails.
//
// Errors: as for Up.
func Attach(ctx context.Context, place *remote.Sandbox, c Config) (*Machine, error) {
	m := &Machine{sandbox: place, dirs: &directories{}, log: c.withDefaults().Log, gone: make(chan struct{})}
	if c.Judged != nil {
		m.networked(c.Judged)
	}
	if err := m.furnish(ctx, c); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}
