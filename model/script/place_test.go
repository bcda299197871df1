package script

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"strings"
	"testing"
)

var (
	amber = color.RGBA{0xF2, 0x9F, 0x05, 255}
	green = color.RGBA{0x00, 0xAA, 0x55, 255}
)

// scene has one large and two small amber areas, a green one, and specks.
func scene(img *image.RGBA) {
	fill(img, image.Rect(300, 200, 400, 240), amber) // the largest
	fill(img, image.Rect(500, 100, 520, 112), amber) // second in reading order
	fill(img, image.Rect(40, 104, 60, 116), amber)   // on the same line, further left: first
	fill(img, image.Rect(10, 10, 12, 12), amber)     // a speck
	fill(img, image.Rect(100, 300, 164, 332), green)
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	tests := []struct{ input, want string }{
		{`{"coordinate":"@color #F29F05"}`, `{"coordinate":[350,220]}`},
		{`{"coordinate":"@color #F29F05 +10,-4"}`, `{"coordinate":[360,216]}`},
		{`{"coordinate":"@color #f29f05 nth 1"}`, `{"coordinate":[50,110]}`},
		{`{"coordinate":"@color #F29F05 nth 2"}`, `{"coordinate":[510,106]}`},
		{`{"coordinate":"@color #F29F05 nth 1 min 4"}`, `{"coordinate":[11,11]}`},
		{`{"region":"@region #00AA55"}`, `{"region":[100,300,164,332]}`},
		{`{"region":"@region #00AA55 pad 5"}`, `{"region":[95,295,169,337]}`},
		{`{"region":"@region #00AA55 pad 400"}`, `{"region":[0,0,564,480]}`},
		{`{"target":{"type":"coordinate","x":"@x #00AA55","y":"@y #00AA55"}}`, `{"target":{"type":"coordinate","x":132,"y":316}}`},
		{`{"steps":[{"at":"@color #00AA55"},{"at":"@color #F29F05"}]}`, `{"steps":[{"at":[132,316]},{"at":[350,220]}]}`},
		{`{"text":"@home and #F29F05","n":1.5}`, `{"text":"@home and #F29F05","n":1.5}`},
	}
	for _, mediaType := range []string{"image/png", "image/jpeg"} {
		picture := pixels(mediaType, 640, 480, scene)
		for _, tt := range tests {
			p := newPlayer(t, "-- model --\nscreenshot {}\n-- model --\ndo_it "+tt.input+"\n")
			p.append("user", results(p.turn(), list{picture}))
			call := p.turn()[0].(obj)
			got, want := canonical(mustJSON(call["input"])), canonical([]byte(tt.want))
			if mediaType == "image/jpeg" && strings.Contains(tt.input, "min 4") {
				continue // a speck does not survive
			}
			if got != want && (mediaType == "image/png" || !nearly(got, want)) {
				t.Errorf("%s: %s became %s, want %s", mediaType, tt.input, got, want)
			}
		}
	}
}

// nearly reports whether two inputs differ by at most 2 in their numbers: JPEG
// blurs edges.
func nearly(a, b string) bool {
	number := func(r rune) bool { return r < '0' || r > '9' }
	x, y := strings.FieldsFunc(a, number), strings.FieldsFunc(b, number)
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		var m, n int
		fmt.Sscan(x[i], &m)
		fmt.Sscan(y[i], &n)
		if m-n > 2 || n-m > 2 {
			return false
		}
	}
	return true
}

func names(content list) string {
	var names []string
	for _, c := range content {
		names = append(names, fmt.Sprint(c.(obj)["name"]))
	}
	return strings.Join(names, " ")
}

func TestLooksAgainUntilItIsThere(t *testing.T) {
	t.Parallel()
	p := newPlayer(t, "-- options --\ntries 3\n-- model --\nleft_click {\"coordinate\": \"@color #F29F05\"}\n-- expect --\ncontains \"Clicked.\"\n-- model --\nDone.\n")
	blank, there := list{pixels("image/png", 640, 480, nil)}, list{pixels("image/png", 640, 480, scene)}
	for _, step := range []struct {
		want    string
		results []list
	}{
		{"screenshot", []list{blank}},
		{"wait screenshot", []list{{text("Waited 1s.")}, blank}},
		{"wait screenshot", []list{{text("Waited 1s.")}, there}},
		{"left_click", []list{{text("Clicked.")}}},
	} {
		content := p.turn()
		if names(content) != step.want {
			t.Fatalf("calls %s, want %s", names(content), step.want)
		}
		p.append("user", results(content, step.results...))
	}
	if done := p.turn(); done[0].(obj)["text"] != "Done." {
		t.Errorf("reply %v", done)
	}
}

