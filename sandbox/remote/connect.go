package remote

import (
	"context"
	"net"

	"github.com/deskhand/deskhand"
)

// Connect opens a bare connection to the guest's API, for somebody who passes
// it on to another process of this machine. The caller closes it. Unavailable.
func (s *Sandbox) Connect(ctx context.Context) (net.Conn, error) {
	if err := s.Err(); err != nil {
		return nil, deskhand.E("sandbox: connect", deskhand.Unavailable, err)
	}
	c, err := s.config.Dial(ctx)
	return c, deskhand.E("sandbox: connect", deskhand.Unavailable, err)
}
