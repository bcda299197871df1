package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
)

// torn returns a copy of a state directory as a power cut would leave it: with
// events in the log that are not in the database yet.
func torn(t *testing.T) (dir string, id deskhand.TaskID, wal []byte) {
	t.Helper()
	s := setup(t)
	id = create(t, s)
	for i := range 20 {
		if _, err := s.Append(t.Context(), deskhand.NewEvent(id, deskhand.KindNote, deskhand.Note{Text: fmt.Sprint("note ", i)})); err != nil {
			t.Fatal(err)
		}
	}
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	wal, err := os.ReadFile(filepath.Join(dir, fileName+"-wal"))
	if err = errors.Join(err, os.Remove(filepath.Join(dir, fileName+"-shm"))); err != nil {
		t.Fatal(err)
	}
	if len(wal) < 20<<12 {
		t.Fatalf("the log has only %d bytes", len(wal))
	}
	return dir, id, wal
}

const acknowledged = 21 // events in torn

// TestDamagedLog cuts and changes the log of the database at many places. It is
// opened to its last whole event and what is lost is said, in words and in the
// journal; nothing is lost in silence.
func TestDamagedLog(t *testing.T) {
	t.Parallel()
	dir, id, wal := torn(t)
	damages := map[string]func([]byte) []byte{"whole": func(b []byte) []byte { return b }, "gone": func([]byte) []byte { return nil }}
	for i := 1; i < 12; i++ {
		at := len(wal) * i / 12
		damages[fmt.Sprintf("cut at %d", at)] = func(b []byte) []byte { return b[:at] }
		damages[fmt.Sprintf("flipped at %d", at)] = func(b []byte) []byte { b[at] ^= 0x10; return b }
		damages[fmt.Sprintf("zeroed from %d", at)] = func(b []byte) []byte { clear(b[at:min(len(b), at+4096)]); return b }
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mine := t.TempDir()
			if err := errors.Join(os.CopyFS(mine, os.DirFS(dir)),
				os.WriteFile(filepath.Join(mine, fileName+"-wal"), damage(append([]byte(nil), wal...)), 0o600)); err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), mine)
			if err != nil {
				if deskhand.CodeOf(err) != deskhand.Conflict {
					t.Errorf("it cannot be opened: %v", err)
				}
				return
			}
			defer s.Close()
			said := strings.Join(s.Damage(), "\n")
			last, err := s.lastSeq(t.Context(), id)
			if deskhand.CodeOf(err) == deskhand.NotFound {
				if !strings.Contains(said, "is lost") {
					t.Errorf("the task is gone and what is said is %q", said)
				}
				return
			}
			if err := errors.Join(err, s.Verify(t.Context(), id)); err != nil {
				t.Fatal(err)
			}
			var end deskhand.Event
			for e, err := range s.Events(t.Context(), id, last-1) {
				if end = e; err != nil {
					t.Fatal(err)
				}
			}
			whole := end.Kind == deskhand.KindNote && last == acknowledged
			cut := end.Kind == deskhand.KindJournalCut && string(end.Data) == fmt.Sprintf(`{"from":%d,"to":%d}`, last, acknowledged)
			switch {
			case whole && said == "":
			case cut && strings.Contains(said, fmt.Sprintf("Events %d to %d of task", last, acknowledged)):
			default:
				t.Errorf("the last of %d events is %s %s; what is said is %q", last, end.Kind, end.Data, said)
			}
			again, err := Open(t.Context(), mine)
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			if said := again.Damage(); len(said) > 0 {
				t.Errorf("it is said again: %q", said)
			}
		})
	}
}

// TestDamagedDatabase changes the database itself: that is an error with words,
// or found by Verify, and never a crash.
func TestDamagedDatabase(t *testing.T) {
	t.Parallel()
	dir, id, _ := torn(t)
	s, err := Open(t.Context(), dir) // and close: the log goes into the database
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for at := 0; at < len(data); at += len(data)/60 + 1 {
		broken := append([]byte(nil), data...)
		broken[at] ^= 0xff
		if err := os.WriteFile(filepath.Join(dir, fileName), broken, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), dir)
		if err == nil {
			err = s.Verify(t.Context(), id)
			s.Close()
		}
		if err != nil {
			found++
		}
	}
	t.Logf("%d of 60 changed bytes were found", found)
	if found == 0 {
		t.Error("no change was found")
	}
}
