package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/sandbox"
)

// target is a program that text is typed into.
type target interface {
	clear(ctx context.Context) error // makes it ready for the next text
	finish() string                  // the key that makes it show what it has
	read(ctx context.Context) (received, error)
	close(ctx context.Context) error
}

// The targets.
const (
	terminal = "xterm"
	editor   = "mousepad"
	area     = "textarea"
)

// opener starts a target, with more of an environment.
type opener func(ctx context.Context, t *typist, env []string) (target, error)

var openers = map[string]opener{terminal: openTerminal, editor: openEditor, area: openArea}

const (
	windowLimit  = 60 * time.Second // for a window to appear and to get the focus
	arrivalLimit = 2 * time.Minute  // for a program to have what was typed
)

// target returns the program of that name, started when there is none.
func (t *typist) target(ctx context.Context, name string) (target, error) {
	if have, ok := t.targets[name]; ok {
		return have, nil
	}
	return t.open(ctx, name, nil)
}

// open starts a target in place of the one before. Only one at a time is open,
// so that it has the focus.
func (t *typist) open(ctx context.Context, name string, env []string) (target, error) {
	for old, where := range t.targets {
		delete(t.targets, old)
		if err := where.close(ctx); err != nil {
			return nil, err
		}
	}
	where, err := openers[name](ctx, t, env)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	t.targets[name] = where
	return where, nil
}

// window is a program with a window of its own.
type window struct {
	t       *typist
	process sandbox.Process
	drained sync.WaitGroup
}

// show starts a program and returns when its window has the focus and has
// been drawn.
func (t *typist) show(ctx context.Context, class string, env []string, args ...string) (*window, error) {
	p, err := t.machine.Sandbox().Exec(ctx, sandbox.Cmd{Args: args, Env: env})
	if err != nil {
		return nil, err
	}
	w := &window{t: t, process: p}
	w.drained.Go(func() { _, _ = drain(p) }) // nobody reads what it says
	if err := t.focused(ctx, class); err != nil {
		return nil, errors.Join(err, w.close(ctx))
	}
	return w, nil
}

// focused returns when a window of that class has the focus and is drawn.
func (t *typist) focused(ctx context.Context, class string) error {
	d := t.machine.Desktop()
	err := await(ctx, "a window of "+class+" with the focus", windowLimit, func() (bool, error) {
		windows, err := d.Windows(ctx)
		for _, w := range windows {
			if w.Focused && strings.Contains(strings.ToLower(w.Class), class) {
				return true, nil
			}
		}
		return false, err
	})
	if err != nil {
		return err
	}
	_, err = d.Settle(ctx, desktop.Wait{Quiet: 200 * time.Millisecond, Limit: 5 * time.Second})
	return err
}

func (w *window) close(context.Context) error {
	err := w.process.Kill()
	w.drained.Wait()
	return err
}

// drain reads all that a program says.
func drain(p sandbox.Process) (said []byte, err error) {
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(io.Discard, p.Stdout()) })
	const most = 4 << 10
	said, err = io.ReadAll(io.LimitReader(p.Stderr(), most))
	_, _ = io.Copy(io.Discard, p.Stderr())
	both.Wait()
	return said, err
}

// file is where a program leaves what it received.
type file struct {
	t    *typist
	path string
}

// when returns the file once it is as it should be.
func (f file) when(ctx context.Context, what string, good func(sandbox.FileInfo) bool) error {
	sb := f.t.machine.Sandbox()
	return await(ctx, f.path+" "+what, arrivalLimit, func() (bool, error) {
		info, err := sb.Stat(ctx, f.path)
		return err == nil && good(info), err
	})
}

func (f file) received(ctx context.Context) (received, error) {
	if err := f.when(ctx, "has content", func(i sandbox.FileInfo) bool { return i.Size > 0 }); err != nil {
		return received{}, err
	}
	raw, info, err := f.t.machine.Sandbox().ReadFile(ctx, f.path, 0, 0)
	return received{string(raw), info.ModTime}, err
}

// shell is cat in xterm. It starts anew after each end of input, which moves
// its file to where it is read: a move leaves the time of the last write.
type shell struct {
	*window
	out, part file
}

const shellScript = `while :; do cat >"$0.part"; mv "$0.part" "$0"; done`

func openTerminal(ctx context.Context, t *typist, env []string) (target, error) {
	const path = "/tmp/keyboard"
	w, err := t.show(ctx, terminal, env, "xterm", "-u8", "-e", "sh", "-c", shellScript, path)
	if err != nil {
		return nil, err
	}
	return &shell{window: w, out: file{t, path}, part: file{t, path + ".part"}}, nil
}

