package x11

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/internal/xvfb"
	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"golang.org/x/sys/unix"
)

const canary = "c4nary-Value-7"

// typing is how a secret is typed.
func typing(text string, into ...desktop.Place) desktop.Action {
	return desktop.Action{Kind: desktop.Type, Text: text, Into: into, Covered: true}
}

// reader is an xterm that writes what it is given to a file.
func reader(t *testing.T, s *xvfb.Server, d *Desktop, args ...string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "out")
	program(t, s, "xterm", append(args, "-e", "sh", "-c", "stty raw; cat > "+file)...)
	wait(t, "the file is there", func() bool { _, err := os.Stat(file); return err == nil })
	return file
}

func content(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// client is another client of the display.
func client(t *testing.T, s *xvfb.Server) *xgb.Conn {
	t.Helper()
	xgb.Logger.SetOutput(discard{})
	conn, err := xgb.NewConnNet(dialCookie(t, s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		for {
			if e, err := conn.WaitForEvent(); e == nil && err == nil {
				return
			}
		}
	})
	return conn
}

func denied(t *testing.T, what string, err error) {
	t.Helper()
	var at *desktop.InputError
	if !errors.As(err, &at) || deskhand.CodeOf(err) != deskhand.Denied || at.Typed != 0 || strings.Contains(err.Error(), canary) {
		t.Errorf("%s: %v", what, err)
	}
}

// TestInto types only into the program that a text may go into, whatever a
// window says of itself.
func TestInto(t *testing.T) {
	t.Parallel()
	s, d := desk(t)
	file := reader(t, s, d, "-T", "Sign in", "-class", "KeePassXC", "-name", "keepassxc")
	w := focused(t, d, "keepassxc")
	if w.Program == "" || filepath.Base(w.Program) != "xterm" {
		t.Errorf("the program is %q", w.Program)
	}
	for _, p := range []desktop.Place{{Program: "keepassxc"}, {Program: "KeePassXC"}, {Program: "/usr/bin/keepassxc"}, {Program: "xterm", Title: "Sign out"}, {Program: "term"}} {
		denied(t, fmt.Sprint(p), d.Input(t.Context(), typing(canary, p)))
	}
	do(t, d, typing(canary, desktop.Place{Program: "mousepad"}, desktop.Place{Program: "xterm", Title: "Sign in"}), typing("\n", desktop.Place{Program: w.Program}))
	wait(t, "the text is there", func() bool { return content(t, file) == canary+"\r" || content(t, file) == canary+"\n" })
}

// TestIntoNothing: nothing is typed where no window has the focus, or a program
// that is not installed has it.
func TestIntoNothing(t *testing.T) {
	t.Parallel()
	s := display(t, small)
	d := open(t, s)
	denied(t, "no window", d.Input(t.Context(), typing(canary, desktop.Place{Program: "xterm"})))
	newWitness(t, s) // this test itself: not installed
	wait(t, "the window has the focus", func() bool { w, err := d.Windows(t.Context()); return err == nil && len(w) == 1 })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	denied(t, "not installed", d.Input(t.Context(), typing(canary, desktop.Place{Program: filepath.Base(self)}, desktop.Place{Program: self})))
	// The same as a copy of an installed program by the right name.
	fake := filepath.Join(t.TempDir(), "xterm")
	data, err := os.ReadFile("/usr/bin/xterm")
	if err == nil {
		err = os.WriteFile(fake, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	s2, d2 := desk(t)
	program(t, s2, fake)
	if w := focused(t, d2, "xterm"); w.Program != "" {
		t.Errorf("a copy counts as %s", w.Program)
	}
	denied(t, "a copy", d2.Input(t.Context(), typing(canary, desktop.Place{Program: "xterm"}, desktop.Place{Program: fake})))
}

// row prints one line of the table of attacks. A key is a byte.
func row(t *testing.T, name string, off, on int) {
	t.Helper()
	t.Logf("attack\t%-40s\twithout guard %6d bytes\twith guard %d", name, off, on)
	if off == 0 || on != 0 {
		t.Errorf("%s: without guard %d, with guard %d", name, off, on)
	}
}

// TestAttackPretender is a window that says it is a keeper of passwords.
func TestAttackPretender(t *testing.T) {
	t.Parallel()
	s, d := desk(t)
	file := reader(t, s, d, "-T", "KeePassXC", "-class", "KeePassXC", "-name", "keepassxc")
	focused(t, d, "keepassxc")
	into := desktop.Place{Program: "keepassxc", Title: "KeePassXC"}
	denied(t, "a pretender", d.Input(t.Context(), typing(canary, into)))
	on := len(content(t, file))
	do(t, d, desktop.Action{Kind: desktop.Type, Text: canary})
	wait(t, "the text is there", func() bool { return content(t, file) == canary })
	row(t, "S8 a window that pretends to be another", len(content(t, file)), on)
}

// thief is a window that takes the focus from whoever has it, again and again,
// and counts what it hears of keys.
func thief(t *testing.T, s *xvfb.Server, steal func(c *xgb.Conn, w xproto.Window)) (keys func() int, stop func()) {
	t.Helper()
	w := newWitness(t, s)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
				steal(w.conn, w.win)
			}
		}
	}()
	stop = func() { close(done); <-ended }
	return func() int { return len(w.events()) }, stop
}

