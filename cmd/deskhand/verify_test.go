package main

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/store/sqlite"
)

// state is a state directory with tasks in it, made without a desktop.
type state struct {
	t      *testing.T
	dir    string
	before map[deskhand.TaskID]row // what the database said before the last event
}

type row struct {
	seq    int64
	head   string
	glance []byte
}

func newState(t *testing.T) state { return state{t, t.TempDir(), map[deskhand.TaskID]row{}} }

func (s state) db() *sql.DB {
	s.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "deskhand.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	return db
}

func (s state) row(id deskhand.TaskID) (r row) {
	s.t.Helper()
	db := s.db()
	defer db.Close()
	if err := db.QueryRowContext(s.t.Context(), `SELECT seq, head, glance FROM tasks WHERE id = ?`, string(id)).Scan(&r.seq, &r.head, &r.glance); err != nil && !errors.Is(err, sql.ErrNoRows) {
		s.t.Fatal(err)
	}
	return r
}

// task appends what happened in a task of one call that took a picture.
func (s state) task(picture string) deskhand.TaskID {
	s.t.Helper()
	st, err := sqlite.Open(s.t.Context(), s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	defer st.Close()
	id := deskhand.NewTaskID()
	hash, err := st.PutBlob(s.t.Context(), []byte(picture))
	if err != nil {
		s.t.Fatal(err)
	}
	call := deskhand.Call{ID: "toolu_1", Toolset: "computer", Name: "left_click", Input: []byte(`{"coordinate":[1,2]}`)}
	shown := deskhand.Result{Content: []deskhand.Content{{Text: "Clicked."}, {Image: &deskhand.Image{Hash: hash, MediaType: "image/png"}}}}
	for _, e := range []struct {
		kind deskhand.Kind
		data any
	}{
		{deskhand.KindTaskCreated, deskhand.TaskCreated{Task: deskhand.Task{Text: "Click it", Model: "claude-sonnet-5-5"}}},
		{deskhand.KindTaskStatus, deskhand.TaskStatus{From: deskhand.Queued, To: deskhand.Running}},
		{deskhand.KindTurnStarted, deskhand.TurnStarted{Turn: 1}},
		{deskhand.KindModelReplied, deskhand.ModelReplied{Turn: 1, Model: "claude-sonnet-5-5", Content: []byte(`[{"type":"tool_use","id":"toolu_1","name":"left_click","toolset_name":"computer","input":{"coordinate":[1,2]}}]`), StopReason: "tool_use"}},
		{deskhand.KindCallJudged, deskhand.CallJudged{CallID: call.ID, Verdict: deskhand.Verdict{Outcome: deskhand.Allow, Rule: "mode:trust"}}},
		{deskhand.KindCallStarted, deskhand.CallStarted{Turn: 1, Call: call}},
		{deskhand.KindCallFinished, deskhand.CallFinished{Turn: 1, CallID: call.ID, Result: shown, DurationMS: 3}},
		{deskhand.KindTaskStatus, deskhand.TaskStatus{From: deskhand.Running, To: deskhand.Done, Result: "Clicked."}},
	} {
		s.before[id] = s.row(id)
		if _, err := st.Append(s.t.Context(), deskhand.NewEvent(id, e.kind, e.data)); err != nil {
			s.t.Fatal(err)
		}
	}
	return id
}

// tamper changes the database behind the program's back.
func (s state) tamper(query string, args ...any) {
	s.t.Helper()
	db := s.db()
	defer db.Close()
	if r, err := db.ExecContext(s.t.Context(), query, args...); err != nil {
		s.t.Fatal(err)
	} else if n, _ := r.RowsAffected(); n == 0 {
		s.t.Fatalf("%s changed nothing", query)
	}
}

// run runs the program and returns what it printed and its exit status.
func (s state) run(args ...string) (stdout, stderr string, status int) {
	s.t.Helper()
	var out, errs bytes.Buffer
	a := newApp(strings.NewReader(""), &out, &errs, func(name string) string {
		return map[string]string{"DESKHAND_HOME": s.dir}[name]
	})
	status = a.main(s.t.Context(), args)
	return out.String(), errs.String(), status
}

func TestVerifyHolds(t *testing.T) {
	t.Parallel()
	s := newState(t)
	one, two := s.task("one"), s.task("two")
	out, errs, status := s.run("task", "verify", string(one))
	line := strings.Fields(out)
	if status != 0 || errs != "" || !strings.HasPrefix(out, string(one)+": 8 events and 1 picture hold; head ") || strings.Count(out, "\n") != 1 {
		t.Fatalf("status %d, %q, %q", status, out, errs)
	}
	head := line[len(line)-1]
	if !deskhand.Hash(head).Valid() {
		t.Fatalf("the head is %q", head)
	}
	if out, _, status := s.run("task", "verify", "--all"); status != 0 || strings.Count(out, "\n") != 2 || !strings.Contains(out, string(two)+": 8 events") {
		t.Errorf("--all: status %d, %q", status, out)
	}
	if out, _, status := s.run("task", "verify", string(one), "--head", head); status != 0 || !strings.HasSuffix(out, head+", the one that was kept\n") {
		t.Errorf("--head: status %d, %q", status, out)
	}
	if out, _, status := s.run("task", "verify", string(two), "--head", head); status != 1 || !strings.Contains(out, "cut off or written anew") {
		t.Errorf("the head of another task: status %d, %q", status, out)
	}
	s.tamper(`UPDATE tasks SET glance = x'00' WHERE id = ?`, string(two))
	if out, _, status := s.run("task", "verify", string(two)); status != 1 || !strings.Contains(out, "NOT AS IT WAS WRITTEN: what is known of task") {
		t.Errorf("no glance: status %d, %q", status, out)
	}
	for _, wrong := range [][]string{{}, {"--all", string(one)}, {"--all", "--head", head}, {string(one), "--head", "x"}} {
		if _, errs, status := s.run(append([]string{"task", "verify"}, wrong...)...); status != 2 || strings.Count(errs, "\n") != 1 {
			t.Errorf("%q: status %d, %q", wrong, status, errs)
		}
	}
	if _, _, status := s.run("task", "verify", "zzzzzzzz"); status != 1 {
		t.Errorf("a task that is not there: status %d", status)
	}
}

// TestVerifyFinds changes one thing of a state directory that it has just
// verified, and wants it named. What store/sqlite tries on rows is not repeated.
func TestVerifyFinds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(s state, id deskhand.TaskID)
		want   string
	}{
		"event": {func(s state, id deskhand.TaskID) {
			s.tamper(`UPDATE events SET body = CAST(replace(CAST(body AS TEXT), '[1,2]', '[9,9]') AS BLOB) WHERE task = ? AND seq = 6`, string(id))
		}, "event 6 of"},
		"verdict": {func(s state, id deskhand.TaskID) {
			s.tamper(`UPDATE events SET body = CAST(replace(CAST(body AS TEXT), 'mode:trust', 'person') AS BLOB) WHERE task = ? AND seq = 5`, string(id))
		}, "event 5 of"},
		"picture": {func(s state, _ deskhand.TaskID) {
			h := deskhand.HashOf([]byte("screen"))
			if err := os.WriteFile(filepath.Join(s.dir, "blobs", string(h[:2]), string(h[2:])), []byte("screem"), 0o600); err != nil {
				s.t.Fatal(err)
			}
		}, "a picture of event 7 was changed"},
		"picture gone": {func(s state, _ deskhand.TaskID) {
			h := deskhand.HashOf([]byte("screen"))
			if err := os.Remove(filepath.Join(s.dir, "blobs", string(h[:2]), string(h[2:]))); err != nil {
				s.t.Fatal(err)
			}
		}, "a picture of event 7 is gone"},
		"at a glance": {func(s state, id deskhand.TaskID) {
			s.tamper(`UPDATE tasks SET glance = CAST(replace(CAST(glance AS TEXT), 'Click it', 'Pay it') AS BLOB) WHERE id = ?`, string(id))
		}, "at a glance is not what its events say"},
		"end cut": {func(s state, id deskhand.TaskID) { s.cut(id) }, "events 8 to 8 were there and are lost, as event 8 says"},
		"end cut, number forged": {func(s state, id deskhand.TaskID) {
			s.cut(id)
			s.remove("heads", id)
		}, "was written anew: when the task came to rest at event 8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newState(t)
			id, other := s.task("screen"), s.task("another")
			if out, _, status := s.run("task", "verify", "--all"); status != 0 {
				t.Fatalf("status %d: %s", status, out)
			}
			c.change(s, id)
			out, errs, status := s.run("task", "verify", "--all")
			if status != 1 || !strings.Contains(out, string(id)+": NOT AS IT WAS WRITTEN: ") || !strings.Contains(out, c.want) || !strings.Contains(out, string(other)+": 8 events") {
				t.Errorf("status %d\n%s%s\nwant %s", status, out, errs, c.want)
			}
		})
	}
}

