package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/machine"
	"github.com/deskhand/deskhand/sandbox"
)

type bench struct {
	binary string
	rounds int
	ups    int
	rows   []row
}

// clockTicks is how often the screen may change by itself while it is watched:
// what the peer before left behind, and the panel's clock.
const clockTicks = 3

// firstWindow bounds how long a program may take to show its window.
const firstWindow = 20 * time.Second

func (b *bench) run(ctx context.Context) error {
	if err := b.starting(ctx); err != nil {
		return err
	}
	if err := b.with(ctx, deskhand.Size{W: 1280, H: 800}, b.small); err != nil {
		return err
	}
	if err := b.with(ctx, deskhand.Size{W: 1920, H: 1080}, b.large); err != nil {
		return err
	}
	return b.with(ctx, deskhand.Size{W: 3840, H: 2160}, b.largest)
}

// with runs f on a desktop with an editor and a terminal on it.
func (b *bench) with(ctx context.Context, size deskhand.Size, f func(context.Context, *machine.Machine) error) error {
	m, err := b.up(ctx, size)
	if err != nil {
		return err
	}
	err = b.programs(ctx, m)
	if err == nil {
		err = f(ctx, m)
	}
	return errors.Join(err, m.Close())
}

func (b *bench) up(ctx context.Context, size deskhand.Size) (*machine.Machine, error) {
	binary, err := filepath.Abs(b.binary)
	if err != nil {
		return nil, err
	}
	return machine.Up(ctx, machine.Config{Binary: binary, Screen: size})
}

func (b *bench) starting(ctx context.Context) error {
	ups, err := measure(b.ups, func() error {
		m, err := b.up(ctx, deskhand.Size{W: 1280, H: 800})
		if err != nil {
			return err
		}
		return m.Close()
	})
	if err != nil {
		return err
	}
	b.rows = append(b.rows, row{name: "desktop from nothing to ready, and its end", reach: "1500", ours: ups})
	return nil
}

// programs opens a terminal and an editor with text, and waits for their windows.
func (b *bench) programs(ctx context.Context, m *machine.Machine) error {
	text := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 60)
	if _, err := m.Sandbox().WriteFile(ctx, "/tmp/text.txt", []byte(text), sandbox.WriteOptions{}); err != nil {
		return err
	}
	for _, args := range [][]string{{"xterm", "-e", "cat"}, {"mousepad", "/tmp/text.txt"}} {
		before, err := m.Desktop().Windows(ctx)
		if err != nil {
			return err
		}
		if _, err := m.Sandbox().Exec(ctx, sandbox.Cmd{Args: args}); err != nil {
			return err
		}
		if err := shown(ctx, m.Desktop(), len(before)); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
	}
	return nil
}

// shown waits until there are more than n windows and the screen has settled.
func shown(ctx context.Context, d desktop.Desktop, n int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, firstWindow, errors.New("no window appeared in time"))
	defer cancel()
	for {
		settled, err := d.Settle(ctx, desktop.Wait{First: 200 * time.Millisecond, Quiet: 200 * time.Millisecond})
		if err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		windows, err := d.Windows(ctx)
		if err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		if len(windows) > n && settled.Quiet {
			return nil
		}
	}
}

// op is one quick operation on a desktop, with the peer that does the same.
type op struct {
	name, reach, peer, script string
	rounds                    int // 0: the run's own
	do                        func(i int) error
}

func (b *bench) measureAll(ctx context.Context, sb sandbox.Sandbox, ops []op) error {
	for _, o := range ops {
		n, i := o.rounds, 0
		if n == 0 {
			n = b.rounds
		}
		ours, err := measure(n, func() error { i++; return o.do(i) })
		if err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		r := row{name: o.name, reach: o.reach, ours: ours, peer: o.peer}
		if o.script != "" {
			if r.its, err = peer(ctx, sb, o.script, min(n, 12)); err != nil {
				return fmt.Errorf("%s: %w", o.name, err)
			}
		}
		b.rows = append(b.rows, r)
	}
	return nil
}

func (b *bench) small(ctx context.Context, m *machine.Machine) error {
	d := m.Desktop()
	click := func(x int) error {
		return d.Input(ctx, desktop.Action{Kind: desktop.Click, Point: &deskhand.ScreenPoint{X: x, Y: 300}})
	}
	kilo := strings.Repeat("The quick brown fox jumps over the lazy dog; 0123456789 (ok)? ", 17)[:1000]
	var frame uint64
	changes := 0
	err := b.measureAll(ctx, m.Sandbox(), []op{
		{name: "click, synchronised", reach: "0.5", peer: "xdotool", script: peerClick, do: func(i int) error { return click(300 + i%7) }},
		{name: "click where the pointer already is", reach: "0.5", do: func(int) error { return click(300) }},
		{name: "screenshot 1280x800, ready to send", reach: "8", peer: "scrot", script: peerShot, do: func(i int) error {
			p, err := d.Screen(ctx, desktop.Shot{Cursor: true})
			frame = p.Frame
			return err
		}},
		{name: "unchanged since the last screenshot", reach: "1", do: func(int) error {
			p, err := d.Screen(ctx, desktop.Shot{Cursor: true, Since: frame})
			frame = p.Frame
			if err == nil && !p.Unchanged {
				if changes++; changes > clockTicks {
					err = errors.New("the screen changes by itself")
				}
			}
			return err
		}},
		{name: "type 1,000 ASCII characters", reach: "200", peer: "xdotool, 12 ms a key", script: peerType, rounds: 5, do: func(int) error {
			return d.Input(ctx, desktop.Action{Kind: desktop.Type, Text: kilo})
		}},
		{name: "settle on a quiet screen (asks for 40 ms)", reach: "90", rounds: 10, do: func(int) error {
			_, err := d.Settle(ctx, desktop.Wait{Quiet: 40 * time.Millisecond})
			return err
		}},
	})
	if err != nil {
		return err
	}
	return b.memory(ctx, m, "guest resident memory, MB", "40")
}

// memory adds a row with what the guest holds.
func (b *bench) memory(ctx context.Context, m *machine.Machine, name, reach string) error {
	health, err := m.Health(ctx)
	if err != nil {
		return err
	}
	b.rows = append(b.rows, row{name: name, reach: reach, value: fmt.Sprintf("%.1f", float64(health.RSS)/1e6)})
	return nil
}

func (b *bench) large(ctx context.Context, m *machine.Machine) error {
	return b.measureAll(ctx, m.Sandbox(), []op{
		{name: "screenshot 1920x1080 scaled to 1456x819", reach: "20", peer: "scrot + ImageMagick", script: peerScaled, do: func(int) error {
			_, err := m.Desktop().Screen(ctx, desktop.Shot{Cursor: true, Size: deskhand.Size{W: 1456, H: 819}})
			return err
		}},
	})
}

func (b *bench) largest(ctx context.Context, m *machine.Machine) error {
	err := b.measureAll(ctx, m.Sandbox(), []op{
		{name: "screenshot 3840x2160 scaled to 2000x1125", reach: "60", do: func(int) error {
			_, err := m.Desktop().Screen(ctx, desktop.Shot{Cursor: true, Size: deskhand.Size{W: 2000, H: 1125}})
			return err
		}},
	})
	if err != nil {
		return err
	}
	return b.memory(ctx, m, "guest resident memory there, MB", "110")
}
