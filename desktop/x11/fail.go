package x11

import (
	"context"
	"errors"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/xwire"
)

// invalid returns an Invalid error whose text is exactly the sentence, since
// the model reads it.
func invalid(format string, args ...any) error {
	return deskhand.Errorf("", deskhand.Invalid, format, args...)
}

// failure gives err the code that callers expect. An error that has one keeps it.
func failure(ctx context.Context, op string, err error) error {
	var coded *deskhand.Error
	var refused *xwire.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &coded):
		return err
	case errors.Is(err, xwire.ErrClosed):
		return deskhand.Errorf(op, deskhand.Unavailable, "the display is gone: %w", err)
	case errors.Is(err, xwire.ErrTimeout):
		return deskhand.E(op, deskhand.Unavailable, err)
	case ctx.Err() != nil:
		return deskhand.E(op, deskhand.Canceled, err)
	case errors.As(err, &refused):
		return deskhand.E(op, deskhand.Internal, err)
	default:
		return deskhand.E(op, deskhand.Internal, err)
	}
}

// isRefusal reports whether err is an answer of the X server, such as that a
// window is gone.
func isRefusal(err error) bool {
	var refused *xwire.Error
	return errors.As(err, &refused)
}

// failedForGood reports whether err means that going on is of no use.
func failedForGood(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, xwire.ErrClosed) || errors.Is(err, xwire.ErrTimeout)
}
