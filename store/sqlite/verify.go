package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/store"
)

// Verify implements store.Journal. It also checks that the task at a glance is
// what its events add up to, and that the journal is the one whose ends were noted.
func (s *Store) Verify(ctx context.Context, task deskhand.TaskID) error {
	ends, err := s.ends(task) // before the head: what is noted after it is of events after it
	if err != nil {
		return explain("verify", s.dir, err)
	}
	// What is appended while this runs is left for the next time.
	var last int64
	var hash string
	var glance []byte
	err = s.read.QueryRowContext(ctx, `SELECT seq, head, glance FROM tasks WHERE id = ?`, string(task)).Scan(&last, &hash, &glance)
	if errors.Is(err, sql.ErrNoRows) {
		return notFound("verify", string(task))
	} else if err != nil {
		return explain("verify", s.dir, err)
	}
	c := check{task: task, ends: ends}
	for c.at.seq < last {
		page, err := s.page(ctx, task, c.at.seq)
		if err != nil {
			return explain("verify", s.dir, err)
		}
		if len(page) == 0 {
			return c.broken("event %d of task %s is missing", c.at.seq+1, task)
		}
		for _, body := range page[:min(int64(len(page)), last-c.at.seq)] {
			if err := c.next(body); err != nil {
				return err
			}
		}
	}
	return c.end(deskhand.Hash(hash), glance)
}

// check follows the chain of one task.
type check struct {
	task  deskhand.TaskID
	at    head
	doubt bool // the event at does not follow from the one before: one of the two was changed
	ends  []end
	unmet []end // what was noted of events that are others now
	cuts  []deskhand.JournalCut
}

func (c *check) broken(format string, args ...any) error {
	return deskhand.Errorf("store: verify", deskhand.Conflict, format, args...)
}

// settle says which of two events was changed when the second does not follow
// from the first: the first, when the second is what the one after it says.
func (c *check) settle(asSaid bool) error {
	switch {
	case c.doubt && asSaid:
		return c.broken("event %d of task %s was changed", c.at.seq-1, c.task)
	case c.doubt:
		return c.broken("events %d and %d of task %s were changed, or only one of them", c.at.seq-1, c.at.seq, c.task)
	}
	return nil
}

// next takes the event after c.at.
func (c *check) next(body []byte) error {
	seq := c.at.seq + 1
	e, err := decodeEvent(c.task, seq, body)
	if err != nil {
		return err
	}
	if err := c.settle(e.Prev == c.at.hash); err != nil {
		return err
	}
	form, err := e.Canonical()
	switch {
	case e.Seq != seq || e.Task != c.task:
		return c.broken("event %d of task %s is another one (event %d of task %.20q): it was put there", seq, c.task, e.Seq, string(e.Task))
	case err != nil || !bytes.Equal(form, body):
		return c.broken("event %d of task %s was changed: it is not written as the store writes", seq, c.task)
	}
	c.doubt = e.Prev != c.at.hash
	if !c.doubt {
		if c.at.task, err = store.Fold(c.at.task, e); err != nil {
			return c.broken("event %d of task %s does not follow from the one before: %w", seq, c.task, err)
		}
	}
	c.at.seq, c.at.hash = seq, deskhand.HashOf(body)
	return c.note(e)
}

// note compares with what was noted of the event that c.at is at.
func (c *check) note(e deskhand.Event) error {
	for _, end := range c.ends {
		if end.seq == c.at.seq && end.hash != c.at.hash {
			c.unmet = append(c.unmet, end)
		}
	}
	if e.Kind != deskhand.KindJournalCut {
		return nil
	}
	var cut deskhand.JournalCut
	if err := json.Unmarshal(e.Data, &cut); err != nil {
		return c.broken("event %d of task %s is damaged: %w", e.Seq, c.task, err)
	}
	c.cuts = append(c.cuts, cut)
	return nil
}

// end compares where the chain ended with what the store says, and with what
// was noted of it before. What the journal itself says was lost is not counted.
func (c *check) end(hash deskhand.Hash, glance []byte) error {
	if err := c.settle(c.at.hash == hash); err != nil {
		return err
	}
	if c.at.hash != hash {
		return c.broken("event %d of task %s was changed", c.at.seq, c.task)
	}
	for _, end := range c.ends {
		if end.seq > c.at.seq {
			c.unmet = append(c.unmet, end)
		}
	}
	for _, end := range c.unmet {
		if !c.lost(end.seq) {
			return c.broken("the journal of task %s was written anew: when the task came to rest at event %d, that event was another one, or there were more", c.task, end.seq)
		}
	}
	if sum, err := encodeTask(c.at.task); err != nil || !bytes.Equal(sum, glance) {
		return c.broken("what is known of task %s at a glance is not what its events say", c.task)
	}
	return nil
}

// lost reports whether the journal says that it lost event seq.
func (c *check) lost(seq int64) bool {
	for _, cut := range c.cuts {
		if cut.From <= seq && seq <= cut.To {
			return true
		}
	}
	return false
}