// TestAttackStolenFocus is played with the guard off, where the thief gets keys, and
// on, where it gets none however often it takes the focus in between.
func TestAttackStolenFocus(t *testing.T) {
	t.Parallel()
	got := map[bool]int{}
	for _, guard := range []bool{false, true} {
		s := display(t, full)
		d := open(t, s)
		file := reader(t, s, d, "-geometry", "40x10+100+100")
		var victim uint32
		wait(t, "xterm is there", func() bool {
			all, err := d.Windows(t.Context())
			if err == nil && len(all) == 1 {
				victim = all[0].ID
			}
			return victim != 0
		})
		keys, stop := thief(t, s, func(c *xgb.Conn, w xproto.Window) {
			_ = xproto.SetInputFocusChecked(c, xproto.InputFocusParent, xproto.Window(victim), 0).Check()
			_ = xproto.SetInputFocusChecked(c, xproto.InputFocusParent, w, 0).Check()
		})
		typed := 0
		for range 40 {
			a := desktop.Action{Kind: desktop.Type, Text: canary}
			if guard {
				a.Into = []desktop.Place{{Program: "xterm"}}
			}
			if err := d.Input(t.Context(), a); err == nil {
				typed++
			} else if deskhand.CodeOf(err) != deskhand.Denied {
				t.Fatal(err)
			}
		}
		stop()
		got[guard] = keys()
		if guard {
			wait(t, "xterm has it all", func() bool { return content(t, file) == strings.Repeat(canary, typed) })
		}
	}
	row(t, "S8 focus stolen while a secret is typed", got[false], got[true])
}

// TestIntoGrabbedKeyboard: a program that has the keyboard to itself gets keys
// wherever the focus is.
func TestIntoGrabbedKeyboard(t *testing.T) {
	t.Parallel()
	s, d := desk(t)
	file := reader(t, s, d)
	focused(t, d, "xterm")
	conn := client(t, s)
	r, err := xproto.GrabKeyboard(conn, false, xproto.Setup(conn).DefaultScreen(conn).Root, 0, xproto.GrabModeAsync, xproto.GrabModeAsync).Reply()
	if err != nil || r.Status != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	denied(t, "grabbed", d.Input(t.Context(), typing(canary, desktop.Place{Program: "xterm"})))
	if err := xproto.UngrabKeyboardChecked(conn, 0).Check(); err != nil {
		t.Fatal(err)
	}
	do(t, d, typing(canary, desktop.Place{Program: "xterm"}))
	wait(t, "the text is there", func() bool { return content(t, file) == canary })
}

func picture(t *testing.T, d *Desktop, shot desktop.Shot) image.Image {
	t.Helper()
	shot.Format = desktop.PNG
	p, err := d.Screen(t.Context(), shot)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(p.Data))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// differ counts the pixels that differ, and those of them that are not black in b.
func differ(a, b image.Image) (all, shown int) {
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			r, g, bl, _ := a.At(x, y).RGBA()
			R, G, B, _ := b.At(x, y).RGBA()
			if r != R || g != G || bl != B {
				all++
				if R+G+B != 0 {
					shown++
				}
			}
		}
	}
	return all, shown
}

