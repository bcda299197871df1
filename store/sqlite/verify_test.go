package sqlite

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/store"
)

// tampering is what somebody does to a journal behind the store's back. The
// journal has five events: the task, and the notes one, two, three and four.
var tampering = map[string]struct {
	queries []string
	want    string
}{
	"data of the first":  {[]string{swap(1, `"system":""`, `"system":"be evil"`)}, "event 1 of"},
	"data in the middle": {[]string{swap(3, `two`, `six`)}, "event 3 of"},
	"data of the last":   {[]string{swap(5, `four`, `five`)}, "event 5 of"},
	"data of two":        {[]string{swap(2, `one`, `six`), swap(3, `two`, `six`)}, "events 2 and 3 of"},
	"kind":               {[]string{swap(3, `"kind":"note"`, `"kind":"memo"`)}, "event 3 of"},
	"time":               {[]string{swap(3, `"time":"20`, `"time":"19`)}, "event 3 of"},
	"number":             {[]string{swap(3, `"seq":3`, `"seq":7`)}, "event 3 of"},
	"task":               {[]string{`UPDATE events SET body = CAST(replace(CAST(body AS TEXT), '"task":"' || task || '"', '"task":"aaaaaaaa"') AS BLOB) WHERE seq = 3`}, "event 3 of"},
	"prev":               {[]string{swap(3, `"prev":"`, `"prev":"0`)}, "event"},
	"white space":        {[]string{swap(3, `"seq":3`, `"seq": 3`)}, "event 3 of"},
	"one more member":    {[]string{swap(3, `{"seq":3`, `{"seq":3,"approved":true`)}, "event 3 of"},
	"a member twice":     {[]string{swap(3, `{"seq":3`, `{"seq":3,"seq":3`)}, "event 3 of"},
	"spelling":           {[]string{swap(3, `two`, `tw\u006f`)}, "event 3 of"},
	"dropped":            {[]string{`DELETE FROM events WHERE seq = 3`}, "event 3 of"},
	"dropped, no hole":   {[]string{`DELETE FROM events WHERE seq = 3`, `UPDATE events SET seq = seq - 1 WHERE seq > 3`, `UPDATE tasks SET seq = 4`}, "event 3 of"},
	"end cut":            {[]string{`DELETE FROM events WHERE seq = 5`}, "event 5 of"},
	"swapped":            {[]string{`UPDATE events SET seq = -seq WHERE seq IN (2, 3)`, `UPDATE events SET seq = 5 + seq WHERE seq < 0`}, "event 2 of"},
	"inserted": {[]string{
		`UPDATE events SET seq = -seq - 1 WHERE seq > 2`, `UPDATE events SET seq = -seq WHERE seq < 0`, `UPDATE tasks SET seq = 6`,
		`INSERT INTO events (task, seq, body) SELECT task, 3, body FROM events WHERE seq = 2`,
	}, "event 3 of"},
	"added at the end": {[]string{`INSERT INTO events (task, seq, body) SELECT task, 6, body FROM events WHERE seq = 5`, `UPDATE tasks SET seq = 6`}, "event 6 of"},
	"torn":             {[]string{`UPDATE events SET body = substr(body, 1, 20) WHERE seq = 3`}, "event 3 of"},
	"all":              {[]string{`UPDATE events SET body = x'00'`}, "event 1 of"},
	"glance":           {[]string{`UPDATE tasks SET glance = CAST(replace(CAST(glance AS TEXT), '"cost_usd":0', '"cost_usd":9') AS BLOB)`}, "at a glance"},
	"no glance":        {[]string{`UPDATE tasks SET glance = x'00'`}, "at a glance"},
	"head":             {[]string{`UPDATE tasks SET head = 'x'`}, "event 5 of"},
}

// swap is a query that exchanges words in the body of event seq.
func swap(seq int, old, replacement string) string {
	return fmt.Sprintf(`UPDATE events SET body = CAST(replace(CAST(body AS TEXT), '%s', '%s') AS BLOB) WHERE seq = %d`, old, replacement, seq)
}

