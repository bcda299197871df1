package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	_ "image/png"
	"strings"

	"github.com/deskhand/deskhand"
)

//go:embed page.html
var page string

// screen is the display of every run: the page fills it.
var screen = deskhand.Size{W: 640, H: 480}

// What page.html does, by cell: how often each happened is the cell's colour.
const (
	clickOne = iota
	clickTwo
	clickThree
	rightClick
	doubleClick
	keyA
	keyB
	keyC
	holdDown
	holdUp
	shellOne
	shellTwo
	cells
)

// names of the cells, for people.
var names = [cells]string{"click 1", "click 2", "click 3", "right click", "double click", "key a", "typed b", "typed c", "h down", "h up", "shell 1", "shell 2"}

const background = "#F0E0D0" // of the page, and of nothing else on the screen

// middle returns the middle of a cell on the screen.
func middle(cell int) image.Point { return image.Pt(20+cell%4*150+60, 20+cell/4*140+50) }

// counts is what the page has counted, by cell. 3 stands for all that is more.
type counts [cells]int

// shades are the colours of a cell that counted 0, 1, 2, and more.
var shades = []color.RGBA{{0x30, 0x30, 0x90, 0xff}, {0x10, 0xa0, 0x10, 0xff}, {0xd0, 0x20, 0x20, 0xff}, {0xd0, 0xd0, 0x00, 0xff}}

// readCounts reads the page off a picture of the screen, and reports whether it is there whole.
func readCounts(png []byte) (c counts, shown bool, err error) {
	img, _, err := image.Decode(bytes.NewReader(png))
	if err != nil {
		return c, false, fmt.Errorf("the picture of the desktop: %w", err)
	}
	if got := img.Bounds().Size(); got != image.Pt(screen.W, screen.H) {
		return c, false, fmt.Errorf("the picture of the desktop is %v, not %s", got, screen)
	}
	for cell := range c {
		// The pointer may hide one spot of a cell, never both.
		at := middle(cell)
		left, right := shadeAt(img, at.Add(image.Pt(-40, -35))), shadeAt(img, at.Add(image.Pt(45, 40)))
		if left < 0 && right < 0 {
			return counts{}, false, nil
		}
		c[cell] = max(left, right)
	}
	return c, true, nil
}

// shadeAt returns which of the shades a pixel has, -1 when none.
func shadeAt(img image.Image, at image.Point) int {
	got := color.RGBAModel.Convert(img.At(at.X, at.Y))
	for n, shade := range shades {
		if got == shade {
			return n
		}
	}
	return -1
}

// String names the cells that counted something.
func (c counts) String() string {
	var said []string
	for cell, n := range c {
		if n > 0 {
			said = append(said, fmt.Sprintf("%s ×%d", names[cell], n))
		}
	}
	if len(said) == 0 {
		return "nothing"
	}
	return strings.Join(said, ", ")
}

// asked is one call of the model and the cells where it counts.
type asked struct {
	name  string
	input map[string]any
	cells []int
}

func pointed(name string, cell int) asked {
	at := middle(cell)
	return asked{name, map[string]any{"coordinate": []int{at.X, at.Y}}, []int{cell}}
}

func typed(name, text string, cells ...int) asked {
	return asked{name, map[string]any{"text": text}, cells}
}

func shelled(cell int) asked {
	return asked{"bash", map[string]any{"command": fmt.Sprintf("echo 'shell(%d)' >> ~/effects.js", cell)}, []int{cell}}
}

// holding keeps a key down for longer than any run lasts.
var holding = asked{"hold_key", map[string]any{"text": "h", "duration": 100}, []int{holdDown, holdUp}}

var look = asked{"screenshot", map[string]any{}, nil}

// turn is one reply of the model. Before it the model waits until it sees the page, if shown is set.
type turn struct {
	shown bool
	calls []asked
}

// writeScript writes the turns and a last word as a script for model/script.
func writeScript(turns ...turn) []byte {
	var b bytes.Buffer
	b.WriteString("-- options --\ntries 60\n")
	for _, t := range turns {
		if t.shown {
			fmt.Fprintf(&b, "-- when found %s min 20000 within 2 --\n", background)
		}
		b.WriteString("-- model --\n")
		for _, c := range t.calls {
			input, err := json.Marshal(c.input)
			if err != nil {
				panic(err) // unreachable: strings and numbers
			}
			fmt.Fprintf(&b, "%s %s\n", c.name, input)
		}
	}
	fmt.Fprintf(&b, "-- model --\n%s\n", lastWord)
	return b.Bytes()
}

const lastWord = "All counted."

// counted is the task of the matrix: a look, and then nine calls, each with an effect that no other has.
func counted() []turn {
	return []turn{
		{calls: []asked{look}},
		{true, []asked{pointed("left_click", clickOne), shelled(shellOne), pointed("left_click", clickTwo)}},
		{true, []asked{typed("key", "a", keyA), pointed("right_click", rightClick), typed("type", "bc", keyB, keyC)}},
		{true, []asked{pointed("double_click", doubleClick), shelled(shellTwo), pointed("left_click", clickThree)}},
	}
}

// short returns how many cells counted once, and names those that counted more.
func (c counts) short() string {
	once, more := 0, counts{}
	for cell, n := range c {
		switch {
		case n == 1:
			once++
		case n > 1:
			more[cell] = n
		}
	}
	if more != (counts{}) {
		return fmt.Sprintf("%d once; %s", once, more)
	}
	return fmt.Sprintf("%d once", once)
}