func (s *shell) clear(ctx context.Context) error {
	if err := s.t.command(ctx, "rm", "-f", s.out.path); err != nil {
		return err
	}
	return s.part.when(ctx, "is open", func(i sandbox.FileInfo) bool { return i.Size == 0 })
}

func (s *shell) finish() string { return "ctrl+d" } // every text ends with a line end

func (s *shell) read(ctx context.Context) (received, error) { return s.out.received(ctx) }

// close also removes the file of a shell that ended amidst a text.
func (s *shell) close(ctx context.Context) error {
	return errors.Join(s.window.close(ctx), s.t.command(ctx, "rm", "-f", s.out.path, s.part.path))
}

// notepad is mousepad with a named file.
type notepad struct {
	*window
	out file
}

func openEditor(ctx context.Context, t *typist, env []string) (target, error) {
	const path = "/tmp/keyboard.txt"
	if err := t.command(ctx, "truncate", "-s", "0", path); err != nil {
		return nil, err
	}
	w, err := t.show(ctx, editor, append([]string{"GSETTINGS_BACKEND=memory"}, env...), "mousepad", "--disable-server", path)
	if err != nil {
		return nil, err
	}
	return &notepad{w, file{t, path}}, nil
}

func (n *notepad) clear(ctx context.Context) error {
	info, err := n.t.machine.Sandbox().Stat(ctx, n.out.path)
	if err != nil || info.Size == 0 {
		return err
	}
	err = n.t.machine.Desktop().Input(ctx, desktop.Action{Kind: desktop.Key, Keys: "ctrl+a"}, desktop.Action{Kind: desktop.Key, Keys: "BackSpace"},
		desktop.Action{Kind: desktop.Key, Keys: "ctrl+s"})
	if err != nil {
		return err
	}
	return n.out.when(ctx, "is empty", func(i sandbox.FileInfo) bool { return i.Size == 0 })
}

func (n *notepad) finish() string { return "ctrl+s" }

func (n *notepad) read(ctx context.Context) (received, error) { return n.out.received(ctx) }

// box is a text area in the browser.
type box struct {
	t     *typist
	texts int // so far
}

// boxPage is a text area that keeps what it has on F9, with the time of the
// last change, and then says so in its title: asking the page, which may be busy
// with a long text for a minute, would keep it from its work. A tab would move
// the focus, so the page puts it in, as editors on the web do.
const boxPage = `<!doctype html><meta charset=utf-8>
<body style="margin:0"><textarea autofocus spellcheck=false style="width:100vw;height:95vh;box-sizing:border-box"></textarea><script>
const box = document.querySelector('textarea');
let last, shown, number;
const begin = n => { box.value = ''; last = 0; shown = null; number = n; box.focus(); };
box.addEventListener('input', () => last = Date.now());
addEventListener('keydown', e => {
	if (e.key === 'F9') { shown = {text: box.value, at: last}; document.title = 'text ' + number + ';'; }
	else if (e.key === 'Tab') document.execCommand('insertText', false, '\t');
	else return;
	e.preventDefault();
});
</script>`

func openArea(ctx context.Context, t *typist, env []string) (target, error) {
	if len(env) > 0 {
		return nil, errors.New("the browser has its environment already")
	}
	world, err := t.browser.open(ctx, "data:text/html,"+url.PathEscape(boxPage))
	if err != nil {
		return nil, err
	}
	if err := t.browser.evaluate(ctx, world, paintedSource, nil); err != nil {
		return nil, err
	}
	if err := t.focused(ctx, "chromium"); err != nil {
		return nil, err
	}
	// A browser that starts has the focus where addresses are typed.
	middle := deskhand.ScreenPoint{X: screen.W / 2, Y: screen.H / 2}
	return &box{t: t}, t.machine.Desktop().Input(ctx, desktop.Action{Kind: desktop.Click, Point: &middle})
}

func (b *box) clear(ctx context.Context) error {
	b.texts++
	return b.t.browser.evaluate(ctx, 0, fmt.Sprintf("begin(%d)", b.texts), nil)
}

func (b *box) finish() string { return "F9" }

func (b *box) read(ctx context.Context) (received, error) {
	title := fmt.Sprintf("text %d;", b.texts)
	err := await(ctx, "the page says that it has its text", arrivalLimit, func() (bool, error) {
		windows, err := b.t.machine.Desktop().Windows(ctx)
		return slices.ContainsFunc(windows, func(w desktop.Window) bool { return strings.Contains(w.Title, title) }), err
	})
	if err != nil {
		return received{}, err
	}
	var got struct {
		Text string `json:"text"`
		At   int64  `json:"at"` // ms since 1970
	}
	err = b.t.browser.evaluate(ctx, 0, "shown", &got)
	return received{got.Text, time.UnixMilli(got.At)}, err
}

func (b *box) close(context.Context) error { return nil }