func (s *Store) exec(t *testing.T, queries ...string) {
	t.Helper()
	for _, q := range queries {
		if _, err := s.write.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// bodies returns what is stored of a task.
func (s *Store) bodies(t *testing.T, id deskhand.TaskID) []string {
	t.Helper()
	rows, err := s.read.QueryContext(t.Context(), `SELECT seq, body FROM events WHERE task = ? ORDER BY seq`, string(id))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var seq int
		var body []byte
		if err := rows.Scan(&seq, &body); err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(seq, string(body)))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestTampered changes rows behind the store's back.
func TestTampered(t *testing.T) {
	t.Parallel()
	for name, c := range tampering {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			id := create(t, s, "one", "two", "three", "four")
			if err := s.Verify(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			before := s.bodies(t, id)
			s.exec(t, c.queries...)
			if after := s.bodies(t, id); slices.Equal(before, after) && !strings.Contains(c.queries[0], "tasks") {
				t.Fatal("nothing was changed")
			}
			err := s.Verify(t.Context(), id)
			if deskhand.CodeOf(err) != deskhand.Conflict || !strings.Contains(err.Error(), c.want) {
				t.Errorf("verify says %v, want a conflict about %q", err, c.want)
			}
		})
	}
}

// done makes a task that came to rest, of seven events.
func done(t *testing.T, s *Store) deskhand.TaskID {
	t.Helper()
	id := create(t, s, "one", "two", "three", "four")
	for _, to := range []deskhand.Status{deskhand.Running, deskhand.Done} {
		if _, err := s.Append(t.Context(), deskhand.NewEvent(id, deskhand.KindTaskStatus, deskhand.TaskStatus{To: to})); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

// rewrite is the attack that a chain alone does not show: the events that pick
// makes of a journal, chained anew, with head, number and glance to match.
func (s *Store) rewrite(t *testing.T, id deskhand.TaskID, pick func(deskhand.Event) (deskhand.Event, bool)) {
	t.Helper()
	var h head
	var bodies [][]byte
	for e, err := range s.Events(t.Context(), id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		e, keep := pick(e)
		if !keep {
			continue
		}
		e.Seq, e.Prev = h.seq+1, h.hash
		body, err := encodeEvent(e)
		if err != nil {
			t.Fatal(err)
		}
		if h.task, err = store.Fold(h.task, e); err != nil {
			t.Fatal(err)
		}
		h.seq, h.hash = e.Seq, deskhand.HashOf(body)
		bodies = append(bodies, body)
	}
	glance, err := encodeTask(h.task)
	if err != nil {
		t.Fatal(err)
	}
	s.exec(t, `DELETE FROM events WHERE task = '`+string(id)+`'`)
	for i, body := range bodies {
		if _, err := s.write.ExecContext(t.Context(), `INSERT INTO events (task, seq, body) VALUES (?, ?, ?)`, string(id), i+1, body); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.write.ExecContext(t.Context(), `UPDATE tasks SET seq = ?, head = ?, glance = ? WHERE id = ?`, h.seq, string(h.hash), glance, string(id)); err != nil {
		t.Fatal(err)
	}
}

// TestWrittenAnew plays the attack without the notes beside the database, where
// it succeeds, and with them, where it is found.
func TestWrittenAnew(t *testing.T) {
	t.Parallel()
	for name, pick := range map[string]func(deskhand.Event) (deskhand.Event, bool){
		"end cut":   func(e deskhand.Event) (deskhand.Event, bool) { return e, e.Seq < 7 },
		"dropped":   func(e deskhand.Event) (deskhand.Event, bool) { return e, e.Seq != 3 },
		"rewritten": func(e deskhand.Event) (deskhand.Event, bool) { e.Time = e.Time.Add(1); return e, true },
		"data": func(e deskhand.Event) (deskhand.Event, bool) {
			if e.Seq == 3 {
				e.Data = json.RawMessage(`{"text":"six"}`)
			}
			return e, true
		},
	} {
		for _, noted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, noted %v", name, noted), func(t *testing.T) {
				t.Parallel()
				s := setup(t)
				id := done(t, s)
				if err := s.Verify(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				s.rewrite(t, id, pick)
				if !noted {
					if err := os.Remove(s.endsPath(id)); err != nil {
						t.Fatal(err)
					}
				}
				err := s.Verify(t.Context(), id)
				switch {
				case !noted && err != nil:
					t.Errorf("the attack does not succeed to begin with: %v", err)
				case noted && (deskhand.CodeOf(err) != deskhand.Conflict || !strings.Contains(err.Error(), "was written anew: when the task came to rest at event 7")):
					t.Errorf("verify says %v", err)
				}
			})
		}
	}
}

// TestEnds checks what is noted, and that what a journal says of itself to be
// lost is not taken for an attack.
func TestEnds(t *testing.T) {
	t.Parallel()
	s := setup(t)
	id := done(t, s)
	if _, err := s.Append(t.Context(), deskhand.NewEvent(id, deskhand.KindTaskStatus, deskhand.TaskStatus{To: deskhand.Running})); err != nil {
		t.Fatal(err)
	}
	ends, err := s.ends(id)
	if err != nil || len(ends) != 1 || ends[0].seq != 7 {
		t.Fatalf("noted %v, %v", ends, err)
	}
	for e, err := range s.Events(t.Context(), id, 6) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Seq == 7 && e.Hash() != ends[0].hash {
			t.Errorf("noted %s, the event is %s", ends[0].hash, e.Hash())
		}
	}
	f, err := os.OpenFile(s.endsPath(id), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, "9 torn")
	f.Close()
	if err := s.Verify(t.Context(), id); err != nil {
		t.Errorf("a torn line: %v", err)
	}
	s.rewrite(t, id, func(e deskhand.Event) (deskhand.Event, bool) { return e, e.Seq < 5 })
	if _, err := s.Append(t.Context(), deskhand.NewEvent(id, deskhand.KindJournalCut, deskhand.JournalCut{From: 5, To: 8})); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context(), id); err != nil {
		t.Errorf("a journal that says what it lost: %v", err)
	}
	if err := s.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.endsPath(id)); !os.IsNotExist(err) {
		t.Errorf("what was noted is left: %v", err)
	}
}

// TestForm hides something in the last event, with the head to match: the chain
// holds, and only the form of the event shows it.
func TestForm(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][2]string{
		"white space": {`"seq":5`, `"seq": 5`}, "one more member": {`{"seq":5`, `{"approved":true,"seq":5`},
		"a member twice": {`{"seq":5`, `{"seq":4,"seq":5`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			id := create(t, s, "one", "two", "three", "four")
			var body []byte
			if err := s.read.QueryRowContext(t.Context(), `SELECT body FROM events WHERE seq = 5`).Scan(&body); err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(string(body), change[0], change[1], 1)
			for query, value := range map[string]any{`UPDATE events SET body = ? WHERE seq = 5`: []byte(changed), `UPDATE tasks SET head = ?`: string(deskhand.HashOf([]byte(changed)))} {
				if _, err := s.write.ExecContext(t.Context(), query, value); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Verify(t.Context(), id); changed == string(body) || deskhand.CodeOf(err) != deskhand.Conflict || !strings.Contains(err.Error(), "event 5 of") || !strings.Contains(err.Error(), "not written as the store writes") {
				t.Errorf("verify says %v of %s", err, changed)
			}
		})
	}
}
