package editor

import (
	"context"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
)

// Bounds of what can be undone. Beyond them the oldest edits are forgotten.
const (
	maxEdits = 100      // of all files together
	maxPast  = 64 << 20 // bytes of what files were
)

// edit is one edit that can be undone.
type edit struct {
	path   string
	before []byte           // the whole file
	after  sandbox.FileInfo // as the edit left it
}

// history is the edits of a session, the newest last.
type history struct {
	edits []edit
	bytes int
}

func (h *history) add(p string, e edit) {
	e.path = p
	h.edits, h.bytes = append(h.edits, e), h.bytes+len(e.before)
	for len(h.edits) > maxEdits || h.bytes > maxPast {
		h.drop(0)
	}
}

// last returns the index of the newest edit of the file at p, or -1.
func (h *history) last(p string) int {
	for i := len(h.edits) - 1; i >= 0; i-- {
		if h.edits[i].path == p {
			return i
		}
	}
	return -1
}

func (h *history) drop(i int) {
	h.bytes -= len(h.edits[i].before)
	copy(h.edits[i:], h.edits[i+1:])
	h.edits[len(h.edits)-1] = edit{} // the bytes are held no longer
	h.edits = h.edits[:len(h.edits)-1]
}

// undo makes a file what it was before its last edit, byte for byte. A file
// that something else changed in between stays as it is.
func undo(ctx context.Context, e *Editor, a args) (deskhand.Result, error) {
	d, err := e.open(ctx, a.path)
	if err != nil {
		return deskhand.Result{}, err
	}
	i := e.past.last(key(a.path))
	if i < 0 {
		return deskhand.Result{}, refuse(deskhand.NotFound, noHistory, "{p}", a.path)
	}
	last := e.past.edits[i]
	if !same(last.after, d.info) {
		return deskhand.Result{}, refuse(deskhand.Conflict, changedSince, "{p}", a.path)
	}
	if _, err := e.replace(ctx, d, last.before); err != nil {
		return deskhand.Result{}, err
	}
	e.past.drop(i)
	return deskhand.Text(say(undone, "{p}", a.path)), nil
}
