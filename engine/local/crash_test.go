package local_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/desktop"
	"github.com/deskhand/deskhand/desktop/fake"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/engine/local"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/model/claude"
	"github.com/deskhand/deskhand/model/script"
	"github.com/deskhand/deskhand/sandbox/host"
	"github.com/deskhand/deskhand/store"
	"github.com/deskhand/deskhand/store/sqlite"
	"github.com/deskhand/deskhand/tool"
	"github.com/deskhand/deskhand/tool/bash"
	"github.com/deskhand/deskhand/tool/computer"
)

// dieVariable makes this test binary drive a task in the state directory it
// names, and kill itself. Its value is a death and where everything is.
const dieVariable = "DESKHAND_LOCALTEST_DRIVE"

// death says when the driving process kills itself with SIGKILL.
type death struct {
	event int  // of those this process appends, from 1; 0: never
	after bool // once the event is durable, else right before it is written
}

// doomed is a store that kills its process at one event, and says on standard
// output what was acknowledged before.
type doomed struct {
	store.Store
	death death
	n     int
}

func (d *doomed) Append(ctx context.Context, events ...deskhand.Event) ([]deskhand.Event, error) {
	first, last := d.n+1, d.n+len(events)
	d.n = last
	due := first <= d.death.event && d.death.event <= last
	if due && !d.death.after {
		kill()
	}
	out, err := d.Store.Append(ctx, events...)
	if due {
		kill()
	}
	for _, e := range out {
		fmt.Println("acknowledged", e.Task, e.Seq, e.Hash())
	}
	return out, err
}

func kill() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // never reached by anything that could be seen
}

// drivePlay is the process that is killed: it starts the task, or goes on with
// the one there is, and drives it to its end.
func drivePlay(args []string) error {
	ctx := context.Background()
	dir, url, effects := args[0], args[1], args[2]
	event, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	st, err := sqlite.Open(ctx, dir)
	if err != nil {
		return err
	}
	client, err := claude.New(claude.Config{BaseURL: url, APIKey: "sk-test"})
	if err != nil {
		return err
	}
	e, err := local.New(ctx, local.Config{
		Store: &doomed{Store: st, death: death{event, args[4] == "after"}}, Computers: counting{effects, args[5] == "same"},
		Model: func(context.Context, deskhand.Task) (model.Model, func(deskhand.Usage) float64, error) {
			return client, nil, nil
		},
	})
	if err != nil {
		return err
	}
	id, err := begin(ctx, e, st)
	if err != nil {
		return err
	}
	events, err := e.Watch(ctx, id, 0)
	if err != nil {
		return err
	}
	for range events {
	}
	return errors.Join(e.Close(), client.Close(), st.Close())
}

// begin starts the task, or goes on with it unless it is done.
func begin(ctx context.Context, e *local.Engine, st store.Store) (deskhand.TaskID, error) {
	tasks, err := st.List(ctx, 0)
	switch {
	case err != nil:
		return "", err
	case len(tasks) == 0:
		t, err := e.Start(ctx, deskhand.Task{Text: "count", Model: model.Default, Permission: "trust", Screen: small})
		return t.ID, err
	case tasks[0].Status == deskhand.Done:
		return tasks[0].ID, nil
	}
	return tasks[0].ID, e.Resume(ctx, tasks[0].ID)
}

var small = deskhand.Size{W: 640, H: 480}

// counting makes computers whose effects stand in a file: input on the screen,
// one line each, and whatever the shell does. The screen is one in memory, the
// shell a real one.
type counting struct {
	effects string
	same    bool
}

func (c counting) Up(context.Context, deskhand.Task) (engine.Computer, error) {
	screen, err := computer.New(&counted{fake.New(small), c.effects}, computer.Config{Model: small})
	if err != nil {
		return nil, err
	}
	place := host.New(host.Config{Home: filepath.Dir(c.effects)})
	shell, err := bash.New(place, bash.Config{})
	if err != nil {
		return nil, err
	}
	set, err := tool.NewSet(screen, shell)
	return &countingComputer{set, shell, place, c.same}, err
}

type countingComputer struct {
	set   *tool.Set
	shell *bash.Bash
	place *host.Sandbox
	same  bool
}

func (c *countingComputer) Tools() *tool.Set  { return c.set }
func (c *countingComputer) Notices() []string { return nil }
func (c *countingComputer) Survived() bool    { return c.same }
func (c *countingComputer) Close() error      { return errors.Join(c.shell.Close(), c.place.Close()) }

// counted is a desktop that writes a line for each input it performs.
type counted struct {
	*fake.Desktop
	effects string
}

