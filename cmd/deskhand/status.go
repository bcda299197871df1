package main

import (
	"errors"
	"fmt"

	"github.com/deskhand/deskhand"
)

// The exit statuses. They are stable.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitStopped     = 3 // stopped or refused by a person
	exitBudget      = 4
	exitWaiting     = 5 // for an answer
	exitInterrupted = 130
)

// byCode is the exit status of an error.
var byCode = map[deskhand.Code]int{
	"":                       exitDone,
	deskhand.Invalid:         exitUsage,
	deskhand.NotFound:        exitFailed,
	deskhand.Conflict:        exitFailed,
	deskhand.Denied:          exitStopped,
	deskhand.Unauthenticated: exitFailed,
	deskhand.OverLimit:       exitBudget,
	deskhand.Unavailable:     exitFailed,
	deskhand.Canceled:        exitInterrupted,
	deskhand.Internal:        exitFailed,
}

// byStatus is the exit status of a task that is driven no further.
var byStatus = map[deskhand.Status]int{
	deskhand.Done:      exitDone,
	deskhand.Failed:    exitFailed,
	deskhand.Stopped:   exitStopped,
	deskhand.Exhausted: exitBudget,
	deskhand.Waiting:   exitWaiting,
}

// outcome is an exit status for which everything has been said already.
type outcome struct{ status int }

func (o *outcome) Error() string { return fmt.Sprintf("exit status %d", o.status) }

// ended returns the outcome of a task's last status.
func ended(s deskhand.Status) error {
	status, known := byStatus[s]
	if !known {
		status = exitFailed
	}
	if status == exitDone {
		return nil
	}
	return &outcome{status}
}

func exitStatus(err error) int {
	var said *outcome
	if errors.As(err, &said) {
		return said.status
	}
	if status, known := byCode[deskhand.CodeOf(err)]; known {
		return status
	}
	return exitFailed
}

// usage returns an error in how the program was called: exit status 2.
func usage(format string, args ...any) error {
	return deskhand.Errorf("", deskhand.Invalid, format, args...)
}

// notYet refuses what the command line will have and this version has not.
func notYet(what string) error {
	return usage("%s: not yet; this version cannot do that", what)
}

// firstOf returns the first of joined errors: the sentence for a person.
func firstOf(err error) error {
	if many, ok := err.(interface{ Unwrap() []error }); ok && len(many.Unwrap()) > 0 {
		return many.Unwrap()[0]
	}
	return err
}
