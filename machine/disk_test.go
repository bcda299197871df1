package machine

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/sandbox"
)

// TestAttackDisk fills the home, by one program and by many that write little
// each: P7. With room each goes on to its end; without, what writes is ended, the model
// is told, the display goes on, and room that is made can be used.
func TestAttackDisk(t *testing.T) {
	t.Parallel()
	off, on := up(t, Config{Room: -1}), up(t, Config{Room: 64 << 20})
	for _, a := range []struct{ name, script string }{
		{"P7 filling the disk", "head -c 300M /dev/zero >big"},
		{"P7 filling it in small pieces", "for i in $(seq 600); do head -c 500K /dev/zero >s$i; done"},
	} {
		run := func(m *Machine) int64 {
			p, err := m.Sandbox().Exec(t.Context(), sandbox.Cmd{Args: []string{"bash", "-c", a.script}})
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.ReadAll(p.Stdout())
			if _, err := p.Wait(); err != nil {
				t.Fatal(err)
			}
			return heldIn(m.dirs.home) >> 20
		}
		without, with := run(off), run(on)
		t.Logf("attack\t%-40s\twithout guard %d MB\twith guard %d, of 64", a.name, without, with)
		if without < 250 || with >= without-100 {
			t.Errorf("%s: %d MB without the guard, %d with it", a.name, without, with)
		}
		var notices []string
		until(t, "a notice", func(context.Context) bool {
			notices = append(notices, on.Notices()...)
			return len(notices) > 0
		})
		if !strings.Contains(notices[0], "their limit of 64 MB") {
			t.Errorf("notices are %q", notices)
		}
		output(t, off, "bash", "-c", "rm -f big s*")
		if out := output(t, on, "bash", "-c", "rm -f big s*; echo little >f; cat f"); out != "little\n" {
			t.Errorf("afterwards: %q", out)
		}
		on.Notices() // of what was under way
	}
	if h, err := on.Health(t.Context()); err != nil || !h.Ready {
		t.Errorf("the desktop: %+v, %v", h, err)
	}
}
