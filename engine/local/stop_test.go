package local_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/engine"
	"github.com/deskhand/deskhand/engine/local"
	"github.com/deskhand/deskhand/internal/procfs"
	"github.com/deskhand/deskhand/machine"
	"github.com/deskhand/deskhand/model"
	"github.com/deskhand/deskhand/tool/computer"
)

// stopLimit is for a machine with much else to do. The promise is a second;
// BenchmarkStop measures it.
const stopLimit = 5 * time.Second

// realComputers makes computers of the real parts, in dir.
type realComputers struct {
	driver machine.Driver
	dir    string
}

func (r realComputers) Up(ctx context.Context, _ deskhand.Task) (engine.Computer, error) {
	return machine.Up(ctx, machine.Config{
		Driver: r.driver, Screen: small, Dir: r.dir, Computer: computer.Config{Model: small},
	})
}

// use is a block that asks for a call.
func use(toolset, name, input string) json.RawMessage {
	id := "toolu_" + deskhand.NewTaskID()
	if toolset != "" {
		toolset = fmt.Sprintf(`"toolset_name":%q,`, toolset)
	}
	return json.RawMessage(fmt.Sprintf(`{"type":"tool_use","id":%q,%s"name":%q,"input":%s}`, id, toolset, name, input))
}

// once is a model that asks for blocks and then streams without end.
func once(blocks ...json.RawMessage) model.Model {
	return modelFunc(func(ctx context.Context, req model.Request, on func(model.Delta)) (model.Reply, error) {
		if len(req.Messages) > 1 || len(blocks) == 0 {
			on(model.Delta{Text: "well"})
			<-ctx.Done()
			return model.Reply{}, ctx.Err()
		}
		content, err := json.Marshal(blocks)
		return model.Reply{Content: content, StopReason: "tool_use"}, err
	})
}

type modelFunc func(ctx context.Context, req model.Request, on func(model.Delta)) (model.Reply, error)

func (f modelFunc) Reply(ctx context.Context, req model.Request, on func(model.Delta)) (model.Reply, error) {
	return f(ctx, req, on)
}

// busy leaves a program behind that heeds no signal and writes without end.
const busy = `{"command": "setsid nohup sh -c 'trap \"\" TERM INT HUP; while :; do date >> ~/ticks; sleep 0.02; done' > /dev/null 2>&1 & sleep 0.1"}`

// hangs are what a stop must end. at is the nth event of a kind.
var hangs = []struct {
	name   string
	blocks []json.RawMessage
	kind   deskhand.Kind
	nth    int
	freeze string // program that is stopped with SIGSTOP …
	frozen int    // … when so many events are still to come
}{
	{"shell sleeps", []json.RawMessage{use("", "bash", busy), use("", "bash", `{"command": "sleep 1000"}`)}, deskhand.KindCallStarted, 2, "", 0},
	{"key is held", []json.RawMessage{use("", "bash", busy), use("computer", "hold_key", `{"text": "shift", "duration": 100}`)}, deskhand.KindCallStarted, 2, "", 0},
	{"waits", []json.RawMessage{use("", "bash", busy), use("computer", "wait", `{"duration": 100}`)}, deskhand.KindCallStarted, 2, "", 0},
	{"model streams", []json.RawMessage{use("", "bash", busy)}, deskhand.KindModelDelta, 1, "", 0},
	{"display is frozen", []json.RawMessage{use("", "bash", busy), use("computer", "wait", `{"duration": 1}`), use("computer", "left_click", `{"coordinate": [9, 9]}`)}, deskhand.KindCallStarted, 3, "Xvfb", 1},
	{"guest is frozen", []json.RawMessage{use("", "bash", busy), use("computer", "wait", `{"duration": 1}`), use("computer", "left_click", `{"coordinate": [9, 9]}`)}, deskhand.KindCallStarted, 2, "guest", 0},
}

