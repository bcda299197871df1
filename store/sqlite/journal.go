package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/store"
)

// A read of Events takes at most this much before it hands events out, so that
// memory stays bounded and no transaction is open while the caller works.
const (
	pageEvents = 256
	pageBytes  = 1 << 20
)

// head is where a journal stands.
type head struct {
	seq  int64
	hash deskhand.Hash
	task deskhand.Task
}

// Append implements store.Journal.
func (s *Store) Append(ctx context.Context, events ...deskhand.Event) ([]deskhand.Event, error) {
	if len(events) == 0 {
		return nil, nil
	}
	for _, e := range events {
		if err := acceptable(e, events[0].Task); err != nil {
			return nil, err
		}
	}
	out, err := s.append(ctx, events)
	return out, explain("append", s.dir, err)
}

func acceptable(e deskhand.Event, task deskhand.TaskID) error {
	switch {
	case !e.Task.Valid():
		return deskhand.Errorf("store: append", deskhand.Invalid, "%q is not a task id", e.Task)
	case e.Task != task:
		return deskhand.Errorf("store: append", deskhand.Invalid, "events of two tasks (%s and %s) in one append", task, e.Task)
	case e.Kind == deskhand.KindModelDelta:
		return deskhand.Errorf("store: append", deskhand.Invalid, "%s is streamed, never stored", e.Kind)
	case e.Kind == "":
		return deskhand.Errorf("store: append", deskhand.Invalid, "an event without a kind")
	}
	return nil
}

func (s *Store) append(ctx context.Context, events []deskhand.Event) ([]deskhand.Event, error) {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() // nothing after Commit
	h, err := loadHead(ctx, tx, events[0])
	if err != nil {
		return nil, err
	}
	out := make([]deskhand.Event, 0, len(events))
	for _, e := range events {
		if h, e, err = h.add(ctx, tx, e); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	glance, err := encodeTask(h.task)
	if err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE tasks SET seq = ?, head = ?, glance = ?, appended = ? WHERE id = ?`,
		h.seq, string(h.hash), glance, time.Now().UnixNano(), string(events[0].Task)); err != nil {
		return nil, err
	}
	if err := tx.Commit(); err != nil {
		return nil, err
	}
	s.witness(events[0].Task, h.seq)
	if rests(out) {
		s.markEnd(events[0].Task, h)
	}
	return out, nil
}

// loadHead returns where the journal of first's task stands, and begins it
// when first creates the task.
func loadHead(ctx context.Context, tx *sql.Tx, first deskhand.Event) (head, error) {
	var h head
	var hash string
	var glance []byte
	err := tx.QueryRowContext(ctx, `SELECT seq, head, glance FROM tasks WHERE id = ?`, string(first.Task)).Scan(&h.seq, &hash, &glance)
	created := first.Kind == deskhand.KindTaskCreated
	switch {
	case errors.Is(err, sql.ErrNoRows) && created:
		_, err = tx.ExecContext(ctx, `INSERT INTO tasks (id, n, seq, head, glance, appended)
			SELECT ?, coalesce(max(n), 0) + 1, 0, '', x'', 0 FROM tasks`, string(first.Task))
		return head{}, err
	case errors.Is(err, sql.ErrNoRows):
		return h, notFound("append", string(first.Task))
	case err != nil:
		return h, err
	case created:
		return h, deskhand.Errorf("store: append", deskhand.Conflict, "task %s exists already", first.Task)
	}
	h.hash = deskhand.Hash(hash)
	h.task, err = decodeTask(first.Task, glance)
	return h, err
}

// add stores e as the event after h.
func (h head) add(ctx context.Context, tx *sql.Tx, e deskhand.Event) (head, deskhand.Event, error) {
	if e.Kind == deskhand.KindTaskCreated && h.seq > 0 {
		return h, e, deskhand.Errorf("store: append", deskhand.Conflict, "task %s exists already", e.Task)
	}
	e.Seq, e.Prev, e.Time = h.seq+1, h.hash, e.Time.UTC().Round(0)
	body, err := encodeEvent(e)
	if err != nil {
		return h, e, err
	}
	if h.task, err = store.Fold(h.task, e); err != nil {
		return h, e, err
	}
	h.seq, h.hash = e.Seq, deskhand.HashOf(body)
	if _, err := tx.ExecContext(ctx, `INSERT INTO events (task, seq, body) VALUES (?, ?, ?)`, string(e.Task), e.Seq, body); err != nil {
		return h, e, err
	}
	for _, ref := range store.BlobsIn(e.Data) {
		if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO blob_refs (hash, task) VALUES (?, ?)`, string(ref), string(e.Task)); err != nil {
			return h, e, err
		}
	}
	return h, e, nil
}

// Events implements store.Journal.
func (s *Store) Events(ctx context.Context, task deskhand.TaskID, after int64) iter.Seq2[deskhand.Event, error] {
	return func(yield func(deskhand.Event, error) bool) {
		// Who polls mostly finds nothing new; that costs one look.
		last, err := s.lastSeq(ctx, task)
		if err != nil {
			yield(deskhand.Event{}, err)
			return
		}
		for after < last {
			page, err := s.page(ctx, task, after)
			if err != nil {
				yield(deskhand.Event{}, explain("read", s.dir, err))
				return
			}
			if len(page) == 0 {
				yield(deskhand.Event{}, deskhand.Errorf("store: read", deskhand.Conflict, "event %d of task %s is missing", after+1, task))
				return
			}
			for _, body := range page {
				after++
				e, err := decodeEvent(task, after, body)
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}

// lastSeq returns the number of a task's last event. NotFound.
func (s *Store) lastSeq(ctx context.Context, task deskhand.TaskID) (last int64, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT seq FROM tasks WHERE id = ?`, string(task)).Scan(&last)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, notFound("read", string(task))
	}
	return last, explain("read", s.dir, err)
}

// page returns the bodies of the next events after seq. A gap is a Conflict.
func (s *Store) page(ctx context.Context, task deskhand.TaskID, after int64) (bodies [][]byte, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT seq, body FROM events WHERE task = ? AND seq > ? ORDER BY seq LIMIT ?`, string(task), after, pageEvents)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for size := 0; size < pageBytes && rows.Next(); {
		var seq int64
		var body []byte
		if err := rows.Scan(&seq, &body); err != nil {
			return nil, err
		}
		if after++; seq != after {
			return nil, deskhand.Errorf("store: read", deskhand.Conflict, "event %d of task %s is missing", after, task)
		}
		bodies, size = append(bodies, body), size+len(body)
	}
	return bodies, rows.Err()
}

func notFound(op, id string) error {
	return deskhand.Errorf("store: "+op, deskhand.NotFound, "there is no task %q", id)
}
