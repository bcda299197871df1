package folder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	fuse "github.com/hanwen/go-fuse/v2/fs"
	wire "github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/overlay"
)

// ThroughConfig says what a task may do to a folder that it writes through to.
type ThroughConfig struct {
	Unlocked []string // protected names that may be written
	MaxTrash int64    // bytes that the trash of all that was ever replaced may hold; default: 10 GB
	Reserve  int64    // bytes that the disks of folder and trash keep free; default: 256 MiB
}

const defaultReserve = 256 << 20

// Through is a folder that a task writes to at once. A file system of this
// process's own stands in between: it keeps what is about to be replaced or deleted
// in the trash, refuses protected names, links that lead out and special files, and
// says that the disk is full before trash or disk are. Methods may be called concurrently.
type Through struct {
	layer        *Layer
	mirror       *mirror
	ours, theirs *os.File
	serving      sync.WaitGroup
	ended        chan struct{}
	failed       error // of the serving, read after ended
}

// serveEnd is how long the file system may take to end after everything that saw it.
const serveEnd = 10 * time.Second

// OpenThrough opens the folder at path to be written through, with its trash in
// dir, and locks it until Close. companion is as for Open. Conflict: it is in
// use, or another folder is at path now. Unavailable: there is no FUSE.
func OpenThrough(ctx context.Context, dir, path string, companion []string, c ThroughConfig) (*Through, error) {
	l, err := openLayer(dir, path, func(*tree, string) (Kind, error) {
		if err := overlay.ProbeServed(ctx, companion, filepath.Join(dir, mergedDir)); err != nil {
			return "", fmt.Errorf("this machine lets us serve no folder through FUSE (%w): share it for review instead, or see that /dev/fuse is there and this user may open it", err)
		}
		return Direct, nil
	})
	if deskhand.CodeOf(err) == deskhand.Conflict {
		return nil, err
	} else if err != nil {
		return nil, deskhand.Errorf("", deskhand.Unavailable, "the folder %q cannot be written through: %w", path, err)
	}
	t := &Through{layer: l, ended: make(chan struct{})}
	if t.mirror, err = newMirror(l, c); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if t.ours, t.theirs, err = overlay.Pair(); err != nil {
		return nil, errors.Join(err, t.mirror.close(), l.Close())
	}
	t.serving.Go(func() {
		defer close(t.ended)
		t.failed = t.serve()
	})
	return t, nil
}

// serve answers the kernel until nobody sees the folder any more.
func (t *Through) serve() error {
	fd, err := overlay.Receive(t.ours)
	if errors.Is(err, overlay.ErrNotMounted) {
		return nil
	} else if err != nil {
		return err
	}
	var now time.Duration // nothing is believed for longer: the person changes the folder too
	options := &fuse.Options{EntryTimeout: &now, AttrTimeout: &now, NegativeTimeout: &now, NullPermissions: true}
	options.DisableXAttrs, options.MaxWrite = true, 1<<20
	server, err := wire.NewServer(fuse.NewNodeFS(&node{mirror: t.mirror}, options), fmt.Sprintf("/dev/fd/%d", fd), &options.MountOptions)
	if err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	server.Serve()
	return nil
}

// Mount returns what is to be mounted, and the host path where a sandbox finds
// the folder then.
func (t *Through) Mount() (m overlay.Mirror, source string) {
	at := filepath.Join(t.layer.dir, mergedDir)
	return overlay.Mirror{At: at, Socket: t.theirs}, at
}

// Layer is the trash of the folder, locked until Close.
func (t *Through) Layer() *Layer { return t.layer }

// Notices returns what a task should know of its folder since the last call,
// one sentence each.
func (t *Through) Notices() []string { return t.mirror.takeNotices() }

// Close ends the service and lets go of the folder. Nothing may run any more
// that sees it.
func (t *Through) Close() error {
	_ = t.theirs.Close() // the companion's, when there never was one
	_ = t.ours.SetDeadline(time.Now())
	limit := time.NewTimer(serveEnd)
	defer limit.Stop()
	var err error
	select {
	case <-t.ended:
		err = t.failed
	case <-limit.C:
		return deskhand.Errorf("", deskhand.Unavailable, "the folder %q is still in use after %s", t.layer.meta.Folder, serveEnd)
	}
	t.serving.Wait()
	return errors.Join(err, t.ours.Close(), t.mirror.close(), t.layer.Close())
}

// Written returns what was written through to the folder, by path, as far as it
// was not undone: Kind and the paths count, sizes are those of what is there now.
func (l *Layer) Written() ([]Change, error) {
	names, err := l.batches()
	if err != nil {
		return nil, err
	}
	lower, err := l.lower()
	if err != nil {
		return nil, err
	}
	defer lower.close()
	f := folded{}
	for _, name := range names {
		all, err := steps(filepath.Join(l.dir, trashDir, name))
		if err != nil {
			return nil, err
		}
		for _, s := range all {
			if s.lives(all) {
				f.step(s)
			}
		}
	}
	return f.changes(lower), nil
}
