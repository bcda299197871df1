package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/sandbox"
)

// The keyboard matrix asks of every text under every layout whether programs
// received it byte for byte. A text goes through the whole loop as one type
// call, with the key that makes the program show what it has in the same
// reply, so that nothing waits for the program in between.

// layoutCase is a keyboard layout as setxkbmap takes it.
type layoutCase struct {
	name string
	args []string
	next bool // the second group is in effect
}

var layoutCases = []layoutCase{
	{name: "us", args: []string{"-layout", "us"}},
	{name: "us+se", args: []string{"-layout", "us,se"}},
	{name: "us+se, se on", args: []string{"-layout", "us,se"}, next: true},
	{name: "se", args: []string{"-layout", "se"}},
	{name: "de", args: []string{"-layout", "de"}},
	{name: "fr", args: []string{"-layout", "fr"}},
	{name: "ru", args: []string{"-layout", "ru"}},
	{name: "dvorak", args: []string{"-layout", "us", "-variant", "dvorak"}},
	{name: "us-intl", args: []string{"-layout", "us", "-variant", "intl"}},
}

// textCase is a text to type. What arrives has line feeds for line ends.
type textCase struct {
	name, text string
	ours       bool // the peer is not given it
}

func textCases() []textCase {
	return []textCase{
		{name: "ASCII", text: ascii() + "The quick (brown) fox: 100% of \"it\"!\n"},
		{name: "dead keys", text: "'a \"e `o ~n ^u 'c don't \"\" '' ^^ ``~~ e^x=`id` ~/x y'\"\n"},
		{name: "ß é ñ €", text: "Straße café señor 5 €; ÄÖÜäöü ÅåÆæØø Çç Łł Žž İı ŵ «„“”‚‘’» – — … § ° µ ² ½ £ ¥\n"},
		{name: "Cyrillic", text: "Съешь же ещё этих мягких французских булок, да выпей чаю. ЁЪ Їжак ґанок\n"},
		{name: "CJK", text: "漢字かな交じり文、カタカナ。简体中文和繁體中文！한국어 문장입니다。\n"},
		{name: "400 ideographs", text: ideographs()},
		{name: "emoji", text: "👩‍👩‍👧 👍🏽 🇸🇪🇩🇪 ❤️ 1️⃣ 🏴󠁧󠁢󠁳󠁣󠁴󠁿 👨🏿‍💻 😀\n"},
		{name: "combining", text: "e\u0301 a\u0308 o\u0302\u0323 Z\u0351\u036b\u0343 क्षि เที่ยว ﬁn Å\u200bB\u2060C\n"},
		{name: "bidi", text: "שלום עולם (abc) 123 \u200fمرحبا\u200e \u202babc\u202c \u2067x\u2069\n"},
		{name: "blanks", text: "a\tb\t\tc\n\n  two  \r\n\r\nno\u00a0break\u3000wide  \n"},
		{name: "10 kB", text: prose(), ours: true}, // one typing takes xdotool over a minute on a busy machine
	}
}

// ascii is every printable character of ASCII.
func ascii() string {
	var b strings.Builder
	for c := byte(' '); c < 0x7f; c++ {
		b.WriteByte(c)
	}
	return b.String() + "\n"
}

// ideographs are more characters than there are spare keys, most of them once.
func ideographs() string {
	var b strings.Builder
	for i := range 400 {
		b.WriteRune(rune(0x4e00 + i*i%1777))
		if i%80 == 79 {
			b.WriteString(" line\n")
		}
	}
	return b.String()
}

// prose is 10 kB of text, most of it ASCII.
func prose() string {
	var b strings.Builder
	for i := 0; b.Len() < 10<<10; i++ {
		fmt.Fprintf(&b, "%03d if (x[%d] != 'Straße') { return \"naïve — 5 €\"; } // Жук %c The end.\n", i, i*7%97, '一'+rune(i%40))
	}
	return b.String()
}

// arrived is the text as a program has it.
func (t textCase) arrived() string { return strings.ReplaceAll(t.text, "\r\n", "\n") }

// cell is one place in the matrix: a text under a layout in a program.
type cell struct{ target, layout, text string }

// trial is one typing.
type trial struct {
	cell
	actor    string
	hindered bool // text names what was in the way
	exact    bool
	what     string        // is wrong
	took     time.Duration // from the call until the program had the last of it; 0: it never told
}

// clocked is a desktop that knows when text was last typed.
type clocked struct {
	desktop.Desktop
	mu    sync.Mutex
	typed time.Time
}

// Input implements desktop.Desktop.
func (c *clocked) Input(ctx context.Context, actions ...desktop.Action) error {
	if slices.ContainsFunc(actions, func(a desktop.Action) bool { return a.Kind == desktop.Type }) {
		c.start()
	}
	return c.Desktop.Input(ctx, actions...)
}

// start notes that typing begins now.
func (c *clocked) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.typed = time.Now()
}

func (c *clocked) since() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.typed
}

// typist plays trials on one computer.
type typist struct {
	*rig
	clock   *clocked
	peer    *xdotool // nil: not asked for
	targets map[string]target
}

