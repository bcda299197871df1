package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/procfs"
)

// Get implements store.Tasks.
func (s *Store) Get(ctx context.Context, id string) (deskhand.Task, error) {
	if id == "" {
		return deskhand.Task{}, notFound("get", id)
	}
	// A range instead of LIKE: id comes from outside and may hold wildcards.
	// An id that is whole sorts before any other that begins with it.
	found, err := s.tasks(ctx, `SELECT id, glance FROM tasks WHERE id >= ? AND id < ? ORDER BY id LIMIT 3`, id, id+"\U0010FFFF")
	if err != nil {
		return deskhand.Task{}, err
	}
	switch {
	case len(found) == 0:
		return deskhand.Task{}, notFound("get", id)
	case len(found) > 1 && string(found[0].ID) != id:
		return deskhand.Task{}, deskhand.Errorf("store: get", deskhand.Conflict, "%q is the beginning of several tasks, such as %s and %s; give more letters", id, found[0].ID, found[1].ID)
	}
	return found[0], nil
}

// List implements store.Tasks.
func (s *Store) List(ctx context.Context, limit int) ([]deskhand.Task, error) {
	if limit <= 0 {
		limit = -1
	}
	return s.tasks(ctx, `SELECT id, glance FROM tasks ORDER BY n DESC LIMIT ?`, limit)
}

func (s *Store) tasks(ctx context.Context, query string, args ...any) ([]deskhand.Task, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, explain("read", s.dir, err)
	}
	defer rows.Close()
	var out []deskhand.Task
	for rows.Next() {
		var id string
		var glance []byte
		if err := rows.Scan(&id, &glance); err != nil {
			return nil, explain("read", s.dir, err)
		}
		t, err := decodeTask(deskhand.TaskID(id), glance)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, explain("read", s.dir, rows.Err())
}

// Remove implements store.Tasks. What it deleted is overwritten in the database
// and gone from its log when it returns. A process that dies on the way leaves
// less of the task, and Remove takes the rest when it is called again.
func (s *Store) Remove(ctx context.Context, id deskhand.TaskID) error {
	if _, err := s.lastSeq(ctx, id); err != nil {
		return err
	}
	release, err := s.Lease(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	for _, path := range []string{s.headPath(id), s.endsPath(id)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return explain("remove", s.dir, err)
		}
	}
	if _, err := s.erase(ctx, id, `DELETE FROM tasks WHERE id = ?`); err != nil {
		return explain("remove", s.dir, err)
	}
	return explain("remove", s.dir, os.Remove(s.leasePath(id)))
}

// DropBlobs implements store.Blobs.
func (s *Store) DropBlobs(ctx context.Context, id deskhand.TaskID) (int, error) {
	if _, err := s.lastSeq(ctx, id); err != nil {
		return 0, err
	}
	var named bool // mostly not: then nobody is kept waiting
	err := s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM blob_refs WHERE task = ?)`, string(id)).Scan(&named)
	if err != nil || !named {
		return 0, explain("drop blobs", s.dir, err)
	}
	release, err := s.Lease(ctx, id)
	if err != nil {
		return 0, err
	}
	defer release()
	n, err := s.erase(ctx, id, `DELETE FROM blob_refs WHERE task = ?`)
	return n, explain("drop blobs", s.dir, err)
}

// erase deletes the blobs that only this task names, then rows, and leaves
// nothing of either in the files. It returns how many blobs there were.
func (s *Store) erase(ctx context.Context, id deskhand.TaskID, rows string) (int, error) {
	n, err := s.remove(ctx, id, rows)
	if err != nil {
		return n, err
	}
	for _, pragma := range []string{`PRAGMA incremental_vacuum`, `PRAGMA wal_checkpoint(TRUNCATE)`} {
		if err := s.drain(ctx, pragma); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (s *Store) remove(ctx context.Context, id deskhand.TaskID, rows string) (int, error) {
	// Nobody may store a blob again between the look at its age and its end.
	unlock, err := lockFile(ctx, s.path("blobs.lock"), exclusive)
	if err != nil {
		return 0, err
	}
	defer unlock()
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback() // nothing after Commit
	var appended int64
	if err := tx.QueryRowContext(ctx, `SELECT appended FROM tasks WHERE id = ?`, string(id)).Scan(&appended); err != nil {
		return 0, err
	}
	only, err := onlyRefs(ctx, tx, id)
	if err != nil {
		return 0, err
	}
	// The files go first: rows that name a file that is gone can be deleted
	// again, a file that nobody names any more would stay.
	for _, hash := range only {
		err = errors.Join(err, s.dropBlob(hash, appended))
	}
	if err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, rows, string(id)); err != nil {
		return 0, err
	}
	if err := tx.Commit(); err != nil {
		return 0, err
	}
	return len(only), s.dropStrays(ctx)
}

// onlyRefs returns the blobs that this task names and no other.
func onlyRefs(ctx context.Context, tx *sql.Tx, id deskhand.TaskID) (out []deskhand.Hash, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT hash FROM blob_refs r WHERE task = ?
		AND NOT EXISTS (SELECT 1 FROM blob_refs o WHERE o.hash = r.hash AND o.task <> r.task)`, string(id))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var h string
		if err := rows.Scan(&h); err != nil {
			return nil, err
		}
		out = append(out, deskhand.Hash(h))
	}
	return out, rows.Err()
}

// drain runs a statement that works row by row to its end.
func (s *Store) drain(ctx context.Context, query string) error {
	rows, err := s.write.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

func (s *Store) leasePath(id deskhand.TaskID) string { return s.path("leases", string(id)) }

// Lease implements store.Tasks. The task need not exist yet.
func (s *Store) Lease(ctx context.Context, id deskhand.TaskID) (release func(), err error) {
	if !id.Valid() {
		return nil, notFound("lease", string(id))
	}
	unlock, err := tryLock(s.leasePath(id), exclusive)
	if errors.Is(err, syscall.EWOULDBLOCK) && dead(s.leasePath(id)) {
		unlock, err = s.inherit(ctx, id)
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, deskhand.Errorf("store: lease", deskhand.Conflict, "task %s is being driven by %s", id, holder(s.leasePath(id)))
	}
	return unlock, explain("lease", s.dir, err)
}

// heirs is how long the lease of a process that has died may still be held: by a
// child of it that was forked and has not begun to run its program.
const heirs = 2 * time.Second

// inherit waits for the lease of a process that has died.
func (s *Store) inherit(ctx context.Context, id deskhand.TaskID) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, heirs)
	defer cancel()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for {
		unlock, err = tryLock(s.leasePath(id), exclusive)
		if !errors.Is(err, syscall.EWOULDBLOCK) || !dead(s.leasePath(id)) { // somebody else was faster
			return unlock, err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return unlock, err
		}
	}
}

// dead reports whether the process that wrote itself into a lock file has ended.
func dead(path string) bool {
	raw, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return false
	}
	p, err := procfs.Read(pid)
	return err != nil || p.Ended()
}

// holder names the process that wrote itself into a lock file.
func holder(path string) string {
	raw, err := os.ReadFile(path)
	if pid := strings.TrimSpace(string(raw)); err == nil && pid != "" {
		return fmt.Sprintf("process %.20q", pid)
	}
	return "another process"
}
