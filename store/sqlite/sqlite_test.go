package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/store"
	"github.com/deskhand/deskhand/store/storetest"
)

func open(ctx context.Context, dir string) (store.Store, error) { return Open(ctx, dir) }

func TestMain(m *testing.M) {
	storetest.Main(open, func() { goleak.VerifyTestMain(m) })
}

func TestStore(t *testing.T) { // not parallel: part of it measures memory
	storetest.Run(t, open)
}

func setup(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func create(t testing.TB, s *Store, notes ...string) deskhand.TaskID {
	t.Helper()
	id := deskhand.NewTaskID()
	events := []deskhand.Event{deskhand.NewEvent(id, deskhand.KindTaskCreated, deskhand.TaskCreated{})}
	for _, text := range notes {
		events = append(events, deskhand.NewEvent(id, deskhand.KindNote, deskhand.Note{Text: text}))
	}
	if _, err := s.Append(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestDamagedBlob(t *testing.T) {
	t.Parallel()
	s := setup(t)
	h, err := s.PutBlob(t.Context(), []byte("picture"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.blobPath(h), []byte("pictura"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Blob(t.Context(), h); deskhand.CodeOf(err) != deskhand.Conflict {
		t.Errorf("reading a damaged blob: %v", err)
	}
}

// TestModes checks that nobody else can read what is stored.
func TestModes(t *testing.T) {
	t.Parallel()
	s := setup(t)
	create(t, s, "x")
	if _, err := s.PutBlob(t.Context(), []byte("picture")); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(s.path("blobs"), func(path string, d fs.DirEntry, err error) error {
		return checkMode(t, path, d, err)
	})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range entries {
		if err := checkMode(t, s.path(d.Name()), d, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(entries) < 4 {
		t.Errorf("only %v in the state directory", entries)
	}
}

func checkMode(t *testing.T, path string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	info, err := d.Info()
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%s has mode %v", path, info.Mode())
	}
	return err
}

// TestRemoveLeavesNothing looks for a removed task's words in every file.
func TestRemoveLeavesNothing(t *testing.T) {
	t.Parallel()
	s := setup(t)
	secret := strings.Repeat("correct horse battery staple ", 500)
	var size int64
	id := create(t, s, secret, "x", secret)
	other := create(t, s, "something else")
	h, err := s.PutBlob(t.Context(), []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(t.Context(), deskhand.NewEvent(id, deskhand.KindNote, map[string]deskhand.Hash{"hash": h})); err != nil {
		t.Fatal(err)
	}
	if n := s.count(t, "correct horse", &size); n == 0 {
		t.Fatal("the words are not there to begin with")
	}
	before := size
	if err := s.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if n := s.count(t, "correct horse", &size); n != 0 {
		t.Errorf("the words are still in %d files", n)
	}
	if n := s.count(t, string(id), &size); n != 0 {
		t.Errorf("the id is still in %d files", n)
	}
	var free int
	if err := s.read.QueryRowContext(t.Context(), `PRAGMA freelist_count`).Scan(&free); err != nil || free != 0 {
		t.Errorf("%d pages are kept for later, %v", free, err)
	}
	if size >= before {
		t.Errorf("%d bytes before, %d after", before, size)
	}
	if _, err := os.Stat(s.leasePath(id)); !os.IsNotExist(err) {
		t.Errorf("its lease is left: %v", err)
	}
	if err := s.Verify(t.Context(), other); err != nil {
		t.Error(err)
	}
}

// TestRemoveTakesStrays removes what a process left that died between a picture
// and its event, once it is old enough, and nothing that an event names.
func TestRemoveTakesStrays(t *testing.T) {
	t.Parallel()
	s := setup(t)
	id, other := create(t, s, "x"), create(t, s, "y")
	put := func(text string, age time.Duration) deskhand.Hash {
		h, err := s.PutBlob(t.Context(), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(s.blobPath(h), at, at); err != nil {
			t.Fatal(err)
		}
		return h
	}
	stray, fresh, named := put("stray", time.Hour), put("fresh", 0), put("named", time.Hour)
	if _, err := s.Append(t.Context(), deskhand.NewEvent(other, deskhand.KindNote, map[string]deskhand.Hash{"hash": named})); err != nil {
		t.Fatal(err)
	}
	torn := s.blobPath(stray) + ".new"
	if err := errors.Join(os.WriteFile(torn, []byte("half a picture"), 0o600), os.Chtimes(torn, time.Time{}, time.Unix(0, 0))); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{s.blobPath(stray): false, torn: false, s.blobPath(fresh): true, s.blobPath(named): true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %v", filepath.Base(path), err, want)
		}
	}
}

// count returns how many files below the state directory hold text, and adds
// up their sizes.
func (s *Store) count(t *testing.T, text string, size *int64) (n int) {
	t.Helper()
	*size = 0
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(text)) {
			n++
		}
		*size += int64(len(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNewerSchema(t *testing.T) {
	t.Parallel()
	s := setup(t)
	if _, err := s.write.ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), s.dir)
	if deskhand.CodeOf(err) != deskhand.Conflict || !strings.Contains(err.Error(), "newer deskhand") || strings.Contains(err.Error(), "\n") {
		t.Errorf("opening a newer store: %v", err)
	}
}

func TestBadDirectories(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("not a directory"), 0o600); err != nil {
		t.Fatal(err)
	}
	garbage := t.TempDir()
	if err := os.WriteFile(filepath.Join(garbage, fileName), bytes.Repeat([]byte("garbage "), 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, c := range map[string]struct {
		code deskhand.Code
		text string
	}{
		file:                           {deskhand.Invalid, "is not a directory"},
		filepath.Join(file, "below"):   {deskhand.Invalid, "is not a directory"},
		garbage:                        {deskhand.Conflict, "is damaged"},
		"/proc/self/no/such/directory": {deskhand.NotFound, "cannot be made"},
	} {
		_, err := Open(t.Context(), dir)
		if deskhand.CodeOf(err) != c.code || !strings.Contains(fmt.Sprint(err), c.text) {
			t.Errorf("%s: %v (%s)", dir, err, deskhand.CodeOf(err))
		}
	}
}

// TestOddPath checks that the directory's name is a name and nothing else.
func TestOddPath(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a b?_pragma=synchronous(off)&c%41#ü")
	s, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	create(t, s, "x")
	if _, err := os.Stat(filepath.Join(dir, fileName)); err != nil {
		t.Error(err)
	}
}
