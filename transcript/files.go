package transcript

import (
	"fmt"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/plaintext"
)

// FilesChanged says in one sentence what waits for review, or was written.
func FilesChanged(d deskhand.FileChanged) string {
	var parts []string
	for _, kind := range []deskhand.ChangeKind{deskhand.Added, deskhand.Changed, deskhand.Moved, deskhand.Deleted} {
		if n := d.Count[kind]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, kind))
		}
	}
	switch {
	case d.Written && len(parts) == 0:
		return "Nothing is written in " + plaintext.Line(d.Folder) + "."
	case d.Written:
		return fmt.Sprintf("Written in %s: %s (deskhand task undo takes it back).", plaintext.Line(d.Folder), strings.Join(parts, ", "))
	case len(parts) == 0:
		return "Nothing waits for review in " + plaintext.Line(d.Folder) + "."
	}
	return fmt.Sprintf("To review in %s: %s.", plaintext.Line(d.Folder), strings.Join(parts, ", "))
}

// FilesReviewed says in one sentence what a person let happen.
func FilesReviewed(d deskhand.FileReviewed) string {
	verb := "applied"
	if d.Undone {
		verb = "undone"
	}
	return fmt.Sprintf("Reviewed %s: %d %s, %d left.", plaintext.Line(d.Folder), len(d.Applied), verb, d.Left)
}
