package editor

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
)

// Bounds of showing a PDF. Its pages are drawn inside the sandbox: the file is
// hostile, and the programs that read it are large.
const (
	maxPages = 5        // in one view
	pageSide = 1568     // pixels of a page's longer side: 134 to the inch of an A4 page
	maxDrawn = 16 << 20 // bytes of a page as it is drawn
)

// confined runs its arguments as a program with bounds on memory (KiB),
// processor time (seconds) and the size of written files (none).
const confined = `ulimit -v 1048576; ulimit -t 30; ulimit -f 0; exec "$@"`

// isPDF reports whether a file that begins with head is a PDF.
func isPDF(head []byte) bool { return bytes.HasPrefix(head, []byte("%PDF-")) }

// viewPDF shows pages of a PDF as pictures; a view_range is of pages.
func viewPDF(ctx context.Context, e *Editor, a args) (deskhand.Result, error) {
	end := time.Now().Add(e.draw)
	n, err := e.countPages(ctx, a.path, end)
	if err != nil {
		return deskhand.Result{}, err
	}
	first, last, said := 1, n, pdfPages
	if r := a.viewRange; r != nil {
		if last, err = checkRange(r, n, "pages"); err != nil {
			return deskhand.Result{}, err
		}
		first = r[0]
	}
	if last-first >= maxPages {
		last, said = first+maxPages-1, pdfPages+pdfMore
	}
	result := deskhand.Text(say(said, "{p}", a.path, "{a}", strconv.Itoa(first), "{b}", strconv.Itoa(last), "{n}", strconv.Itoa(n),
		"{most}", strconv.Itoa(maxPages), "{c}", strconv.Itoa(last+1), "{d}", strconv.Itoa(min(last+maxPages, n))))
	for page := first; page <= last; page++ {
		picture, err := e.drawPage(ctx, a.path, page, end)
		if err != nil {
			return deskhand.Result{}, err
		}
		result.Content = append(result.Content, deskhand.Content{Image: picture})
	}
	return result, nil
}

var pages = regexp.MustCompile(`(?m)^Pages: +([0-9]{1,6})$`)

// countPages returns how many pages the PDF at p has, 1 at least.
func (e *Editor) countPages(ctx context.Context, p string, end time.Time) (int, error) {
	out, err := e.poppler(ctx, p, end, 64<<10, "pdfinfo", p)
	if err != nil {
		return 0, err
	}
	// The document's own title and author come before; the last line counts.
	found := pages.FindAllSubmatch(out, -1)
	if len(found) == 0 {
		return 0, refuse(deskhand.Invalid, pdfDamaged, "{p}", p)
	}
	n, err := strconv.Atoi(string(found[len(found)-1][1]))
	if err != nil || n == 0 {
		return 0, refuse(deskhand.Invalid, pdfDamaged, "{p}", p)
	}
	return n, nil
}

// drawPage returns a page of the PDF at p as a picture.
func (e *Editor) drawPage(ctx context.Context, p string, page int, end time.Time) (*deskhand.Image, error) {
	number := strconv.Itoa(page)
	out, err := e.poppler(ctx, p, end, maxDrawn, "pdftoppm", "-png", "-singlefile", "-f", number, "-l", number, "-scale-to", strconv.Itoa(pageSide), p)
	if err != nil {
		return nil, err
	}
	picture, err := fitPicture(out)
	if err != nil {
		return nil, refuse(deskhand.Invalid, pdfDamaged, "{p}", p)
	}
	return picture, nil
}

// poppler runs one of poppler's programs on the PDF at p in the sandbox and
// returns the first limit bytes that it prints.
func (e *Editor) poppler(ctx context.Context, p string, end time.Time, limit int64, args ...string) ([]byte, error) {
	process, err := e.sandbox.Exec(ctx, sandbox.Cmd{Args: append([]string{"/bin/sh", "-c", confined, "confined"}, args...), Dir: "/"})
	switch deskhand.CodeOf(err) {
	case "":
	case deskhand.NotFound, deskhand.Denied:
		return nil, refuse(deskhand.Invalid, pdfNoProgram, "{p}", p)
	default:
		return nil, worded(reading, p, err)
	}
	bounded, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	stop := context.AfterFunc(bounded, func() { _ = process.Kill() })
	defer stop()
	out, complaint := collect(process, limit)
	exit, err := process.Wait()
	_ = process.Stdin().Close() // it never read any
	switch {
	case ctx.Err() != nil:
		return nil, deskhand.E("editor: pdf", deskhand.Canceled, context.Cause(ctx))
	case err != nil:
		return nil, err
	case bounded.Err() != nil || exit.Status > 128:
		return nil, refuse(deskhand.Invalid, pdfTooMuch, "{p}", p)
	case exit.Status == 127 || exit.Status == 126:
		return nil, refuse(deskhand.Invalid, pdfNoProgram, "{p}", p)
	case exit.Status != 0 && strings.Contains(complaint, "Incorrect password"):
		return nil, refuse(deskhand.Invalid, pdfLocked, "{p}", p)
	case exit.Status != 0:
		return nil, refuse(deskhand.Invalid, pdfDamaged, "{p}", p)
	}
	return out, nil
}

// collect reads what a program prints to the end, and keeps the beginning.
func collect(process sandbox.Process, limit int64) (out []byte, complaint string) {
	var reading sync.WaitGroup
	keep := func(r io.Reader, limit int64) []byte {
		kept, _ := io.ReadAll(io.LimitReader(r, limit)) // what was lost shows: it is not a whole picture
		_, _ = io.Copy(io.Discard, r)
		return kept
	}
	reading.Go(func() { complaint = string(keep(process.Stderr(), 4<<10)) })
	out = keep(process.Stdout(), limit)
	reading.Wait()
	return out, complaint
}
