package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// witnessCommand makes this program a window over the whole display that says
// where it is clicked.
const witnessCommand = "witness"

// The colours of the witness: its ground, and a mark in each corner.
const witnessGround = 0x224466

func witnessCorners() [4]uint32 { return [4]uint32{0xff0000, 0x00ff00, 0x0000ff, 0xffff00} }

// witnessMark is the side of a mark, in pixels of the display.
const witnessMark = 80

// dispatch is deskhand, and what tests run inside its sandbox.
func dispatch() {
	if len(os.Args) < 2 || os.Args[1] != witnessCommand {
		main()
		return
	}
	if err := testify(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// testify runs until the display is gone. It speaks X through a library that
// deskhand itself does not use.
func testify() error {
	conn, err := xgb.NewConn()
	if err != nil {
		return err
	}
	screen := xproto.Setup(conn).DefaultScreen(conn)
	win, err := xproto.NewWindowId(conn)
	if err != nil {
		return err
	}
	err = xproto.CreateWindowChecked(conn, screen.RootDepth, win, screen.Root, 0, 0, screen.WidthInPixels, screen.HeightInPixels, 0,
		xproto.WindowClassInputOutput, screen.RootVisual, xproto.CwBackPixel|xproto.CwOverrideRedirect|xproto.CwEventMask,
		[]uint32{witnessGround, 1, xproto.EventMaskButtonPress | xproto.EventMaskExposure}).Check()
	if err = errors.Join(err, xproto.MapWindowChecked(conn, win).Check()); err != nil {
		return err
	}
	for {
		e, err := conn.WaitForEvent()
		switch e := e.(type) {
		case xproto.ExposeEvent:
			if err := paint(conn, win, screen.WidthInPixels, screen.HeightInPixels); err != nil {
				return err
			}
			fmt.Printf("ready %dx%d\n", screen.WidthInPixels, screen.HeightInPixels)
			go repaint(conn, win, screen.WidthInPixels, screen.HeightInPixels)
		case xproto.ButtonPressEvent:
			fmt.Printf("button %d at %d,%d.\n", e.Detail, e.RootX, e.RootY)
		case nil:
			return err // nil when the display is gone
		}
	}
}

// repaint draws the same again for three seconds: on a busy machine the window
// manager can lose the last frame of a window (docs/rough-edges.md).
func repaint(conn *xgb.Conn, win xproto.Window, w, h uint16) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for range 15 {
		<-tick.C
		if paint(conn, win, w, h) != nil {
			return // the display is gone
		}
	}
}

// paint draws the ground and the marks, each pixel once.
func paint(conn *xgb.Conn, win xproto.Window, w, h uint16) error {
	const m = witnessMark
	right, low := int16(w-m), int16(h-m)
	ground := []xproto.Rectangle{{X: m, Width: w - 2*m, Height: m}, {Y: m, Width: w, Height: h - 2*m}, {X: m, Y: low, Width: w - 2*m, Height: m}}
	err := fill(conn, win, witnessGround, ground)
	for i, at := range [][2]int16{{0, 0}, {right, 0}, {0, low}, {right, low}} {
		err = errors.Join(err, fill(conn, win, witnessCorners()[i], []xproto.Rectangle{{X: at[0], Y: at[1], Width: m, Height: m}}))
	}
	return err
}

func fill(conn *xgb.Conn, win xproto.Window, colour uint32, where []xproto.Rectangle) error {
	gc, err := xproto.NewGcontextId(conn)
	if err != nil {
		return err
	}
	return errors.Join(
		xproto.CreateGCChecked(conn, gc, xproto.Drawable(win), xproto.GcForeground, []uint32{colour}).Check(),
		xproto.PolyFillRectangleChecked(conn, xproto.Drawable(win), gc, where).Check(),
		xproto.FreeGCChecked(conn, gc).Check())
}