// bright counts the pixels with much red in them.
func bright(m image.Image) (n int) {
	for y := range m.Bounds().Dy() {
		for x := range m.Bounds().Dx() {
			if r, _, _, _ := m.At(x, y).RGBA(); r > 0x4000 {
				n++
			}
		}
	}
	return n
}

// TestAttackPicture: what a secret draws is in pictures without the cover, and not with
// it, also in a region that is magnified and after the window was moved; it is
// shown again only once the window has another title and what was drawn is gone.
func TestAttackPicture(t *testing.T) {
	t.Parallel()
	typedShown := map[bool]int{}
	for _, guard := range []bool{false, true} {
		s := display(t, full)
		d := open(t, s)
		fifo := filepath.Join(t.TempDir(), "fifo")
		if err := unix.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		program(t, s, "xterm", "-geometry", "60x12+50+50", "-bg", "#000080", "-fg", "white", "-T", "one", "-e", "sh", "-c", "stty -icanon; cat "+fifo)
		tty, err := os.OpenFile(fifo, os.O_WRONLY, 0) // waits for the reader
		if err != nil {
			t.Fatal(err)
		}
		defer tty.Close()
		conn := client(t, s)
		var win desktop.Window
		look := func() bool {
			all, err := d.Windows(t.Context())
			if err == nil && len(all) == 1 {
				win = all[0]
			}
			return len(all) == 1
		}
		wait(t, "xterm is there", look)
		if err := xproto.SetInputFocusChecked(conn, xproto.InputFocusParent, xproto.Window(win.ID), 0).Check(); err != nil {
			t.Fatal(err)
		}
		still := func() {
			t.Helper()
			if _, err := d.Settle(t.Context(), desktop.Wait{First: 300 * time.Millisecond, Quiet: 100 * time.Millisecond, Limit: 5 * time.Second}); err != nil {
				t.Fatal(err)
			}
		}
		say := func(text string) {
			t.Helper()
			if _, err := tty.WriteString(text); err != nil {
				t.Fatal(err)
			}
			still()
		}
		say("\x1b[?25lpassword: ") // and no cursor, so that all that changes is the text
		part := desktop.Shot{Region: deskhand.ScreenRect{X0: 50, Y0: 50, X1: 350, Y1: 80}, Size: deskhand.Size{W: 1200, H: 120}}
		before, brightBefore := picture(t, d, desktop.Shot{}), bright(picture(t, d, part))
		a := typing(canary, desktop.Place{Program: "xterm"})
		a.Covered = guard
		do(t, d, a)
		still()
		seen := func(what string, before, after image.Image, hides bool) {
			t.Helper()
			switch all, shown := differ(before, after); {
			case all == 0:
				t.Errorf("guard %v, %s: nothing changed", guard, what)
			case hides && shown != 0, !hides && shown == 0:
				t.Errorf("guard %v, %s: %d pixels of the text are shown", guard, what, shown)
			}
		}
		after := picture(t, d, desktop.Shot{})
		seen("typed", before, after, guard)
		_, typedShown[guard] = differ(before, after)
		if n := bright(picture(t, d, part)); guard != (n <= brightBefore) {
			t.Errorf("guard %v: %d bright pixels in a region, %d before", guard, n, brightBefore)
		}
		say("\x1b]0;two\a") // as a page that shows the password and says that it is another
		wait(t, "the title changed", func() bool { return look() && win.Title == "two" })
		seen("another title", before, picture(t, d, desktop.Shot{}), guard)
		if err := xproto.ConfigureWindowChecked(conn, xproto.Window(win.ID), xproto.ConfigWindowX|xproto.ConfigWindowY, []uint32{90, 120}).Check(); err != nil {
			t.Fatal(err)
		}
		still()
		moved := picture(t, d, desktop.Shot{})
		shifted := image.NewRGBA(moved.Bounds())
		draw.Draw(shifted, moved.Bounds(), moved, image.Pt(40, 70), draw.Src) // back to where it was
		size := image.Rect(50, 50, 350, 150)
		crop := func(m image.Image) image.Image {
			out := image.NewRGBA(image.Rectangle{Max: size.Size()})
			draw.Draw(out, out.Bounds(), m, size.Min, draw.Src)
			return out
		}
		seen("moved", crop(before), crop(shifted), guard)
		if err := xproto.ConfigureWindowChecked(conn, xproto.Window(win.ID), xproto.ConfigWindowX|xproto.ConfigWindowY, []uint32{50, 50}).Check(); err != nil {
			t.Fatal(err)
		}
		say("\x1b[2J\x1b[H" + strings.Repeat("another page ", 30)) // and then it really is
		if _, shown := differ(before, picture(t, d, desktop.Shot{})); shown == 0 {
			t.Errorf("guard %v: the new content is not shown", guard)
		}
		say("\x1b[2J\x1b[Hpassword: ")
		seen2 := picture(t, d, desktop.Shot{})
		if all, _ := differ(before, seen2); all != 0 {
			t.Errorf("guard %v: %d pixels are still covered", guard, all)
		}
	}
	row(t, "S8 a picture of what was typed, in pixels", typedShown[false], typedShown[true])
}

