// Package desktoptest is the suite that every desktop driver passes: what
// package desktop promises, asserted in pixels and in what programs received.
//
// Trust: tests only.
package desktoptest

import (
	"context"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
)

// Bench is one open desktop with what a test needs around it. The display is at
// least 320x240, shows nothing that changes by itself, and is 24 bits deep.
// Optional functions are nil where a driver's test cannot offer them; what
// needs them is then not asserted. They fail the test themselves.
type Bench struct {
	Desktop desktop.Desktop

	// Paint fills a rectangle of the display with the colour 0xRRGGBB and returns
	// when the display shows it.
	Paint func(x, y, w, h int, rgb uint32)

	// Received returns what a program that covers the display and has the focus
	// has received so far, in order: "left down", "left up" (also middle, right),
	// "wheel up" (also down, left, right), "key a down", "key a up". The suite
	// uses the keys a to d, shift ("key shift down") and Return; lines of other
	// forms, such as "move 3,4", are ignored. It also works after Close.
	Received func() []string

	// Typed returns the text that a field with the focus holds.
	Typed func() string

	// OpenWindow opens a window and returns when it is on the display.
	OpenWindow func(title string, bounds deskhand.ScreenRect)
}

// patience bounds every wait for something that has to happen.
const patience = 10 * time.Second

// Run checks the driver that open opens. open is called for each test and
// closes what it opened by t.Cleanup; tests run in parallel.
func Run(t *testing.T, open func(t *testing.T) Bench) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Bench)
	}{
		{"Size", testSize},
		{"Pixels", testPixels},
		{"Formats", testFormats},
		{"Scaled", testScaled},
		{"Pointer", testPointer},
		{"ShotsRefused", testShotsRefused},
		{"Unchanged", testUnchanged},
		{"SettleQuiet", testSettleQuiet},
		{"SettleBusy", testSettleBusy},
		{"SettleSince", testSettleSince},
		{"SettleFirst", testSettleFirst},
		{"SettleCanceled", testSettleCanceled},
		{"Moves", testMoves},
		{"Buttons", testButtons},
		{"Keys", testKeys},
		{"Typing", testTyping},
		{"InputRefused", testInputRefused},
		{"Cancel", testCancel},
		{"Release", testRelease},
		{"Lists", testLists},
		{"Clipboard", testClipboard},
		{"Windows", testWindows},
		{"Close", testClose},
		{"CloseWhileHolding", testCloseWhileHolding},
		{"Canceled", testCanceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t))
		})
	}
}

// size returns the size of the display.
func (b Bench) size(t *testing.T) deskhand.Size {
	t.Helper()
	size, err := b.Desktop.Size(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// input performs actions, which must succeed.
func (b Bench) input(t *testing.T, actions ...desktop.Action) {
	t.Helper()
	if err := b.Desktop.Input(t.Context(), actions...); err != nil {
		t.Fatal(err)
	}
}

// isCode fails the test unless err has code.
func isCode(t *testing.T, what string, err error, code deskhand.Code) {
	t.Helper()
	if deskhand.CodeOf(err) != code {
		t.Errorf("%s: got %v (code %q), want code %q", what, err, deskhand.CodeOf(err), code)
	}
}

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s did not come about within %s", what, patience)
		}
	}
}

func at(x, y int) *deskhand.ScreenPoint { return &deskhand.ScreenPoint{X: x, Y: y} }
