package editor

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/lines"
	"github.com/deskhand/deskhand/internal/plaintext"
	"github.com/deskhand/deskhand/sandbox"
)

// sniffed is how many bytes of a file's beginning tell what it is.
const sniffed = 1024

// view shows a file, a picture, a PDF or a directory.
func view(ctx context.Context, e *Editor, a args) (deskhand.Result, error) {
	info, err := e.stat(ctx, a.path)
	switch {
	case err != nil:
		return deskhand.Result{}, err
	case info.Mode.IsDir() && a.viewRange != nil:
		return deskhand.Result{}, refuse(deskhand.Invalid, rangeOnDir)
	case info.Mode.IsDir():
		return e.viewDirectory(ctx, a.path)
	}
	head, info, err := e.sandbox.ReadFile(ctx, a.path, 0, sniffed)
	switch {
	case err != nil:
		return deskhand.Result{}, worded(reading, a.path, err)
	case isPDF(head):
		return viewPDF(ctx, e, a)
	case isPicture(head):
		return viewPicture(ctx, e, a, info)
	}
	return e.viewFile(ctx, a, info, head)
}

// viewFile shows a file that is neither picture nor PDF, unless it is no text.
func (e *Editor) viewFile(ctx context.Context, a args, info sandbox.FileInfo, data []byte) (deskhand.Result, error) {
	d, size := parse(a.path, info, data), strconv.FormatInt(info.Size, 10)
	switch {
	case d.binary():
		return deskhand.Result{}, refuse(deskhand.Invalid, binaryFile, "{p}", a.path, "{n}", size)
	case info.Size > maxFile && a.viewRange != nil:
		return deskhand.Result{}, refuse(deskhand.Invalid, tooLargeView, "{p}", a.path, "{n}", size)
	}
	if int64(len(data)) != info.Size { // its beginning is all there is in memory of a huge one
		limit := int64(maxFile)
		if info.Size > maxFile {
			limit = int64(e.limit) * utf8.UTFMax
		}
		var err error
		if data, info, err = e.sandbox.ReadFile(ctx, a.path, 0, limit); err != nil {
			return deskhand.Result{}, worded(reading, a.path, err)
		}
		if d = parse(a.path, info, data); d.binary() {
			return deskhand.Result{}, refuse(deskhand.Invalid, binaryFile, "{p}", a.path, "{n}", size)
		}
	}
	e.remember(a.path, info)
	return e.viewText(d, a.viewRange)
}

// viewText shows the lines of a text file, or a range of them.
func (e *Editor) viewText(d *document, between []int) (deskhand.Result, error) {
	all, first := lines.Split(d.text), 1
	if between != nil {
		last, err := checkRange(between, len(all), "lines")
		if err != nil {
			return deskhand.Result{}, err
		}
		first = between[0]
		all = all[first-1 : last]
	}
	note := ""
	if !d.exact {
		note = notUTF8Note
	}
	shown, cut := bounded(all, first, e.limit)
	if cut || d.info.Size > maxFile {
		shown += clipped
	}
	return deskhand.Text(say(content, "{p}", d.path) + note + strings.ToValidUTF8(shown, "\ufffd")), nil
}

// checkRange returns the last of a range of what a file has n of, from 1.
func checkRange(between []int, n int, what string) (last int, err error) {
	a, b := between[0], between[1]
	values := []string{"{r}", fmt.Sprintf("[%d, %d]", a, b), "{a}", strconv.Itoa(a), "{b}", strconv.Itoa(b), "{n}", strconv.Itoa(n), "{of}", what}
	switch {
	case a < 1 || a > n:
		return 0, refuse(deskhand.Invalid, badStart, values...)
	case b == -1:
		return n, nil
	case b > n:
		return 0, refuse(deskhand.Invalid, endBeyond, values...)
	case b < a:
		return 0, refuse(deskhand.Invalid, endBefore, values...)
	}
	return b, nil
}

// bounded numbers lines until they have limit characters. A single line that is
// longer is cut.
func bounded(all []string, first, limit int) (shown string, cut bool) {
	var b strings.Builder
	left := limit
	for i, line := range all {
		if count := utf8.RuneCountInString(line); count > left {
			if b.Len() == 0 {
				fmt.Fprintf(&b, "%6d\t%s\n", first+i, plaintext.Prefix(line, left))
			}
			return b.String(), true
		} else {
			left -= count + 1
		}
		fmt.Fprintf(&b, "%6d\t%s\n", first+i, line)
	}
	return b.String(), false
}

const (
	depth    = 2   // levels of a directory that are shown
	maxNames = 256 // characters of a name that are shown
)

// viewDirectory lists a directory, without hidden names.
func (e *Editor) viewDirectory(ctx context.Context, p string) (deskhand.Result, error) {
	list := &listing{editor: e, left: e.limit}
	if err := list.add(ctx, p, strings.TrimRight(plaintext.Line(p), "/"), 0); err != nil {
		return deskhand.Result{}, worded(reading, p, err)
	}
	text := say(directory, "{p}", p) + list.b.String()
	if list.left <= 0 {
		text += clippedDir
	}
	return deskhand.Text(text), nil
}

type listing struct {
	editor *Editor
	b      strings.Builder
	left   int // characters
}

// add writes p, which is shown as name, and what is below it.
func (l *listing) add(ctx context.Context, p, name string, level int) error {
	if l.left -= utf8.RuneCountInString(name) + 1; l.left <= 0 {
		return nil
	}
	l.b.WriteString(cmp.Or(name, "/") + "\n")
	if level == depth {
		return nil
	}
	entries, err := l.editor.sandbox.ReadDir(ctx, p)
	if err != nil && level > 0 && deskhand.CodeOf(err) != deskhand.Canceled && deskhand.CodeOf(err) != deskhand.Unavailable {
		return nil // a directory that may not be read, or is gone by now: its name is all there is
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name, ".") {
			continue
		}
		below := level + 1
		if !entry.Mode.IsDir() {
			below = depth // nothing below it, links to directories included
		}
		if err := l.add(ctx, p+"/"+entry.Name, name+"/"+plaintext.Cut(plaintext.Line(entry.Name), maxNames), below); err != nil {
			return err
		}
	}
	return nil
}
