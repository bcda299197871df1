package x11

import (
	"context"
	"fmt"
	"runtime"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/frame"
	"github.com/deskhand/deskhand/internal/xwire"
	"golang.org/x/sys/unix"
)

// Requests of MIT-SHM.
const (
	shmAttach   = 1
	shmGetImage = 4

	zPixmap   = 2
	allPlanes = 0xffffffff
)

// grabber copies the display's pixels into one of two images, so that a new
// picture can be compared with the one before.
type grabber struct {
	conn *xwire.Conn
	op   byte   // of MIT-SHM; 0: the socket
	seg  uint32 // the server's name for the segment
	mem  []byte // the mapped segment
	img  [2]*frame.Image
}

// newGrabber prepares two images of the display's size, in memory that the
// server writes to when it can.
func newGrabber(ctx context.Context, c *xwire.Conn, ext extensions, size deskhand.Size, shared bool) (*grabber, error) {
	if d := c.Setup.Depth; d != 24 && d != 32 {
		return nil, deskhand.Errorf("x11: open", deskhand.Invalid, "the display has a depth of %d bits; deskhand needs 24", d)
	}
	g := &grabber{conn: c}
	if shared && ext.shm.op != 0 && g.attach(ctx, ext.shm.op, 2*4*size.W*size.H) == nil {
		half := len(g.mem) / 2
		for i := range g.img {
			g.img[i] = &frame.Image{Pix: g.mem[i*half : (i+1)*half : (i+1)*half], Stride: 4 * size.W, Size: size}
		}
		return g, nil
	}
	g.img = [2]*frame.Image{frame.New(size), frame.New(size)}
	return g, nil
}

// attach makes a System V segment and hands it to the server. The segment is
// marked for removal at once, so that it cannot outlive both processes.
func (g *grabber) attach(ctx context.Context, op byte, bytes int) error {
	id, err := unix.SysvShmGet(unix.IPC_PRIVATE, bytes, unix.IPC_CREAT|0o600)
	if err != nil {
		return fmt.Errorf("shared memory: %w", err)
	}
	defer unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	mem, err := unix.SysvShmAttach(id, 0, 0)
	if err != nil {
		return fmt.Errorf("shared memory: %w", err)
	}
	seg := g.conn.NewID()
	var b xwire.Batch
	b.Req(op, shmAttach).U32(seg, uint32(id)).U8(0)
	if err := g.conn.Round(ctx, &b); err != nil {
		_ = unix.SysvShmDetach(mem)
		return err
	}
	g.op, g.seg, g.mem = op, seg, mem[:bytes]
	return nil
}

// request adds the copying of the display into image i.
func (g *grabber) request(b *xwire.Batch, i int) *xwire.Reply {
	w, h := uint16(g.img[i].Size.W), uint16(g.img[i].Size.H)
	if g.op == 0 {
		return b.Req(opGetImage, zPixmap).U32(g.conn.Setup.Root).U16(0, 0, w, h).U32(allPlanes).Want()
	}
	return b.Req(g.op, shmGetImage).U32(g.conn.Setup.Root).U16(0, 0, w, h).U32(allPlanes).
		U8(zPixmap, 0, 0, 0).U32(g.seg, uint32(i*len(g.mem)/2)).Want()
}

// finish waits for request's reply, after which image i is whole.
func (g *grabber) finish(ctx context.Context, r *xwire.Reply, i int) error {
	raw, err := r.Wait(ctx)
	if err != nil {
		return err
	}
	if g.op == 0 {
		if len(raw)-32 < len(g.img[i].Pix) {
			return fmt.Errorf("the display sent %d bytes of %d", len(raw)-32, len(g.img[i].Pix))
		}
		copy(g.img[i].Pix, raw[32:])
	}
	runtime.KeepAlive(g)
	return nil
}

// close unmaps the memory. The connection is closed by then, so that the
// server no longer writes.
func (g *grabber) close() {
	if g.mem != nil {
		_ = unix.SysvShmDetach(g.mem) // fails only for memory that is not attached
		g.mem = nil
	}
}
