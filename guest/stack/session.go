package stack

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/deskhand/deskhand/internal/xwire"
)

// Requests of the X11 protocol that a session makes.
const (
	xCreateWindow     = 1
	xChangeAttributes = 2
	xGetAttributes    = 3
	xMapWindow        = 8
	xQueryTree        = 15
	xInternAtom       = 16
	xChangeProperty   = 18
	xGetProperty      = 20
)

// Values in those requests.
const (
	backPixel        = 1 << 1 // of a window's attributes
	eventMask        = 1 << 11
	substructure     = 1 << 19 // events
	propertyChange   = 1 << 22
	viewable         = 2
	atomAtom         = 4
	atomResources    = 23
	atomString       = 31
	atomWMClass      = 67
	anyPropertyType  = 0
	inputOutput      = 1
	copyFromParent   = 0
	replaceProperty  = 0
	maxPropertyWords = 64
)

// atomNames are the names a session uses, in the order of the constants below.
var atomNames = [...]string{
	"_NET_SUPPORTING_WM_CHECK", "_NET_WM_NAME", "UTF8_STRING", "_NET_WM_WINDOW_TYPE",
	"_NET_WM_WINDOW_TYPE_DOCK", "_NET_WM_WINDOW_TYPE_DESKTOP", "_NET_WM_STATE",
	"_NET_WM_STATE_SKIP_TASKBAR", "_NET_WM_STATE_SKIP_PAGER", "_NET_WM_STATE_STICKY", "_NET_WM_STATE_BELOW",
}

const (
	netCheck = iota
	netName
	utf8String
	netType
	netTypeDock
	netTypeDesktop
	netState
	netSkipTaskbar
	netSkipPager
	netSticky
	netBelow
)

// session is our own client of a display, beside eyes and hands: it lays the
// backdrop, sets the resources, and sees whether a window manager and a panel
// are there. The backdrop lives as long as it. Methods may be called
// concurrently.
type session struct {
	conn  *xwire.Conn
	atoms [len(atomNames)]uint32

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when something changed on the root window
}

