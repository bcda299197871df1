package desktoptest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
)

// lines returns what was received of keys, buttons and the wheel.
func (b Bench) lines() []string {
	return slices.DeleteFunc(b.Received(), func(line string) bool {
		return !strings.HasSuffix(line, " down") && !strings.HasSuffix(line, " up") && !strings.HasPrefix(line, "wheel ")
	})
}

// receives waits until exactly want was received.
func (b Bench) receives(t *testing.T, want ...string) {
	t.Helper()
	if b.Received == nil {
		return
	}
	defer func() {
		if t.Failed() {
			t.Logf("received %q\nwant     %q", b.lines(), want)
		}
	}()
	eventually(t, "the input", func() bool { return len(b.lines()) >= len(want) })
	if !slices.Equal(b.lines(), want) {
		t.Error("what was received is not what was sent")
	}
}

func testMoves(t *testing.T, b Bench) {
	size := b.size(t)
	for _, p := range []*deskhand.ScreenPoint{at(0, 0), at(0, 0), at(size.W-1, size.H-1), at(17, 23)} {
		b.input(t, desktop.Action{Kind: desktop.Move, Point: p})
		if got, err := b.Desktop.Cursor(t.Context()); err != nil || got != *p {
			t.Errorf("the pointer is at %v, %v, want %v", got, err, *p)
		}
	}
	b.input(t, desktop.Action{Kind: desktop.Drag, From: at(100, 100), Point: at(40, 60)})
	if got, err := b.Desktop.Cursor(t.Context()); err != nil || got != *at(40, 60) {
		t.Errorf("after a drag to (40, 60) the pointer is at %v, %v", got, err)
	}
	b.receives(t, "left down", "left up")
}

func testButtons(t *testing.T, b Bench) {
	b.input(t,
		desktop.Action{Kind: desktop.Click, Point: at(100, 100)},
		desktop.Action{Kind: desktop.Click, Button: desktop.ButtonRight, Count: 2},
		desktop.Action{Kind: desktop.Scroll, Point: at(90, 90), Direction: desktop.Down, Count: 2},
		desktop.Action{Kind: desktop.Scroll, Direction: desktop.Left},
		desktop.Action{Kind: desktop.Click, Button: desktop.ButtonMiddle, Modifiers: "shift"},
	)
	b.receives(t, "left down", "left up", "right down", "right up", "right down", "right up",
		"wheel down", "wheel down", "wheel left",
		"key shift down", "middle down", "middle up", "key shift up")
}

func testKeys(t *testing.T, b Bench) {
	b.input(t,
		desktop.Action{Kind: desktop.Key, Keys: "a"},
		desktop.Action{Kind: desktop.Key, Keys: "b", Count: 2},
		desktop.Action{Kind: desktop.Key, Keys: "Return"},
	)
	start := time.Now()
	const long = 120 * time.Millisecond
	b.input(t, desktop.Action{Kind: desktop.Hold, Keys: "c", Duration: long})
	if took := time.Since(start); took < long {
		t.Errorf("holding a key for %s took %s", long, took)
	}
	b.receives(t, "key a down", "key a up", "key b down", "key b up", "key b down", "key b up",
		"key Return down", "key Return up", "key c down", "key c up")
}

func testTyping(t *testing.T, b Bench) {
	want := "Hello, World! ~`@#$%^&*()_+{}|[]\\:\";'<>?,./\n\tGrüße an Łódź, Ελλάδα, Привет, 世界, 👋🏽 ½ €\n"
	b.input(t, desktop.Action{Kind: desktop.Type, Text: want})
	if b.Typed == nil {
		return
	}
	eventually(t, "the text", func() bool { return len(b.Typed()) >= len(want) })
	if got := b.Typed(); got != want {
		t.Errorf("typed %q, got %q", want, got)
	}
}