// TestCoveredWindowResized: nothing of a window is shown when what was drawn may
// be anywhere in it.
func TestCoveredWindowResized(t *testing.T) {
	t.Parallel()
	s, d := desk(t)
	file := reader(t, s, d, "-geometry", "40x10+100+100")
	focused(t, d, "xterm")
	do(t, d, typing(canary, desktop.Place{Program: "xterm"}))
	wait(t, "the text is there", func() bool { return content(t, file) == canary })
	do(t, d, desktop.Action{Kind: desktop.Key, Keys: "alt+F10"}) // maximize
	wait(t, "the window is larger", func() bool {
		all, err := d.Windows(t.Context())
		return err == nil && len(all) == 1 && all[0].Bounds.Size().W > 1000
	})
	if _, err := d.Settle(t.Context(), desktop.Wait{Quiet: 300 * time.Millisecond, Limit: 5 * time.Second}); err != nil {
		t.Fatal(err)
	}
	img := picture(t, d, desktop.Shot{})
	if _, shown := differ(image.NewGray(img.Bounds()), img); shown > img.Bounds().Dx()*img.Bounds().Dy()/10 {
		t.Errorf("%d pixels are shown", shown)
	}
}

// signIn is a page with one field that shows what is typed. F9 posts it, Enter
// goes on to another page.
const signIn = `<!doctype html><meta charset=utf-8><title>Sign in</title><body style="margin:0;background:#ddf">
<p style="font-size:30px">Please sign in<p><input id=t autofocus style="width:80vw;font-size:40px"><p>Footer
<script>
addEventListener('keydown', e => {
  if (e.key === 'F9') { fetch('/text', {method: 'POST', body: t.value}); e.preventDefault() }
  if (e.key === 'Enter') { document.title = 'Welcome'; document.body.innerHTML = '<p style="font-size:60px;background:#fdd">Welcome! '.repeat(6) }
})
const look = () => performance.getEntriesByName('first-contentful-paint').length ? fetch('/ready', {method: 'POST'}) : setTimeout(look, 10)
look()
</script>`

