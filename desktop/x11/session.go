package x11

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"github.com/deskhand/deskhand"
)

const opSession = "desktop: session"

// Session is what a display needs beside input and pictures: a backdrop,
// resources, and the answer to whether a window manager and a panel are there.
// It has a connection of its own, since the backdrop lives as long as it.
// Methods may be called concurrently.
type Session struct {
	conn  *xgb.Conn
	root  xproto.Window
	size  deskhand.Size
	atoms map[string]xproto.Atom

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when the root window changed
	gone    chan struct{} // closed when the connection is
}

// sessionAtoms are the names that a Session uses.
var sessionAtoms = [...]string{
	"_NET_SUPPORTING_WM_CHECK", "_NET_WM_NAME", "UTF8_STRING", "_NET_WM_WINDOW_TYPE",
	"_NET_WM_WINDOW_TYPE_DOCK", "_NET_WM_WINDOW_TYPE_DESKTOP", "_NET_WM_STATE", "_NET_WM_STATE_SKIP_TASKBAR",
	"_NET_WM_STATE_SKIP_PAGER", "_NET_WM_STATE_STICKY", "_NET_WM_STATE_BELOW",
}

// newSession takes over conn.
func newSession(conn *xgb.Conn) (*Session, error) {
	screen := xproto.Setup(conn).DefaultScreen(conn)
	s := &Session{
		conn: conn, root: screen.Root,
		size:    deskhand.Size{W: int(screen.WidthInPixels), H: int(screen.HeightInPixels)},
		atoms:   map[string]xproto.Atom{},
		changed: make(chan struct{}), gone: make(chan struct{}),
	}
	var cookies [len(sessionAtoms)]xproto.InternAtomCookie
	for i, name := range sessionAtoms {
		cookies[i] = xproto.InternAtom(conn, false, uint16(len(name)), name)
	}
	events := xproto.ChangeWindowAttributesChecked(conn, s.root, xproto.CwEventMask,
		[]uint32{xproto.EventMaskPropertyChange | xproto.EventMaskSubstructureNotify})
	for i, name := range sessionAtoms {
		r, err := cookies[i].Reply()
		if err != nil {
			conn.Close()
			return nil, deskhand.E(opSession, deskhand.Unavailable, err)
		}
		s.atoms[name] = r.Atom
	}
	if err := events.Check(); err != nil {
		conn.Close()
		return nil, deskhand.E(opSession, deskhand.Unavailable, err)
	}
	go s.listen() // ends with the connection, which Close waits for
	return s, nil
}

// listen turns events into wake-ups. What changed is asked, not inferred.
func (s *Session) listen() {
	defer close(s.gone)
	for {
		event, err := s.conn.WaitForEvent()
		if event == nil && err == nil {
			return
		}
		s.mu.Lock()
		close(s.changed)
		s.changed = make(chan struct{})
		s.mu.Unlock()
	}
}

// Close takes the backdrop away and ends the connection. It may be called twice.
func (s *Session) Close() {
	s.conn.Close()
	<-s.gone
}

// Backdrop covers the display with one colour, 0xRRGGBB, below every window. A
// window manager that composites paints over the root window, which is why
// this is a window of the desktop type.
func (s *Session) Backdrop(colour uint32) error {
	id, err := xproto.NewWindowId(s.conn)
	if err != nil {
		return deskhand.E(opSession, deskhand.Unavailable, err)
	}
	err = errors.Join(
		xproto.ChangeWindowAttributesChecked(s.conn, s.root, xproto.CwBackPixel, []uint32{colour}).Check(),
		xproto.ClearAreaChecked(s.conn, false, s.root, 0, 0, 0, 0).Check(),
		xproto.CreateWindowChecked(s.conn, xproto.WindowClassCopyFromParent, id, s.root, 0, 0, uint16(s.size.W), uint16(s.size.H), 0,
			xproto.WindowClassInputOutput, xproto.WindowClassCopyFromParent, xproto.CwBackPixel, []uint32{colour}).Check(),
		s.setAtoms(id, "_NET_WM_WINDOW_TYPE", "_NET_WM_WINDOW_TYPE_DESKTOP"),
		s.setAtoms(id, "_NET_WM_STATE", "_NET_WM_STATE_SKIP_TASKBAR", "_NET_WM_STATE_SKIP_PAGER", "_NET_WM_STATE_STICKY", "_NET_WM_STATE_BELOW"),
		s.setText(id, s.atoms["_NET_WM_NAME"], s.atoms["UTF8_STRING"], "Desktop"),
		s.setText(id, xproto.AtomWmClass, xproto.AtomString, "desktop\x00Desktop\x00"),
		xproto.MapWindowChecked(s.conn, id).Check(),
	)
	if err != nil {
		return deskhand.Errorf(opSession, deskhand.Unavailable, "the backdrop could not be drawn: %w", err)
	}
	return nil
}

