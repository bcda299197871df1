package computer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/desktop/fake"
	"github.com/deskhand/deskhand/tool/computer"
)

func TestFailures(t *testing.T) {
	t.Parallel()
	broken := deskhand.Errorf("x11: secret-host", deskhand.Internal, "something private")
	gone := deskhand.Errorf("x11: secret-host", deskhand.Unavailable, "something private")
	const unresponsive = " action. The application may be unresponsive."
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"left_click", broken, "Error: Failed to perform click" + unresponsive},
		{"right_click", broken, "Error: Failed to perform right click" + unresponsive},
		{"left_click_drag", broken, "Error: Failed to perform drag" + unresponsive},
		{"mouse_move", broken, "Error: Failed to perform mouse move" + unresponsive},
		{"left_mouse_down", broken, "Error: Failed to perform mouse down" + unresponsive},
		{"scroll", broken, "Error: Failed to perform scroll" + unresponsive},
		{"key", broken, "Error: Failed to perform key" + unresponsive},
		{"hold_key", broken, "Error: Failed to perform hold key" + unresponsive},
		{"left_click", errors.New("panic: secret"), "Error: Failed to perform click" + unresponsive},
		{"left_click", gone, "Error: The display is unavailable. Whether this action took effect is unknown. Nothing can be seen or done until the display is back."},
	} {
		tl, d := open(t, computer.Config{})
		d.FailInput(1, fake.Fault{Err: c.err})
		if r := run(t, tl, c.name, with(good[c.name], "", "")); !r.IsError || r.Content[0].Text != c.want {
			t.Errorf("%s: %q", c.name, r.Content[0].Text)
		}
	}
	tl, d := open(t, computer.Config{})
	d.FailInput(1, fake.Fault{Err: gone, Typed: 3})
	d.FailInput(2, fake.Fault{Err: broken, Typed: 0})
	for _, want := range []string{
		"Error: The display is unavailable. Whether this action took effect is unknown. Nothing can be seen or done until the display is back. 3 of 5 characters were typed.",
		"Error: Failed to perform type action. The application may be unresponsive. 0 of 5 characters were typed.",
	} {
		if r := run(t, tl, "type", `{"text":"héllo"}`); !r.IsError || r.Content[0].Text != want {
			t.Errorf("%q", r.Content[0].Text)
		}
	}
	run(t, tl, "mouse_move", `{"coordinate":[1,1]}`)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"screenshot":      "Error: Failed to capture screenshot. Display may be locked or unavailable.",
		"zoom":            "Error: Failed to capture screenshot. Display may be locked or unavailable.",
		"left_click":      "Error: The display is unavailable. Whether this action took effect is unknown. Nothing can be seen or done until the display is back.",
		"cursor_position": "Error: The display is unavailable. Whether this action took effect is unknown. Nothing can be seen or done until the display is back.",
	} {
		if r := run(t, tl, name, with(good[name], "", "")); !r.IsError || r.Content[0].Text != want {
			t.Errorf("%s: %q", name, r.Content[0].Text)
		}
	}
	if got, err := tl.Observe(context.Background()); err != nil || len(got) != 1 || !strings.HasPrefix(got[0].Text, "Error: Failed to capture") {
		t.Errorf("%+v %v", got, err)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for name, input := range map[string]string{"wait": `{"duration":300}`, "hold_key": `{"text":"shift","duration":300}`, "left_click": `{}`} {
		tl, d := open(t, computer.Config{})
		run(t, tl, "cursor_position", `{}`)
		if name == "left_click" {
			defer d.Block()()
		}
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		_, err := tl.Run(ctx, call(name, input))
		cancel()
		if deskhand.CodeOf(err) != deskhand.Canceled {
			t.Errorf("%s: %v", name, err)
		}
		if held := d.Held(); len(held) > 0 {
			t.Errorf("%s left %v held", name, held)
		}
	}
	tl, d := open(t, computer.Config{})
	d.FailInput(1, fake.Fault{Err: deskhand.E("x", deskhand.Canceled, context.Canceled), Typed: 2})
	_, err := tl.Run(context.Background(), call("type", `{"text":"hello"}`))
	if deskhand.CodeOf(err) != deskhand.Canceled || !strings.Contains(err.Error(), "2 of 5 characters were typed") || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// torn is a desktop whose connection breaks in the moment the run is stopped.
type torn struct {
	*fake.Desktop
	stop context.CancelFunc
}

func (d torn) Input(context.Context, ...desktop.Action) error {
	d.stop()
	return deskhand.Errorf("remote", deskhand.Internal, "connection reset")
}

func TestStopWinsOverFailure(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	d := fake.New(screen)
	t.Cleanup(func() { _ = d.Close() })
	tl, err := computer.New(torn{d, cancel}, computer.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := tl.Run(ctx, call("left_click", `{}`)); deskhand.CodeOf(err) != deskhand.Canceled {
		t.Errorf("%+v %v", r, err)
	}
}

func TestSettling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tl, d := open(t, computer.Config{Settle: desktop.Wait{First: 40 * time.Millisecond, Quiet: 40 * time.Millisecond, Limit: 1500 * time.Millisecond}})
		took := func(name string) time.Duration {
			start := time.Now()
			run(t, tl, name, `{}`)
			return time.Since(start)
		}
		if got := took("left_click"); got != 40*time.Millisecond {
			t.Errorf("on an unchanged screen a click took %s", got)
		}
		if got := took("screenshot"); got != 0 {
			t.Errorf("right after it a screenshot took %s more", got)
		}
		time.Sleep(time.Minute)
		if got := took("screenshot"); got != 40*time.Millisecond {
			t.Errorf("after a while a screenshot took %s", got)
		}
		opened := make(chan struct{})
		go func() { // a menu that opens in steps, as an answer to the click
			defer close(opened)
			for i := range 20 {
				time.Sleep(25 * time.Millisecond)
				d.Paint(0, 0, 9, 9, uint32(i))
			}
		}()
		if got := took("left_click"); got != (20*25+40)*time.Millisecond {
			t.Errorf("a click whose menu opens for 500ms took %s", got)
		}
		<-opened
		stop := make(chan struct{})
		go func() { // a film
			for i := uint32(0); ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
					d.Paint(0, 0, 9, 9, i)
				}
			}
		}()
		if got := took("left_click"); got != 1500*time.Millisecond {
			t.Errorf("on a screen that never rests a click took %s", got)
		}
		close(stop)
	})
}
