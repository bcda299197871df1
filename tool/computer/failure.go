package computer

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/tool"
)

// The fixed words for what went wrong outside the model's reach.
const (
	captureFailed = "Error: Failed to capture screenshot. Display may be locked or unavailable."
	displayGone   = "Error: The display is unavailable. Whether this action took effect is unknown. Nothing can be seen or done until the display is back."
	actionFailed  = "Error: Failed to perform %s action. The application may be unresponsive."
)

// explain turns an error into a result for the model, or returns it when the
// run was told to stop.
func explain(ctx context.Context, act action, a args, err error) (deskhand.Result, error) {
	if ctx.Err() != nil || deskhand.CodeOf(err) == deskhand.Canceled {
		if typed := typedSoFar(act, a, err); typed != "" {
			err = fmt.Errorf("%s: %w", typed, err)
		}
		return deskhand.Result{}, deskhand.E("computer: "+actions[act].verb, deskhand.Canceled, err)
	}
	return failure(reason(act, a, err)), nil
}

func reason(act action, a args, err error) string {
	code, text := deskhand.CodeOf(err), fmt.Sprintf(actionFailed, actions[act].verb)
	switch {
	case act == typeText && (code == deskhand.Denied || code == deskhand.NotFound): // of Config.Typing
		return "Error: " + tool.Reason(err)
	case code == deskhand.Invalid:
		return refused(act, a, tool.Reason(err))
	case act == screenshot || act == zoom:
		return captureFailed
	case code == deskhand.Unavailable:
		text = displayGone
	}
	if typed := typedSoFar(act, a, err); typed != "" {
		text += " " + typed + "."
	}
	return text
}

// refused words what the mapping or the desktop found wrong with the input.
// The desktop speaks of keys, which the model wrote as text.
func refused(act action, a args, reason string) string {
	switch act {
	case pressKey, holdKey, typeText:
		return a.invalid("text: " + reason)
	}
	return "Error: " + reason
}

// typedSoFar says how much of a text reached the display, so that the model
// neither repeats nor omits any of it. It is "" for other actions, and when the
// desktop does not know.
func typedSoFar(act action, a args, err error) string {
	var e *desktop.InputError
	if act != typeText || !errors.As(err, &e) {
		return ""
	}
	return fmt.Sprintf("%d of %d characters were typed", e.Typed, utf8.RuneCountInString(a.text))
}
