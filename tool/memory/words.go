package memory

import (
	"fmt"
	"strings"

	"github.com/deskhand/deskhand/internal/plaintext"
)

// What the model reads. The first group is the reference's own wording.
const (
	directory   = "Here're the files and directories up to 2 levels deep in {p}, excluding hidden items and node_modules:\n"
	content     = "Here's the content of {p} with line numbers:\n"
	tooLong     = "File {p} exceeds maximum line limit of 999,999 lines."
	missing     = "The path {p} does not exist. Please provide a valid path."
	created     = "File created successfully at: {p}"
	exists      = "Error: File {p} already exists"
	edited      = "The memory file has been edited.\n"
	noMatch     = "No replacement was performed, old_str `{s}` did not appear verbatim in {p}."
	manyMatches = "No replacement was performed. Multiple occurrences of old_str `{s}` in lines: {n}. Please ensure it is unique"
	inserted    = "The file {p} has been edited."
	badLine     = "Error: Invalid `insert_line` parameter: {a}. It should be within the range of lines of the file: [0, {n}]"
	deleted     = "Successfully deleted {p}"
	renamed     = "Successfully renamed {p} to {q}"
	taken       = "Error: The destination {q} already exists"

	// Cases the reference does not word.
	outside     = "Error: The path {p} is not below /memories. Use a path such as /memories/notes.md."
	badPath     = "Error: The path {p} cannot be used: {s}."
	isLink      = "Error: The path {p} cannot be used: a link leads there."
	notText     = "Error: The file {p} is not text and cannot be shown or edited."
	tooLarge    = "Error: The file {p} would have {n} bytes; {limit} is the most. Split it into several files."
	unreadable  = "Error: The file {p} has {n} bytes, more than the {limit} that can be read. Delete it."
	full        = "Error: The memory is full ({limit} is the most). Nothing was written. Delete or shorten files first."
	rangeOnDir  = "The `view_range` parameter is not allowed when `path` points to a directory."
	badRange    = "Invalid `view_range`: [{a}, {b}]. It should be within the range of lines of the file: [1, {n}]"
	rootStays   = "Error: The /memories directory itself cannot be deleted or renamed."
	intoItself  = "Error: {p} cannot be moved into itself."
	sameText    = "No replacement was performed: old_str and new_str are the same."
	noRoom      = "Error: There is no room on the disk for this. Nothing was written."
	unreachable = "Error: The memory cannot be read or written now. Go on without it."
)

// refusal is an answer that says why nothing was done.
type refusal string

func (r refusal) Error() string { return string(r) }

func refuse(text string, values ...string) error { return refusal(say(text, values...)) }

// say fills a text in, in one pass, so that braces in a value stay what they are.
func say(text string, values ...string) string { return strings.NewReplacer(values...).Replace(text) }

// maxEcho bounds how much of the model's own text is repeated to it.
const maxEcho = 1000

func echo(s string) string { return plaintext.Cut(s, maxEcho) }

// size writes a number of bytes the way the reference does: 512B, 5.5K, 17K.
func size(n int64) string {
	value, unit := float64(n), 0
	for value >= 1024 && unit < 3 {
		value, unit = value/1024, unit+1
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", value), ".0") + "BKMG"[unit:unit+1]
}
