// Package desktop is eyes and hands on one display: see it, point, type, hold,
// scroll, read the windows and the clipboard, and know when it has settled.
//
// Drivers: desktop/x11 drives an X display, desktop/remote one behind a guest,
// desktop/fake a framebuffer in memory. desktop/desktoptest is the suite every
// driver passes. All points and sizes here are pixels of the display.
//
// Trust: what is on a display is hostile data. This package never interprets it.
package desktop

import (
	"context"
	"time"

	"github.com/deskhand/deskhand"
)

// Desktop is one display. Methods may be called concurrently; input is applied
// one list at a time. After Close every method fails with Unavailable.
//
// Codes that can come back from any method: Canceled, Unavailable (the display
// is gone or does not answer), Internal. Further ones are named per method.
// The text of an Invalid error is safe to show to the model.
type Desktop interface {
	// Size returns the size of the display in pixels. It does not change.
	Size(ctx context.Context) (deskhand.Size, error)

	// Screen takes a picture. Invalid: the region is empty or outside.
	Screen(ctx context.Context, shot Shot) (Picture, error)

	// Input performs actions in order as one unit that no other list can
	// interleave. Everything is validated before anything moves: Invalid means
	// that nothing happened. It returns after the X server (or equivalent) has
	// processed the input. When it fails or ctx ends, every key and button that
	// the list pressed (except by Press) is released. An *InputError says how far
	// it came. Denied: an action has Into, and none of its places has the focus.
	Input(ctx context.Context, actions ...Action) error

	// Cursor returns where the pointer is.
	Cursor(ctx context.Context) (deskhand.ScreenPoint, error)

	// Windows returns the visible top-level windows, topmost first.
	Windows(ctx context.Context) ([]Window, error)

	// Clipboard returns the text of the clipboard, empty when there is none.
	Clipboard(ctx context.Context) (string, error)

	// SetClipboard makes text the clipboard.
	SetClipboard(ctx context.Context, text string) error

	// Settle waits until nothing was drawn for wait.Quiet, at most wait.Limit.
	Settle(ctx context.Context, wait Wait) (Settled, error)

	// Release lets go of every key and button that is held.
	Release(ctx context.Context) error

	Close() error
}

// Format is an image encoding.
type Format string

// The formats. Auto lets the driver choose what is legible in few bytes; see
// docs/decisions.
const (
	Auto Format = ""
	PNG  Format = "png"
	JPEG Format = "jpeg"
)

// Shot says what picture to take.
type Shot struct {
	Region  deskhand.ScreenRect `json:"region"`  // display pixels; empty is the whole display
	Size    deskhand.Size       `json:"size"`    // of the picture; zero is the size of the region
	Format  Format              `json:"format"`  // default Auto
	Quality int                 `json:"quality"` // JPEG, 1 to 100; default 85
	Cursor  bool                `json:"cursor"`  // draw the pointer into the picture
	Since   uint64              `json:"since"`   // a Frame seen before: when nothing changed since, Picture.Unchanged and no data
}

// Picture is a Shot's result.
type Picture struct {
	Data      []byte
	MediaType string        // image/png or image/jpeg
	Size      deskhand.Size // of the picture
	Frame     uint64        // number of the display's content, for Shot.Since and Settled.Frame; never 0
	Unchanged bool          // the display shows what it showed at Shot.Since; Data is nil
}

// Window is a visible top-level window.
type Window struct {
	ID      uint32              `json:"id"`
	Title   string              `json:"title"`   // hostile text
	Class   string              `json:"class"`   // what the program says it is, such as "Mousepad"
	PID     int                 `json:"pid"`     // as the program says; 0 when unknown
	Program string              `json:"program"` // path of the installed program that has the window, as the kernel says; empty when it is none, or unknown
	Bounds  deskhand.ScreenRect `json:"bounds"`  // with frame
	Focused bool                `json:"focused"` // has the input focus
}

// Wait bounds a Settle.
type Wait struct {
	Quiet time.Duration `json:"quiet"` // default 40ms
	Limit time.Duration `json:"limit"` // default 2s
	Since uint64        `json:"since"` // for Settled.Changed; 0 counts from the call
	// First is how long to wait for a first change before the display counts as
	// settled. Default 0: what is quiet now is settled after Quiet.
	First time.Duration `json:"first"`
}

// Settled is what a Settle saw.
type Settled struct {
	Frame   uint64        `json:"frame"`   // number of the content at the end
	Changed bool          `json:"changed"` // something was drawn since Wait.Since
	Quiet   bool          `json:"quiet"`   // false: still drawing at the limit
	Waited  time.Duration `json:"waited"`
}
