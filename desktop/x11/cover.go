package x11

import (
	"context"
	"slices"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/frame"
)

// A cover hides what a secret drew when it was typed: pictures are black there.
//
// Where a field is, X does not tell. What is drawn in the window between the
// typing and the next quiet moment is taken for it; when nothing is by then, what
// is drawn next, unless the title changes first. The cover moves with its
// window and stays while the window is there, until the window has another title
// and what was drawn is gone: a page that went on. Of a window that was resized
// nothing is shown until its title is another.
type cover struct {
	window uint32
	title  string
	size   deskhand.Size       // of the window
	area   deskhand.ScreenRect // relative to the window
	ink    []ink               // what was drawn; nil: not known, and the whole window is covered
	typing bool                // not typed yet
	late   bool                // drawn after other input, and so perhaps by that: it is over as soon as it is gone
	before *frame.Image        // the display when nothing was drawn yet, while that is waited for
}

// ink is a pixel that changed, relative to the window, and its colour then.
type ink struct {
	x, y int
	rgb  uint32
}

// Limits of covers.
const (
	maxCovers  = 32
	coverInk   = 4096 // pixels that are remembered of one
	coverPad   = 6    // pixels around what was drawn
	goneBelow  = 5    // of ten pixels of ink, that many have to be left
	coverFirst = time.Second
	coverQuiet = 80 * time.Millisecond
	coverLimit = 2 * time.Second
)

// cover hides the window with the focus, and returns what to call once the text
// is typed: then only what it drew stays hidden. Without a window it hides
// nothing, and the text is not going to be typed either.
func (h *hands) cover(ctx context.Context) (typed func(), err error) {
	line, err := h.focusLine(ctx)
	if err != nil {
		return nil, err
	}
	top, found, err := h.topOf(ctx, line)
	if err != nil || !found {
		return func() {}, err
	}
	c := &cover{window: top.ID, title: top.Title, size: top.Bounds.Size(), typing: true}
	before, err := h.screen.add(ctx, c)
	if err != nil {
		return nil, err
	}
	return func() {
		ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), releaseLimit+coverLimit, errReleaseLimit)
		defer cancel()
		_, _ = h.Settle(ctx, desktop.Wait{First: coverFirst, Quiet: coverQuiet, Limit: coverLimit})
		after, found, err := h.topOf(ctx, []uint32{top.ID})
		if err == nil && found {
			_ = h.screen.refine(ctx, c, before, after, after.Bounds == top.Bounds) // else the whole window stays hidden, which is safe
		}
	}, nil
}

// add hides the whole window of c, and returns what the display shows.
func (e *eyes) add(ctx context.Context, c *cover) (*frame.Image, error) {
	giveBack, err := e.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer giveBack()
	if err := e.look(ctx); err != nil {
		return nil, err
	}
	before := frame.New(e.size)
	frame.Scale(before, e.grab.img[e.current]) // of the same size: a copy
	e.covers = append(e.covers, c)
	if len(e.covers) > maxCovers {
		e.covers = slices.Delete(e.covers, 0, 1)
	}
	e.unsee()
	return before, nil
}

// unsee makes the content count as new: what is shown of it is.
func (e *eyes) unsee() {
	e.frame++
	e.drawn = e.frame
}

// refine reduces c to what changed in its window since before, if that can be
// compared. While nothing did it hides nothing, and waits.
func (e *eyes) refine(ctx context.Context, c *cover, before *frame.Image, w desktop.Window, comparable bool) error {
	giveBack, err := e.acquire(ctx)
	if err != nil {
		return err
	}
	defer giveBack()
	if err := e.look(ctx); err != nil {
		return err
	}
	c.title, c.typing = w.Title, false
	if comparable {
		c.before = before
		e.take(c, w)
	}
	e.unsee()
	return nil
}

