package main

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/store/sqlite"
)

func TestTimesToKeep(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for text, want := range map[string]keepFor{
		`"forever"`: {}, `"0"`: {limited: true}, `"0d"`: {limited: true},
		`"30d"`: {limited: true, time: 30 * day}, `"12h30m"`: {limited: true, time: 12*time.Hour + 30*time.Minute},
	} {
		var got keepFor
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s is %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{`""`, `"30"`, `"-1d"`, `"-5s"`, `"1.5d"`, `"99999999999999999999d"`, `"40000d"`, `30`, `null1`, `"d"`} {
		var got keepFor
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s is taken for %+v", text, got)
		}
	}
}

// TestSweepIsBounded lets a command remove so many tasks and the next ones the
// rest, and never one that a person is asked about or that somebody drives.
func TestSweepIsBounded(t *testing.T) {
	t.Parallel()
	st, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	make := func(forget bool, statuses ...deskhand.Status) deskhand.TaskID {
		id := deskhand.NewTaskID()
		events := []deskhand.Event{deskhand.NewEvent(id, deskhand.KindTaskCreated, deskhand.TaskCreated{Task: deskhand.Task{Text: "x", Forget: forget}})}
		for _, s := range statuses {
			events = append(events, deskhand.NewEvent(id, deskhand.KindTaskStatus, deskhand.TaskStatus{To: s}))
		}
		if _, err := st.Append(t.Context(), events...); err != nil {
			t.Fatal(err)
		}
		return id
	}
	kept := []deskhand.TaskID{
		make(false, deskhand.Running, deskhand.Done), make(false, deskhand.Running),
		make(true, deskhand.Running, deskhand.Waiting), make(true, deskhand.Running, deskhand.Exhausted), make(true, deskhand.Running),
	}
	release, err := st.Lease(t.Context(), kept[4])
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	const doomed = sweepMost + 3
	for i := range doomed {
		make(true, [][]deskhand.Status{{deskhand.Running}, {deskhand.Running, deskhand.Failed}, {}}[i%3]...)
	}
	home := t.TempDir()
	a := newApp(nil, t.Output(), t.Output(), func(name string) string { return map[string]string{"DESKHAND_HOME": home}[name] })
	left := len(kept) + doomed
	for left > len(kept) {
		if err := a.sweep(t.Context(), st); err != nil {
			t.Fatal(err)
		}
		tasks, err := st.List(t.Context(), 0)
		switch n := left - len(tasks); {
		case err != nil:
			t.Fatal(err)
		case n == 0 || n > sweepMost: // fewer on a machine so busy that the time is over first
			t.Fatalf("a sweep removed %d of %d tasks, want up to %d", n, left, sweepMost)
		}
		left = len(tasks)
	}
	for _, id := range kept {
		if _, err := st.Get(t.Context(), string(id)); err != nil {
			t.Error(err)
		}
	}
}

// BenchmarkSweep measures what a sweep that finds nothing to do adds to a command.
func BenchmarkSweep(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			st, err := sqlite.Open(b.Context(), b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			defer st.Close()
			for range n {
				id := deskhand.NewTaskID()
				task := deskhand.Task{Text: "Find out which fonts are installed and put a list into fonts.txt"}
				if _, err := st.Append(b.Context(), deskhand.NewEvent(id, deskhand.KindTaskCreated, deskhand.TaskCreated{Task: task})); err != nil {
					b.Fatal(err)
				}
			}
			home := b.TempDir()
			a := newApp(nil, b.Output(), b.Output(), func(name string) string { return map[string]string{"DESKHAND_HOME": home}[name] })
			for b.Loop() {
				if err := a.sweep(b.Context(), st); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