// Resources sets the X resources that programs read when they start, in the
// form of .Xresources.
func (s *Session) Resources(text string) error {
	if err := s.setText(s.root, xproto.AtomResourceManager, xproto.AtomString, text); err != nil {
		return deskhand.Errorf(opSession, deskhand.Unavailable, "the X resources could not be set: %w", err)
	}
	return nil
}

// AwaitManager returns when a window manager that follows EWMH is there.
// Canceled: ctx ended first. Unavailable: the display is gone.
func (s *Session) AwaitManager(ctx context.Context) error { return s.await(ctx, s.managed) }

// AwaitPanel returns when a panel (a window of the dock type) can be seen. Its
// errors are those of AwaitManager.
func (s *Session) AwaitPanel(ctx context.Context) error { return s.await(ctx, s.docked) }

func (s *Session) await(ctx context.Context, there func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if there() {
			return nil
		}
		select {
		case <-changed:
		case <-s.gone:
			return deskhand.Errorf(opSession, deskhand.Unavailable, "the display is gone")
		case <-ctx.Done():
			return deskhand.E(opSession, deskhand.Canceled, ctx.Err())
		}
	}
}

// managed reports whether the window that the root names as the manager's is
// alive and agrees. A manager that was killed leaves the root's property behind.
func (s *Session) managed() bool {
	check, ok := s.number(s.root, "_NET_SUPPORTING_WM_CHECK")
	if !ok {
		return false
	}
	self, ok := s.number(xproto.Window(check), "_NET_SUPPORTING_WM_CHECK")
	if !ok || self != check {
		return false
	}
	name, err := xproto.GetProperty(s.conn, false, xproto.Window(check), s.atoms["_NET_WM_NAME"], xproto.AtomAny, 0, 64).Reply()
	return err == nil && name.ValueLen > 0
}

func (s *Session) docked() bool {
	tree, err := xproto.QueryTree(s.conn, s.root).Reply()
	if err != nil {
		return false
	}
	for _, w := range tree.Children {
		kind, ok := s.number(w, "_NET_WM_WINDOW_TYPE")
		if !ok || xproto.Atom(kind) != s.atoms["_NET_WM_WINDOW_TYPE_DOCK"] {
			continue
		}
		a, err := xproto.GetWindowAttributes(s.conn, w).Reply()
		if err == nil && a.MapState == xproto.MapStateViewable {
			return true
		}
	}
	return false
}

// number returns the first 32-bit value of a property of w.
func (s *Session) number(w xproto.Window, property string) (uint32, bool) {
	r, err := xproto.GetProperty(s.conn, false, w, s.atoms[property], xproto.AtomAny, 0, 1).Reply()
	if err != nil || r.Format != 32 || len(r.Value) < 4 {
		return 0, false
	}
	return xgb.Get32(r.Value), true
}

func (s *Session) setAtoms(w xproto.Window, property string, values ...string) error {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, uint32(s.atoms[v])) // the byte order xgb asks for
	}
	return xproto.ChangePropertyChecked(s.conn, xproto.PropModeReplace, w, s.atoms[property], xproto.AtomAtom, 32, uint32(len(values)), data).Check()
}

func (s *Session) setText(w xproto.Window, property, kind xproto.Atom, text string) error {
	return xproto.ChangePropertyChecked(s.conn, xproto.PropModeReplace, w, property, kind, 8, uint32(len(text)), []byte(text)).Check()
}
