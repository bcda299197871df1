package computer

import (
	"context"
	"errors"
	"fmt"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
)

// The fixed words about texts that hold a secret. None tells how long it is.
const (
	typedCovered = "Typed. Where the secret was drawn, screenshots show a black area."
	elsewhere    = "Error: The secret may not be typed here: no window that it is bound to has the focus, or the focus went elsewhere."
	noneTyped    = " Nothing of it was typed."
	someTyped    = " A part of the text may have been typed."
)

// Fills reports whether call types a text, in which Config.Typing fills secrets in.
func (c *Computer) Fills(call deskhand.Call) bool {
	m, _, refusal := c.version.read(call, c.config.Disabled)
	return c.config.Typing != nil && refusal == "" && m.action == typeText
}

// typeParts types what Config.Typing makes of the text.
func (c *Computer) typeParts(ctx context.Context, a args) (deskhand.Result, error) {
	parts, err := c.config.Typing(a.text)
	switch {
	case err != nil:
		return deskhand.Result{}, err
	case len(parts) == 1 && !parts[0].Covered:
		return c.apply(ctx, actions[typeText].done, parts...)
	}
	r, err := c.apply(ctx, typedCovered, parts...)
	if err == nil || ctx.Err() != nil || deskhand.CodeOf(err) == deskhand.Canceled {
		return r, withoutCount(err)
	}
	return failure(secretReason(err)), nil
}

// secretReason words why a text with a secret was not typed, in words that
// depend on nothing of it.
func secretReason(err error) string {
	text := fmt.Sprintf(actionFailed, actions[typeText].verb)
	switch deskhand.CodeOf(err) {
	case deskhand.Denied:
		text = elsewhere
	case deskhand.Unavailable:
		return displayGone
	}
	var e *desktop.InputError
	if errors.As(err, &e) && e.Action == 0 && e.Typed == 0 {
		return text + noneTyped
	}
	return text + someTyped
}

// withoutCount keeps how many characters were typed out of what is told.
func withoutCount(err error) error {
	if err == nil {
		return nil
	}
	return deskhand.Errorf("computer: type", deskhand.CodeOf(err), "a text with a secret was being typed")
}
