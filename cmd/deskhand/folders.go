package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/machine"
	"github.com/deskhand/deskhand/sandbox/bwrap"
	"github.com/deskhand/deskhand/sandbox/folder"
)

// folders settles which folders the task is given.
func (c *runCmd) folders(a *app, p *plan) error {
	for _, spec := range c.Folder {
		f, err := folder.Parse(spec)
		if err != nil {
			return usage("%s", err)
		}
		p.task.Folders = append(p.task.Folders, f)
	}
	if len(p.task.Folders) == 0 {
		if len(c.Unlock) > 0 {
			return usage("--unlock means nothing without --folder")
		}
		return nil
	}
	home, err := a.homePath()
	if err != nil {
		return err
	}
	if err := folder.Check(p.task.Folders, home); err != nil {
		return usage("%s", err)
	}
	if err := unlockable(c.Unlock); err != nil {
		return err
	}
	p.task.Unlock = c.Unlock
	switch c.Sandbox {
	case string(machine.None):
		return usage("--folder means nothing with --sandbox none, where every folder is the real one: leave out one of them")
	case string(machine.OCI):
		return notYet("--folder with --sandbox oci")
	}
	p.task.System = strings.TrimSpace(p.task.System + "\n\n" + aboutFolders(p.task.Folders))
	return nil
}

// unlockable refuses names that nothing protects: a slip of the pen there is a
// wall less, or one more than somebody thinks.
func unlockable(names []string) error {
	for _, name := range names {
		if name != ".git" && !slices.Contains(folder.Protected(), name) {
			return usage("--unlock: %q is not a protected name; there are .git, %s", name, strings.Join(folder.Protected(), ", "))
		}
	}
	return nil
}

// aboutFolders tells the model what it was given.
func aboutFolders(all []deskhand.Folder) string {
	var b strings.Builder
	b.WriteString("Folders of the person's, at the same paths as on their own computer:\n")
	for _, f := range all {
		how := map[deskhand.FolderMode]string{
			deskhand.Review:   "you may change it; the person reviews your changes before they count",
			deskhand.ReadOnly: "to read only",
			deskhand.Through:  "you change the person's own files at once; what you replace or delete is kept for them, and names that other programs run later cannot be written",
		}[f.Mode]
		fmt.Fprintf(&b, "- %s (%s)\n", strconv.Quote(f.Path), how)
	}
	return b.String()
}

// layerDir is where what a task wrote to its folder i is kept.
func (a *app) layerDir(id deskhand.TaskID, i int) (string, error) {
	dir, err := a.layers(id)
	return filepath.Join(dir, strconv.Itoa(i)), err
}

// layers holds the layers of a task; it stays until the task is removed.
func (a *app) layers(id deskhand.TaskID) (string, error) {
	home, err := a.home()
	return filepath.Join(home, "folders", string(id)), err
}

// shares are the folders of a computer, this process's until they are closed.
type shares struct {
	layers  []*folder.Layer
	through []*folder.Through
}

// Close lets go of the folders. Nothing may run any more that sees them.
func (s shares) Close() error {
	var errs []error
	for _, l := range s.layers {
		errs = append(errs, l.Close())
	}
	for _, t := range s.through {
		errs = append(errs, t.Close())
	}
	return errors.Join(errs...)
}

// Notices returns what the task should know of its folders since the last call.
func (s shares) Notices() []string {
	var all []string
	for _, t := range s.through {
		all = append(all, t.Notices()...)
	}
	return all
}

