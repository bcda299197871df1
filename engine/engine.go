// Package engine drives tasks turn by turn: start, stop, resume, steer and
// watch. A driver decides where the turns run; what a turn is, agent says.
//
// Whoever may use a task's store may ask something of the task, also when
// another process drives it: requests are events, and their answer is what the
// driver does.
//
// Drivers: engine/local runs a goroutine per task in this process.
package engine

import (
	"context"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/tool"
)

// Engine drives tasks. Methods may be called concurrently.
type Engine interface {
	// Start stores a new task and drives it. The id and times of t are filled in
	// and the task as stored is returned. Invalid.
	Start(ctx context.Context, t deskhand.Task) (deskhand.Task, error)

	// Watch sends the stored events of a task with Seq greater than after, then
	// new ones as they come with model.delta in between, until the task has
	// ended or is parked, or ctx ends; then the channel is closed. A slow reader loses
	// deltas, never stored events. NotFound.
	Watch(ctx context.Context, id deskhand.TaskID, after int64) (<-chan deskhand.Event, error)

	// Stop ends a task: no further input, open calls answered as interrupted,
	// keys released, the computer gone. It returns when that is so. Stopping an
	// ended task does nothing. NotFound; Unavailable: the process that drives it
	// does not do what it is asked.
	Stop(ctx context.Context, id deskhand.TaskID, reason string) error

	// Resume goes on with a task that failed, was stopped, reached its budget,
	// was answered, or was left by a dead process. It returns when it is driven.
	// NotFound; Conflict: it is being driven, it is done, or it waits for an
	// answer; Unavailable as for Stop.
	Resume(ctx context.Context, id deskhand.TaskID) error

	// Say adds a person's message. It reaches the model with the next turn; a
	// task that is done, or that asked how to go on, goes on with it. One that stands still for another reason
	// keeps it until it goes on. Invalid: no text. NotFound; Unavailable as for Stop.
	Say(ctx context.Context, id deskhand.TaskID, text string) error

	// Answer answers the question that a task waits for and goes on with the
	// task. The first answer counts. Without a CallID it is the question that is
	// open now. NotFound; Conflict: nothing is asked, or it is answered;
	// Unavailable as for Stop.
	Answer(ctx context.Context, id deskhand.TaskID, d deskhand.Decision) error

	// Raise gives a task another budget, for when it goes on. NotFound.
	Raise(ctx context.Context, id deskhand.TaskID, b deskhand.Budget, by string) error

	// Interrupt ends the call that is running. It returns when the call has its
	// answer; the model is told and the task goes on. NotFound; Conflict: no
	// call is running; Unavailable as for Stop.
	Interrupt(ctx context.Context, id deskhand.TaskID) error

	// Close stops everything that runs here and waits for it. Tasks that are
	// parked stay so.
	Close() error
}

// Computer is one task's machine, as the engine sees it.
type Computer interface {
	// Tools is what the model may call on it.
	Tools() *tool.Set
	// Notices returns what happened to the machine since the last call that the
	// model should know (a program died and was restarted), one sentence each.
	Notices() []string
	// Close ends everything on it. It returns when nothing runs any more.
	Close() error
}

// Networked is a Computer that says what its way out judged.
type Networked interface {
	// Judged waits until a connection was judged and returns what was said.
	// When ctx has ended it returns what is left, then the error of ctx. io.EOF:
	// there is no network, or it has ended.
	Judged(ctx context.Context) ([]deskhand.NetworkJudged, error)
}

// Mortal is a Computer that says when it is gone without having been closed.
// The engine then goes on with another one.
type Mortal interface {
	// Gone is closed when the computer has ended, whatever ended it.
	Gone() <-chan struct{}
}

// Survivor is a Computer that may have outlived the process that made it.
type Survivor interface {
	// Survived reports whether this is the computer that the task had before,
	// with everything on it.
	Survived() bool
}

// Computers makes computers.
type Computers interface {
	Up(ctx context.Context, t deskhand.Task) (Computer, error)
}
