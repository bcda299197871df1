// Package store keeps tasks: their journals, what is known of each at a
// glance, and the images that events name by hash. The small interfaces here
// are what the rest of the program sees; storetest is the suite every driver
// passes.
//
// Drivers: store/sqlite. Several processes may use one state directory; each
// task has one writer at a time, who holds its lease.
package store

import (
	"context"
	"iter"

	"github.com/deskhand/deskhand"
)

// Journal is append-only. Methods may be called concurrently, also from other
// processes.
type Journal interface {
	// Append stores events of one task, all or none, and returns them with Seq
	// and Prev filled in. When it returns they are durable. The first event of a
	// task must be KindTaskCreated; model.delta is refused. It also keeps the
	// Task that Tasks returns up to date, by Fold. Invalid, NotFound, Conflict
	// (an illegal change of status), Unavailable (disk full).
	Append(ctx context.Context, events ...deskhand.Event) ([]deskhand.Event, error)

	// Events yields the events of a task with Seq greater than after, in order.
	// NotFound.
	Events(ctx context.Context, task deskhand.TaskID, after int64) iter.Seq2[deskhand.Event, error]

	// Verify checks the hash chain of a task, the form of its events, and where
	// the store noted it to have ended before. Conflict: broken, naming the event.
	Verify(ctx context.Context, task deskhand.TaskID) error
}

// Tasks is what is known of each task at a glance.
type Tasks interface {
	// Get returns one task; id may be a prefix that is unambiguous. NotFound, Conflict (ambiguous).
	Get(ctx context.Context, id string) (deskhand.Task, error)
	// List returns up to limit tasks, newest first; 0 is all.
	List(ctx context.Context, limit int) ([]deskhand.Task, error)
	// Remove deletes a task, its events and the blobs no other task names.
	// NotFound, Conflict (somebody holds its lease).
	Remove(ctx context.Context, id deskhand.TaskID) error
	// Lease makes this process the one writer of a task until release is called
	// or the process dies. Conflict: another process has it.
	Lease(ctx context.Context, id deskhand.TaskID) (release func(), err error)
}

// Blobs keeps byte strings under their hash.
type Blobs interface {
	// PutBlob stores data durably and returns its hash. Storing the same again is free.
	PutBlob(ctx context.Context, data []byte) (deskhand.Hash, error)
	// Blob returns the bytes, checked against hash. NotFound, Conflict (the file is damaged).
	Blob(ctx context.Context, hash deskhand.Hash) ([]byte, error)
	// DropBlobs deletes the blobs that only this task names and returns how many
	// there were. Its events stay, and name what is not there any more.
	// NotFound, Conflict (somebody holds its lease).
	DropBlobs(ctx context.Context, task deskhand.TaskID) (int, error)
}

// Store is everything a driver provides.
type Store interface {
	Journal
	Tasks
	Blobs
	Close() error
}
