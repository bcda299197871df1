package computer

import (
	"bytes"

	"context"
	"fmt"
	pixels "image"
	"image/color"
	"image/draw"
	"image/png"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
)

const (
	aimAround  = 24  // pixels of the display to each side of a point that must not change between a question and its answer
	pictureX   = 240 // the same of what a person is shown
	pictureY   = 150
	markRadius = 18
)

// Aim implements tool.Aimer. Keys and text act on the window with the focus,
// all else on what lies under its point.
func (c *Computer) Aim(ctx context.Context, call deskhand.Call, picture bool) (*deskhand.Target, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, args, refusal := c.version.read(call, c.config.Disabled)
	if refusal != "" || actions[m.action].looks {
		return nil, nil // it does not act
	}
	if err := c.measure(ctx); err != nil {
		return nil, err
	}
	points, err := c.points(ctx, m.action, args)
	if err != nil {
		return nil, err
	}
	windows, err := c.desktop.Windows(ctx)
	if err != nil {
		return nil, err
	}
	t, err := c.state(ctx, windows, points)
	if err != nil || !picture {
		return t, err
	}
	t.Picture, err = c.portray(ctx, points, aimedAt(windows, points))
	return t, err
}

// points returns where on the display an action acts; none: at the focus. A
// coordinate outside the picture is left out: Run will refuse it.
func (c *Computer) points(ctx context.Context, what action, a args) ([]deskhand.ScreenPoint, error) {
	if what == typeText || what == pressKey || what == holdKey {
		return nil, nil
	}
	var out []deskhand.ScreenPoint
	for _, p := range []*deskhand.ModelPoint{a.start, a.point} {
		if p == nil {
			continue
		}
		if at, err := c.scale.ToScreen(*p); err == nil {
			out = append(out, at)
		}
	}
	if a.point != nil && what != pointerDrag {
		return out, nil
	}
	at, err := c.desktop.Cursor(ctx)
	return append([]deskhand.ScreenPoint{at}, out...), err
}

// aimedAt returns the window that is acted on; none when it is the bare desktop.
func aimedAt(windows []desktop.Window, points []deskhand.ScreenPoint) desktop.Window {
	for _, w := range windows { // topmost first
		if len(points) == 0 && w.Focused || len(points) > 0 && covers(w.Bounds, points[len(points)-1]) {
			return w
		}
	}
	return desktop.Window{}
}

func covers(r deskhand.ScreenRect, p deskhand.ScreenPoint) bool {
	return p.X >= r.X0 && p.X < r.X1 && p.Y >= r.Y0 && p.Y < r.Y1
}

// state says what is acted on, with a State that stands for the windows, for
// which has the focus, and for the pixels around the points.
func (c *Computer) state(ctx context.Context, windows []desktop.Window, points []deskhand.ScreenPoint) (*deskhand.Target, error) {
	var b bytes.Buffer
	for _, w := range windows {
		fmt.Fprintf(&b, "%d %q %v %t\n", w.ID, w.Class, w.Bounds, w.Focused)
	}
	for _, p := range points {
		shot, err := c.desktop.Screen(ctx, desktop.Shot{Region: c.around(p, aimAround, aimAround), Format: desktop.PNG})
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%v %s\n", p, deskhand.HashOf(shot.Data))
	}
	w := aimedAt(windows, points)
	return &deskhand.Target{App: w.Class, Title: w.Title, State: deskhand.HashOf(b.Bytes())}, nil
}

// around returns the part of the display around p, so far to each side.
func (c *Computer) around(p deskhand.ScreenPoint, dx, dy int) deskhand.ScreenRect {
	return deskhand.ScreenRect{
		X0: max(0, p.X-dx), Y0: max(0, p.Y-dy), X1: min(c.scale.Screen.W, p.X+dx), Y1: min(c.scale.Screen.H, p.Y+dy),
	}
}

// portray takes the picture that a person is shown: around the point, which is
// marked, or of the window that has the focus.
func (c *Computer) portray(ctx context.Context, points []deskhand.ScreenPoint, w desktop.Window) (*deskhand.Image, error) {
	all := deskhand.ScreenRect{X1: c.scale.Screen.W, Y1: c.scale.Screen.H}
	region := deskhand.ScreenRect{
		X0: max(w.Bounds.X0, 0), Y0: max(w.Bounds.Y0, 0), X1: min(w.Bounds.X1, all.X1), Y1: min(w.Bounds.Y1, all.Y1),
	}
	if len(points) > 0 {
		region = c.around(points[len(points)-1], pictureX, pictureY)
	}
	if region.Empty() {
		region = all
	}
	shot, err := c.desktop.Screen(ctx, desktop.Shot{Region: region, Format: desktop.PNG})
	if err != nil {
		return nil, err
	}
	data := shot.Data
	if len(points) > 0 {
		if data, err = mark(data, points[len(points)-1], region); err != nil {
			return nil, err
		}
	}
	return deskhand.NewImage("image/png", shot.Size, data), nil
}

// mark draws a ring around p into a picture of region.
func mark(data []byte, p deskhand.ScreenPoint, region deskhand.ScreenRect) ([]byte, error) {
	from, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, deskhand.E(op, deskhand.Internal, err)
	}
	to := pixels.NewRGBA(from.Bounds())
	draw.Draw(to, to.Bounds(), from, from.Bounds().Min, draw.Src)
	x0, y0 := p.X-region.X0, p.Y-region.Y0
	for y := y0 - markRadius; y <= y0+markRadius; y++ {
		for x := x0 - markRadius; x <= x0+markRadius; x++ {
			d2 := (x-x0)*(x-x0) + (y-y0)*(y-y0)
			switch inner := markRadius - 3; {
			case d2 > markRadius*markRadius || d2 < inner*inner:
			case d2 >= (markRadius-1)*(markRadius-1) || d2 < (inner+1)*(inner+1): // seen on red, too
				to.Set(x, y, color.White)
			default:
				to.Set(x, y, color.RGBA{R: 0xe0, A: 0xff})
			}
		}
	}
	var b bytes.Buffer
	err = png.Encode(&b, to)
	return b.Bytes(), deskhand.E(op, deskhand.Internal, err)
}
