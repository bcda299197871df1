package fake

import (
	"context"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/frame"
)

// arrow is the side of the pointer that Screen draws: a white square with a black rim.
const arrow = 5

// Screen implements desktop.Desktop.
func (d *Desktop) Screen(ctx context.Context, shot desktop.Shot) (desktop.Picture, error) {
	if err := d.usable(ctx); err != nil {
		return desktop.Picture{}, err
	}
	if err := shot.Validate(d.size); err != nil {
		return desktop.Picture{}, err
	}
	shot = shot.Fill(d.size)
	d.mu.Lock()
	pic := desktop.Picture{Size: shot.Size, Frame: d.frame, Unchanged: d.frame == shot.Since}
	if pic.Unchanged {
		d.mu.Unlock()
		return pic, nil
	}
	seen := frame.New(d.size)
	copy(seen.Pix, d.screen.Pix)
	at := d.cursor
	d.mu.Unlock()

	if shot.Cursor {
		drawPointer(seen, at)
	}
	img := seen.Crop(shot.Region)
	if shot.Size != img.Size {
		scaled := frame.New(shot.Size)
		frame.Scale(scaled, img)
		img = scaled
	}
	var err error
	pic.Data, pic.MediaType, err = frame.Encode(nil, img, string(shot.Format), shot.Quality)
	return pic, err
}

func drawPointer(img *frame.Image, at deskhand.ScreenPoint) {
	var argb [arrow * arrow]uint32
	for i := range argb {
		argb[i] = 0xff000000
		if x, y := i%arrow, i/arrow; x > 0 && y > 0 && x < arrow-1 && y < arrow-1 {
			argb[i] = 0xffffffff
		}
	}
	frame.Overlay(img, argb[:], deskhand.Size{W: arrow, H: arrow}, at.X, at.Y)
}

// Settle implements desktop.Desktop.
func (d *Desktop) Settle(ctx context.Context, wait desktop.Wait) (desktop.Settled, error) {
	if err := d.usable(ctx); err != nil {
		return desktop.Settled{}, err
	}
	wait = wait.Fill()
	start := time.Now()
	limit := time.NewTimer(wait.Limit)
	defer limit.Stop()
	for since := wait.Since; ; {
		d.mu.Lock()
		now, drawn, changed := d.frame, d.drawn, d.changed
		d.mu.Unlock()
		if since == 0 {
			since = now
		}
		seen := desktop.Settled{Frame: now, Changed: now != since}
		due := start
		if drawn.After(due) {
			due = drawn
		}
		due = due.Add(wait.Quiet)
		if first := start.Add(wait.First); !seen.Changed && first.After(due) {
			due = first
		}
		quiet := time.NewTimer(time.Until(due))
		select {
		case <-changed:
			quiet.Stop()
			continue
		case <-quiet.C:
			seen.Quiet = true
		case <-limit.C:
			quiet.Stop()
		case <-ctx.Done():
			quiet.Stop()
			return desktop.Settled{}, d.usable(ctx)
		case <-d.closed:
			quiet.Stop()
			return desktop.Settled{}, d.usable(ctx)
		}
		seen.Waited = time.Since(start)
		return seen, nil
	}
}
