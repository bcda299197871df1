// Package tool is what a model may call: a Tool is one entry of the request's
// tools array and the code behind it; a Set is all of a task's tools.
//
// New[In] makes a tool of a Go function. The packages below are the tools of
// the Messages API whose schema the model already knows.
//
// Trust: a call's name and input come from a model that may have been misled,
// and may be malformed in any way. A tool validates everything before anything
// moves, and answers in fixed words: no path, host or stack of the runtime.
package tool

import (
	"context"
	"encoding/json"

	"github.com/deskhand/deskhand"
)

// Tool is one entry of the tools array.
//
// Run performs one call that the gate allowed. What the model did wrong, or
// what the desktop refused, is a Result with IsError; an error means that the
// runtime itself cannot go on (the sandbox is gone) and ends the run. Run is
// never called concurrently for members of one toolset.
type Tool interface {
	Spec() Spec
	Run(ctx context.Context, call deskhand.Call) (deskhand.Result, error)
}

// Observer is a Tool that can show the state of its world. The agent asks after
// a batch of its calls that did not end with a picture, and adds what comes
// back to the last result of the batch.
type Observer interface {
	// Observe returns what changed: usually one image, or a text saying that
	// nothing did.
	Observe(ctx context.Context) ([]deskhand.Content, error)
}

// Aimer is a Tool whose calls act on something that can be looked at before.
type Aimer interface {
	// Aim returns what a call would act on as things are now: nil when it only
	// looks, or when Run would refuse it. It moves nothing. With picture it is
	// shown, marked. An error means that it acts on something, and that could not be seen.
	Aim(ctx context.Context, call deskhand.Call, picture bool) (*deskhand.Target, error)
}

// Pinner is a Tool whose calls depend on something that may change between a
// question about a call and its answer.
type Pinner interface {
	// Pin stands for what call depends on as it is now. It moves nothing. An
	// error means that nobody can tell.
	Pin(ctx context.Context, call deskhand.Call) (deskhand.Hash, error)
}

// Spec describes a Tool. It does not change during a task.
type Spec struct {
	Name    string          // the name calls carry; for a toolset, the toolset_name calls carry
	Toolset bool            // calls carry toolset_name and a member's name
	Entry   json.RawMessage // the entry exactly as sent
	Beta    string          // anthropic-beta header the entry needs; empty for none
	Halt    string          // text answering the calls of a turn after a failed one; empty: they run. A toolset has one
}
