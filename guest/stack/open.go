package stack

import (
	"encoding/json"
	"log/slog"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/guest"
)

var _ guest.Display = (*Stack)(nil)

// Open returns the display that the host described: a Config in JSON. It is
// the guest.OpenDisplay of a guest that has a display. Invalid.
func Open(config json.RawMessage, log *slog.Logger) (guest.Display, error) {
	var c Config
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, deskhand.Errorf("display stack", deskhand.Invalid, "the display's settings cannot be read: %w", err)
	}
	c.Log = log
	s, err := New(c)
	if err != nil {
		return nil, err
	}
	return s, nil
}
