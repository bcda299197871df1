package sqlite

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/deskhand/deskhand"
)

// fault is what a cause means to a person.
type fault struct {
	code deskhand.Code
	text string // %s is the state directory
}

const (
	fullText     = "the disk of the state directory %s is full; free some space"
	readOnlyText = "the state directory %s cannot be written; check its owner and permissions, or use another one"
	damagedText  = "the database in the state directory %s is damaged; restore it from a copy, or move the directory away to begin anew"
)

// faults by SQLite's primary result code.
var faults = map[int]fault{
	sqlite3.SQLITE_FULL:      {deskhand.Unavailable, fullText},
	sqlite3.SQLITE_READONLY:  {deskhand.Denied, readOnlyText},
	sqlite3.SQLITE_CANTOPEN:  {deskhand.Denied, readOnlyText},
	sqlite3.SQLITE_PERM:      {deskhand.Denied, readOnlyText},
	sqlite3.SQLITE_CORRUPT:   {deskhand.Conflict, damagedText},
	sqlite3.SQLITE_NOTADB:    {deskhand.Conflict, damagedText},
	sqlite3.SQLITE_BUSY:      {deskhand.Unavailable, "the database in the state directory %s is locked by another process; try again"},
	sqlite3.SQLITE_INTERRUPT: {deskhand.Canceled, "the work on the state directory %s was cancelled"},
}

// errnos by the operating system's word.
var errnos = map[syscall.Errno]fault{
	syscall.ENOSPC:  {deskhand.Unavailable, fullText},
	syscall.EDQUOT:  {deskhand.Unavailable, fullText},
	syscall.EROFS:   {deskhand.Denied, readOnlyText},
	syscall.EACCES:  {deskhand.Denied, readOnlyText},
	syscall.EPERM:   {deskhand.Denied, readOnlyText},
	syscall.ENOENT:  {deskhand.NotFound, "the state directory %s is gone, or cannot be made where it should be"},
	syscall.ENOTDIR: {deskhand.Invalid, "the state directory %s is not a directory"},
	syscall.EEXIST:  {deskhand.Invalid, "the state directory %s is not a directory"},
}

// explained keeps the cause beside the sentence.
type explained struct {
	text  string
	cause error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.cause }

// explain gives err a code and a sentence. Errors that have both keep them.
func explain(op, dir string, err error) error {
	op = "store: " + op
	var own *deskhand.Error
	var lite *sqlite.Error
	var errno syscall.Errno
	var f fault
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		if own.Op == "" {
			return deskhand.E(op, own.Code, fmt.Errorf("the state directory %s cannot be used: %w", dir, own.Err))
		}
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return deskhand.E(op, deskhand.Canceled, err)
	case errors.As(err, &lite):
		f = faults[lite.Code()&0xff]
	case errors.As(err, &errno):
		f = errnos[errno]
	}
	if f.text == "" {
		return deskhand.E(op, deskhand.Internal, err)
	}
	return deskhand.E(op, f.code, &explained{fmt.Sprintf(f.text, dir), err})
}
