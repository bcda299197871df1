// Package sqlite keeps tasks in one directory: an index and the journals in an
// SQLite database, images as files named by their hash beside it.
//
//	deskhand.db          tasks, events (hash-chained), which task names which blob
//	blobs/ab/cdef…       one file per image, written and synced before the event that names it
//	leases/ID            locked by the process that drives the task ID
//	heads/ID             number of the task's last event, to find what a damaged database lost
//	ends/ID              number and hash of the last event whenever the task came to rest, to find a journal written anew
//
// Any number of processes may use one directory. Every write is one short
// IMMEDIATE transaction that is synced before it counts; a lease is a lock on a
// file, so that it ends with the process that held it.
//
// Trust: the directory is its owner's (0700) and its content may have been
// damaged. A blob is checked against its name on every read, a journal by Verify.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the database/sql driver named "sqlite"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/store"
)

const (
	fileName    = "deskhand.db"
	busyTimeout = 10 * time.Second // how long a write waits for another process's write
	readers     = 4                // connections for reading
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is a store.Store in a directory. Methods may be called concurrently.
type Store struct {
	dir   string
	write *sql.DB // one connection, IMMEDIATE transactions
	read  *sql.DB // query_only

	damage []string // found when it was opened
}

var _ store.Store = (*Store)(nil)

// Open opens the store in dir, which is created if it is not there. Denied: the
// directory cannot be written. Conflict: it was written by a newer deskhand, or
// the database is damaged.
func Open(ctx context.Context, dir string) (*Store, error) {
	s := &Store{dir: dir}
	for _, d := range []string{dir, s.path("blobs"), s.path("leases"), s.path("heads"), s.path("ends")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, explain("open", dir, err)
		}
	}
	if err := s.connect(); err != nil {
		return nil, explain("open", dir, err)
	}
	if err := s.migrate(ctx); err != nil {
		_ = s.Close() // why it could not be migrated says more
		return nil, explain("open", dir, err)
	}
	if err := s.heal(ctx); err != nil {
		_ = s.Close()
		return nil, explain("open", dir, err)
	}
	return s, nil
}

// Close closes the database. Leases stay with whoever holds them.
func (s *Store) Close() error {
	return deskhand.E("store: close", deskhand.Internal, errors.Join(s.read.Close(), s.write.Close()))
}

func (s *Store) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

func (s *Store) connect() error {
	// SQLite gives the database's mode to the files it makes beside it.
	f, err := os.OpenFile(s.path(fileName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	if s.write, err = sql.Open("sqlite", s.dsn(url.Values{"_txlock": {"immediate"}})); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", s.dsn(url.Values{"_pragma": {"query_only(1)"}})); err != nil {
		return errors.Join(err, s.write.Close())
	}
	s.read.SetMaxOpenConns(readers) // opening one costs more than waiting for one
	s.read.SetMaxIdleConns(readers)
	return nil
}

func (s *Store) dsn(q url.Values) string {
	for _, p := range []string{
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
		"auto_vacuum(incremental)",
		"journal_mode(wal)",
		"synchronous(full)",
		"foreign_keys(1)",
		"secure_delete(1)",
	} {
		q.Add("_pragma", p)
	}
	return (&url.URL{Scheme: "file", Path: s.path(fileName), RawQuery: q.Encode()}).String()
}

// migrate brings the schema up to date, one process at a time.
func (s *Store) migrate(ctx context.Context) error {
	unlock, err := lockFile(ctx, s.path("migrate.lock"), exclusive)
	if err != nil {
		return err
	}
	defer unlock()
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.write, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if have > want {
		return deskhand.Errorf("", deskhand.Conflict, "it was written by a newer deskhand (schema %d, this one knows %d); update deskhand or use another state directory", have, want)
	}
	_, err = p.Up(ctx)
	return err
}
