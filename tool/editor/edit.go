package editor

import (
	"context"
	"strconv"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/lines"
	"github.com/deskhand/deskhand/sandbox"
)

// create makes a new file; it never replaces one.
func create(ctx context.Context, e *Editor, a args) (deskhand.Result, error) {
	info, err := e.sandbox.WriteFile(ctx, a.path, []byte(a.fileText), sandbox.WriteOptions{IfAbsent: true})
	if err != nil {
		if deskhand.CodeOf(err) == deskhand.Conflict {
			return deskhand.Result{}, refuse(deskhand.Conflict, exists, "{p}", a.path)
		}
		return deskhand.Result{}, worded(writing, a.path, err)
	}
	e.remember(a.path, info)
	return deskhand.Text(say(created, "{p}", a.path)), nil
}

// replace puts new text in the one place where the old one stands.
func replace(ctx context.Context, e *Editor, a args) (deskhand.Result, error) {
	d, err := e.open(ctx, a.path)
	if err != nil {
		return deskhand.Result{}, err
	}
	old, fresh := d.plain(a.old), d.plain(a.new)
	found := lines.Places(d.text, old)
	switch {
	case len(found) == 0:
		return deskhand.Result{}, refuse(deskhand.NotFound, noMatch, "{s}", echo(a.old), "{p}", a.path)
	case len(found) > 1:
		return deskhand.Result{}, refuse(deskhand.Conflict, manyMatches, "{s}", echo(a.old), "{lines}", "["+lines.Numbers(d.text, found)+"]")
	case old == fresh:
		return deskhand.Result{}, refuse(deskhand.Invalid, sameText)
	}
	at := found[0]
	d.text = d.text[:at] + fresh + d.text[at+len(old):]
	if err := e.save(ctx, d); err != nil {
		return deskhand.Result{}, err
	}
	first := strings.Count(d.text[:at], "\n")
	return d.show(first, first+strings.Count(fresh, "\n")), nil
}

// insert puts lines after a line.
func insert(ctx context.Context, e *Editor, a args) (deskhand.Result, error) {
	d, err := e.open(ctx, a.path)
	if err != nil {
		return deskhand.Result{}, err
	}
	all := lines.Split(d.text)
	if a.insertLine < 0 || a.insertLine > len(all) {
		return deskhand.Result{}, refuse(deskhand.Invalid, badLine, "{a}", strconv.Itoa(a.insertLine), "{n}", strconv.Itoa(len(all)))
	}
	text := d.plain(*a.insertText)
	d.text = lines.InsertAfter(d.text, text, a.insertLine)
	if err := e.save(ctx, d); err != nil {
		return deskhand.Result{}, err
	}
	return d.show(a.insertLine, a.insertLine+max(0, len(lines.Split(text))-1)), nil
}

// show words an edit of the lines first to last, counted from 0.
func (d *document) show(first, last int) deskhand.Result {
	return deskhand.Text(say(edited, "{p}", d.path, "{snippet}", lines.Snippet(d.text, first, last)))
}