// stopped runs a task until it hangs, stops it and returns how long that took,
// with what ran below this process before.
func stopped(t testing.TB, driver machine.Driver, i int) (took time.Duration, ran []procfs.Process, dir string) {
	t.Helper()
	hang := hangs[i]
	dir = t.TempDir()
	st := openStore(t, filepath.Join(dir, "state"))
	e, err := local.New(t.Context(), local.Config{
		Store: st, Computers: realComputers{driver, dir},
		Model: func(context.Context, deskhand.Task) (model.Model, func(deskhand.Usage) float64, error) {
			return once(hang.blocks...), nil, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	task, err := e.Start(t.Context(), deskhand.Task{Text: "hang", Permission: "trust", Screen: small})
	if err != nil {
		t.Fatal(err)
	}
	events, err := e.Watch(t.Context(), task.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	for n := hang.nth; n > 0; {
		ev, more := <-events
		if !more {
			t.Fatal("the task ended by itself")
		}
		if ev.Kind == hang.kind {
			if n--; n == hang.frozen && hang.freeze != "" {
				signal(t, hang.freeze, syscall.SIGSTOP)
			}
		}
	}
	ran = below(t)
	begun := time.Now()
	if err := e.Stop(t.Context(), task.ID, "Enough."); err != nil {
		t.Fatal(err)
	}
	took = time.Since(begun)
	if got := statusOf(t, st, task.ID); got != deskhand.Stopped {
		t.Errorf("the task is %s", got)
	}
	if err := st.Verify(t.Context(), task.ID); err != nil {
		t.Error(err)
	}
	return took, ran, dir
}

// below returns what runs below this process.
func below(t testing.TB) []procfs.Process {
	t.Helper()
	all, err := procfs.List()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(procfs.Below(all, os.Getpid()), procfs.Process.Ended)
}

// signal sends sig to the program of that name below this process.
func signal(t testing.TB, name string, sig syscall.Signal) {
	t.Helper()
	found := false
	for _, p := range below(t) {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.PID))
		if err != nil {
			continue
		}
		args := slices.DeleteFunc(splitNul(line), func(s string) bool { return s == "" })
		is := len(args) > 0 && (filepath.Base(args[0]) == name || name == "guest" && len(args) == 2 && args[1] == "guest")
		if is {
			found = true
			if err := syscall.Kill(p.PID, sig); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !found {
		t.Fatalf("no %s runs", name)
	}
}

// TestStopOnARealComputer stops tasks that hang in every way there is, and sees
// that no process of the computer is left and nothing is written any more.
func TestStopOnARealComputer(t *testing.T) { // not parallel: it counts processes
	for _, driver := range []machine.Driver{machine.Bwrap, machine.None} {
		for i, hang := range hangs {
			t.Run(string(driver)+"/"+hang.name, func(t *testing.T) {
				before := below(t)
				took, ran, dir := stopped(t, driver, i)
				t.Logf("stopped after %s", took)
				if took > stopLimit {
					t.Errorf("Stop took %s", took)
				}
				ours := 0
				for _, p := range ran {
					if slices.ContainsFunc(before, func(q procfs.Process) bool { return p.PID == q.PID && p.Start == q.Start }) {
						continue
					}
					ours++
					if now, err := procfs.Read(p.PID); err == nil && now.Start == p.Start && !now.Ended() {
						t.Errorf("process %d goes on: %+v", p.PID, now)
					}
				}
				if ours < 6 { // else it would have passed without a computer
					t.Errorf("only %d processes ran", ours)
				}
				if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
					t.Errorf("left behind: %v, %v", left, err)
				}
			})
		}
	}
}

// BenchmarkStop measures how long a stop takes, from the call to nothing left.
func BenchmarkStop(b *testing.B) {
	for i, hang := range hangs {
		b.Run(hang.name, func(b *testing.B) {
			var all []time.Duration
			for b.Loop() {
				took, _, _ := stopped(b, machine.Bwrap, i)
				all = append(all, took)
			}
			slices.Sort(all)
			b.ReportMetric(float64(all[len(all)/2].Milliseconds()), "p50-ms")
			b.ReportMetric(float64(all[(len(all)*95)/100].Milliseconds()), "p95-ms")
		})
	}
}
