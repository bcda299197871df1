package remote_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/desktop/remote"
	"github.com/deskhand/deskhand/guest"
	"github.com/deskhand/deskhand/internal/guestapi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a desktop.Desktop that keeps what it is asked and answers from
// its fields.
type recorder struct {
	mu      sync.Mutex
	asked   []any
	err     error
	picture desktop.Picture
	text    string
	entered chan struct{} // when set: Input says that it came and waits for the end of ctx
	left    chan error
}

func (r *recorder) ask(what any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, what)
	return r.err
}

func (r *recorder) last() any {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[len(r.asked)-1]
}

func (r *recorder) Size(context.Context) (deskhand.Size, error) {
	return deskhand.Size{W: 1280, H: 800}, r.ask("size")
}

func (r *recorder) Screen(_ context.Context, s desktop.Shot) (desktop.Picture, error) {
	return r.picture, r.ask(s)
}

func (r *recorder) Input(ctx context.Context, a ...desktop.Action) error {
	if r.entered != nil {
		close(r.entered)
		<-ctx.Done()
		r.left <- ctx.Err()
		return deskhand.E("", deskhand.Canceled, ctx.Err())
	}
	return r.ask(a)
}

func (r *recorder) Cursor(context.Context) (deskhand.ScreenPoint, error) {
	return deskhand.ScreenPoint{X: 3, Y: 4}, r.ask("cursor")
}

func (r *recorder) Windows(context.Context) ([]desktop.Window, error) {
	return []desktop.Window{{ID: 7, Title: "<b>\x1b\u202e日本", Class: "X", PID: 9, Bounds: deskhand.ScreenRect{X1: 5, Y1: 6}, Focused: true}}, r.ask("windows")
}

func (r *recorder) Clipboard(context.Context) (string, error) { return r.text, r.ask("clipboard") }

func (r *recorder) SetClipboard(_ context.Context, text string) error { return r.ask(text) }

func (r *recorder) Settle(_ context.Context, w desktop.Wait) (desktop.Settled, error) {
	return desktop.Settled{Frame: 8, Changed: true, Quiet: true, Waited: time.Millisecond}, r.ask(w)
}

func (r *recorder) Release(context.Context) error { return r.ask("release") }
func (r *recorder) Close() error                  { return nil }

// display is a ready Display around a desktop.
type display struct{ d desktop.Desktop }

func (d display) Start(context.Context) error { return nil }
func (d display) Desktop() desktop.Desktop    { return d.d }
func (d display) Env() []string               { return nil }
func (d display) Stop()                       {}
func (d display) Health() ([]guestapi.Program, []guestapi.Notice, bool, string) {
	return nil, nil, true, ""
}

// connect serves r through a guest and returns the desktop on the other side,
// and what ends the guest.
func connect(t testing.TB, r desktop.Desktop) (desktop.Desktop, func()) {
	t.Helper()
	dir, err := os.MkdirTemp("", "desktop")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- guest.Run(ctx, guest.Config{Token: "right", Display: display{r}}, l) }()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }}
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
		_ = os.RemoveAll(dir)
	})
	t.Cleanup(stop)
	return remote.New(&http.Client{Transport: transport}, "right"), stop
}

// TestRoundTrip checks that what is asked and what is answered crosses the
// wire unharmed.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	r := &recorder{text: "clip\n日本\x00 \u202e"}
	d, _ := connect(t, r)
	ctx := t.Context()
	point := &deskhand.ScreenPoint{X: 1, Y: 2}
	shot := desktop.Shot{Region: deskhand.ScreenRect{X0: 1, Y0: 2, X1: 30, Y1: 40}, Size: deskhand.Size{W: 5, H: 6}, Format: desktop.PNG, Quality: 7, Cursor: true, Since: 1<<64 - 1}
	wait := desktop.Wait{Quiet: 40 * time.Millisecond, Limit: time.Second, Since: 5, First: time.Minute}
	actions := []desktop.Action{
		{Kind: desktop.Click, Point: point, Button: desktop.ButtonLeft, Count: 2, Modifiers: "ctrl"},
		{Kind: desktop.Drag, From: &deskhand.ScreenPoint{}, Point: point},
		{Kind: desktop.Scroll, Direction: desktop.Down, Count: 3},
		{Kind: desktop.Type, Text: "é\n\t\x01\U0001F642<&>\u2028"},
		{Kind: desktop.Hold, Keys: "ctrl+plus", Duration: time.Second},
	}
	picture := desktop.Picture{Data: bytes.Repeat([]byte{0, 1, 2, 255}, 1<<18), MediaType: "image/png", Size: deskhand.Size{W: 5, H: 6}, Frame: 1<<64 - 1}
	r.picture = picture
	for name, c := range map[string]struct {
		call         func() (any, error)
		asked, wants any
	}{
		"size":    {func() (any, error) { return d.Size(ctx) }, "size", deskhand.Size{W: 1280, H: 800}},
		"screen":  {func() (any, error) { return d.Screen(ctx, shot) }, shot, picture},
		"default": {func() (any, error) { return d.Screen(ctx, desktop.Shot{}) }, desktop.Shot{}, picture},
		"input":   {func() (any, error) { return nil, d.Input(ctx, actions...) }, actions, nil},
		"nothing": {func() (any, error) { return nil, d.Input(ctx) }, []desktop.Action{}, nil},
		"cursor":  {func() (any, error) { return d.Cursor(ctx) }, "cursor", deskhand.ScreenPoint{X: 3, Y: 4}},
		"windows": {func() (any, error) { return d.Windows(ctx) }, "windows", []desktop.Window{{ID: 7, Title: "<b>\x1b\u202e日本", Class: "X", PID: 9, Bounds: deskhand.ScreenRect{X1: 5, Y1: 6}, Focused: true}}},
		"clip":    {func() (any, error) { return d.Clipboard(ctx) }, "clipboard", r.text},
		"set":     {func() (any, error) { return nil, d.SetClipboard(ctx, r.text) }, r.text, nil},
		"settle":  {func() (any, error) { return d.Settle(ctx, wait) }, wait, desktop.Settled{Frame: 8, Changed: true, Quiet: true, Waited: time.Millisecond}},
		"release": {func() (any, error) { return nil, d.Release(ctx) }, "release", nil},
	} {
		got, err := c.call()
		if err != nil || !reflect.DeepEqual(got, c.wants) || !reflect.DeepEqual(r.last(), c.asked) {
			t.Errorf("%s: got %v, %v; asked %+v, want %+v", name, got, err, r.last(), c.asked)
		}
	}
	r.picture = desktop.Picture{Frame: 9, Unchanged: true, Size: deskhand.Size{W: 5, H: 6}}
	if p, err := d.Screen(ctx, shot); err != nil || !p.Unchanged || p.Frame != 9 || p.Data != nil {
		t.Errorf("unchanged: %+v, %v", p, err)
	}
}

