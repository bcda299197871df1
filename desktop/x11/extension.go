package x11

import (
	"context"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/xwire"
)

// extension is where the server put an extension. A zero op is none.
type extension struct {
	op    byte // major opcode
	event byte // first event
}

// extensions are those that the driver uses.
type extensions struct {
	xtest, xkb, xfixes, damage extension // without these Open fails
	shm                        extension // without this pictures take the socket
	res                        extension // without this no window is known to be a program's
}

// findExtensions asks for the extensions and says hello to each, which they
// want before anything else.
func findExtensions(ctx context.Context, c *xwire.Conn) (extensions, error) {
	var e extensions
	wanted := []struct {
		name     string
		to       *extension
		optional bool
	}{
		{"XTEST", &e.xtest, false}, {"XKEYBOARD", &e.xkb, false}, {"XFIXES", &e.xfixes, false},
		{"DAMAGE", &e.damage, false}, {"MIT-SHM", &e.shm, true}, {"X-Resource", &e.res, true},
	}
	var b xwire.Batch
	replies := make([]*xwire.Reply, len(wanted))
	for i, w := range wanted {
		replies[i] = b.Req(opQueryExtension, 0).U16(uint16(len(w.name)), 0).Text(w.name).Want()
	}
	if err := c.Send(ctx, &b); err != nil {
		return e, err
	}
	for i, w := range wanted {
		r, err := replies[i].Wait(ctx)
		if err != nil {
			return e, err
		}
		switch {
		case r[8] != 0:
			*w.to = extension{op: r[9], event: r[10]}
		case !w.optional:
			return e, deskhand.Errorf("x11: open", deskhand.Invalid, "the display lacks the X extension %s, which deskhand needs", w.name)
		}
	}
	return e, e.hello(ctx, c)
}

func (e extensions) hello(ctx context.Context, c *xwire.Conn) error {
	var b xwire.Batch
	b.Req(e.xkb.op, xkbUseExtension).U16(1, 0).Want()
	b.Req(e.xfixes.op, 0).U32(5, 0).Want()
	b.Req(e.damage.op, 0).U32(1, 1).Want()
	return c.Round(ctx, &b)
}
