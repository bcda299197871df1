package x11

import (
	"context"
	"sync"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/frame"
	"github.com/deskhand/deskhand/internal/xwire"
)

// Requests of DAMAGE and XFIXES.
const (
	damageCreate   = 1
	damageSubtract = 3
	damageNonEmpty = 3 // report level: once, until subtracted

	xfixesSelectCursorInput = 3
	xfixesGetCursorImage    = 4
)

// eyes see the display. The turn guards everything but the tracker.
type eyes struct {
	conn    *xwire.Conn
	ext     extensions
	size    deskhand.Size
	tracker *tracker
	damage  uint32
	turn    chan struct{} // holds one token

	grab    *grabber
	current int    // index of the image that shows frame
	frame   uint64 // number of the content; 0 before the first capture
	drawn   uint64 // the frame at which pixels changed last
	moved   uint64 // the frame at which the pointer changed last
	at      deskhand.ScreenPoint
	shape   cursorShape
	gone    bool // closed
	covers  []*cover
	scratch sync.Pool // of *frame.Image, of any size
}

// newEyes starts watching the display.
func newEyes(ctx context.Context, c *xwire.Conn, ext extensions, size deskhand.Size, t *tracker, shared bool) (*eyes, error) {
	e := &eyes{conn: c, ext: ext, size: size, tracker: t, damage: c.NewID(), turn: make(chan struct{}, 1)}
	e.turn <- struct{}{}
	t.know(ext.damage.event, ext.xfixes.event+1)
	t.soil()
	var err error
	if e.grab, err = newGrabber(ctx, c, ext, size, shared); err != nil {
		return nil, err
	}
	var b xwire.Batch
	b.Req(ext.damage.op, damageCreate).U32(e.damage, c.Setup.Root).U8(damageNonEmpty)
	b.Req(ext.xfixes.op, xfixesSelectCursorInput).U32(c.Setup.Root, 1)
	if err := c.Round(ctx, &b); err != nil {
		e.grab.close()
		return nil, err
	}
	return e, nil
}

func (e *eyes) close() {
	<-e.turn // whoever looks ends soon, as the connection is closed
	e.grab.close()
	e.gone = true
	e.turn <- struct{}{}
}

// acquire takes the turn. The caller gives it back by calling what it returns.
func (e *eyes) acquire(ctx context.Context) (giveBack func(), err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case <-e.turn:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	giveBack = func() { e.turn <- struct{}{} }
	if e.gone {
		giveBack()
		return nil, xwire.ErrClosed
	}
	return giveBack, nil
}

// subtract asks the server to report the next drawing.
func (e *eyes) subtract(b *xwire.Batch) {
	b.Req(e.ext.damage.op, damageSubtract).U32(e.damage, 0, 0)
}

// look brings frame up to date. What was drawn before the call is in it: the
// answer about the pointer comes after every report of a drawing before it.
func (e *eyes) look(ctx context.Context) error {
	if e.frame == 0 || e.tracker.isDirty() {
		return e.capture(ctx)
	}
	p, err := queryPointer(ctx, e.conn)
	if err != nil {
		return err
	}
	if e.tracker.isDirty() {
		return e.capture(ctx)
	}
	return e.point(ctx, p.at)
}

// capture takes the pixels and compares them with those before: what draws the
// same again has not changed the display.
func (e *eyes) capture(ctx context.Context) error {
	e.tracker.clean()
	next := 1 - e.current
	var b xwire.Batch
	e.subtract(&b)
	pixels := e.grab.request(&b, next)
	where := askPointer(&b, e.conn.Setup.Root)
	err := e.conn.Send(ctx, &b)
	if err == nil {
		err = e.grab.finish(ctx, pixels, next)
	}
	if err != nil {
		e.tracker.soil() // the report was used up and nothing seen
		return err
	}
	if e.frame == 0 || !frame.Equal(e.grab.img[next], e.grab.img[e.current]) {
		e.frame++
		e.drawn = e.frame
		e.current = next
	}
	r, err := where.Wait(ctx)
	if err != nil {
		return err
	}
	return e.point(ctx, readPointer(r).at)
}

// point takes note of where the pointer is and how it looks.
func (e *eyes) point(ctx context.Context, at deskhand.ScreenPoint) error {
	changed := at != e.at || e.shape.argb == nil
	e.at = at
	if e.tracker.takeCursor() || e.shape.argb == nil {
		shape, err := queryShape(ctx, e.conn, e.ext)
		if err != nil {
			e.shape.argb = nil // ask again
			return err
		}
		changed = changed || shape.serial != e.shape.serial
		e.shape = shape
	}
	if changed {
		e.frame++
		e.moved = e.frame
	}
	return nil
}

