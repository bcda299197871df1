// Package engine drives tasks turn by turn: start, stop, wait and watch. A
// driver decides where the turns run; what a turn is, agent says.
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
	// ended task does nothing. NotFound.
	Stop(ctx context.Context, id deskhand.TaskID, reason string) error

	// Close stops everything that runs here and waits for it.
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

// Computers makes computers.
type Computers interface {
	Up(ctx context.Context, t deskhand.Task) (Computer, error)
}
