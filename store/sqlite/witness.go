package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/deskhand/deskhand"
)

// SQLite recovers from a torn or damaged log by leaving out everything from
// the first frame whose checksum is wrong. That is right after a power cut,
// where nothing behind it was acknowledged, and silent when the file was damaged
// later. So the number of each task's last acknowledged event stands in a file
// of its own, heads/ID. It is written after the commit and never synced: it can
// lag behind the database but not lead it.

func (s *Store) headPath(id deskhand.TaskID) string { return s.path("heads", string(id)) }

// witness notes that event seq of a task was acknowledged. A disk that takes no
// more is found by the next append; here nothing is lost by going on.
func (s *Store) witness(id deskhand.TaskID, seq int64) {
	f, err := os.OpenFile(s.headPath(id), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	_, _ = fmt.Fprintf(f, "%019d\n", seq)
	_ = f.Close()
}

// heal looks for acknowledged events that the database does not have any more.
// A journal that was cut says so from then on, in an event of its own; a task
// that is gone altogether is only remembered for Damage.
func (s *Store) heal(ctx context.Context) error {
	entries, err := os.ReadDir(s.path("heads"))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		id := deskhand.TaskID(entry.Name())
		raw, err := os.ReadFile(s.headPath(id)) // before the database: it may grow meanwhile
		acked, bad := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
		if err != nil || bad != nil || !id.Valid() {
			continue // removed meanwhile, or not ours
		}
		switch last, err := s.lastSeq(ctx, id); {
		case deskhand.CodeOf(err) == deskhand.NotFound:
			if _, err := os.Stat(s.headPath(id)); errors.Is(err, fs.ErrNotExist) {
				continue // removed meanwhile
			}
			s.damage = append(s.damage, fmt.Sprintf("Task %s is lost: its %d events are not in the database any more.", id, acked))
			_ = os.Remove(s.headPath(id)) // it is said once
		case err != nil:
			return err
		case last < acked:
			cut := deskhand.JournalCut{From: last + 1, To: acked}
			if _, err := s.Append(ctx, deskhand.NewEvent(id, deskhand.KindJournalCut, cut)); err != nil {
				return err
			}
			s.damage = append(s.damage, fmt.Sprintf("Events %d to %d of task %s are lost: the database was damaged, or put back from an older copy. Its journal goes on from event %d.", cut.From, cut.To, id, last))
		}
	}
	return nil
}

// Damage returns what was found to be lost when the store was opened, one
// sentence each.
func (s *Store) Damage() []string { return s.damage }

// A chain shows that an event inside it was changed. It cannot show that its
// end was cut off, or that all of it was written anew with fresh hashes. So
// ends/ID notes where the journal stood whenever the task came to rest: a line
// with number and hash of the last event. Like heads/ID it is written after the
// commit and never synced, so that it can lack an end but not have one too many.
// Whoever may write the state directory may write it too: against them, keep
// the hash of the head elsewhere.

func (s *Store) endsPath(id deskhand.TaskID) string { return s.path("ends", string(id)) }

// end is where a journal stood.
type end struct {
	seq  int64
	hash deskhand.Hash
}

// rests reports whether a task stands still after events.
func rests(events []deskhand.Event) bool {
	resting := false
	for _, e := range events {
		var d deskhand.TaskStatus
		if e.Kind == deskhand.KindTaskStatus && json.Unmarshal(e.Data, &d) == nil {
			resting = d.To != deskhand.Running && d.To != deskhand.Queued
		}
	}
	return resting
}

// markEnd notes where the journal of a task stands. A disk that takes no more
// is found by the next append.
func (s *Store) markEnd(id deskhand.TaskID, h head) {
	f, err := os.OpenFile(s.endsPath(id), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return
	}
	_, _ = fmt.Fprintf(f, "%d %s\n", h.seq, h.hash)
	_ = f.Close()
}

// ends returns what was noted of a task. A line that a crash tore is left out.
func (s *Store) ends(id deskhand.TaskID) ([]end, error) {
	if !id.Valid() {
		return nil, nil // no such task
	}
	raw, err := os.ReadFile(s.endsPath(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var out []end
	for line := range strings.Lines(string(raw)) {
		number, hash, _ := strings.Cut(strings.TrimSpace(line), " ")
		seq, err := strconv.ParseInt(number, 10, 64)
		if e := (end{seq, deskhand.Hash(hash)}); err == nil && e.hash.Valid() {
			out = append(out, e)
		}
	}
	return out, nil
}
