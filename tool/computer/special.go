package computer

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
)

const unchanged = "The screen has not changed since the last screenshot."

// takeScreenshot shows the whole display at the task's one size.
func takeScreenshot(ctx context.Context, c *Computer, _ args) (deskhand.Result, error) {
	content, err := c.show(ctx, 0)
	if err != nil {
		return deskhand.Result{}, err
	}
	return deskhand.Result{Content: content}, nil
}

// Observe shows the display, or says that it is what the model saw last. A
// display that cannot be seen is said in words too.
func (c *Computer) Observe(ctx context.Context) ([]deskhand.Content, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	content, err := c.observe(ctx)
	if err == nil {
		return content, nil
	}
	r, err := explain(ctx, screenshot, args{}, err)
	return r.Content, err
}

func (c *Computer) observe(ctx context.Context) ([]deskhand.Content, error) {
	if err := c.measure(ctx); err != nil {
		return nil, err
	}
	return c.show(ctx, c.frame)
}

// show takes a picture of the whole display once it is still. since is the
// content that needs no picture; 0 always takes one.
func (c *Computer) show(ctx context.Context, since uint64) ([]deskhand.Content, error) {
	if time.Since(c.settled) > c.config.Settle.Quiet {
		c.settle(ctx, desktop.Wait{Quiet: c.config.Settle.Quiet, Limit: c.config.Settle.Limit})
	}
	picture, err := c.desktop.Screen(ctx, desktop.Shot{
		Size: c.scale.Model, Format: c.config.Format, Quality: c.config.Quality, Cursor: true, Since: since,
	})
	if err != nil {
		return nil, err
	}
	c.frame = picture.Frame
	if c.since == 0 {
		c.since = picture.Frame
	}
	if picture.Unchanged {
		return []deskhand.Content{{Text: unchanged}}, nil
	}
	return []deskhand.Content{image(picture)}, nil
}

func image(p desktop.Picture) deskhand.Content {
	return deskhand.Content{Image: deskhand.NewImage(p.MediaType, p.Size, p.Data)}
}

// takeZoom shows a region from the display's own pixels.
func takeZoom(ctx context.Context, c *Computer, a args) (deskhand.Result, error) {
	region, err := c.scale.RectToScreen(a.region)
	if err != nil {
		return deskhand.Result{}, err
	}
	budget := c.config.ZoomBudget
	if budget == (deskhand.Size{}) {
		budget = c.scale.Model
	}
	picture, err := c.desktop.Screen(ctx, desktop.Shot{
		Region: region, Size: fit(region.Size(), budget), Format: c.config.Format, Quality: c.config.Quality, Cursor: true,
	})
	if err != nil {
		return deskhand.Result{}, err
	}
	return deskhand.Result{Content: []deskhand.Content{image(picture)}}, nil
}

// nearWhole is how much of the budget a whole enlargement factor must use to be
// preferred: pixels of one size read better than a few more of them.
const nearWhole = 0.9

// fit returns the size nearest to budget that has the shape of region, as far
// as whole pixels can: the whole display becomes a whole screenshot.
func fit(region, budget deskhand.Size) deskhand.Size {
	factor := min(float64(budget.W)/float64(region.W), float64(budget.H)/float64(region.H))
	if whole := math.Floor(factor); whole >= 1 && whole/factor >= nearWhole {
		factor = whole
	}
	side := func(n, most int) int {
		exact := float64(n) * factor
		if exact > float64(most)-1 {
			return most
		}
		return max(1, int(math.Round(exact)))
	}
	return deskhand.Size{W: side(region.W, budget.W), H: side(region.H, budget.H)}
}

// tellCursor says where the pointer is, in the model's space.
func tellCursor(ctx context.Context, c *Computer, _ args) (deskhand.Result, error) {
	at, err := c.desktop.Cursor(ctx)
	if err != nil {
		return deskhand.Result{}, err
	}
	p, err := c.scale.ToModel(at)
	if err != nil {
		return deskhand.Result{}, deskhand.E("computer: cursor", deskhand.Internal, err)
	}
	return deskhand.Text(fmt.Sprintf("X=%d,Y=%d", p.X, p.Y)), nil
}

// dragFromPointer drags from wherever the pointer is.
func dragFromPointer(ctx context.Context, c *Computer, a args) (deskhand.Result, error) {
	input, err := drag(c.scale, a)
	if err != nil {
		return deskhand.Result{}, err
	}
	at, err := c.desktop.Cursor(ctx)
	if err != nil {
		return deskhand.Result{}, err
	}
	input.From = &at
	return c.apply(ctx, "Dragged.", input)
}

// pause waits as long as the model asked for: the pause is the action.
func pause(ctx context.Context, _ *Computer, a args) (deskhand.Result, error) {
	timer := time.NewTimer(a.duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return deskhand.Text(a.fill("Waited {duration}s.")), nil
	case <-ctx.Done():
		return deskhand.Result{}, deskhand.E("computer: wait", deskhand.Canceled, context.Cause(ctx))
	}
}
