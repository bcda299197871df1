package procfs

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"reflect"
	"syscall"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	t.Parallel()
	const rest = " S 2 3 4 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99 1 2"
	want := Process{PID: 1, Parent: 2, Group: 3, Session: 4, State: 'S', Start: 99}
	for _, name := range []string{"sh", ") R 9 9 9", "a b", "((", "\n", ""} {
		if got, err := parseStat([]byte("1 (" + name + ")" + rest)); err != nil || got != want {
			t.Errorf("%q: %+v, %v", name, got, err)
		}
	}
	for _, text := range []string{"", "1", "1 (x", "1 (x)", ") (", "1 (x) S 2 3", "x (x)" + rest} {
		if got, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("1 (sh) S 2 3 4 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99 1 2"))
	f.Add([]byte("1 ()) S"))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = parseStat(data) })
}

func TestBelow(t *testing.T) {
	t.Parallel()
	all := []Process{{PID: 5, Parent: 3}, {PID: 3, Parent: 1}, {PID: 2, Parent: 1}, {PID: 4, Parent: 3}, {PID: 6, Parent: 6}, {PID: 7, Parent: 5}}
	want := []Process{{PID: 5, Parent: 3}, {PID: 4, Parent: 3}, {PID: 7, Parent: 5}}
	if got := Below(all, 3); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if got := Below(all, 6); len(got) != 1 { // one that claims to be its own parent ends the walk
		t.Errorf("got %+v", got)
	}
}

// TestEnd kills a tree of processes that keeps growing.
func TestEnd(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("bash", "-c", "trap '' TERM; while :; do bash -c 'sleep 100; :' & read -t 0.01; done")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe() // its end is the end of all that hold it
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		all, err := List()
		if err != nil {
			t.Fatal(err)
		}
		if len(Below(all, cmd.Process.Pid)) > 3 || time.Now().After(deadline) {
			break
		}
	}
	self, err := Read(cmd.Process.Pid)
	if err != nil || self.Parent != os.Getpid() || self.Ended() {
		t.Fatalf("%+v, %v", self, err)
	}
	h, err := Open(self)
	if err != nil {
		t.Fatal(err)
	}
	if h.Wait(10 * time.Millisecond) {
		t.Error("it has not ended yet")
	}
	_ = h.Signal(syscall.SIGSTOP)
	if done, err := EndBelow(cmd.Process.Pid, time.Now().Add(10*time.Second)); !done || err != nil {
		t.Errorf("%v, %v", done, err)
	}
	if !End([]Process{self}, time.Now().Add(10*time.Second)) || !h.Wait(0) {
		t.Error("it did not end")
	}
	_ = in.Close()
	_, _ = io.ReadAll(out)
	_ = cmd.Wait()
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Open(self); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("an ended process can be held: %v", err)
	}
	if _, err := Open(Process{PID: os.Getpid(), Start: 1}); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("a reused number can be held: %v", err)
	}
}