// TestIntoPrograms types a value with foreign characters into a browser and an
// editor, each of which reads keys in its own way: it arrives as it is, no picture
// shows it, and the page after it is shown.
func TestIntoPrograms(t *testing.T) {
	t.Parallel()
	s, d := desk(t)
	const value = "Zürich-ß€猫-7q"
	still := func() {
		t.Helper()
		if _, err := d.Settle(t.Context(), desktop.Wait{First: 500 * time.Millisecond, Quiet: 200 * time.Millisecond, Limit: 5 * time.Second}); err != nil {
			t.Fatal(err)
		}
	}
	texts := chromium(t, s, signIn)
	w := focused(t, d, "chromium")
	if filepath.Base(w.Program) != "chromium" {
		t.Errorf("the program is %q", w.Program)
	}
	do(t, d, desktop.Action{Kind: desktop.Move, Point: at(w.Bounds.X1-20, w.Bounds.Y1-20)})
	still()
	page := func() image.Image {
		return picture(t, d, desktop.Shot{Region: deskhand.ScreenRect{X0: w.Bounds.X0, Y0: w.Bounds.Y0 + 150, X1: w.Bounds.X1, Y1: w.Bounds.Y1}})
	}
	before := page()
	do(t, d, typing(value, desktop.Place{Program: "chromium", Title: "Sign in"}))
	still()
	all, shown := differ(before, page())
	if all == 0 || shown != 0 {
		t.Errorf("chromium: %d pixels changed, %d of them are not black", all, shown)
	}
	do(t, d, desktop.Action{Kind: desktop.Key, Keys: "F9"})
	expectText(t, "chromium", posted(t, texts), value)
	do(t, d, desktop.Action{Kind: desktop.Key, Keys: "Return"})
	wait(t, "the page after it is shown", func() bool {
		still()
		img := page()
		red := 0
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				if r, g, b, _ := img.At(x, y).RGBA(); r > 0xf000 && g > 0xd000 && g < 0xe000 && b > 0xd000 && b < 0xe000 {
					red++
				}
			}
		}
		return red > img.Bounds().Dx()*200
	})
	if n := len(d.screen.covers); n != 0 {
		t.Errorf("%d covers are left", n)
	}
	do(t, d, desktop.Action{Kind: desktop.Key, Keys: "alt+F4"})

	file := filepath.Join(t.TempDir(), "out.txt")
	program(t, s, "dbus-run-session", "mousepad", "--disable-server", file)
	focused(t, d, "mousepad")
	do(t, d, typing(value, desktop.Place{Program: "mousepad"}), desktop.Action{Kind: desktop.Key, Keys: "ctrl+s"})
	expectFile(t, "mousepad", file, value)
	still()
	_ = picture(t, d, desktop.Shot{}) // the title changed as the file was saved, and what was drawn is still there
	if n := len(d.screen.covers); n != 1 {
		t.Errorf("mousepad: %d covers", n)
	}
}

// TestCoveredLate: when nothing is drawn at once, what is drawn next is covered,
// until it is gone.
func TestCoveredLate(t *testing.T) {
	t.Parallel()
	s := display(t, full)
	d := open(t, s)
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	// Nothing is echoed; what comes through the fifo is shown.
	program(t, s, "xterm", "-geometry", "60x12+50+50", "-bg", "#000080", "-fg", "white", "-e", "sh", "-c", "stty -icanon -echo; cat "+fifo)
	tty, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	var win desktop.Window
	wait(t, "xterm is there", func() bool {
		all, err := d.Windows(t.Context())
		if err == nil && len(all) == 1 {
			win = all[0]
		}
		return win.ID != 0
	})
	if err := xproto.SetInputFocusChecked(client(t, s), xproto.InputFocusParent, xproto.Window(win.ID), 0).Check(); err != nil {
		t.Fatal(err)
	}
	show := func(text string) {
		t.Helper()
		if _, err := tty.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Settle(t.Context(), desktop.Wait{First: time.Second, Quiet: 100 * time.Millisecond, Limit: 5 * time.Second}); err != nil {
			t.Fatal(err)
		}
	}
	show("\x1b[?25lpassword: ")
	before := picture(t, d, desktop.Shot{})
	do(t, d, typing(canary, desktop.Place{Program: "xterm"}))
	if all, _ := differ(before, picture(t, d, desktop.Shot{})); all != 0 {
		t.Errorf("%d pixels are covered though nothing was drawn", all)
	}
	show(canary)
	if all, shown := differ(before, picture(t, d, desktop.Shot{})); all == 0 || shown != 0 {
		t.Errorf("drawn late: %d pixels changed, %d of them are not black", all, shown)
	}
	show("\r\n")
	before = picture(t, d, desktop.Shot{})
	do(t, d, typing(canary, desktop.Place{Program: "xterm"}), desktop.Action{Kind: desktop.Key, Keys: "Return"})
	show("the answer")
	if _, shown := differ(before, picture(t, d, desktop.Shot{})); shown != 0 {
		t.Errorf("drawn after other input: %d pixels are shown", shown)
	}
	show("\x1b[2J\x1b[10;1Hsomething else")
	after := picture(t, d, desktop.Shot{})
	if n := len(d.screen.covers); n != 0 || bright(after) < 100 {
		t.Errorf("%d covers are left, %d bright pixels", n, bright(after))
	}
}
