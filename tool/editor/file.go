package editor

import (
	"context"
	"path"
	"strconv"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
)

// maxFile is the largest file read as a whole, in bytes.
const maxFile = 32 << 20

// refuse is an answer in the model's words.
func refuse(code deskhand.Code, text string, values ...string) error {
	return deskhand.Errorf("", code, "%s", say(text, values...))
}

// reading and writing word what the sandbox says of a file. What is not the
// model's to mend (the sandbox is gone) stays as it is.
var (
	reading = map[deskhand.Code]string{
		deskhand.NotFound: missing, deskhand.Denied: noReading, deskhand.Invalid: unusable,
		deskhand.OverLimit: exhausted, deskhand.Internal: broken,
	}
	writing = map[deskhand.Code]string{
		deskhand.NotFound: missing, deskhand.Denied: noWriting, deskhand.Invalid: unusable,
		deskhand.Conflict: changed, deskhand.OverLimit: noRoom, deskhand.Internal: broken,
	}
)

func worded(words map[deskhand.Code]string, p string, err error) error {
	code := deskhand.CodeOf(err)
	text, ok := words[code]
	if !ok {
		return err
	}
	if code == deskhand.OverLimit || code == deskhand.Internal {
		code = deskhand.Denied // a code the model may read
	}
	return refuse(code, text, "{p}", p)
}

// stat describes the file at p, directories included.
func (e *Editor) stat(ctx context.Context, p string) (sandbox.FileInfo, error) {
	info, err := e.sandbox.Stat(ctx, p)
	if err != nil {
		return info, worded(reading, p, err)
	}
	if !info.Mode.IsDir() && !info.Mode.IsRegular() {
		return info, refuse(deskhand.Invalid, notRegular, "{p}", p)
	}
	return info, nil
}

// open reads the text file at p for an edit.
func (e *Editor) open(ctx context.Context, p string) (*document, error) {
	info, err := e.stat(ctx, p)
	switch {
	case err != nil:
		return nil, err
	case info.Mode.IsDir():
		return nil, refuse(deskhand.Invalid, isDirectory, "{p}", p)
	case info.Size > maxFile:
		return nil, refuse(deskhand.Invalid, tooLarge, "{p}", p, "{n}", strconv.FormatInt(info.Size, 10), "{limit}", strconv.Itoa(maxFile))
	}
	data, info, err := e.sandbox.ReadFile(ctx, p, 0, maxFile)
	if err != nil {
		return nil, worded(reading, p, err)
	}
	if seen, ok := e.seen[key(p)]; ok && !same(seen, info) {
		return nil, refuse(deskhand.Conflict, changed, "{p}", p)
	}
	d := parse(p, info, data)
	switch {
	case d.binary():
		return nil, refuse(deskhand.Invalid, binaryFile, "{p}", p, "{n}", strconv.FormatInt(info.Size, 10))
	case !d.exact:
		return nil, refuse(deskhand.Invalid, notUTF8, "{p}", p)
	}
	return d, nil
}

// same reports whether two descriptions are of the same content: a touch or a
// chmod does not make a file another one.
func same(a, b sandbox.FileInfo) bool {
	return a.Version == b.Version || a.Hash != "" && a.Hash == b.Hash
}

// save writes d, unless the file is no longer the one that was opened.
func (e *Editor) save(ctx context.Context, d *document) error {
	info, err := e.replace(ctx, d, d.bytes())
	if err == nil && e.knows("undo_edit") {
		e.past.add(key(d.path), edit{before: d.raw, after: info})
	}
	return err
}

// replace makes data the content of the file that d was read from.
func (e *Editor) replace(ctx context.Context, d *document, data []byte) (sandbox.FileInfo, error) {
	info, err := e.sandbox.WriteFile(ctx, d.path, data, sandbox.WriteOptions{IfVersion: d.info.Version})
	if err != nil {
		return info, worded(writing, d.path, err)
	}
	e.remember(d.path, info)
	return info, nil
}

// key is what a file is known by. Ways to write one path are one key, but ".."
// is the kernel's to resolve: what is before it may be a link.
func key(p string) string {
	if strings.Contains(p, "..") {
		return p
	}
	return path.Clean(p)
}

func (e *Editor) remember(p string, info sandbox.FileInfo) { e.seen[key(p)] = info }
