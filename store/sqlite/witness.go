package sqlite

import (
	"context"
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
