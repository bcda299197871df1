package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/deskhand/deskhand"
)

func (s *Store) blobPath(h deskhand.Hash) string {
	return s.path("blobs", string(h[:2]), string(h[2:]))
}

// PutBlob implements store.Blobs.
func (s *Store) PutBlob(ctx context.Context, data []byte) (deskhand.Hash, error) {
	h := deskhand.HashOf(data)
	unlock, err := lockFile(ctx, s.path("blobs.lock"), shared)
	if err != nil {
		return "", explain("put blob", s.dir, err)
	}
	defer unlock()
	path := s.blobPath(h)
	// A blob that is there is marked as wanted now, so that Remove of an older
	// task leaves it for the event that is about to name it.
	now := time.Now()
	switch err = os.Chtimes(path, now, now); {
	case errors.Is(err, fs.ErrNotExist):
		err = writeNew(path, data)
	case err == nil:
		err = syncDir(filepath.Dir(path)) // whoever wrote it may not have come that far
	}
	return h, explain("put blob", s.dir, err)
}

// writeNew makes data the file at path so that after a crash there is either
// the whole file or none, and it is durable when writeNew returns.
func writeNew(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	made := os.Mkdir(dir, 0o700)
	if made != nil && !errors.Is(made, fs.ErrExist) {
		return made
	}
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	if made == nil {
		err = syncDir(filepath.Dir(dir))
	}
	return errors.Join(err, syncDir(dir))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Blob implements store.Blobs.
func (s *Store) Blob(_ context.Context, h deskhand.Hash) ([]byte, error) {
	if !h.Valid() {
		return nil, deskhand.Errorf("store: blob", deskhand.NotFound, "%.80q is not the name of a blob", string(h))
	}
	data, err := os.ReadFile(s.blobPath(h))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, deskhand.Errorf("store: blob", deskhand.NotFound, "there is no blob %s", h)
	case err != nil:
		return nil, explain("blob", s.dir, err)
	case deskhand.HashOf(data) != h:
		return nil, deskhand.Errorf("store: blob", deskhand.Conflict, "the file of blob %s is damaged", h)
	}
	return data, nil
}

// dropBlob deletes a blob unless somebody stored it again after the last event
// of the task that named it.
func (s *Store) dropBlob(h deskhand.Hash, appended int64) error {
	info, err := os.Stat(s.blobPath(h))
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.ModTime().UnixNano() > appended {
		return nil
	} else if err != nil {
		return err
	}
	return os.Remove(s.blobPath(h))
}

// strayAge is how old a file that no event names must be to count as left
// behind: between a blob and the event that names it lie moments.
const strayAge = 10 * time.Minute

// dropStrays deletes what a process left that died between storing a blob and
// the event that names it. The caller holds the lock of the blobs.
func (s *Store) dropStrays(ctx context.Context) error {
	return filepath.WalkDir(s.path("blobs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && time.Since(info.ModTime()) < strayAge {
			return nil
		} else if err != nil {
			return err
		}
		var named bool
		hash := filepath.Base(filepath.Dir(path)) + d.Name()
		err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM blob_refs WHERE hash = ?)`, hash).Scan(&named)
		if err != nil || named {
			return err
		}
		return os.Remove(path)
	})
}
