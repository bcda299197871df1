package folder

import (
	"io/fs"

	"github.com/deskhand/deskhand"
)

// Change is one file, link or folder that a task left different.
type Change struct {
	Path string // in the folder, as bytes: hostile
	Kind deskhand.ChangeKind
	From string // where a moved file was

	Type           fs.FileMode // type bits of what is there after the change, of what was there when it was deleted
	Size, OldSize  int64       // bytes of content; of a link, of its target
	Mode, OldMode  fs.FileMode // permissions
	Target         string      // of a link
	WasAnotherType bool        // something of another type is deleted at the same path

	// Refused says why the change is never applied as things stand; empty: it can be.
	Refused string
	// Conflict reports whether Refused is because the folder itself changed meanwhile.
	Conflict bool
	// Protected is the name that has to be unlocked first; empty: none.
	Protected string

	before identity // of what is in the folder
}

// Reasons for which a change is refused, in fixed words.
const (
	whySpecial  = "it is a pipe, a socket or a device"
	whyBits     = "it would run with somebody else's rights (set-user-id or set-group-id)"
	whyLeadsOut = "it is a link that leads out of the folder"
	whyLeadsOn  = "it is a link that leads to a link"
	whyChanged  = "the real file changed since the task began"
	whyGone     = "the real file is gone since the task began"
	whyReplaced = "the real file was replaced since the task began"
)
