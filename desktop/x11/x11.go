// Package x11 drives an X display over one connection: XTEST for input,
// MIT-SHM for pictures, DAMAGE to know what changed, XKB to type any text, the
// selection protocol for the clipboard.
//
// Trust: the X server is trusted. Every other client on the display is not:
// titles, properties, selections and pixels are bounded in size and never
// interpreted. On X11 any client can read every key and paint every pixel, so
// a display belongs to one sandbox.
package x11

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/xwire"
)

// closeLimit bounds letting go of keys and restoring the keyboard at Close.
const closeLimit = 2 * time.Second

// Config says which display to drive.
type Config struct {
	Display   string // such as ":0"; required
	Authority string // Xauthority file; default none

	// NoSharedMemory takes pictures through the socket, as for a display whose
	// server does not share this machine's memory. Default: shared memory, and
	// the socket when that is refused.
	NoSharedMemory bool
}

// Desktop drives one display. It implements desktop.Desktop.
type Desktop struct {
	conn *xwire.Conn
	ext  extensions
	size deskhand.Size

	input  *hands
	screen *eyes
	clip   *clipboard
	atoms  atoms
	signs  *signs

	closing chan struct{} // closed when Close begins: whoever holds keys lets go
	close   sync.Once
}

var _ desktop.Desktop = (*Desktop)(nil)

// Open connects to a display and prepares everything, so that a missing
// extension is found here. Codes: Unavailable, Canceled, Invalid (the display
// lacks something that is needed).
func Open(ctx context.Context, c Config) (*Desktop, error) {
	const op = "x11: open"
	queue := newEventQueue()
	damage, signs := newTracker(), newSigns()
	conn, err := xwire.Dial(ctx, xwire.Config{Display: c.Display, Authority: c.Authority, Event: func(e []byte) {
		signs.event(e)
		if !damage.event(e) {
			queue.put(e)
		}
	}})
	if err != nil {
		code := deskhand.Unavailable
		if ctx.Err() != nil {
			code = deskhand.Canceled
		}
		return nil, deskhand.Errorf(op, code, "cannot connect to the display %s: %w", c.Display, err)
	}
	d := &Desktop{conn: conn, closing: make(chan struct{}), signs: signs, size: deskhand.Size{W: conn.Setup.Width, H: conn.Setup.Height}}
	if err := d.prepare(ctx, c, queue, damage); err != nil {
		conn.Close()
		if d.clip != nil {
			d.clip.wait()
		}
		if d.screen != nil {
			d.screen.close()
		}
		return nil, failure(ctx, op, err)
	}
	return d, nil
}

func (d *Desktop) prepare(ctx context.Context, c Config, queue *eventQueue, damage *tracker) (err error) {
	if d.ext, err = findExtensions(ctx, d.conn); err != nil {
		return err
	}
	if d.atoms, err = internAtoms(ctx, d.conn); err != nil {
		return err
	}
	if err := d.signs.watch(ctx, d.conn, d.ext, d.atoms["XdndSelection"]); err != nil {
		return err
	}
	d.screen, err = newEyes(ctx, d.conn, d.ext, d.size, damage, !c.NoSharedMemory)
	if err != nil {
		return err
	}
	if d.clip, err = newClipboard(ctx, d.conn, d.ext, d.atoms, queue); err != nil {
		return err
	}
	d.input = newHands(d)
	return nil
}

// Size implements desktop.Desktop.
func (d *Desktop) Size(ctx context.Context) (deskhand.Size, error) {
	const op = "x11: size"
	if err := ctx.Err(); err != nil {
		return deskhand.Size{}, failure(ctx, op, err)
	}
	select {
	case <-d.conn.Done():
		return deskhand.Size{}, failure(ctx, op, xwire.ErrClosed)
	default:
		return d.size, nil
	}
}

// Cursor implements desktop.Desktop.
func (d *Desktop) Cursor(ctx context.Context) (deskhand.ScreenPoint, error) {
	p, err := queryPointer(ctx, d.conn)
	if err != nil {
		return deskhand.ScreenPoint{}, failure(ctx, "x11: cursor", err)
	}
	return p.at, nil
}

// Close lets go of all input, restores the keyboard and closes the connection.
// It may be called twice and waits for every goroutine of d.
func (d *Desktop) Close() error {
	d.close.Do(func() {
		close(d.closing)
		ctx, cancel := context.WithTimeoutCause(context.Background(), closeLimit, errCloseLimit)
		defer cancel()
		d.input.close(ctx)
		d.conn.Close()
		d.clip.wait()
		d.screen.close()
	})
	return nil
}

var errCloseLimit = errors.New("letting go of the display took longer than " + closeLimit.String())