func TestGivesUpLooking(t *testing.T) {
	t.Parallel()
	p := newPlayer(t, "-- options --\ntries 2\n-- model --\nHere:\nleft_click {\"coordinate\": \"@color #F29F05 nth 9\"}\n")
	for range 2 {
		p.append("user", results(p.turn()))
	}
	p.wantRefusal("invalid_request_error", "script test.txtar:3: no area of #F29F05 nth 9 is on the screenshot, after 2 looks")
}

func TestWhen(t *testing.T) {
	t.Parallel()
	p := newPlayer(t, "-- when found #00AA55 --\n-- model --\nIt is there.\nscreenshot {}\n-- when gone #00AA55 --\n-- model --\nIt is gone.\n")
	blank, there := list{pixels("image/png", 640, 480, nil)}, list{pixels("image/jpeg", 640, 480, scene)}
	for _, step := range []struct {
		want  string
		shown list
	}{{"screenshot", blank}, {"wait screenshot", there}, {"<nil> screenshot", there}, {"wait screenshot", blank}} {
		content := p.turn()
		if names(content) != step.want {
			t.Fatalf("calls %s, want %s", names(content), step.want)
		}
		given := []list{{text("ok")}, step.shown}
		if step.want != "wait screenshot" {
			given = given[1:]
		}
		p.append("user", results(content, given...))
	}
	if done := p.turn(); done[0].(obj)["text"] != "It is gone." {
		t.Errorf("reply %v", done)
	}
}

func TestZoomsAreNotScreenshots(t *testing.T) {
	t.Parallel()
	p := newPlayer(t, "-- model --\nscreenshot {}\nzoom {\"region\": [0, 0, 10, 10]}\n-- model --\nleft_click {\"coordinate\": \"@color #F29F05\"}\n")
	p.append("user", results(p.turn(), list{pixels("image/png", 640, 480, scene)}, list{pixels("image/png", 640, 480, func(img *image.RGBA) {
		fill(img, img.Bounds(), amber)
	})}))
	if got := string(mustJSON(p.turn()[0].(obj)["input"])); got != `{"coordinate":[350,220]}` {
		t.Errorf("clicked at %s", got)
	}
}

func TestSingleComputerTool(t *testing.T) {
	t.Parallel()
	p := newPlayer(t, "-- model --\nscreenshot {}\nbash {\"command\": \"true\"}\n-- model --\nleft_click {\"coordinate\": \"@color #F29F05\"}\n")
	old(p, "claude-haiku-4-5-20251001")
	content := p.turn()
	first := content[0].(obj)
	if first["name"] != "computer" || first["toolset_name"] != nil || string(mustJSON(first["input"])) != `{"action":"screenshot"}` {
		t.Errorf("call %v", first)
	}
	p.append("user", results(content, list{pixels("image/png", 640, 480, scene)}))
	if got := string(mustJSON(p.turn()[0].(obj)["input"])); got != `{"action":"left_click","coordinate":[350,220]}` {
		t.Errorf("input %s", got)
	}
}

// TestAreasEndAtTheEdges has two areas that touch only where a row wraps.
func TestAreasEndAtTheEdges(t *testing.T) {
	t.Parallel()
	s, err := parseSelector([]string{"#F29F05"})
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range []image.Rectangle{image.Rect(0, 11, 12, 21), image.Rect(0, 5, 12, 18)} {
		img := image.NewRGBA(image.Rect(0, 0, 40, 40))
		fill(img, image.Rect(20, 10, 40, 20), amber)
		fill(img, left, amber)
		if found := s.areas(img); len(found) != 2 {
			t.Errorf("areas %+v, want 2", found)
		}
		if r, ok := s.find(img); !ok || r != image.Rect(20, 10, 40, 20) {
			t.Errorf("found %v, %v", r, ok)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	img := image.NewRGBA(image.Rect(0, 0, 1280, 800))
	scene(img)
	s, err := parseSelector([]string{"#F29F05"})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, found := s.find(img); !found {
			b.Fatal("not found")
		}
	}
}

func FuzzPlaces(f *testing.F) {
	f.Add(`{"a":["@color #F29F05 nth 2",{"b":"@region #00AA55 pad 3"}],"c":null}`)
	f.Fuzz(func(t *testing.T, input string) {
		if !json.Valid([]byte(input)) || strings.TrimSpace(input) != input {
			return
		}
		filled, err := fillPlaces([]byte(input), func(place) ([]byte, error) { return []byte("[1,2]"), nil })
		if err == nil && !json.Valid(filled) {
			t.Errorf("%s became %s", input, filled)
		}
	})
}
