package computer_test

import (
	"bytes"
	"image/png"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/tool"
	"github.com/deskhand/deskhand/tool/computer"
)

var _ tool.Aimer = (*computer.Computer)(nil)

// TestAim: what a call acts on is the window under its point, or with the focus;
// its state stands for the pixels there and for the windows, and nothing moves.
func TestAim(t *testing.T) {
	t.Parallel()
	tl, d := open(t, computer.Config{})
	paper := desktop.Window{ID: 1, Class: "Mousepad", Title: "notes", Bounds: deskhand.ScreenRect{X1: 1000, Y1: 800}, Focused: true}
	dialog := desktop.Window{ID: 2, Class: "Gimp", Title: "Save?", Bounds: deskhand.ScreenRect{X0: 400, Y0: 400, X1: 800, Y1: 600}}
	d.SetWindows(dialog, paper)
	aim := func(name, input string) *deskhand.Target {
		t.Helper()
		target, err := tl.Aim(t.Context(), call(name, input), false)
		if err != nil {
			t.Fatal(err)
		}
		return target
	}
	const click = `{"coordinate":[250,250]}` // 500, 500 on the display
	for _, c := range []struct{ name, input, app string }{
		{"left_click", click, "Gimp"},
		{"left_click", `{"coordinate":[50,50]}`, "Mousepad"},
		{"left_click", `{"coordinate":[1000,700]}`, ""},
		{"left_click_drag", `{"start_coordinate":[50,50],"coordinate":[250,250]}`, "Gimp"},
		{"type", `{"text":"x"}`, "Mousepad"},
		{"key", `{"text":"Return"}`, "Mousepad"},
	} {
		if got := aim(c.name, c.input); got == nil || got.App != c.app || got.Picture != nil || !got.State.Valid() {
			t.Errorf("%s %s acts on %+v, want %q", c.name, c.input, got, c.app)
		}
	}
	for name, input := range map[string]string{"screenshot": "{}", "wait": `{"duration":1}`, "left_click": `{"coordinate":"here"}`} {
		if got := aim(name, input); got != nil {
			t.Errorf("%s %s acts on %+v", name, input, got)
		}
	}

	before, typing := aim("left_click", click), aim("type", `{"text":"x"}`)
	d.Paint(900, 700, 50, 50, 0xff0000)
	if aim("left_click", click).State != before.State {
		t.Error("what is drawn elsewhere changes the state")
	}
	d.Paint(505, 505, 1, 1, 0xff0000)
	if aim("left_click", click).State == before.State {
		t.Error("one pixel beside the point does not change the state")
	}
	d.SetWindows(paper)
	if aim("type", `{"text":"x"}`).State == typing.State {
		t.Error("another stack of windows does not change the state of typing")
	}
	if n := len(d.Applied()); n > 0 {
		t.Errorf("%d actions were performed", n)
	}
}

// TestAimShows: a person is shown the target as it is, marked where it is.
func TestAimShows(t *testing.T) {
	t.Parallel()
	tl, d := open(t, computer.Config{})
	d.Paint(490, 490, 20, 20, 0x0000ff)
	target, err := tl.Aim(t.Context(), call("left_click", `{"coordinate":[250,250]}`), true)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(target.Picture.Data))
	if err != nil {
		t.Fatal(err)
	}
	x, y := 241, 151 // the point lies at 240, 150 or one beside it
	if r, g, b, _ := img.At(x, y).RGBA(); r != 0 || g != 0 || b != 0xffff {
		t.Errorf("at the point there is %x %x %x, not what the screen shows", r, g, b)
	}
	red := 0
	for dx := 10; dx < 25; dx++ {
		if r, g, b, _ := img.At(x+dx, y).RGBA(); r>>8 == 0xe0 && g == 0 && b == 0 {
			red++
		}
	}
	if red == 0 {
		t.Error("the point is not marked")
	}
}
