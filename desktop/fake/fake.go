// Package fake is a desktop that is a framebuffer in memory: for tests of what
// stands on a desktop, without a display. It validates as the real drivers do,
// records what it was asked for, and can be made to fail or to wait.
//
// Trust: a test is on both sides of it.
package fake

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/frame"
)

var errClosed = errors.New("the display is closed")

// Desktop implements desktop.Desktop. All methods may be called concurrently.
type Desktop struct {
	size   deskhand.Size
	lease  chan struct{} // holds a token while a list of input is applied
	closed chan struct{}

	mu        sync.Mutex
	screen    *frame.Image
	frame     uint64
	drawn     time.Time     // when frame last grew
	changed   chan struct{} // closed, and replaced, when frame grows
	shut      bool
	cursor    deskhand.ScreenPoint
	windows   []desktop.Window
	clipboard string
	applied   []desktop.Action
	received  []string
	typed     []rune
	held      []string // in the order they were pressed: "left", "key a"
	faults    map[int]Fault
	inputs    int           // calls of Input that were applied or failed by a fault
	gate      chan struct{} // while not nil, input waits for it to be closed
}

var _ desktop.Desktop = (*Desktop)(nil)

// New returns a black desktop of size with the pointer in its middle.
func New(size deskhand.Size) *Desktop {
	return &Desktop{
		size:    size,
		lease:   make(chan struct{}, 1),
		closed:  make(chan struct{}),
		screen:  frame.New(size),
		frame:   1,
		drawn:   time.Now(),
		changed: make(chan struct{}),
		cursor:  deskhand.ScreenPoint{X: size.W / 2, Y: size.H / 2},
		faults:  map[int]Fault{},
	}
}

// Draw lets draw change the framebuffer, which counts as a new frame. draw
// must not keep the image nor call methods of d.
func (d *Desktop) Draw(draw func(screen *frame.Image)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	draw(d.screen)
	d.frame++
	d.drawn = time.Now()
	close(d.changed)
	d.changed = make(chan struct{})
}

// Paint fills a rectangle with the colour 0xRRGGBB. What is outside is cut off.
func (d *Desktop) Paint(x, y, w, h int, rgb uint32) {
	d.Draw(func(screen *frame.Image) {
		screen.Fill(deskhand.ScreenRect{X0: x, Y0: y, X1: x + w, Y1: y + h}, rgb)
	})
}

// SetWindows makes ws what Windows returns.
func (d *Desktop) SetWindows(ws ...desktop.Window) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.windows = slices.Clone(ws)
}

// Applied returns the actions performed so far.
func (d *Desktop) Applied() []desktop.Action {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.applied)
}

// Received returns what a program on the display would have seen, in order:
// "move 3,4", "left down",
// "left up", "wheel down", "key a down", "key a up".
func (d *Desktop) Received() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.received)
}

// Typed returns the text a program with the focus would hold.
func (d *Desktop) Typed() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return string(d.typed)
}

// Held returns what is down, in the order it was pressed: "left", "key a".
func (d *Desktop) Held() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.held)
}

// Size implements desktop.Desktop.
func (d *Desktop) Size(ctx context.Context) (deskhand.Size, error) {
	return d.size, d.usable(ctx)
}

// Cursor implements desktop.Desktop.
func (d *Desktop) Cursor(ctx context.Context) (deskhand.ScreenPoint, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cursor, d.usable(ctx)
}

// Windows implements desktop.Desktop.
func (d *Desktop) Windows(ctx context.Context) ([]desktop.Window, error) {
	if err := d.usable(ctx); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.windows), nil
}

// Clipboard implements desktop.Desktop.
func (d *Desktop) Clipboard(ctx context.Context) (string, error) {
	if err := d.usable(ctx); err != nil {
		return "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.clipboard, nil
}

// SetClipboard implements desktop.Desktop.
func (d *Desktop) SetClipboard(ctx context.Context, text string) error {
	if err := d.usable(ctx); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clipboard = text
	return nil
}

// Close implements desktop.Desktop. It lets go of what is held.
func (d *Desktop) Close() error {
	d.mu.Lock()
	if d.shut {
		d.mu.Unlock()
		return nil
	}
	d.shut = true
	close(d.closed)
	d.mu.Unlock()
	d.lease <- struct{}{} // the list that is being applied sees closed and ends
	defer func() { <-d.lease }()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.letGo(true)
	return nil
}

// usable reports why nothing can be done: d is closed, or ctx is over.
func (d *Desktop) usable(ctx context.Context) error {
	select {
	case <-d.closed:
		return deskhand.E("desktop: fake", deskhand.Unavailable, errClosed)
	default:
	}
	if ctx.Err() != nil {
		return deskhand.E("desktop: fake", deskhand.Canceled, context.Cause(ctx))
	}
	return nil
}