func testInputRefused(t *testing.T, b Bench) {
	size := b.size(t)
	b.input(t, desktop.Action{Kind: desktop.Move, Point: at(50, 50)})
	fine := []desktop.Action{{Kind: desktop.Click, Point: at(10, 10)}, {Kind: desktop.Key, Keys: "a"}}
	for _, wrong := range []desktop.Action{
		{Kind: "jump"},
		{Kind: desktop.Move},
		{Kind: desktop.Move, Point: at(size.W, 0)},
		{Kind: desktop.Click, Point: at(0, -1)},
		{Kind: desktop.Click, Button: "fourth"},
		{Kind: desktop.Click, Count: 4},
		{Kind: desktop.Scroll, Direction: desktop.Down, Count: desktop.MaxScroll + 1},
		{Kind: desktop.Scroll},
		{Kind: desktop.Type, Text: "a\xff"},
		{Kind: desktop.Type, Text: "a\x00"},
		{Kind: desktop.Type, Text: "a", Covered: true},
		{Kind: desktop.Type, Text: "a", Into: []desktop.Place{{Title: "any"}}},
		{Kind: desktop.Key, Keys: "a", Into: []desktop.Place{{Program: "xterm"}}},
		{Kind: desktop.Key, Keys: "no such key"},
		{Kind: desktop.Key, Keys: "a", Count: desktop.MaxRepeat + 1},
		{Kind: desktop.Hold, Keys: "a", Duration: desktop.MaxHold + 1},
		{Kind: desktop.Click, Modifiers: "no such key"},
	} {
		err := b.Desktop.Input(t.Context(), append(slices.Clone(fine), wrong)...)
		isCode(t, string(wrong.Kind), err, deskhand.Invalid)
		var in *desktop.InputError
		if !errors.As(err, &in) || in.Action != 2 || in.Typed != 0 {
			t.Errorf("%+v: got %#v, want an *InputError at action 2", wrong, err)
		}
	}
	want := deskhand.Errorf("", deskhand.Invalid, "Coordinates (%d, 7) are outside display bounds (%s).", size.W, size).Error()
	if err := b.Desktop.Input(t.Context(), desktop.Action{Kind: desktop.Move, Point: at(size.W, 7)}); err == nil || err.Error() != want {
		t.Errorf("a point outside: got %v, want %s", err, want)
	}
	if got, err := b.Desktop.Cursor(t.Context()); err != nil || got != *at(50, 50) {
		t.Errorf("a list that was refused moved the pointer to %v, %v", got, err)
	}
	err := b.Desktop.Input(t.Context(), desktop.Action{Kind: desktop.Type, Text: "a", Into: []desktop.Place{{Program: "no-such-program"}}})
	isCode(t, "into another program", err, deskhand.Denied)
	b.input(t, desktop.Action{Kind: desktop.Key, Keys: "d"})
	b.receives(t, "key d down", "key d up")
}

func testCancel(t *testing.T, b Bench) {
	if b.Received == nil {
		return
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := make(chan error, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		failed <- b.Desktop.Input(ctx, desktop.Action{Kind: desktop.Press, Button: desktop.ButtonRight},
			desktop.Action{Kind: desktop.Hold, Keys: "shift+a", Duration: time.Minute}, desktop.Action{Kind: desktop.Key, Keys: "b"})
	})
	eventually(t, "the key", func() bool { return slices.Contains(keysOf(b.lines()), "a down") })
	cancel()
	err := <-failed
	isCode(t, "Input when its context ended", err, deskhand.Canceled)
	var in *desktop.InputError
	if !errors.As(err, &in) || in.Action != 1 {
		t.Errorf("got %#v, want an *InputError at action 1", err)
	}
	eventually(t, "letting go", func() bool { return len(b.lines()) >= 5 })
	b.input(t, desktop.Action{Kind: desktop.Release, Button: desktop.ButtonRight}, desktop.Action{Kind: desktop.Key, Keys: "c"})
	got := keysOf(b.lines())
	eventually(t, "the rest", func() bool { got = keysOf(b.lines()); return slices.Contains(got, "c up") })
	want := []string{"right down", "shift down", "a down", "a up", "shift up", "right up", "c down", "c up"}
	slices.Sort(got[3:min(5, len(got))]) // released in either order
	if !slices.Equal(got, want) {
		t.Errorf("received %q, want %q", got, want)
	}
}

// keysOf drops the word key, and reads a key with shift as the key.
func keysOf(lines []string) []string {
	out := slices.Clone(lines)
	for i, line := range out {
		out[i] = strings.ToLower(strings.TrimPrefix(line, "key "))
	}
	return out
}

func testRelease(t *testing.T, b Bench) {
	b.input(t, desktop.Action{Kind: desktop.Press})
	if err := b.Desktop.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Desktop.Release(t.Context()); err != nil {
		t.Error("releasing nothing:", err)
	}
	b.receives(t, "left down", "left up")
}

// testLists checks that lists from several callers do not interleave.
func testLists(t *testing.T, b Bench) {
	const rounds = 15
	lists := [][]string{{"a", "b"}, {"c", "d"}}
	var wg sync.WaitGroup
	for _, names := range lists {
		wg.Go(func() {
			for range rounds {
				if err := b.Desktop.Input(t.Context(),
					desktop.Action{Kind: desktop.Key, Keys: names[0]}, desktop.Action{Kind: desktop.Key, Keys: names[1]}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if b.Received == nil {
		return
	}
	eventually(t, "the input", func() bool { return len(b.lines()) >= rounds*8 })
	for list := range slices.Chunk(b.lines(), 4) {
		got := strings.Join(list, ", ")
		if got != "key a down, key a up, key b down, key b up" && got != "key c down, key c up, key d down, key d up" {
			t.Fatalf("lists were mixed: %s", got)
		}
	}
}