// TestKeptHead plays the attack that leaves nothing behind in the state
// directory: without a head kept elsewhere it succeeds.
func TestKeptHead(t *testing.T) {
	t.Parallel()
	s := newState(t)
	id := s.task("screen")
	out, _, _ := s.run("task", "verify", string(id))
	head := out[strings.LastIndex(out, " ")+1 : len(out)-1]
	s.cut(id)
	s.remove("heads", id)
	s.remove("ends", id)
	if out, _, status := s.run("task", "verify", string(id)); status != 0 || !strings.Contains(out, "7 events") {
		t.Errorf("the attack does not succeed to begin with: status %d, %s", status, out)
	}
	if out, _, status := s.run("task", "verify", string(id), "--head", head); status != 1 || !strings.Contains(out, "none of its 7 events") {
		t.Errorf("status %d, %s", status, out)
	}
}

// cut takes the last of a task's events away, in every row that tells of it.
func (s state) cut(id deskhand.TaskID) {
	s.t.Helper()
	before := s.before[id]
	s.tamper(`DELETE FROM events WHERE task = ? AND seq > ?`, string(id), before.seq)
	s.tamper(`UPDATE tasks SET seq = ?, head = ?, glance = ? WHERE id = ?`, before.seq, before.head, before.glance, string(id))
}

func (s state) remove(dir string, id deskhand.TaskID) {
	s.t.Helper()
	if err := os.Remove(filepath.Join(s.dir, dir, string(id))); err != nil {
		s.t.Fatal(err)
	}
}
