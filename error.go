package deskhand

import (
	"errors"
	"fmt"
)

// Code classes an error by what the caller can do about it.
type Code string

// The codes. Code → exit status is a table in cmd/deskhand; code → HTTP status one in server.
const (
	Invalid         Code = "invalid"         // the request is wrong; its text is safe to show to a model
	NotFound        Code = "not_found"       // no such thing
	Conflict        Code = "conflict"        // it changed, or exists already
	Denied          Code = "denied"          // a rule or a person forbids it
	Unauthenticated Code = "unauthenticated" // no key, or a wrong one
	OverLimit       Code = "over_limit"      // a limit or budget was reached
	Unavailable     Code = "unavailable"     // not now; may work later
	Canceled        Code = "canceled"        // the caller gave up
	Internal        Code = "internal"        // a defect, or a part that broke
)

// Error is the project's error: what was attempted, its class, and why it failed.
// Its text is one sentence for a person and holds no secret.
type Error struct {
	Op   string // "sandbox: start", "store: append"
	Code Code
	Err  error
}

// E returns an *Error. An error in err that has a code of its own keeps it
// when code is empty.
func E(op string, code Code, err error) error {
	if err == nil {
		return nil
	}
	if code == "" {
		code = CodeOf(err)
	}
	return &Error{Op: op, Code: code, Err: err}
}

// Errorf is E with a formatted cause.
func Errorf(op string, code Code, format string, args ...any) error {
	return E(op, code, fmt.Errorf(format, args...))
}

func (e *Error) Error() string {
	if e.Op == "" {
		return e.Err.Error()
	}
	return e.Op + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the outermost *Error in err, Internal when there
// is none, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
