package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox/folder"
	"github.com/deskhand/deskhand/store"
)

// retentionFile is in the state directory; docs/data.md has its form.
const retentionFile = "retention.json"

// retention is how long what kind of data is kept after its task ended.
type retention struct {
	Screenshots keepFor `json:"screenshots"` // every picture of the journal
	Transcripts keepFor `json:"transcripts"` // everything of the task
	Trash       keepFor `json:"trash"`       // what was written to shared folders, and what was replaced there
}

// keepFor is a time to keep something. The zero value is for ever.
type keepFor struct {
	limited bool
	time    time.Duration
}

// UnmarshalJSON reads "30d", what time.ParseDuration reads, "0" or "forever".
func (k *keepFor) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return errors.New(`a time to keep something is a text such as "30d", "12h", "0" or "forever"`)
	}
	if text == "forever" {
		*k = keepFor{}
		return nil
	}
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		const most = 36500
		var n int
		if n, err = strconv.Atoi(days); err == nil && n > most {
			err = strconv.ErrRange
		}
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d < 0 {
		return usage(`%q is not a time to keep something: write "30d", "12h", "0" or "forever"`, text)
	}
	*k = keepFor{limited: true, time: d}
	return nil
}

// over reports whether something that is so old is to go.
func (k keepFor) over(age time.Duration) bool { return k.limited && age >= k.time }

// none reports whether nothing is kept once its task has ended.
func (k keepFor) none() bool { return k.limited && k.time == 0 }

func (a *app) retention() (r retention, err error) {
	dir, err := a.homePath()
	if err != nil {
		return r, err
	}
	return r, readSettings(filepath.Join(dir, retentionFile), &r)
}

// retention settles whether anything is kept of the task.
func (c *runCmd) retention(a *app, p *plan) error {
	r, err := a.retention()
	if err != nil {
		return err
	}
	p.task.Forget = c.Retention == "zero" || r.Transcripts.none()
	why := "--retention zero"
	if c.Retention == "" {
		why = `"transcripts": "0" in ` + retentionFile
	}
	reviewed := slices.ContainsFunc(p.task.Folders, func(f deskhand.Folder) bool { return f.Mode == deskhand.Review || f.Mode == deskhand.Through })
	switch {
	case p.task.Forget && c.Keep:
		return usage("--keep and %s contradict each other: leave out one of them", why)
	case p.task.Forget && reviewed:
		return usage("with %s what the task changes in a folder would be gone before you could review it, or take it back: share the folder with :ro, or leave out one of them", why)
	}
	return nil
}

// A sweep is part of other commands, so that it is bounded; the next takes the rest.
const (
	sweepMost = 50              // tasks of which something is removed
	sweepTime = 2 * time.Second // after which none is begun any more
)

// sweep removes what has been kept long enough, and every task of which nothing
// is to be kept that has ended or that nobody drives any more. What cannot be
// removed is said and left for the next sweep.
func (a *app) sweep(ctx context.Context, st store.Store) error {
	r, err := a.retention()
	if err != nil {
		return err
	}
	tasks, err := st.List(ctx, 0)
	if err != nil { // whoever looks at the damage must get that far
		a.say("WARNING: whether anything has been kept for too long cannot be told: %s", err)
		return nil
	}
	began, swept := time.Now(), 0
	for _, t := range slices.Backward(tasks) { // oldest first
		if swept >= sweepMost || time.Since(began) >= sweepTime {
			break
		}
		did, err := a.sweepTask(ctx, st, t, r, time.Since(t.Updated))
		if did {
			swept++
		}
		if err != nil && deskhand.CodeOf(err) != deskhand.Conflict { // somebody is at it
			a.say("WARNING: what is kept of task %s for too long could not be removed: %s", t.ID, err)
		}
	}
	return nil
}

// sweepTask removes of one task what has been kept long enough, and reports
// whether that was anything.
func (a *app) sweepTask(ctx context.Context, st store.Store, t deskhand.Task, r retention, age time.Duration) (bool, error) {
	parked := t.Status == deskhand.Waiting || t.Status == deskhand.Exhausted // a person is asked
	layers, err := a.layers(t.ID)
	if err != nil {
		return false, err
	}
	_, err = os.Stat(layers)
	hasLayers := err == nil
	switch {
	case t.Forget && !parked: // one that is driven is a Conflict
		return true, a.remove(ctx, st, t.ID)
	case !t.Status.Ended():
		return false, nil
	case r.Transcripts.over(age) && (!hasLayers || r.Trash.over(age)):
		return true, a.remove(ctx, st, t.ID)
	}
	if hasLayers && r.Trash.over(age) {
		return true, dropLayers(layers)
	}
	if r.Screenshots.over(age) {
		n, err := st.DropBlobs(ctx, t.ID)
		return n > 0, err
	}
	return false, nil
}

// dropLayers removes the layers of a task unless somebody is at work with one. Conflict.
func dropLayers(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var held shares
	for _, e := range entries {
		var l *folder.Layer
		l, err = folder.Existing(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
			continue
		} else if err == nil {
			err = l.Lock()
		}
		if err != nil {
			break
		}
		held.layers = append(held.layers, l)
	}
	if err == nil {
		err = folder.Remove(dir)
	}
	return errors.Join(err, held.Close())
}

// remove removes a task with everything that is kept of it. The files go first:
// a task that is still listed can be removed again. Conflict: somebody drives it.
func (a *app) remove(ctx context.Context, st store.Store, id deskhand.TaskID) error {
	release, err := st.Lease(ctx, id)
	if err != nil {
		return err
	}
	err = a.forget(id)
	release()
	if err != nil {
		return err
	}
	return st.Remove(ctx, id)
}

// forget removes what is kept of a task beside the store: its desktop, its home,
// the logs of its programs, and what it wrote to folders with all that was
// replaced there.
func (a *app) forget(id deskhand.TaskID) error {
	d, err := a.desktops()
	if err != nil {
		return err
	}
	if h, err := d.get(desktopOf(id)); err == nil {
		if err := d.end(h); err != nil {
			return err
		}
	} else if deskhand.CodeOf(err) != deskhand.NotFound {
		return err
	}
	for _, kept := range []struct {
		what string
		dir  func(deskhand.TaskID) (string, error)
	}{{"the logs", a.logs}, {"the home", a.computer}, {"the layers and the trash", a.layers}} {
		dir, err := kept.dir(id)
		if err != nil {
			return err
		}
		if err := folder.Remove(dir); err != nil { // never through a link
			return deskhand.Errorf("", deskhand.Unavailable, "%s in %s could not be removed (%s)", kept.what, dir, cause(err))
		}
	}
	return nil
}
