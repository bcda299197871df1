package editor

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/deskhand/deskhand"
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
	found := places(d.text, old)
	switch {
	case len(found) == 0:
		return deskhand.Result{}, refuse(deskhand.NotFound, noMatch, "{s}", echo(a.old), "{p}", a.path)
	case len(found) > 1:
		return deskhand.Result{}, refuse(deskhand.Conflict, manyMatches, "{s}", echo(a.old), "{lines}", numbers(d.text, found))
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
	all := lines(d.text)
	if a.insertLine < 0 || a.insertLine > len(all) {
		return deskhand.Result{}, refuse(deskhand.Invalid, badLine, "{a}", strconv.Itoa(a.insertLine), "{n}", strconv.Itoa(len(all)))
	}
	text := d.plain(*a.insertText)
	d.text = insertAfter(d.text, text, a.insertLine)
	if err := e.save(ctx, d); err != nil {
		return deskhand.Result{}, err
	}
	return d.show(a.insertLine, a.insertLine+max(0, len(lines(text))-1)), nil
}

// insertAfter returns text with added as whole lines after the first n lines. A
// missing final line feed stays missing, unless added ends in one at the end.
func insertAfter(text, added string, n int) string {
	at := 0
	for range n {
		next := strings.IndexByte(text[at:], '\n')
		if next < 0 {
			return text + "\n" + added
		}
		at += next + 1
	}
	if !strings.HasSuffix(added, "\n") && text != "" {
		added += "\n"
	}
	return text[:at] + added + text[at:]
}

// maxPlaces bounds how many matches are looked for; more than one is too many.
const maxPlaces = 50

// places returns where s stands in text, overlapping places included.
func places(text, s string) []int {
	var found []int
	for from := 0; len(found) < maxPlaces; {
		at := strings.Index(text[from:], s)
		if at < 0 {
			break
		}
		found = append(found, from+at)
		from += at + 1
	}
	return found
}

// numbers returns the lines of the places, such as "[3, 17]".
func numbers(text string, places []int) string {
	var list []string
	for _, at := range places {
		n := strconv.Itoa(1 + strings.Count(text[:at], "\n"))
		if len(list) == 0 || list[len(list)-1] != n {
			list = append(list, n)
		}
	}
	if len(places) == maxPlaces {
		list = append(list, "…")
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// around is how many lines are shown on each side of an edit.
const around = 4

// maxSnippet bounds the lines of an edit that are shown.
const maxSnippet = 200

// show words an edit of the lines first to last, counted from 0.
func (d *document) show(first, last int) deskhand.Result {
	all := lines(d.text)
	from, to := max(0, first-around), min(len(all), last+around+1, first+maxSnippet)
	snippet := number(all[min(from, to):to], from+1)
	return deskhand.Text(say(edited, "{p}", d.path, "{snippet}", snippet))
}

// number writes lines as cat -n does.
func number(lines []string, first int) string {
	var b strings.Builder
	for i, line := range lines {
		fmt.Fprintf(&b, "%6d\t%s\n", first+i, line)
	}
	return b.String()
}
