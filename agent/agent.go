// Package agent is the loop: a turn of the model, a verdict for each call, the
// intent, the effect, the fact, until the model is done.
//
// A turn is an idempotent step over the journal: State is folded from events
// and nothing else, so whoever has the journal can take the next turn. The
// agent decides nothing about machines, storage or people; it is given a Model,
// a tool.Set, a gate and a Journal.
package agent

import (
	"context"

	"github.com/deskhand/deskhand"
)

// Journal is what the agent needs of a store.
type Journal interface {
	Append(ctx context.Context, events ...deskhand.Event) ([]deskhand.Event, error)
}

// Blobs is where the agent keeps images.
type Blobs interface {
	PutBlob(ctx context.Context, data []byte) (deskhand.Hash, error)
	Blob(ctx context.Context, hash deskhand.Hash) ([]byte, error)
}
