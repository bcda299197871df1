package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // the pictures of a task
	_ "image/png"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/store/sqlite"
)

// displayCase is a desktop, and what a model sees of it.
type displayCase struct {
	size, shown string
	scale       int
	rows        string // of models.json
}

// older makes the default model one with small pictures and the older tool.
const older = `[{"id": "claude-sonnet-5-5", "like": "claude-opus-4-6"}]`

var displayCases = []displayCase{
	{size: "800x600", shown: "800x600", scale: 1},
	{size: "1367x769", shown: "1367x769", scale: 1},
	{size: "1075x1520", shown: "1075x1520", scale: 1},
	{size: "1075x1520", shown: "924x1307", scale: 1, rows: older},
	{size: "2560x1600", shown: "2000x1250", scale: 2},
	{size: "2160x3840", shown: "1125x2000", scale: 2},
	{size: "3840x2160", shown: "2000x1125", scale: 1},
}

// TestScreensOfAnySize drives desktops of every shape through the whole loop.
// A program inside says which pixels were clicked.
func TestScreensOfAnySize(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range displayCases {
		name := fmt.Sprintf("%s-as-%s.txtar", c.size, c.shown)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(c.testscript(t)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := scripts(dir)
	p.Cmds["pictures"] = pictures
	testscript.Run(t, p)
}

func (c displayCase) testscript(t *testing.T) string {
	t.Helper()
	screen, err := deskhand.ParseSize(c.size)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := deskhand.ParseSize(c.shown)
	if err != nil {
		t.Fatal(err)
	}
	quoted := ">" + strings.ReplaceAll(strings.TrimSuffix(displayTask(screen, shown), "\n"), "\n", "\n>")
	models := ""
	if c.rows != "" {
		models = "cp models.json state/models.json\n"
	}
	return fmt.Sprintf("unquote task.txtar\nmkdir state\n%sstatus 0 deskhand run --size %s --scale %d --model script:task.txtar x\npictures %s\n-- models.json --\n%s\n-- task.txtar --\n%s\n",
		models, c.size, c.scale, c.shown, c.rows, quoted)
}

// displayTask clicks the corners, the middle and odd places, asks where the
// pointer is, and zooms into what there is and is not.
func displayTask(screen, shown deskhand.Size) string {
	var b strings.Builder
	fmt.Fprintf(&b, `-- model --
bash {"command": "/run/deskhand/deskhand %s >/tmp/seen 2>&1 & for i in $(seq 300); do grep -q ready /tmp/seen && break; sleep 0.1; done; cat /tmp/seen"}
-- expect --
contains "ready %s"
-- model --
screenshot {}
-- when found #224466 min 100000 --
`, witnessCommand, screen)
	w, h := shown.W, shown.H
	places := [][2]int{{0, 0}, {w - 1, 0}, {0, h - 1}, {w - 1, h - 1}, {w / 2, h / 2}, {1, h - 2}, {w/3 + 1, 2*h/3 + 1}}
	var want strings.Builder
	b.WriteString("-- model --\n")
	for _, p := range places {
		fmt.Fprintf(&b, "left_click {\"coordinate\": [%d, %d]}\ncursor_position {}\n", p[0], p[1])
		fmt.Fprintf(&want, "contains \"X=%d,Y=%d\"\ncontains \"button 1 at %d,%d.\"\n", p[0], p[1], middle(p[0], w, screen.W), middle(p[1], h, screen.H))
	}
	fmt.Fprintf(&b, "screenshot {}\nbash {\"command\": \"cat /tmp/seen\"}\n-- expect --\nno error\n%s", want.String())
	b.WriteString("-- model --\n")
	for _, r := range [][4]int{{0, 0, 1, 1}, {w - 1, 0, w, 1}, {0, h - 1, 1, h}, {w - 1, h - 1, w, h}, {0, 0, w, h}} {
		fmt.Fprintf(&b, "zoom {\"region\": [%d, %d, %d, %d]}\n", r[0], r[1], r[2], r[3])
	}
	b.WriteString("-- expect --\nno error\nimage\n")
	refused := func(call, answer string) { fmt.Fprintf(&b, "-- model --\n%s\n-- expect --\nerror %q\n", call, answer) }
	refused(fmt.Sprintf(`zoom {"region": [%d, %d, 0, 0]}`, w, h), "is empty: x1 must be greater than x0 and y1 greater than y0.")
	refused(`zoom {"region": [5, 5, 5, 9]}`, "is empty: x1 must be greater than x0 and y1 greater than y0.")
	refused(fmt.Sprintf(`zoom {"region": [0, 0, %d, %d]}`, w+1, h), fmt.Sprintf("is outside display bounds (%s).", shown))
	refused(`zoom {"region": [-1, 0, 5, 5]}`, fmt.Sprintf("is outside display bounds (%s).", shown))
	refused(fmt.Sprintf(`left_click {"coordinate": [%d, 0]}`, w), fmt.Sprintf("Coordinates (%d, 0) are outside display bounds (%s).", w, shown))
	refused(fmt.Sprintf(`left_click {"coordinate": [0, %d]}`, h), fmt.Sprintf("Coordinates (0, %d) are outside display bounds (%s).", h, shown))
	refused(`mouse_move {"coordinate": [-1, 0]}`, fmt.Sprintf("Coordinates (-1, 0) are outside display bounds (%s).", shown))
	b.WriteString("-- model --\nDone.\n")
	return b.String()
}

// middle is the pixel of the screen that the middle of pixel v of a picture
// lies on, reckoned in fractions.
func middle(v, shown, screen int) int {
	at := new(big.Rat).Mul(big.NewRat(2*int64(v)+1, 2), big.NewRat(int64(screen), int64(shown)))
	return int(new(big.Int).Quo(at.Num(), at.Denom()).Int64())
}

// pictures looks at every picture that the only task has kept: those of the
// whole display have the one size, zooms fill it with what is in the region.
func pictures(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: pictures WxH")
	}
	shown, err := deskhand.ParseSize(args[0])
	ts.Check(err)
	var whole, zooms []image.Image
	for name, img := range kept(ts) {
		if strings.HasPrefix(name, "zoom") {
			zooms = append(zooms, img)
		} else {
			whole = append(whole, img)
		}
	}
	if len(whole) < 2 || len(zooms) != 5 {
		ts.Fatalf("%d pictures and %d zooms", len(whole), len(zooms))
	}
	for _, img := range append(whole, zooms[4]) {
		if got := img.Bounds().Size(); got.X != shown.W || got.Y != shown.H {
			ts.Fatalf("a picture of the whole display has %v, want %s", got, shown)
		}
	}
	for i, want := range witnessCorners() {
		for _, img := range []image.Image{whole[len(whole)-1], zooms[4]} { // the first may be older than the witness
			if got := img.At(i%2*(shown.W-1), i/2*(shown.H-1)); !like(got, want) {
				ts.Fatalf("corner %d of a picture is %v, want %06x", i, got, want)
			}
		}
	}
	for i, want := range witnessCorners() {
		b := zooms[i].Bounds()
		if b.Dx() > shown.W || b.Dy() > shown.H || max(b.Dx()*10/shown.W, b.Dy()*10/shown.H) < 9 {
			ts.Fatalf("a zoom into one pixel has %v", b)
		}
		for _, p := range []image.Point{{}, {X: b.Dx() - 1}, {Y: b.Dy() - 1}, {X: b.Dx() - 1, Y: b.Dy() - 1}, {X: b.Dx() / 2, Y: b.Dy() / 2}} {
			if !like(zooms[i].At(p.X, p.Y), want) {
				ts.Fatalf("a zoom into corner %d shows %v at %v, want %06x", i, zooms[i].At(p.X, p.Y), p, want)
			}
		}
	}
}

// like reports whether a colour is another one, as a JPEG may write it.
func like(c color.Color, rgb uint32) bool {
	r, g, b, _ := c.RGBA()
	for i, v := range []uint32{r >> 8, g >> 8, b >> 8} {
		if d := int(v) - int(rgb>>(16-8*i)&0xff); d < -12 || d > 12 {
			return false
		}
	}
	return true
}

// kept yields the pictures in the journal of the only task, with the name of
// the call or action that they answer.
func kept(ts *testscript.TestScript) func(yield func(string, image.Image) bool) {
	return func(yield func(string, image.Image) bool) {
		ctx := context.Background()
		st, err := sqlite.Open(ctx, ts.MkAbs("state"))
		ts.Check(err)
		defer func() { ts.Check(st.Close()) }()
		tasks, err := st.List(ctx, 0)
		ts.Check(err)
		names := map[string]string{}
		for e, err := range st.Events(ctx, tasks[0].ID, 0) {
			ts.Check(err)
			switch e.Kind {
			case deskhand.KindCallStarted:
				var d deskhand.CallStarted
				ts.Check(json.Unmarshal(e.Data, &d))
				names[d.Call.ID] = d.Call.Name
				var in struct{ Action string }
				if d.Call.Name == "computer" {
					ts.Check(json.Unmarshal(d.Call.Input, &in))
					names[d.Call.ID] = in.Action
				}
			case deskhand.KindCallFinished:
				var d deskhand.CallFinished
				ts.Check(json.Unmarshal(e.Data, &d))
				for _, c := range append(d.Result.Content, d.Observed...) {
					if c.Image == nil {
						continue
					}
					data, err := st.Blob(ctx, c.Image.Hash)
					ts.Check(err)
					img, _, err := image.Decode(bytes.NewReader(data))
					ts.Check(err)
					if !yield(names[d.CallID], img) {
						return
					}
				}
			}
		}
	}
}

// TestCasesAreWhatModelsSee keeps the sizes of the cases those of the catalogue.
func TestCasesAreWhatModelsSee(t *testing.T) {
	t.Parallel()
	for _, c := range displayCases {
		id := model.Default
		if c.rows != "" {
			id = "claude-opus-4-6"
		}
		info, err := model.Lookup(id)
		if err != nil {
			t.Fatal(err)
		}
		screen, err := deskhand.ParseSize(c.size)
		if err != nil {
			t.Fatal(err)
		}
		if got := model.Screenshot(screen, info).String(); got != c.shown {
			t.Errorf("%s is shown to %s as %s, want %s", c.size, id, got, c.shown)
		}
	}
}
