package x11

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/procfs"
	"github.com/deskhand/deskhand/internal/xwire"
)

// Limits of what programs tell of their windows.
const (
	maxWindows  = 256
	maxTitle    = 1024 // bytes
	maxClass    = 256  // bytes
	maxStates   = 256  // bytes
	viewable    = 2    // map state of a window that is shown
	frameExtent = 4    // numbers: left, right, top, bottom
)

// Windows implements desktop.Desktop. The window manager's list says what the
// windows are; without one, the children of the root window are.
func (d *Desktop) Windows(ctx context.Context) ([]desktop.Window, error) {
	out, err := d.windows(ctx)
	if err != nil {
		return nil, failure(ctx, "x11: windows", err)
	}
	return out, nil
}

func (d *Desktop) windows(ctx context.Context) ([]desktop.Window, error) {
	ids, active, err := d.topLevels(ctx)
	if err != nil {
		return nil, err
	}
	var b xwire.Batch
	queries := make([]windowQuery, len(ids))
	for i, id := range ids {
		queries[i] = d.askWindow(&b, id)
	}
	if err := d.conn.Send(ctx, &b); err != nil {
		return nil, err
	}
	out := make([]desktop.Window, 0, len(ids))
	for i, q := range queries {
		w, ok, err := q.read(ctx, d.atoms)
		if err != nil {
			return nil, err
		}
		if ok {
			w.ID, w.Focused = ids[i], ids[i] == active
			out = append(out, w)
		}
	}
	return out, nil
}

// topLevels returns the windows, topmost first, and the one with the focus.
func (d *Desktop) topLevels(ctx context.Context) (ids []uint32, active uint32, err error) {
	var b xwire.Batch
	root := d.conn.Setup.Root
	stacking := askProperty(&b, root, d.atoms["_NET_CLIENT_LIST_STACKING"], 4*maxWindows)
	focus := askProperty(&b, root, d.atoms["_NET_ACTIVE_WINDOW"], 4)
	tree := b.Req(opQueryTree, 0).U32(root).Want()
	input := b.Req(opGetInputFocus, 0).Want()
	if err := d.conn.Send(ctx, &b); err != nil {
		return nil, 0, err
	}
	raw := make([][]byte, 4)
	for i, r := range []*xwire.Reply{stacking, focus, tree, input} {
		if raw[i], err = r.Wait(ctx); err != nil {
			return nil, 0, err
		}
	}
	list := readProperty(raw[0])
	active = readProperty(raw[1]).number()
	if ids = list.numbers(); list.kind == 0 { // no window manager
		children := property{format: 32, value: raw[2][32:]}
		ids, active = children.numbers(), le.Uint32(raw[3][8:])
		ids = ids[max(0, len(ids)-maxWindows):]
	}
	slices.Reverse(ids)
	return ids, active, nil
}

// windowQuery are the questions about one window.
type windowQuery struct {
	owner, attrs, geometry, place, name, oldName, class, pid, frame, shadow, state *xwire.Reply
}

func (d *Desktop) askWindow(b *xwire.Batch, id uint32) windowQuery {
	q := windowQuery{
		attrs:    b.Req(opGetWindowAttrs, 0).U32(id).Want(),
		geometry: b.Req(opGetGeometry, 0).U32(id).Want(),
		place:    b.Req(opTranslateCoordinates, 0).U32(id, d.conn.Setup.Root).U16(0, 0).Want(),
		name:     askProperty(b, id, d.atoms["_NET_WM_NAME"], maxTitle),
		oldName:  askProperty(b, id, atomWMName, maxTitle),
		class:    askProperty(b, id, atomWMClass, maxClass),
		pid:      askProperty(b, id, d.atoms["_NET_WM_PID"], 4),
		frame:    askProperty(b, id, d.atoms["_NET_FRAME_EXTENTS"], 4*frameExtent),
		shadow:   askProperty(b, id, d.atoms["_GTK_FRAME_EXTENTS"], 4*frameExtent),
		state:    askProperty(b, id, d.atoms["_NET_WM_STATE"], maxStates),
	}
	if d.ext.res.op != 0 {
		q.owner = d.askOwner(b, id)
	}
	return q
}

// read collects the answers; ok is false for a window that is not to be seen,
// or is gone by now.
func (q windowQuery) read(ctx context.Context, a atoms) (w desktop.Window, ok bool, err error) {
	all := []*xwire.Reply{q.attrs, q.geometry, q.place, q.name, q.oldName, q.class, q.pid, q.frame, q.shadow, q.state}
	raw := make([][]byte, len(all))
	for i, r := range all {
		raw[i], err = r.Wait(ctx)
		var gone *xwire.Error
		switch {
		case errors.As(err, &gone):
			return w, false, nil // BadWindow: it closed meanwhile
		case err != nil:
			return w, false, err
		}
	}
	if raw[0][26] != viewable || slices.Contains(readProperty(raw[9]).numbers(), a["_NET_WM_STATE_HIDDEN"]) {
		return w, false, nil
	}
	w.Bounds = bounds(raw[1], raw[2], readProperty(raw[7]).numbers(), readProperty(raw[8]).numbers())
	if w.Title = readProperty(raw[3]).text(a["UTF8_STRING"]); w.Title == "" {
		w.Title = readProperty(raw[4]).text(a["UTF8_STRING"])
	}
	if q.owner != nil {
		r, err := q.owner.Wait(ctx)
		if err != nil {
			return w, false, err
		}
		w.Program, _ = procfs.Program(readOwner(r))
	}
	w.Class = className(readProperty(raw[5]), a["UTF8_STRING"])
	if pid := readProperty(raw[6]).number(); pid <= 1<<22 { // the kernel has no higher ones
		w.PID = int(pid)
	}
	return w, true, nil
}

// bounds returns the window with the frame that the window manager drew, or
// without the shadow that the program drew itself.
func bounds(geometry, place []byte, frame, shadow []uint32) deskhand.ScreenRect {
	x, y := s16(place[12:]), s16(place[14:])
	r := deskhand.ScreenRect{X0: x, Y0: y, X1: x + int(le.Uint16(geometry[16:])), Y1: y + int(le.Uint16(geometry[18:]))}
	grow := func(by []uint32, sign int) {
		if len(by) != frameExtent {
			return
		}
		const most = 1 << 10 // pixels; a frame beyond is a program's lie
		for _, v := range by {
			if v > most {
				return
			}
		}
		r.X0 -= sign * int(by[0])
		r.X1 += sign * int(by[1])
		r.Y0 -= sign * int(by[2])
		r.Y1 += sign * int(by[3])
	}
	grow(frame, 1)
	grow(shadow, -1)
	return r
}

// className returns the second of the two names in WM_CLASS.
func className(p property, utf8String uint32) string {
	if p.format != 8 {
		return ""
	}
	_, class, _ := strings.Cut(string(p.value), "\x00")
	class, _, _ = strings.Cut(class, "\x00")
	return property{kind: p.kind, format: 8, value: []byte(class)}.text(utf8String)
}
