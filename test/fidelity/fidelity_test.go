package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if status, ok := inside(os.Args[1:], os.Stdout, os.Stderr); ok {
		// Not os.Exit, which waits for a second under the race detector.
		syscall.Exit(status)
	}
	goleak.VerifyTestMain(m)
}

// open brings up a rig that goes with the test.
func open(t *testing.T, scale int) *rig {
	t.Helper()
	r, err := newRig(t.Context(), "", scale)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return r
}

// notices says which of our own pages must notice a fault.
var notices = map[string]string{
	"click-off-by-1":  "own-pixel",
	"click-off-by-3":  "own-pixel",
	"character-lost":  "own-typing",
	"shift-ignored":   "own-modifier own-typing",
	"drag-as-a-jump":  "own-dragdrop own-path",
	"wheel-one-short": "own-wheel",
}

// TestOwnPages plays our own pages through the whole loop, at both scales. At
// 1x each fault is then put in, and the pages that must notice it do; without
// it they are passed again.
func TestOwnPages(t *testing.T) {
	for _, scale := range []int{1, 2} {
		r := open(t, scale)
		for _, own := range ownTasks() {
			for _, seed := range []int{1, 2} {
				if o := r.run(t.Context(), own, seed, r.play); !o.Passed {
					t.Errorf("%d× %s, seed %d: %s", scale, own.name, seed, o.Reason)
				}
			}
			if scale == 1 {
				r.spoil(t, own)
			}
		}
	}
}

// spoil plays a page with each fault that it must notice.
func (r *rig) spoil(t *testing.T, own task) {
	t.Helper()
	for _, fault := range faultNames() {
		if !slices.Contains(strings.Fields(notices[fault]), own.name) {
			continue
		}
		o, err := r.runSpoilt(t.Context(), own, 3, fault)
		if err != nil {
			t.Fatal(err)
		}
		if o.Passed {
			t.Errorf("%s did not notice %s", own.name, fault)
		}
		t.Logf("%s, %s: %s", own.name, fault, o.Reason)
		if o := r.run(t.Context(), own, 4, r.play); !o.Passed {
			t.Errorf("%s without %s: %s", own.name, fault, o.Reason)
		}
	}
}

func TestEveryFaultHasAWitness(t *testing.T) {
	for _, name := range faultNames() {
		if notices[name] == "" {
			t.Errorf("no page of our own is known to notice %s", name)
		}
	}
}

func TestAbsentPagesAreOneClearLine(t *testing.T) {
	for _, args := range [][]string{{}, {"-miniwob", t.TempDir()}, {"-miniwob", "/nowhere"}, {"-miniwob", "x", "-fault", "nope"}, {"-scales", "0"}} {
		var out, errs bytes.Buffer
		status, err := obey(t.Context(), args, &out, &errs)
		if status != exitUsage || err == nil || strings.Contains(err.Error(), "\n") || out.Len() > 0 {
			t.Errorf("%q: status %d, %v, printed %q", args, status, err, out.String())
		}
	}
}
