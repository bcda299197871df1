package deskhand

// FolderMode is how a folder of the person's is shared with a task.
type FolderMode string

// The modes.
const (
	Review   FolderMode = "review" // written to a layer of its own, and to the folder only what a person accepts
	ReadOnly FolderMode = "ro"     // not written
	Through  FolderMode = "rw"     // written at once, with all that is replaced or deleted kept
)

// Folder is a folder of the person's that a task is given, at the same path inside.
type Folder struct {
	Path string     `json:"path"` // absolute, without links
	Mode FolderMode `json:"mode"`
}

// ChangeKind is what became of a file in a folder shared for review.
type ChangeKind string

// The kinds of changes.
const (
	Added   ChangeKind = "added"
	Changed ChangeKind = "changed" // content, target or permissions
	Moved   ChangeKind = "moved"   // the same content under another name
	Deleted ChangeKind = "deleted"
)