// hurry is a settle that waits for nothing: the key after the text must not
// profit from a pause. Programs are at their slowest behind at this moment.
var hurry = desktop.Wait{First: time.Nanosecond, Quiet: time.Nanosecond, Limit: time.Nanosecond}

// newTypist brings up the computer and the loop.
func newTypist(ctx context.Context, peer bool) (*typist, error) {
	r, err := newRig(ctx, "", 1)
	if err != nil {
		return nil, err
	}
	r.computer.Settle = hurry
	t := &typist{rig: r, clock: &clocked{Desktop: r.machine.Desktop()}, targets: map[string]target{}}
	r.hand.Desktop = t.clock
	if peer {
		t.peer = &xdotool{sandbox: r.machine.Sandbox(), took: map[string][]time.Duration{}}
	}
	return t, nil
}

// trialLimit bounds one typing, with everything around it.
const trialLimit = 5 * time.Minute

// layout puts a layout on the display.
func (t *typist) layout(ctx context.Context, l layoutCase) error {
	if err := t.command(ctx, append([]string{"setxkbmap"}, l.args...)...); err != nil || !l.next {
		return err
	}
	return t.machine.Desktop().Input(ctx, desktop.Action{Kind: desktop.Key, Keys: "ISO_Next_Group"})
}

// command runs a program inside to its end.
func (t *typist) command(ctx context.Context, args ...string) error {
	p, err := t.machine.Sandbox().Exec(ctx, sandbox.Cmd{Args: args})
	if err != nil {
		return err
	}
	said, err := drain(p)
	if err != nil {
		return err
	}
	exit, err := p.Wait()
	if err == nil && exit.Status != 0 {
		err = fmt.Errorf("%s failed (%d): %s", args[0], exit.Status, said)
	}
	return err
}

// try types a text into a target and compares what arrived. before are actions
// that get in its way.
func (t *typist) try(ctx context.Context, c cell, text textCase, actor string, before ...desktop.Action) (out trial, err error) {
	out = trial{cell: c, actor: actor}
	outer := ctx
	ctx, cancel := context.WithTimeoutCause(ctx, trialLimit, fmt.Errorf("not done within %s", trialLimit))
	defer cancel()
	where, err := t.target(ctx, c.target)
	if err != nil {
		return out, err
	}
	got, err := t.typeInto(ctx, where, text, actor, before)
	if outer.Err() != nil {
		return out, context.Cause(outer)
	}
	switch want := text.arrived(); {
	case err != nil:
		out.what = err.Error()
	case got.text != want:
		out.what = difference(got.text, want)
	default:
		out.exact = true
		out.took = max(0, got.at.Sub(t.clock.since())) // a file's time is that of the kernel's last tick
	}
	if !out.exact { // it may be in any state now
		delete(t.targets, c.target)
		return out, where.close(outer)
	}
	return out, nil
}

// received is what a program got.
type received struct {
	text string
	at   time.Time // when it had the last of it, by its own account
}

func (t *typist) typeInto(ctx context.Context, where target, text textCase, actor string, before []desktop.Action) (received, error) {
	if err := where.clear(ctx); err != nil {
		return received{}, err
	}
	if len(before) > 0 {
		if err := t.machine.Desktop().Input(ctx, before...); err != nil {
			return received{}, err
		}
	}
	if err := t.perform(ctx, text, where.finish(), actor); err != nil {
		return received{}, err
	}
	return where.read(ctx)
}

// perform has the actor type the text and press the key that ends it. The peer
// only types: what a program needs to show its text is pressed for it.
func (t *typist) perform(ctx context.Context, text textCase, finish, actor string) error {
	if actor == theirs {
		t.clock.start()
		if err := t.peer.perform(ctx, call{"type", map[string]any{"text": text.arrived()}}); err != nil {
			return err
		}
		return t.machine.Desktop().Input(ctx, desktop.Action{Kind: desktop.Key, Keys: finish})
	}
	replies := [][]call{{{"type", map[string]any{"text": text.text}}, {"key", map[string]any{"text": finish}}}, nil}
	return t.play(ctx, "Type the text.", func(context.Context) ([]call, error) {
		reply := replies[0]
		replies = replies[1:]
		return reply, nil
	})
}

// difference says where a text goes wrong.
func difference(got, want string) string {
	a, b := []rune(got), []rune(want)
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	const most = 12
	return fmt.Sprintf("%d of %d characters; from character %d on %q instead of %q",
		len(a), len(b), i, string(a[i:min(i+most, len(a))]), string(b[i:min(i+most, len(b))]))
}

// close ends the programs and the computer.
func (t *typist) close() error {
	var errs []error
	for _, where := range t.targets {
		errs = append(errs, where.close(context.Background()))
	}
	return errors.Join(append(errs, t.rig.close())...)
}

// await asks again and again until done, within a limit.
func await(ctx context.Context, what string, limit time.Duration, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%s: not within %s", what, limit))
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil && deskhand.CodeOf(err) != deskhand.NotFound {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
