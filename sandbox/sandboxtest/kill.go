package sandboxtest

import (
	"strings"
	"syscall"
	"testing"
)

// testKill checks that Kill ends whatever a program left behind.
func testKill(t *testing.T, p Place) {
	const loop = `trap "" TERM INT HUP; echo $$ >>pids; while :; do sleep 0.1; done`
	for name, script := range map[string]string{
		"child":            `bash -c '` + loop + `' &`,
		"group":            `set -m; bash -c '` + loop + `' &`,
		"session":          `setsid bash -c '` + loop + `' &`,
		"double fork":      `(bash -c '` + loop + `' &)`,
		"double + session": `(setsid bash -c '` + loop + `' & ) & wait $!`,
		"daemon":           `(setsid env -i PATH=$PATH bash -c '(setsid bash -c "` + strings.ReplaceAll(strings.ReplaceAll(loop, `"`, `\"`), `$`, `\$`) + `" &)' &)`,
		"itself":           loop,
	} {
		t.Run(name, func(t *testing.T) {
			p.run(t, "rm -f pids")
			proc := p.start(t, script+" \nwait; while :; do sleep 0.1; done")
			watch := p.start(t, "until [ -s pids ]; do sleep 0.01; done; cat pids")
			out, _, _ := finish(t, watch)
			pid := strings.TrimSpace(out)
			within(t, "Kill", func() {
				if err := proc.Kill(); err != nil {
					t.Errorf("Kill: %v", err)
				}
			})
			if out, _, _ := p.run(t, "kill -0 "+pid+" && ps -fp "+pid); strings.Contains(out, pid) {
				t.Errorf("the descendant still runs:\n%s", out)
			}
			if _, _, exit := finish(t, proc); exit.Signal != syscall.SIGKILL {
				t.Errorf("got %+v, want an end by SIGKILL", exit)
			}
		})
	}
}

// testKillEnded checks that a program that ended can still be killed with what
// it left behind, and killed again.
func testKillEnded(t *testing.T, p Place) {
	proc := p.start(t, "sleep 1000 >/dev/null 2>&1 & echo $!; exit 3")
	pid := line(t, proc.Stdout())
	if _, _, exit := finish(t, proc); exit.Status != 3 {
		t.Errorf("got %+v", exit)
	}
	if out, _, _ := p.run(t, "kill -0 "+pid+" && echo runs"); out != "runs\n" {
		t.Errorf("the background program did not outlive its parent")
	}
	for range 2 {
		within(t, "Kill", func() {
			if err := proc.Kill(); err != nil {
				t.Errorf("Kill: %v", err)
			}
		})
	}
	if out, _, _ := p.run(t, "kill -0 "+pid+" && echo runs"); out != "" {
		t.Error("the background program still runs")
	}
}

// testKillStorm checks that Kill catches up with programs that keep starting others.
func testKillStorm(t *testing.T, p Place) {
	proc := p.start(t, `f() { while :; do (sleep 0.01 & sleep 0.01) & [ $((i++ % 8)) = 0 ] && wait; done; }; f & f & echo ready; wait`)
	if got := line(t, proc.Stdout()); got != "ready" {
		t.Fatalf("got %q", got)
	}
	within(t, "Kill", func() {
		if err := proc.Kill(); err != nil {
			t.Errorf("Kill: %v", err)
		}
	})
	finish(t, proc)
}
