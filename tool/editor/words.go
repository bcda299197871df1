package editor

import (
	"strings"

	"github.com/deskhand/deskhand/internal/plaintext"
)

// The texts the model reads. Their wording is that of the reference tools,
// which models have seen most; docs/decisions/0009-tool-texts.md has the source.
const (
	relativePath = "The path {p} is not an absolute path, it should start with `/`. Maybe you meant {q}?"
	missing      = "The path {p} does not exist. Please provide a valid path."
	exists       = "File already exists at: {p}. Cannot overwrite files using command `create`."
	isDirectory  = "The path {p} is a directory and only the `view` command can be used on directories"
	rangeOnDir   = "The `view_range` parameter is not allowed when `path` points to a directory."
	rangeOnImage = "The `view_range` parameter is not allowed when `path` points to an image."
	badStart     = "Invalid `view_range`: {r}. Its first element `{a}` should be within the range of {of} of the file: [1, {n}]"
	endBeyond    = "Invalid `view_range`: {r}. Its second element `{b}` should be smaller than the number of {of} in the file: `{n}`"
	endBefore    = "Invalid `view_range`: {r}. Its second element `{b}` should be larger or equal than its first `{a}`"
	noMatch      = "No replacement was performed, old_str `{s}` did not appear verbatim in {p}."
	manyMatches  = "No replacement was performed. Multiple occurrences of old_str `{s}` in lines {lines}. Please ensure it is unique"
	badLine      = "Invalid `insert_line` parameter: {a}. It should be within the range of lines of the file: [0, {n}]"
	created      = "File created successfully at: {p}"
	edited       = "The file {p} has been edited. Here's the result of running `cat -n` on a snippet of {p}:\n{snippet}Review the changes and make sure they are as expected. Edit the file again if necessary."
	undone       = "Last edit to {p} undone successfully."
	noHistory    = "No edit history found for {p}."
	content      = "Here's the result of running `cat -n` on {p}:\n"
	directory    = "Here's the files and directories up to 2 levels deep in {p}, excluding hidden items:\n"
	clipped      = "<response clipped><NOTE>Only part of this file is shown, to save context. Search it with `grep -n` first to find the line numbers you need, then view that range.</NOTE>"
	clippedDir   = "<response clipped><NOTE>Only part of this directory is shown. View one of its directories, or list it with bash.</NOTE>"

	// Cases the reference tools do not know.
	changed      = "The file {p} has changed since it was read. Nothing was written. View it again, then repeat the edit."
	changedSince = "The file {p} has changed since the last edit. Nothing was undone. View it, then change it with str_replace."
	noReading    = "Error: Permission denied. Cannot read {p}."
	noWriting    = "Error: Permission denied. Cannot write to file {p}."
	noRoom       = "Error: There is no room to write {p}. The file is as it was."
	exhausted    = "Error: The sandbox cannot open {p} now: it has reached a limit. Try again later."
	notRegular   = "The path {p} is neither a file nor a directory and cannot be opened."
	unusable     = "The path {p} cannot be used. Please provide a valid path."
	tooLarge     = "The file {p} has {n} bytes, more than the {limit} that can be edited. Use bash, for example sed."
	tooLargeView = "The file {p} has {n} bytes, too many to number its lines. View it without `view_range` for its beginning, or use bash, for example `sed -n 'START,ENDp'`."
	broken       = "Error: {p} cannot be read or written: the sandbox reported a failure. Try another way, for example bash."
	binaryFile   = "The file {p} is binary ({n} bytes) and cannot be shown as text. Use bash, for example `file` or `xxd | head`."
	notUTF8      = "The file {p} is not UTF-8 text, so it cannot be edited without changing other bytes. Use bash, for example iconv or sed."
	notUTF8Note  = "[The file is not UTF-8 text; bytes that are not are shown as \ufffd. It can be changed with bash only.]\n"
	sameText     = "No replacement was performed: old_str and new_str are the same."
	badPicture   = "The image {p} cannot be shown: {s}."
	pdfPages     = "Pages {a} to {b} of the {n} pages of {p}, as pictures."
	pdfMore      = " At most {most} pages are shown at once: view others with `view_range`, for example [{c}, {d}]. For the text alone use bash, for example `pdftotext -layout`."
	pdfLocked    = "The PDF {p} is encrypted and cannot be shown without its password. With the password, use bash, for example `pdftotext -upw`."
	pdfDamaged   = "The PDF {p} cannot be shown: it is damaged, or has no pages."
	pdfTooMuch   = "The PDF {p} cannot be shown: drawing it took too long or too much memory. Use bash, for example `pdftotext`."
	pdfNoProgram = "The PDF {p} cannot be shown: `pdftoppm` and `pdfinfo` are not installed in the sandbox (package poppler-utils)."
)

// say fills a text in, in one pass, so that braces in a value stay what they
// are. values are pairs: "{p}", path, … A path is shown with what is not plainly
// visible as an escape: a name may come from a file's author.
func say(text string, values ...string) string {
	for i := 0; i < len(values); i += 2 {
		if values[i] == "{p}" {
			values[i+1] = plaintext.Line(values[i+1])
		}
	}
	return strings.NewReplacer(values...).Replace(text)
}

// maxEcho bounds how much of the model's own text is repeated to it.
const maxEcho = 1000

func echo(s string) string { return plaintext.Cut(s, maxEcho) }