// share adds the task's folders to cfg.
func (a *app) share(ctx context.Context, t deskhand.Task, cfg *machine.Config) (s shares, err error) {
	how := map[deskhand.FolderMode]func(context.Context, deskhand.Task, int, *machine.Config) error{
		deskhand.Review: func(ctx context.Context, t deskhand.Task, i int, cfg *machine.Config) error {
			l, err := a.shareLayer(ctx, t, i, cfg)
			if err == nil {
				s.layers = append(s.layers, l)
			}
			return err
		},
		deskhand.Through: func(ctx context.Context, t deskhand.Task, i int, cfg *machine.Config) error {
			f, err := a.shareThrough(ctx, t, i, cfg)
			if err == nil {
				s.through = append(s.through, f)
			}
			return err
		},
		deskhand.ReadOnly: func(_ context.Context, t deskhand.Task, i int, cfg *machine.Config) error {
			cfg.Binds = append(cfg.Binds, bwrap.Bind{Host: t.Folders[i].Path, Inside: t.Folders[i].Path})
			return nil
		},
	}
	for i, f := range t.Folders {
		one := how[f.Mode]
		if one == nil {
			err = deskhand.Errorf("", deskhand.Invalid, "the folder %q is shared in a way %q that this version of deskhand does not know", f.Path, f.Mode)
		} else {
			err = one(ctx, t, i, cfg)
		}
		if err != nil {
			return shares{}, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// guestProgram is this program as the one that mounts for a sandbox.
func guestProgram() ([]string, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, deskhand.Errorf("", deskhand.Internal, "this program's own file cannot be found: %w", err)
	}
	return []string{exe, "guest"}, nil
}

func (a *app) shareThrough(ctx context.Context, t deskhand.Task, i int, cfg *machine.Config) (*folder.Through, error) {
	companion, err := guestProgram()
	if err != nil {
		return nil, err
	}
	dir, err := a.layerDir(t.ID, i)
	if err != nil {
		return nil, err
	}
	path := t.Folders[i].Path
	f, err := folder.OpenThrough(ctx, dir, path, companion, folder.ThroughConfig{Unlocked: t.Unlock})
	if err != nil {
		return nil, err
	}
	mirror, source := f.Mount()
	cfg.Mirrors = append(cfg.Mirrors, mirror)
	cfg.Binds = append(cfg.Binds, bwrap.Bind{Host: source, Inside: path, Write: true})
	return f, nil
}

func (a *app) shareLayer(ctx context.Context, t deskhand.Task, i int, cfg *machine.Config) (*folder.Layer, error) {
	companion, err := guestProgram()
	if err != nil {
		return nil, err
	}
	dir, err := a.layerDir(t.ID, i)
	if err != nil {
		return nil, err
	}
	path := t.Folders[i].Path
	l, err := folder.Open(ctx, dir, path, companion)
	if err != nil {
		return nil, err
	}
	walls, err := l.Walls(t.Unlock)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	mounts, source := l.Mount()
	if cfg.Layers = append(cfg.Layers, mounts...); len(mounts) == 0 {
		cfg.Copies = append(cfg.Copies, source)
	}
	cfg.Binds = append(cfg.Binds, bwrap.Bind{Host: source, Inside: path, Write: true})
	for _, w := range walls {
		real := filepath.Join(path, w)
		cfg.Binds = append(cfg.Binds, bwrap.Bind{Host: real, Inside: real})
	}
	return l, nil
}

// sharing is a computer with folders that are its own while it is up.
type sharing struct {
	*machine.Machine
	shares shares
}

// Notices implements engine.Computer.
func (s sharing) Notices() []string { return append(s.Machine.Notices(), s.shares.Notices()...) }

// Close implements engine.Computer.
func (s sharing) Close() error { return errors.Join(s.Machine.Close(), s.shares.Close()) }

// upSharing makes a computer with the task's folders.
func (a *app) upSharing(ctx context.Context, t deskhand.Task, cfg machine.Config) (sharing, error) {
	s, err := a.share(ctx, t, &cfg)
	if err != nil {
		return sharing{}, err
	}
	m, err := machine.Up(ctx, cfg)
	if err != nil {
		return sharing{}, errors.Join(err, s.Close())
	}
	return sharing{m, s}, nil
}

// reviewable opens the layers of a task to look at them, by the number of the
// folder. A folder to which nothing was ever shared has none.
func (a *app) reviewable(t deskhand.Task) (map[int]*folder.Layer, error) {
	all := map[int]*folder.Layer{}
	for i, f := range t.Folders {
		if f.Mode == deskhand.ReadOnly {
			continue
		}
		dir, err := a.layerDir(t.ID, i)
		if err != nil {
			return nil, err
		}
		l, err := folder.Existing(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, deskhand.Errorf("", deskhand.Internal, "what the task wrote to %q cannot be read: %w", f.Path, err)
		}
		all[i] = l
	}
	return all, nil
}

// fileChanges appends what waits for review, or was written through, to the journal, once a task has
// ended, and returns the events.
func (a *app) fileChanges(ctx context.Context, s interface {
	Append(ctx context.Context, events ...deskhand.Event) ([]deskhand.Event, error)
}, t deskhand.Task) ([]deskhand.Event, error) {
	if !t.Status.Ended() {
		return nil, nil
	}
	layers, err := a.reviewable(t)
	if err != nil {
		return nil, err
	}
	var events []deskhand.Event
	for i := range t.Folders {
		if layers[i] == nil {
			continue
		}
		changes, err := changesOf(ctx, layers[i], t.Unlock)
		if err != nil {
			return nil, err
		}
		if len(changes) > 0 {
			events = append(events, deskhand.NewEvent(t.ID, deskhand.KindFileChanged, summed(layers[i], changes)))
		}
	}
	if len(events) == 0 {
		return nil, nil
	}
	return s.Append(ctx, events...)
}

// changesOf lists what waits for review, or what was written through.
func changesOf(ctx context.Context, l *folder.Layer, unlocked []string) ([]folder.Change, error) {
	if l.Kind() == folder.Direct {
		return l.Written()
	}
	return l.Changes(ctx, unlocked)
}

func summed(l *folder.Layer, changes []folder.Change) deskhand.FileChanged {
	d := deskhand.FileChanged{Folder: l.Folder(), Count: map[deskhand.ChangeKind]int{}, Written: l.Kind() == folder.Direct}
	for _, c := range changes {
		d.Count[c.Kind]++
		if c.Kind == deskhand.Added || c.Kind == deskhand.Changed {
			d.Bytes += c.Size
		}
	}
	return d
}