// TestFailures checks that codes, texts and progress cross the wire.
func TestFailures(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	d, stop := connect(t, r)
	const text = "Coordinates (9, 9) are outside display bounds (5x5)."
	for _, code := range []deskhand.Code{deskhand.Invalid, deskhand.Unavailable, deskhand.Conflict, deskhand.OverLimit, deskhand.Internal} {
		r.err = deskhand.Errorf("", code, "%s", text)
		_, err := d.Screen(t.Context(), desktop.Shot{})
		if deskhand.CodeOf(err) != code || (err.Error() != text) != (code == deskhand.Internal) {
			t.Errorf("%s: %v", code, err)
		}
	}
	r.err = &desktop.InputError{Action: 3, Typed: 17, Err: deskhand.Errorf("", deskhand.Unavailable, "the display is gone")}
	var input *desktop.InputError
	err := d.Input(t.Context(), desktop.Action{Kind: desktop.Move})
	if !errors.As(err, &input) || input.Action != 3 || input.Typed != 17 || deskhand.CodeOf(err) != deskhand.Unavailable || err.Error() != "the display is gone" {
		t.Errorf("got %#v", err)
	}
	err = d.Input(t.Context(), desktop.Action{}, desktop.Action{Kind: desktop.Type, Text: "\xff"})
	if !errors.As(err, &input) || input.Action != 1 || deskhand.CodeOf(err) != deskhand.Invalid {
		t.Errorf("invalid text: %#v", err)
	}
	stop()
	if _, err := d.Size(t.Context()); deskhand.CodeOf(err) != deskhand.Unavailable {
		t.Errorf("without a guest: %v", err)
	}
	_ = d.Close()
	if err := d.Release(t.Context()); deskhand.CodeOf(err) != deskhand.Unavailable {
		t.Errorf("after Close: %v", err)
	}
}

// TestCancel checks that the end of a context reaches the driver inside, so
// that it lets go of what it holds.
func TestCancel(t *testing.T) {
	t.Parallel()
	r := &recorder{entered: make(chan struct{}), left: make(chan error, 1)}
	d, _ := connect(t, r)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-r.entered; cancel() }()
	err := d.Input(ctx, desktop.Action{Kind: desktop.Hold, Keys: "ctrl", Duration: time.Minute})
	if deskhand.CodeOf(err) != deskhand.Canceled {
		t.Errorf("got %v", err)
	}
	select {
	case <-r.left:
	case <-time.After(10 * time.Second):
		t.Error("the driver was not told")
	}
}

// quiet answers without keeping anything.
type quiet struct{ recorder }

func (*quiet) Input(context.Context, ...desktop.Action) error { return nil }

// BenchmarkInput measures what the API adds to a click.
func BenchmarkInput(b *testing.B) {
	d, _ := connect(b, &quiet{})
	point := &deskhand.ScreenPoint{X: 100, Y: 200}
	for b.Loop() {
		if err := d.Input(b.Context(), desktop.Action{Kind: desktop.Click, Point: point}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkScreen measures what the API adds to a screenshot of 200 kB.
func BenchmarkScreen(b *testing.B) {
	q := &still{picture: desktop.Picture{Data: make([]byte, 200<<10), MediaType: "image/jpeg", Size: deskhand.Size{W: 5, H: 6}, Frame: 1}}
	d, _ := connect(b, q)
	b.SetBytes(200 << 10)
	for b.Loop() {
		if _, err := d.Screen(b.Context(), desktop.Shot{}); err != nil {
			b.Fatal(err)
		}
	}
}

type still struct {
	recorder
	picture desktop.Picture
}

func (s *still) Screen(context.Context, desktop.Shot) (desktop.Picture, error) { return s.picture, nil }
