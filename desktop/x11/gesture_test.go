package x11

import (
	"encoding/json"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
)

// board is a page that posts what gestures it saw.
const board = `<!doctype html><meta charset=utf-8><body style="margin:0;height:3000px;width:3000px;user-select:none">
<div id=a draggable=true style="position:absolute;left:50px;top:50px;width:80px;height:80px;background:#f80"></div>
<div id=b style="position:absolute;left:400px;top:300px;width:160px;height:160px;background:#08f"></div>
<script>
let seen = []
const note = s => { seen.push(s); fetch('/text', {method: 'POST', body: JSON.stringify(seen)}) }
b.addEventListener('click', e => note('click ' + e.detail + (e.ctrlKey ? ' ctrl' : '') + (e.shiftKey ? ' shift' : '')))
b.addEventListener('dblclick', e => note('double'))
addEventListener('contextmenu', e => { e.preventDefault(); note('menu') })
b.addEventListener('wheel', e => { e.preventDefault(); note('wheel ' + Math.sign(e.deltaX) + ' ' + Math.sign(e.deltaY) + (e.ctrlKey ? ' ctrl' : '')) }, {passive: false})
a.addEventListener('dragstart', e => { e.dataTransfer.setData('text/plain', 'x'); note('dragstart') })
b.addEventListener('dragover', e => e.preventDefault())
b.addEventListener('drop', e => { e.preventDefault(); note('drop ' + e.dataTransfer.getData('text/plain')) })
addEventListener('keydown', e => { if (e.key === 'F9') { note('end'); seen = [] } })
fetch('/ready', {method: 'POST'})
</script>`

func TestGesturesInChromium(t *testing.T) {
	t.Parallel()
	s, d := desk(t)
	texts := chromium(t, s, board)
	focused(t, d, "chromium")
	from, to := find(t, d, 0xff8800), find(t, d, 0x0088ff)
	cases := []struct {
		name   string
		action desktop.Action
		want   []string
	}{
		{"click", desktop.Action{Kind: desktop.Click, Point: to}, []string{"click 1"}},
		{"ctrl+shift+click", desktop.Action{Kind: desktop.Click, Point: to, Modifiers: "ctrl+shift"}, []string{"click 1 ctrl shift"}},
		{"double", desktop.Action{Kind: desktop.Click, Point: to, Count: 2}, []string{"click 1", "click 2", "double"}},
		{"triple", desktop.Action{Kind: desktop.Click, Point: to, Count: 3}, []string{"click 1", "click 2", "double", "click 3"}},
		{"right", desktop.Action{Kind: desktop.Click, Point: to, Button: desktop.ButtonRight}, []string{"menu"}},
		{"wheel down", desktop.Action{Kind: desktop.Scroll, Point: to, Direction: desktop.Down}, []string{"wheel 0 1"}},
		{"wheel left, ctrl", desktop.Action{Kind: desktop.Scroll, Point: to, Direction: desktop.Left, Modifiers: "ctrl"}, []string{"wheel -1 0 ctrl"}},
		{"drag", desktop.Action{Kind: desktop.Drag, From: from, Point: to}, []string{"dragstart", "drop x"}},
	}
	for _, c := range cases {
		// Elsewhere first: clicks of two cases must not add up to a double click.
		do(t, d, desktop.Action{Kind: desktop.Click, Point: at(from.X+200, from.Y)}, desktop.Action{Kind: desktop.Key, Keys: "F9"})
		for last(t, posted(t, texts)) != "end" {
		}
		do(t, d, c.action)
		var got []string
		for len(got) < len(c.want) {
			got = list(t, posted(t, texts))
		}
		for i, w := range c.want {
			if got[i] != w {
				t.Errorf("%s: %q, want %q", c.name, got, c.want)
				break
			}
		}
	}
}

func list(t *testing.T, raw string) (out []string) {
	t.Helper()
	if err := json.Unmarshal([]byte(raw), &out); err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	return out
}

func last(t *testing.T, raw string) string {
	t.Helper()
	l := list(t, raw)
	return l[len(l)-1]
}

// find returns the middle of what has a colour.
func find(t *testing.T, d *Desktop, rgb uint32) *deskhand.ScreenPoint {
	t.Helper()
	var sum deskhand.ScreenPoint
	n := 0
	wait(t, "the page is drawn", func() bool {
		img, _ := shot(t, d, desktop.Shot{Format: desktop.PNG})
		sum, n = deskhand.ScreenPoint{}, 0
		for y := range full.H {
			for x := range full.W {
				if rgbAt(img, x, y) == rgb {
					sum.X, sum.Y, n = sum.X+x, sum.Y+y, n+1
				}
			}
		}
		return n > 1000
	})
	return &deskhand.ScreenPoint{X: sum.X / n, Y: sum.Y / n}
}
