package sqlite

import (
	"bufio"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/store/storetest"
)

// TestPragmas: there is one connection that writes, and it and all others are
// durable, also those that are opened later.
func TestPragmas(t *testing.T) {
	t.Parallel()
	s := setup(t)
	if n := s.write.Stats().MaxOpenConnections; n != 1 {
		t.Errorf("%d connections write", n)
	}
	for _, one := range []struct {
		name     string
		db       *sql.DB
		readOnly string
	}{{"write", s.write, "0"}, {"read", s.read, "1"}} {
		want := map[string]string{
			"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "secure_delete": "1", "auto_vacuum": "2", "busy_timeout": "10000", "query_only": one.readOnly,
		}
		for range 2 {
			var all []*sql.Conn
			for range one.db.Stats().MaxOpenConnections {
				c, err := one.db.Conn(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, c)
				for pragma, want := range want {
					var got string
					if err := c.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
						t.Errorf("%s: %s is %q, %v", one.name, pragma, got, err)
					}
				}
			}
			one.db.SetMaxIdleConns(0) // the next are new
			for _, c := range all {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// writer is another process that appends to a task, and waits to be told to.
type writer struct {
	*storetest.Process
	dir string
	id  deskhand.TaskID
}

// newWriter starts one by way of wrap. Nothing but the creation of the task is
// stored, and all of it is in the database.
func newWriter(t *testing.T, wrap []string) writer {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	id := create(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return writer{storetest.Start(t, wrap, "told", dir, string(id)), dir, id}
}

// append has a note of some letters appended and returns its seq once that was
// acknowledged.
func (w writer) append(t *testing.T, letters int) (seq int64) {
	t.Helper()
	w.Say(letters)
	if _, err := fmt.Sscan(w.Line(), &seq); err != nil {
		t.Fatal(err)
	}
	return seq
}

// copied copies what is on the disk, byte for byte, while the writer lives: a
// power cut leaves no more, and this much if what was acknowledged was synced.
// The index of the log is not copied: no crash needs it.
func (w writer) copied(t *testing.T) (dir string, log []byte) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(w.dir)); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(dir, fileName+"-wal"))
	if err = errors.Join(err, os.Remove(filepath.Join(dir, fileName+"-shm"))); err != nil {
		t.Fatal(err)
	}
	return dir, log
}

// whole opens a copy, checks the chain of the task and returns its events and
// what is said of damage.
func whole(t *testing.T, dir string, id deskhand.TaskID) (events []deskhand.Event, damage []string) {
	t.Helper()
	s, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	damage = s.Damage()
	for e, err := range s.Events(t.Context(), id, 0) {
		if deskhand.CodeOf(err) == deskhand.NotFound {
			return nil, damage
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	if err := s.Verify(t.Context(), id); err != nil {
		t.Error(err)
	}
	return events, damage
}

// sameChain compares events by what they and all before them say.
func sameChain(a, b []deskhand.Event) bool {
	return slices.EqualFunc(a, b, func(x, y deskhand.Event) bool { return x.Hash() == y.Hash() })
}

// TestAcknowledgedIsOnDisk copies the database and its log at every append that
// was acknowledged: everything acknowledged is in the copy, also when the log
// was written into the database and begun again in between.
func TestAcknowledgedIsOnDisk(t *testing.T) {
	t.Parallel()
	w := newWriter(t, nil)
	var before []deskhand.Event
	begun := map[uint32]bool{} // the log: it has another salt each time
	for _, letters := range []int{10, 5_000, 2_200_000, 10, 2_200_000, 5_000, 10, 200_000, 10} {
		seq := w.append(t, letters)
		dir, log := w.copied(t)
		events, damage := whole(t, dir, w.id)
		if int64(len(events)) != seq || len(damage) > 0 {
			t.Fatalf("event %d was acknowledged, and a copy has %d; what is said is %q", seq, len(events), damage)
		}
		if !sameChain(events[:len(before)], before) {
			t.Fatalf("what was before event %d is not what it was", seq)
		}
		before = events
		begun[binary.BigEndian.Uint32(log[16:])] = true
	}
	if len(begun) < 2 {
		t.Error("the log was never begun again: append more")
	}
	w.End()
}

// The form of the log, of which SQLite's documentation says that it will not change.
const (
	logHead   = 32
	frameHead = 24
)

// TestEveryCutOfTheLog cuts the log at, before and after the end of every frame
// and at many other lengths. What opens is exactly the events whose last frame
// is whole, and each that was acknowledged and is missing is reported.
func TestEveryCutOfTheLog(t *testing.T) {
	t.Parallel()
	w := newWriter(t, nil)
	acknowledged := int64(1) // the creation of the task
	var ends []int           // of the log, at each acknowledgment
	var dir string
	var log []byte
	for _, letters := range []int{10, 9_000, 10, 100} {
		acknowledged = w.append(t, letters)
		dir, log = w.copied(t)
		ends = append(ends, len(log))
	}
	reference, _ := w.copied(t) // opening one changes it
	events, _ := whole(t, reference, w.id)
	page := int(binary.BigEndian.Uint32(log[8:]))
	if len(log) < logHead+8*(frameHead+page) {
		t.Fatalf("the log has only %d bytes", len(log))
	}
	var cuts []int
	for end := logHead; end <= len(log); end += frameHead + page {
		cuts = append(cuts, end-1, end, end+1, end+frameHead, end+(frameHead+page)/2)
	}
	cuts = append(cuts, 0, 1, logHead/2)
	for _, at := range cuts {
		if at > len(log) {
			continue
		}
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			mine := t.TempDir()
			if err := errors.Join(os.CopyFS(mine, os.DirFS(dir)), os.WriteFile(filepath.Join(mine, fileName+"-wal"), log[:at], 0o600)); err != nil {
				t.Fatal(err)
			}
			kept := int64(1)
			for _, end := range ends {
				if end <= at {
					kept++
				}
			}
			got, damage := whole(t, mine, w.id)
			if int64(len(got)) < kept || !sameChain(got[:kept], events[:kept]) {
				t.Fatalf("%d events are there, want a whole %d", len(got), kept)
			}
			rest, said := got[kept:], strings.Join(damage, "\n")
			if kept == acknowledged {
				if len(rest) > 0 || said != "" {
					t.Errorf("nothing is missing, and there are %d more; what is said is %q", len(rest), said)
				}
				return
			}
			want := fmt.Sprintf(`{"from":%d,"to":%d}`, kept+1, acknowledged)
			if len(rest) != 1 || rest[0].Kind != deskhand.KindJournalCut || string(rest[0].Data) != want ||
				!strings.Contains(said, fmt.Sprintf("Events %d to %d of task", kept+1, acknowledged)) {
				t.Errorf("%d events are followed by %d, want a cut %s; what is said is %q", kept, len(rest), want, said)
			}
		})
	}
	w.End()
}

// traced is a line of strace -f -y: a process, what it calls and of which file,
// or the end of a call that was interrupted in the telling.
var traced = regexp.MustCompile(`^(\d+) +(?:(\w+)\(\d+<([^>]*)>|<\.\.\. (\w+) resumed>)(.*)$`)

// TestSyncedBeforeAcknowledged looks at the system calls of a writer: what an
// append wrote to the log is synced before a word of it is said.
func TestSyncedBeforeAcknowledged(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "trace")
	wrap := []string{"strace", "-f", "-y", "-s", "0", "-o", file, "-e", "trace=fsync,fdatasync,pwrite64,write"}
	if out, err := exec.CommandContext(t.Context(), wrap[0], append(wrap[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("strace does not run here (%v: %s), so whether an append is synced before it is acknowledged is NOT TESTED", err, out)
	}
	w := newWriter(t, wrap)
	const appends = 12
	for range appends {
		w.append(t, 100)
	}
	w.End()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	written, synced, acknowledged := 0, 0, 0 // the first two: since the last acknowledgment
	dirty := false
	syncing := map[string]bool{} // by process: a sync of the log that has not ended
	for lines := bufio.NewScanner(f); lines.Scan(); {
		m := traced.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		pid, call, of, rest := m[1], m[2]+m[4], m[3], m[5]
		log, ended := strings.HasSuffix(of, fileName+"-wal"), !strings.Contains(rest, "<unfinished ...>")
		switch {
		case call == "pwrite64" && log:
			written, dirty = written+1, true
		case strings.HasSuffix(call, "sync") && (log || syncing[pid]):
			syncing[pid] = !ended
			if ended && strings.HasSuffix(rest, "= 0") {
				synced, dirty = synced+1, false
			}
		case call == "write" && strings.HasPrefix(of, "pipe:") && written > 0:
			if dirty || synced == 0 {
				t.Errorf("acknowledgment %d: the log was written to %d times and synced %d times, the last of it not", acknowledged+1, written, synced)
			}
			written, synced, acknowledged = 0, 0, acknowledged+1
		}
	}
	if acknowledged != appends {
		t.Errorf("%d acknowledgments were seen, want %d", acknowledged, appends)
	}
}
