package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/plaintext"
	"github.com/deskhand/deskhand/store"
)

type taskVerifyCmd struct {
	IDs  []string `arg:"" optional:"" name:"id" help:"Task ids, or their beginnings."`
	All  bool     `help:"Verify every task."`
	Head string   `placeholder:"HASH" help:"A head that was kept elsewhere: it must be an event of the task, whose journal may have grown since."`
}

// Run prints one line for each task: what holds, or what was changed.
func (c *taskVerifyCmd) Run(ctx context.Context, a *app) error {
	tasks, st, err := c.tasks(ctx, a)
	if err != nil {
		return err
	}
	var failed error
	for _, id := range tasks {
		p, err := prove(ctx, st, id, deskhand.Hash(c.Head))
		switch {
		case deskhand.CodeOf(err) == deskhand.Conflict:
			failed = &outcome{exitFailed}
			fmt.Fprintf(a.stdout, "%s: NOT AS IT WAS WRITTEN: %s\n", id, plaintext.Line(told(err)))
		case err != nil:
			return noTask(string(id), err)
		default:
			fmt.Fprintf(a.stdout, "%s: %s\n", id, p)
		}
	}
	return failed
}

// tasks returns which tasks are meant.
func (c *taskVerifyCmd) tasks(ctx context.Context, a *app) ([]deskhand.TaskID, store.Store, error) {
	switch {
	case c.All == (len(c.IDs) > 0):
		return nil, nil, usage("say which task to verify, or give --all and no task")
	case c.Head != "" && len(c.IDs) != 1:
		return nil, nil, usage("--head is the head of one task: give that task alone")
	case c.Head != "" && !deskhand.Hash(c.Head).Valid():
		return nil, nil, usage("--head %.80q is not a hash: give the 64 digits that deskhand task verify printed", c.Head)
	}
	st, err := a.openStore(ctx)
	if err != nil {
		return nil, nil, err
	}
	var ids []deskhand.TaskID
	if c.All {
		all, err := st.List(ctx, 0)
		if err != nil {
			return nil, nil, err
		}
		for _, t := range all {
			ids = append(ids, t.ID)
		}
	}
	for _, id := range c.IDs {
		if whole := deskhand.TaskID(id); whole.Valid() { // what is known of it at a glance may be what was changed
			ids = append(ids, whole)
			continue
		}
		t, err := st.Get(ctx, id)
		if err != nil {
			return nil, nil, noTask(id, err)
		}
		ids = append(ids, t.ID)
	}
	return ids, st, nil
}

// proof is what was found to hold of a task.
type proof struct {
	events   int64
	pictures int
	head     deskhand.Hash
	kept     int64 // the event that the head kept elsewhere is; 0: none was given
}

func (p proof) String() string {
	s := fmt.Sprintf("%s and %s hold; head %s", plural(int(p.events), "event"), plural(p.pictures, "picture"), p.head)
	switch {
	case p.kept == p.events:
		s += ", the one that was kept"
	case p.kept > 0:
		s += fmt.Sprintf("; the one that was kept is event %d", p.kept)
	}
	return s
}

// prove checks a task's journal, and every picture that it names against its
// hash. kept is a head that was kept elsewhere, or "". Conflict: something is
// not as it was written.
func prove(ctx context.Context, st store.Store, id deskhand.TaskID, kept deskhand.Hash) (proof, error) {
	var p proof
	if err := st.Verify(ctx, id); err != nil {
		return p, err
	}
	seen := map[deskhand.Hash]bool{}
	for e, err := range st.Events(ctx, id, 0) {
		switch {
		case err != nil:
			return p, err
		case e.Prev != p.head: // appended since Verify looked, and changed since
			return p, deskhand.Errorf("", deskhand.Conflict, "event %d of task %s does not follow from the one before", e.Seq, id)
		}
		if err := cutOff(e); err != nil {
			return p, err
		}
		if err := picturesOf(ctx, st, e, seen); err != nil {
			return p, err
		}
		if p.events, p.head = e.Seq, e.Hash(); p.head == kept {
			p.kept = e.Seq
		}
	}
	p.pictures = len(seen)
	if kept != "" && p.kept == 0 {
		return p, deskhand.Errorf("", deskhand.Conflict, "the head that was kept is none of its %d events: the journal was cut off or written anew", p.events)
	}
	return p, nil
}

// cutOff returns what an event says was lost.
func cutOff(e deskhand.Event) error {
	if e.Kind != deskhand.KindJournalCut {
		return nil
	}
	var d deskhand.JournalCut
	if err := json.Unmarshal(e.Data, &d); err != nil {
		return deskhand.E("", deskhand.Conflict, err)
	}
	return deskhand.Errorf("", deskhand.Conflict, "events %d to %d were there and are lost, as event %d says: the database was damaged, cut, or put back from a copy", d.From, d.To, e.Seq)
}

// picturesOf reads the pictures that an event names and no event before it.
func picturesOf(ctx context.Context, st store.Blobs, e deskhand.Event, seen map[deskhand.Hash]bool) error {
	for _, h := range store.BlobsIn(e.Data) {
		if seen[h] {
			continue
		}
		seen[h] = true
		_, err := st.Blob(ctx, h) // which compares it with its name
		switch deskhand.CodeOf(err) {
		case "":
		case deskhand.NotFound:
			return deskhand.Errorf("", deskhand.Conflict, "a picture of event %d is gone (%s)", e.Seq, h)
		case deskhand.Conflict:
			return deskhand.Errorf("", deskhand.Conflict, "a picture of event %d was changed (%s)", e.Seq, h)
		default:
			return err
		}
	}
	return nil
}
