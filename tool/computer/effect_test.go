package computer_test

import (
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/tool/computer"
)

// TestEffect checks what the runtime is told of a call's effect: clicks that
// draw nothing, whatever else draws, and looks.
func TestEffect(t *testing.T) {
	t.Parallel()
	tl, d := open(t, computer.Config{})
	step := 0
	effect := func(name, input string, want deskhand.Effect) {
		t.Helper()
		step++
		if got := run(t, tl, name, input).Effect; got != want {
			t.Errorf("step %d, %s: %q, want %q", step, name, got, want)
		}
	}
	effect("left_click", `{"coordinate":[10,10]}`, "") // nothing was looked at before
	effect("screenshot", `{}`, deskhand.EffectLook)
	effect("left_click", `{"coordinate":[10,10]}`, deskhand.EffectNone)
	effect("left_click_drag", `{"start_coordinate":[10,10],"coordinate":[20,20]}`, deskhand.EffectNone)
	effect("key", `{"text":"ctrl+c"}`, "")
	effect("zoom", `{"region":[0,0,100,100]}`, deskhand.EffectLook)
	d.Paint(0, 0, 10, 10, 0xff0000) // as a program that reacts late does
	effect("screenshot", `{}`, deskhand.EffectLook)
	effect("left_click", `{"coordinate":[10,10]}`, deskhand.EffectSome)
	effect("left_click", `{"coordinate":[10,10]}`, deskhand.EffectNone)
	d.Paint(0, 0, 10, 10, 0x00ff00)
	effect("key", `{"text":"ctrl+v"}`, deskhand.EffectSome)
	effect("cursor_position", `{}`, deskhand.EffectLook)
	effect("wait", `{"duration":0}`, deskhand.EffectLook)
	if r := run(t, tl, "left_click", `{"coordinate":[-1,10]}`); !r.IsError || r.Effect != "" {
		t.Errorf("a refused click: %+v", r)
	}
}
