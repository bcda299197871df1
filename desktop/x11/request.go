package x11

import (
	"context"
	"encoding/binary"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/xwire"
)

// Opcodes of the core protocol's requests.
const (
	opCreateWindow         = 1
	opChangeWindowAttrs    = 2
	opGetWindowAttrs       = 3
	opGetGeometry          = 14
	opQueryTree            = 15
	opInternAtom           = 16
	opChangeProperty       = 18
	opDeleteProperty       = 19
	opGetProperty          = 20
	opSetSelectionOwner    = 22
	opGetSelectionOwner    = 23
	opConvertSelection     = 24
	opSendEvent            = 25
	opGrabKeyboard         = 31
	opUngrabKeyboard       = 32
	opGrabServer           = 36
	opUngrabServer         = 37
	opQueryPointer         = 38
	opTranslateCoordinates = 40
	opGetInputFocus        = 43
	opQueryKeymap          = 44
	opGetImage             = 73
	opQueryExtension       = 98
)

// Kinds of events.
const (
	evKeyPress         = 2
	evKeyRelease       = 3
	evButtonPress      = 4
	evButtonRelease    = 5
	evMotion           = 6
	evDestroyNotify    = 17
	evPropertyNotify   = 28
	evSelectionClear   = 29
	evSelectionRequest = 30
	evSelectionNotify  = 31
	evClientMessage    = 33
)

// Predefined atoms.
const (
	atomPrimary = 1
	atomAtom    = 4
	atomInteger = 19
	atomString  = 31
	atomWMName  = 39
	atomWMClass = 67
)

var le = binary.LittleEndian

// s16 reads a signed coordinate.
func s16(b []byte) int { return int(int16(le.Uint16(b))) }

// pointer is where the pointer is and what is held.
type pointer struct {
	at   deskhand.ScreenPoint
	mask uint16 // 1<<8 is button 1, …
}

func askPointer(b *xwire.Batch, root uint32) *xwire.Reply {
	return b.Req(opQueryPointer, 0).U32(root).Want()
}

func readPointer(r []byte) pointer {
	return pointer{deskhand.ScreenPoint{X: s16(r[16:]), Y: s16(r[18:])}, le.Uint16(r[24:])}
}

func queryPointer(ctx context.Context, c *xwire.Conn) (pointer, error) {
	var b xwire.Batch
	r, err := ask(ctx, c, &b, askPointer(&b, c.Setup.Root))
	if err != nil {
		return pointer{}, err
	}
	return readPointer(r), nil
}

// ask sends the batch and waits for one of its replies.
func ask(ctx context.Context, c *xwire.Conn, b *xwire.Batch, want *xwire.Reply) ([]byte, error) {
	if err := c.Send(ctx, b); err != nil {
		return nil, err
	}
	return want.Wait(ctx)
}

func askAtom(b *xwire.Batch, name string) *xwire.Reply {
	return b.Req(opInternAtom, 0).U16(uint16(len(name)), 0).Text(name).Want()
}

// fakeInput adds one XTEST event. delay is in ms, and is kept by the server
// before it goes on to the next request.
func fakeInput(b *xwire.Batch, xtest, kind, detail byte, delay, root uint32, at deskhand.ScreenPoint) {
	const opFakeInput = 2
	b.Req(xtest, opFakeInput).U8(kind, detail, 0, 0).U32(delay, root, 0, 0).
		U16(uint16(at.X), uint16(at.Y)).U32(0, 0)
}