// Screen implements desktop.Desktop.
func (d *Desktop) Screen(ctx context.Context, shot desktop.Shot) (desktop.Picture, error) {
	const op = "x11: screen"
	if err := shot.Validate(d.size); err != nil {
		return desktop.Picture{}, err
	}
	shot = shot.Fill(d.size)
	e := d.screen
	giveBack, err := e.acquire(ctx)
	if err != nil {
		return desktop.Picture{}, failure(ctx, op, err)
	}
	defer giveBack()
	hidden, err := d.lookCovered(ctx)
	if err != nil {
		return desktop.Picture{}, failure(ctx, op, err)
	}
	pic := desktop.Picture{Size: shot.Size, Frame: e.frame}
	same := e.drawn <= shot.Since && (!shot.Cursor || e.moved <= shot.Since)
	if shot.Since != 0 && shot.Since <= e.frame && same {
		pic.Unchanged = true
		return pic, nil
	}
	defer e.blacken(hidden)()
	pic.Data, pic.MediaType, err = e.encode(shot)
	if err != nil {
		return desktop.Picture{}, failure(ctx, op, err)
	}
	return pic, nil
}

// lookCovered brings the frame up to date and returns the areas of it that must
// not be shown. The caller has the turn of the eyes.
func (d *Desktop) lookCovered(ctx context.Context) (hidden []deskhand.ScreenRect, err error) {
	e := d.screen
	if len(e.covers) == 0 {
		return nil, e.look(ctx)
	}
	before, err := d.windows(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.look(ctx); err != nil {
		return nil, err
	}
	after, err := d.windows(ctx)
	if err != nil {
		return nil, err
	}
	return e.hidden(before, after), nil
}

// encode makes the picture from the current frame.
func (e *eyes) encode(s desktop.Shot) ([]byte, string, error) {
	img := e.grab.img[e.current].Crop(s.Region)
	if s.Cursor {
		defer e.drawPointer(img, s.Region)()
	}
	if s.Size != img.Size {
		scaled := e.borrow(s.Size)
		defer e.scratch.Put(scaled)
		frame.Scale(scaled, img)
		img = scaled
	}
	return frame.Encode(nil, img, string(s.Format), s.Quality)
}

// drawPointer draws the pointer into the region of the frame that img is, and
// returns what takes it out again: a copy of a large display costs more than the
// rest of its picture. The server writes to the frame only when it is asked to.
func (e *eyes) drawPointer(img *frame.Image, region deskhand.ScreenRect) (takeOut func()) {
	x, y := e.at.X-e.shape.hotX-region.X0, e.at.Y-e.shape.hotY-region.Y0
	under := deskhand.ScreenRect{
		X0: max(x, 0), Y0: max(y, 0),
		X1: min(x+e.shape.size.W, img.Size.W), Y1: min(y+e.shape.size.H, img.Size.H),
	}
	if under.Empty() {
		return func() {}
	}
	spot := img.Crop(under)
	saved := frame.New(spot.Size)
	frame.Scale(saved, spot) // of the same size: a copy
	frame.Overlay(img, e.shape.argb, e.shape.size, x, y)
	return func() { frame.Scale(spot, saved) }
}

// borrow returns an image of the size with any content, to be Put back.
func (e *eyes) borrow(size deskhand.Size) *frame.Image {
	img, _ := e.scratch.Get().(*frame.Image)
	if n := 4 * size.W * size.H; img == nil || cap(img.Pix) < n {
		return frame.New(size)
	} else {
		img.Pix, img.Stride, img.Size = img.Pix[:n], 4*size.W, size
	}
	return img
}

// cursorShape is how the pointer looks.
type cursorShape struct {
	serial     uint32
	size       deskhand.Size
	hotX, hotY int
	argb       []uint32 // premultiplied; nil when not known
}

// maxCursor bounds a cursor's side in pixels; a program chooses it.
const maxCursor = 512

func queryShape(ctx context.Context, c *xwire.Conn, ext extensions) (cursorShape, error) {
	var b xwire.Batch
	r, err := ask(ctx, c, &b, b.Req(ext.xfixes.op, xfixesGetCursorImage).Want())
	if err != nil {
		return cursorShape{}, err
	}
	s := cursorShape{
		serial: le.Uint32(r[20:]), hotX: int(le.Uint16(r[16:])), hotY: int(le.Uint16(r[18:])),
		size: deskhand.Size{W: int(le.Uint16(r[12:])), H: int(le.Uint16(r[14:]))},
		argb: []uint32{},
	}
	n := s.size.W * s.size.H
	if s.size.W > maxCursor || s.size.H > maxCursor || len(r) < 32+4*n {
		s.size = deskhand.Size{} // drawn as nothing
		return s, nil
	}
	s.argb = make([]uint32, n)
	for i := range s.argb {
		s.argb[i] = le.Uint32(r[32+4*i:])
	}
	return s, nil
}
