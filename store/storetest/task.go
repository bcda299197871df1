package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/deskhand/deskhand"
)

func prefix(t *testing.T, f *fixture) {
	ids := []deskhand.TaskID{"aaaabbbb", "aaaacccc", "zzzzzzzz"}
	for _, id := range ids {
		f.append(deskhand.NewEvent(id, deskhand.KindTaskCreated, deskhand.TaskCreated{}))
	}
	for id, want := range map[string]deskhand.TaskID{"aaaab": ids[0], "aaaacccc": ids[1], "z": ids[2]} {
		if got, err := f.Get(t.Context(), id); err != nil || got.ID != want {
			t.Errorf("%q is %s, %v", id, got.ID, err)
		}
	}
	for id, code := range map[string]deskhand.Code{
		"aaaa": deskhand.Conflict, "b": deskhand.NotFound, "": deskhand.NotFound, "%": deskhand.NotFound,
		"zzzzzzzzz": deskhand.NotFound, "_": deskhand.NotFound, "\xff": deskhand.NotFound,
	} {
		_, err := f.Get(t.Context(), id)
		wantCode(t, fmt.Sprintf("%q", id), err, code)
	}
}

func list(t *testing.T, f *fixture) {
	var want []deskhand.TaskID
	for range 5 {
		want = append([]deskhand.TaskID{f.create()}, want...)
	}
	f.append(note(want[3], "an old task is touched"))
	for limit, n := range map[int]int{0: 5, 2: 2, 9: 5} {
		got, err := f.List(t.Context(), limit)
		if err != nil || len(got) != n {
			t.Fatalf("%d of %d tasks, %v", len(got), limit, err)
		}
		for i, task := range got {
			if task.ID != want[i] {
				t.Errorf("task %d is %s, want %s", i, task.ID, want[i])
			}
		}
	}
}

func remove(t *testing.T, f *fixture) {
	gone, stays := f.create(), f.create()
	put := func(text string) deskhand.Hash {
		h, err := f.PutBlob(t.Context(), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	own, both, again := put("own"), put("both"), put("again")
	f.append(picture(gone, own), picture(gone, both), picture(gone, again), picture(gone, own))
	f.append(picture(stays, both))
	put("again") // by somebody whose event is still to come
	if err := f.Remove(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	_, err := f.Get(t.Context(), string(gone))
	wantCode(t, "a removed task", err, deskhand.NotFound)
	_, err = f.Blob(t.Context(), own)
	wantCode(t, "its picture", err, deskhand.NotFound)
	for _, h := range []deskhand.Hash{both, again} {
		if _, err := f.Blob(t.Context(), h); err != nil {
			t.Errorf("a picture that is wanted: %v", err)
		}
	}
	f.append(picture(stays, again))
	f.verify(stays)
	wantCode(t, "removing it again", f.Remove(t.Context(), gone), deskhand.NotFound)
	if err := f.Remove(t.Context(), stays); err != nil {
		t.Fatal(err)
	}
	for _, h := range []deskhand.Hash{both, again} {
		_, err := f.Blob(t.Context(), h)
		wantCode(t, "a picture nobody names", err, deskhand.NotFound)
	}
}

func blobs(t *testing.T, f *fixture) {
	for _, data := range [][]byte{{}, []byte("x"), bytes.Repeat([]byte("picture "), 100_000)} {
		for range 2 {
			h, err := f.PutBlob(t.Context(), data)
			if err != nil || h != deskhand.HashOf(data) {
				t.Fatalf("stored as %s, %v", h, err)
			}
			got, err := f.another().Blob(t.Context(), h)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("read %d of %d bytes, %v", len(got), len(data), err)
			}
		}
	}
	for _, h := range []deskhand.Hash{"", "../../../etc/passwd", deskhand.HashOf([]byte("nobody"))} {
		_, err := f.Blob(t.Context(), h)
		wantCode(t, string(h), err, deskhand.NotFound)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := f.PutBlob(t.Context(), []byte("all at once")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// dropBlobs lets go of a task's pictures and of nothing else.
func dropBlobs(t *testing.T, f *fixture) {
	id, other := f.create(), f.create()
	var all []deskhand.Hash
	for _, text := range []string{"first", "second", "of both"} {
		h, err := f.PutBlob(t.Context(), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, h)
		f.append(picture(id, h))
	}
	f.append(picture(other, all[2]))
	release, err := f.another().Lease(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.DropBlobs(t.Context(), id)
	wantCode(t, "dropping while somebody drives the task", err, deskhand.Conflict)
	release()
	for i, want := range []int{2, 0} {
		if n, err := f.DropBlobs(t.Context(), id); n != want || err != nil {
			t.Errorf("time %d: %d blobs, %v", i, n, err)
		}
	}
	for _, h := range all[:2] {
		_, err := f.Blob(t.Context(), h)
		wantCode(t, "a picture of the task", err, deskhand.NotFound)
	}
	if _, err := f.Blob(t.Context(), all[2]); err != nil {
		t.Errorf("a picture that another task names: %v", err)
	}
	f.verify(id)
	again, err := f.PutBlob(t.Context(), []byte("first"))
	if err != nil {
		t.Fatal(err)
	}
	f.append(picture(id, again)) // the task goes on
	if n, err := f.DropBlobs(t.Context(), id); n != 1 || err != nil {
		t.Errorf("after the task went on: %d blobs, %v", n, err)
	}
	_, err = f.DropBlobs(t.Context(), "nonesuch")
	wantCode(t, "of no task", err, deskhand.NotFound)
}

func nothingYet(t *testing.T, f *fixture) {
	if got, err := f.List(t.Context(), 0); err != nil || len(got) != 0 {
		t.Errorf("a fresh store lists %v, %v", got, err)
	}
	_, err := f.Get(t.Context(), "aaaa")
	wantCode(t, "get", err, deskhand.NotFound)
	if err := errors.Join(f.another().Verify(t.Context(), f.create())); err != nil {
		t.Error(err)
	}
}