// openSession connects to the display, lays the backdrop and sets the resources.
func openSession(ctx context.Context, name, authority string, colour uint32, resources string) (*session, error) {
	s := &session{changed: make(chan struct{})}
	var err error
	s.conn, err = xwire.Dial(ctx, xwire.Config{Display: name, Authority: authority, Event: s.wake})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(s.intern(ctx), s.dress(ctx, colour, resources)); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// wake tells the waiting that something changed. What it is they ask, so that
// no event can say something that is not so.
func (s *session) wake([]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *session) close() { s.conn.Close() }

func (s *session) intern(ctx context.Context) error {
	var b xwire.Batch
	var replies [len(atomNames)]*xwire.Reply
	for i, name := range atomNames {
		replies[i] = b.Req(xInternAtom, 0).U16(uint16(len(name)), 0).Text(name).Want()
	}
	b.Req(xChangeAttributes, 0).U32(s.conn.Setup.Root, eventMask, propertyChange|substructure)
	if err := s.conn.Round(ctx, &b); err != nil {
		return fmt.Errorf("the display cannot be watched: %w", err)
	}
	for i, r := range replies {
		raw, err := r.Wait(ctx)
		if err != nil {
			return err
		}
		s.atoms[i] = binary.LittleEndian.Uint32(raw[8:])
	}
	return nil
}

// dress covers the display with one colour, 0xRRGGBB, below every window, and
// sets the resources. A window manager that composites paints over the root
// window, which is why the backdrop is a window of the desktop type.
func (s *session) dress(ctx context.Context, colour uint32, resources string) error {
	var b xwire.Batch
	root, id := s.conn.Setup.Root, s.conn.NewID()
	w, h := uint16(s.conn.Setup.Width), uint16(s.conn.Setup.Height)
	property(&b, root, atomResources, atomString, resources)
	b.Req(xChangeAttributes, 0).U32(root, backPixel, colour)
	b.Req(xCreateWindow, 0).U32(id, root).U16(0, 0, w, h, 0, inputOutput).U32(copyFromParent, backPixel, colour)
	s.atomList(&b, id, netType, netTypeDesktop)
	s.atomList(&b, id, netState, netSkipTaskbar, netSkipPager, netSticky, netBelow)
	property(&b, id, s.atoms[netName], s.atoms[utf8String], "Desktop")
	property(&b, id, atomWMClass, atomString, "desktop\x00Desktop\x00")
	b.Req(xMapWindow, 0).U32(id)
	if err := s.conn.Round(ctx, &b); err != nil {
		return fmt.Errorf("the backdrop cannot be drawn: %w", err)
	}
	return nil
}

// property appends a request that makes text a property of window.
func property(b *xwire.Batch, window, name, kind uint32, text string) {
	b.Req(xChangeProperty, replaceProperty).U32(window, name, kind).U8(8, 0, 0, 0).U32(uint32(len(text))).Text(text)
}

// atomList appends a request that makes a list of atoms a property of window.
func (s *session) atomList(b *xwire.Batch, window uint32, name int, values ...int) {
	b.Req(xChangeProperty, replaceProperty).U32(window, s.atoms[name], atomAtom).U8(32, 0, 0, 0).U32(uint32(len(values)))
	for _, v := range values {
		b.U32(s.atoms[v])
	}
}

// awaitManager returns when a window manager that follows EWMH is there.
func (s *session) awaitManager(ctx context.Context) error { return s.await(ctx, s.managed) }

// awaitPanel returns when a panel, a window of the dock type, can be seen.
func (s *session) awaitPanel(ctx context.Context) error { return s.await(ctx, s.docked) }

// await returns when there says yes. It asks again at every change.
func (s *session) await(ctx context.Context, there func(context.Context) (bool, error)) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		yes, err := there(ctx)
		if yes || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-s.conn.Done():
			return errors.New("the display is gone")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// managed reports whether the window that the root names as the manager's is
// alive and agrees. A manager that was killed leaves the root's property behind.
func (s *session) managed(ctx context.Context) (bool, error) {
	check, err := s.number(ctx, s.conn.Setup.Root, netCheck)
	if check == 0 || err != nil {
		return false, err
	}
	self, err := s.number(ctx, check, netCheck)
	if self != check || err != nil {
		return false, err
	}
	name, err := s.ask(ctx, func(b *xwire.Batch) *xwire.Reply { return getProperty(b, check, s.atoms[netName]) })
	return len(name) > 32, err
}

// docked reports whether a child of the root is a dock that can be seen.
func (s *session) docked(ctx context.Context) (bool, error) {
	tree, err := s.ask(ctx, func(b *xwire.Batch) *xwire.Reply { return b.Req(xQueryTree, 0).U32(s.conn.Setup.Root).Want() })
	if tree == nil || err != nil {
		return false, err
	}
	for raw := tree[32:]; len(raw) >= 4; raw = raw[4:] {
		window := binary.LittleEndian.Uint32(raw)
		kind, err := s.number(ctx, window, netType)
		if err != nil {
			return false, err
		}
		if kind != s.atoms[netTypeDock] {
			continue
		}
		a, err := s.ask(ctx, func(b *xwire.Batch) *xwire.Reply { return b.Req(xGetAttributes, 0).U32(window).Want() })
		if err != nil {
			return false, err
		}
		if len(a) > 26 && a[26] == viewable {
			return true, nil
		}
	}
	return false, nil
}

// number returns the first 32-bit value of a property of window, 0 when there
// is none or no such window.
func (s *session) number(ctx context.Context, window uint32, name int) (uint32, error) {
	raw, err := s.ask(ctx, func(b *xwire.Batch) *xwire.Reply { return getProperty(b, window, s.atoms[name]) })
	if len(raw) < 36 || raw[1] != 32 { // the format
		return 0, err
	}
	return binary.LittleEndian.Uint32(raw[32:]), nil
}

func getProperty(b *xwire.Batch, window, name uint32) *xwire.Reply {
	return b.Req(xGetProperty, 0).U32(window, name, anyPropertyType, 0, maxPropertyWords).Want()
}

// ask makes one request. What the server refuses, since a window may go at any
// time, is answered with nothing.
func (s *session) ask(ctx context.Context, request func(*xwire.Batch) *xwire.Reply) ([]byte, error) {
	var b xwire.Batch
	r := request(&b)
	if err := s.conn.Send(ctx, &b); err != nil {
		return nil, err
	}
	raw, err := r.Wait(ctx)
	var refused *xwire.Error
	if errors.As(err, &refused) {
		return nil, nil
	}
	return raw, err
}
