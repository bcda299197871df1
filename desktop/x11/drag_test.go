package x11

import (
	"fmt"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
)

// slowBoard is a page with two places to drop on that takes its time to say that
// it takes the drop. It posts what it saw at the end of a
// drag. The second place refuses.
const slowBoard = `<!doctype html><meta charset=utf-8><body style="margin:0;user-select:none">
<div id=a draggable=true style="position:absolute;left:50px;top:50px;width:80px;height:80px;background:#f80"></div>
<div id=b style="position:absolute;left:400px;top:300px;width:160px;height:160px;background:#08f"></div>
<div id=c style="position:absolute;left:50px;top:300px;width:160px;height:160px;background:#0c4"></div>
<script>
const busy = ms => { const until = performance.now() + ms; while (performance.now() < until) ; }
let seen = []
a.addEventListener('dragstart', e => { seen = ['dragstart']; e.dataTransfer.setData('text/plain', 'x') })
b.addEventListener('dragenter', e => { busy(%d); e.preventDefault() })
b.addEventListener('dragover', e => e.preventDefault())
b.addEventListener('drop', e => { e.preventDefault(); seen.push('drop ' + e.dataTransfer.getData('text/plain')) })
a.addEventListener('dragend', e => { seen.push('dragend'); fetch('/text', {method: 'POST', body: seen.join(', ')}) })
fetch('/ready', {method: 'POST'})
</script>`

// TestDropOnASlowPage drops where the page takes it, which it says only after a
// while, and where it does not. Without the wait for an answer the button comes
// up before, and the drop is lost.
func TestDropOnASlowPage(t *testing.T) {
	t.Parallel()
	for _, slow := range []time.Duration{0, 150 * time.Millisecond} {
		s, d := desk(t)
		texts := chromium(t, s, fmt.Sprintf(slowBoard, slow.Milliseconds()))
		focused(t, d, "chromium")
		item, takes, refuses := find(t, d, 0xff8800), find(t, d, 0x0088ff), find(t, d, 0x00cc44)
		drag := func(to *deskhand.ScreenPoint) string {
			// The click elsewhere keeps two presses on the item from being a double
			// click. A look in between, as after any call: Chromium takes no click at
			// the end of a drag, and two presses of the same millisecond for one.
			for _, a := range []desktop.Action{{Kind: desktop.Click, Point: at(item.X+200, item.Y)}, {Kind: desktop.Drag, From: item, Point: to}} {
				if _, err := d.Settle(t.Context(), desktop.Wait{Quiet: 300 * time.Millisecond, Limit: 5 * time.Second}); err != nil {
					t.Fatal(err)
				}
				do(t, d, a)
			}
			return posted(t, texts)
		}
		for range 3 {
			if got := drag(takes); got != "dragstart, drop x, dragend" {
				t.Errorf("slow by %s: onto the place that takes it: %s", slow, got)
			}
			if got := drag(refuses); got != "dragstart, dragend" {
				t.Errorf("slow by %s: onto the place that refuses: %s", slow, got)
			}
		}
	}
}