// take takes what changed in the window of c for what was drawn, if anything did.
func (e *eyes) take(c *cover, w desktop.Window) {
	now, in := e.grab.img[e.current], e.onDisplay(w.Bounds)
	var all []ink
	area := deskhand.ScreenRect{X0: in.X1, Y0: in.Y1}
	for y := in.Y0; y < in.Y1; y++ {
		for x := in.X0; x < in.X1; x++ {
			if rgb := now.At(x, y); rgb != c.before.At(x, y) {
				area = deskhand.ScreenRect{X0: min(area.X0, x), Y0: min(area.Y0, y), X1: max(area.X1, x+1), Y1: max(area.Y1, y+1)}
				all = append(all, ink{x - w.Bounds.X0, y - w.Bounds.Y0, rgb})
			}
		}
	}
	if len(all) == 0 {
		return
	}
	c.before = nil
	step := (len(all) + coverInk - 1) / coverInk
	for i := 0; i < len(all); i += step {
		c.ink = append(c.ink, all[i])
	}
	c.area = deskhand.ScreenRect{X0: area.X0 - coverPad - w.Bounds.X0, Y0: area.Y0 - coverPad - w.Bounds.Y0, X1: area.X1 + coverPad - w.Bounds.X0, Y1: area.Y1 + coverPad - w.Bounds.Y0}
}

func (e *eyes) onDisplay(r deskhand.ScreenRect) deskhand.ScreenRect {
	return deskhand.ScreenRect{X0: max(r.X0, 0), Y0: max(r.Y0, 0), X1: min(r.X1, e.size.W), Y1: min(r.Y1, e.size.H)}
}

// hidden returns the areas of the display to be black, with the windows as they
// were before the pixels were taken and after, and drops covers that have served.
// A cover without a window, such as a minimised one, hides nothing and stays.
func (e *eyes) hidden(before, after []desktop.Window) []deskhand.ScreenRect {
	var out []deskhand.ScreenRect
	e.covers = slices.DeleteFunc(e.covers, func(c *cover) bool {
		i := slices.IndexFunc(after, func(w desktop.Window) bool { return w.ID == c.window })
		return i >= 0 && e.served(c, after[i])
	})
	for _, c := range e.covers {
		for _, w := range slices.Concat(before, after) {
			if w.ID == c.window && c.before != nil {
				e.take(c, w)
				c.late = c.before == nil
			}
			if w.ID != c.window || c.before != nil {
				continue
			}
			r := w.Bounds
			if c.ink != nil && r.Size() == c.size {
				r = deskhand.ScreenRect{X0: r.X0 + c.area.X0, Y0: r.Y0 + c.area.Y0, X1: r.X0 + c.area.X1, Y1: r.Y0 + c.area.Y1}
			}
			if r = e.onDisplay(r); !r.Empty() {
				out = append(out, r)
			}
		}
	}
	return out
}

// served reports whether what c hid is gone: the window has another title, and
// if it can be compared, most of what was drawn is not there any more.
func (e *eyes) served(c *cover, w desktop.Window) bool {
	switch {
	case c.typing, w.Title == c.title && !c.late:
		return false
	case c.before != nil:
		return w.Title != c.title
	}
	if c.ink == nil || w.Bounds.Size() != c.size {
		return true
	}
	left, seen := 0, 0
	now := e.grab.img[e.current]
	for _, p := range c.ink {
		x, y := w.Bounds.X0+p.x, w.Bounds.Y0+p.y
		if x < 0 || y < 0 || x >= e.size.W || y >= e.size.H {
			continue
		}
		seen++
		if now.At(x, y) == p.rgb {
			left++
		}
	}
	return 10*left < goneBelow*seen
}

// blacken paints areas of the current content black and returns what puts them
// back: the server writes to it only when it is asked to.
func (e *eyes) blacken(areas []deskhand.ScreenRect) (putBack func()) {
	img := e.grab.img[e.current]
	var undo []func()
	for _, r := range areas {
		spot := img.Crop(r)
		saved := frame.New(spot.Size)
		frame.Scale(saved, spot) // of the same size: a copy
		undo = append(undo, func() { frame.Scale(spot, saved) })
		img.Fill(r, 0)
	}
	return func() {
		for _, f := range slices.Backward(undo) { // areas may overlap
			f()
		}
	}
}