func (d *counted) Input(ctx context.Context, actions ...desktop.Action) error {
	if err := d.Desktop.Input(ctx, actions...); err != nil {
		return err
	}
	f, err := os.OpenFile(d.effects, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(json.NewEncoder(f).Encode(actions), f.Close())
}

// counts is what the model does: every call has an effect that no other has.
const counts = `A task of three batches.
-- model --
I count.
bash {"command": "echo shell 1 >> effects"}
left_click {"coordinate": [11, 11]}
bash {"command": "echo shell 2 >> effects"}
-- model --
left_click {"coordinate": [21, 21]}
key {"text": "b"}
-- model --
bash {"command": "echo shell 3 >> effects"}
-- model --
All counted.
`

// crash is one state directory with its server and its effects.
type crash struct {
	t      *testing.T
	dir    string
	url    string
	server *script.Server
	same   bool
	acked  []string // "task seq hash", of all processes so far
}

func newCrash(t *testing.T, same bool) *crash {
	t.Helper()
	server, err := script.New([]byte(counts), script.Options{Name: "counts"})
	if err != nil {
		t.Fatal(err)
	}
	url, stop, err := server.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return &crash{t: t, dir: t.TempDir(), url: url, server: server, same: same}
}

const processLimit = 2 * time.Minute // for one process, on a busy machine

// drive runs one process until it dies or has done the task, and reports whether it died.
func (c *crash) drive(d death) (died bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), processLimit)
	defer cancel()
	when := map[bool]string{true: "after", false: "before"}[d.after]
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), dieVariable+"="+strings.Join([]string{
		filepath.Join(c.dir, "state"), c.url, filepath.Join(c.dir, "effects"), strconv.Itoa(d.event), when, map[bool]string{true: "same", false: "new"}[c.same]}, "\n"))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	for line := range strings.Lines(string(out)) {
		if ack, ok := strings.CutPrefix(strings.TrimSpace(line), "acknowledged "); ok {
			c.acked = append(c.acked, ack)
		}
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signal() == syscall.SIGKILL {
			return true
		}
	}
	if err != nil {
		c.t.Fatalf("the driving process: %v", err)
	}
	return false
}

func (c *crash) effects() (lines []string) {
	c.t.Helper()
	f, err := os.Open(filepath.Join(c.dir, "effects"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		lines = append(lines, s.Text())
	}
	return lines
}

// check looks at what is left: every acknowledged event is there unchanged, no
// effect happened twice or out of order, each started call has one answer, and
// the strict server found nothing wrong with any history it was sent.
func (c *crash) check(whole []string) {
	c.t.Helper()
	st := openStore(c.t, filepath.Join(c.dir, "state"))
	tasks, err := st.List(c.t.Context(), 0)
	if err != nil || len(tasks) != 1 || tasks[0].Status != deskhand.Done || tasks[0].Result != "All counted." {
		c.t.Fatalf("tasks %+v, %v", tasks, err)
	}
	if err := st.Verify(c.t.Context(), tasks[0].ID); err != nil {
		c.t.Error(err)
	}
	stored := map[string]bool{}
	calls := map[string]int{}
	for e, err := range st.Events(c.t.Context(), tasks[0].ID, 0) {
		if err != nil {
			c.t.Fatal(err)
		}
		stored[fmt.Sprint(e.Task, " ", e.Seq, " ", e.Hash())] = true
		if e.Kind == deskhand.KindCallStarted {
			calls[dataOf[deskhand.CallStarted](c.t, e).Call.ID]++
		}
	}
	for _, ack := range c.acked {
		if !stored[ack] {
			c.t.Errorf("acknowledged and lost: %s", ack)
		}
	}
	for id, n := range calls {
		if n != 1 {
			c.t.Errorf("call %s was started %d times", id, n)
		}
	}
	got := c.effects()
	rest := whole
	for _, line := range got {
		i := slices.Index(rest, line)
		if i < 0 {
			c.t.Fatalf("effect %q came twice or out of order: %q", line, got)
		}
		rest = rest[i+1:]
	}
	if p := c.server.Problems(); len(p) > 0 {
		c.t.Errorf("the server complains of %q", p)
	}
}

// TestKilledAtEveryEvent kills the process that drives a task right before and
// right after every event of the run, so also between the intent and the effect
// of each call and between the effect and the fact, goes on with the task in
// another process, and sees that nothing acknowledged is lost and nothing is
// done twice. On a new computer, and on one that is still there.
func TestKilledAtEveryEvent(t *testing.T) {
	t.Parallel()
	for _, same := range []bool{false, true} {
		t.Run(map[bool]string{false: "new computer", true: "same computer"}[same], func(t *testing.T) {
			t.Parallel()
			plain := newCrash(t, same)
			if plain.drive(death{}) {
				t.Fatal("it died without being told to")
			}
			whole := plain.effects()
			if len(whole) != 6 {
				t.Fatalf("an undisturbed run has the effects %q", whole)
			}
			plain.check(whole)
			events := len(plain.acked)
			t.Logf("%d events", events)
			total, kills := 0, 0
			for k := 1; k <= events; k++ {
				for _, after := range []bool{false, true} {
					// For time, each computer has half of the moments, the
					// other one the other half; without the race detector, which
					// makes processes slow, the new one has them all.
					if half := after == (k%2 == 0); same && half || !same && !half && raceDetector {
						continue
					}
					kills++
					c := newCrash(t, same)
					if !c.drive(death{k, after}) {
						t.Fatalf("event %d: it did not die", k)
					}
					if c.drive(death{}) {
						t.Fatalf("event %d: the second process died", k)
					}
					c.check(whole)
					if total += len(c.effects()); t.Failed() {
						t.Fatalf("killed at event %d, after it was durable: %v", k, after)
					}
				}
			}
			t.Logf("%d of %d effects happened", total, kills*len(whole))
			if least := kills * len(whole) / 2; total < least { // else it would pass by doing nothing
				t.Errorf("only %d effects in all, want at least %d", total, least)
			}
		})
	}
}

// TestKilledAgainAndAgain kills every process that drives a task after a few
// events, until it is done.
//
// The first nine events of a process that resumes lead up to its first reply.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	plain := newCrash(t, false)
	plain.drive(death{})
	for _, every := range []int{10, 11, 13, 17} {
		for _, after := range []bool{false, true} {
			c := newCrash(t, false)
			lives := 1
			for ; c.drive(death{every, after}); lives++ {
				if lives > 100 {
					t.Fatalf("killed at every %d events it does not come to its end", every)
				}
			}
			t.Logf("killed at every %d events: %d processes, effects %d", every, lives, len(c.effects()))
			c.check(plain.effects())
		}
	}
}
