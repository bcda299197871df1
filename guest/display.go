package guest

import (
	"context"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/guestapi"
)

// Display is a display stack that starts and supervises itself. Methods may be
// called concurrently.
type Display interface {
	// Start begins to start the stack and returns; Health tells how it goes.
	Start(ctx context.Context) error
	// Desktop returns the desktop, nil before it is ready.
	Desktop() desktop.Desktop
	// Health says how the programs stand and what should be known since the
	// start. failed is one sentence when it will never be ready.
	Health() (programs []guestapi.Program, notices []guestapi.Notice, ready bool, failed string)
	// Env returns what programs need to reach the display, as NAME=value.
	Env() []string
	// Stop ends the stack. It returns when nothing of it runs any more.
	Stop()
}

// announcer is a Display that says when its health changes, so that nobody has
// to ask again and again.
type announcer interface {
	// Changed is closed at the next change of Health.
	Changed() <-chan struct{}
}

// desktop returns the desktop of the display.
func (s *server) desktop() (desktop.Desktop, error) {
	if s.config.Display == nil {
		return nil, deskhand.Errorf("", deskhand.Unavailable, "this sandbox has no desktop")
	}
	if d := s.config.Display.Desktop(); d != nil {
		return d, nil
	}
	if _, _, _, failed := s.config.Display.Health(); failed != "" {
		return nil, deskhand.Errorf("", deskhand.Unavailable, "%s", failed)
	}
	return nil, deskhand.Errorf("", deskhand.Unavailable, "the desktop is not ready yet")
}
