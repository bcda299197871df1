package folder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
)

// Choice says what of the changes to apply.
type Choice struct {
	All       bool     // else what Paths names
	Paths     []string // changes, and folders for all below; relative to the folder
	Deletions bool     // deletions too; each of them was shown
	Unlocked  []string // protected names that may be applied
	MaxTrash  int64    // bytes that this layer's trash may hold; default: 10 GB
}

const defaultMaxTrash = 10 << 30

// Outcome says what Apply or Undo did.
type Outcome struct {
	Applied []Change // undone ones, for Undo
	Left    []Change // with the reason in Refused
}

const (
	whyDeletion = "deletions have to be accepted by themselves (--accept-deletions)"
	whyExists   = "something of that name is there by now"
	whyParent   = "the folder it belongs in is not there, or is reached through a link"
	whyNotEmpty = "something that is not the task's lies in it"
	whyOld      = "what is in its place has to be deleted first"
	whyVerify   = "what was written could not be read back as it was"
)

// Apply brings chosen changes into the real folder. Each file is replaced
// whole or not at all, and only when the folder has what the task began with;
// what is replaced or deleted goes to the trash. The layer must be locked.
// Changes that cannot be applied are left, and do not stop the others.
//
// Invalid: a path names no change. OverLimit: there is no room for the trash.
// Unavailable, Conflict (another folder is in its place), Canceled.
func (l *Layer) Apply(ctx context.Context, choice Choice) (Outcome, error) {
	const op = "folder: apply"
	if l.lock == nil {
		return Outcome{}, deskhand.Errorf(op, deskhand.Internal, "the layer is not locked")
	}
	changes, err := l.Changes(ctx, choice.Unlocked)
	if err != nil {
		return Outcome{}, deskhand.E(op, "", err)
	}
	if changes, err = choice.of(changes); err != nil {
		return Outcome{}, deskhand.E(op, "", err)
	}
	if len(changes) == 0 {
		return Outcome{}, nil
	}
	if err := l.room(changes, choice.MaxTrash); err != nil {
		return Outcome{}, deskhand.E(op, "", err)
	}
	a, err := l.applier()
	if err != nil {
		return Outcome{}, deskhand.E(op, "", err)
	}
	a.deletions = choice.Deletions
	a.all(ctx, changes)
	return a.out, deskhand.E(op, "", errors.Join(a.broken, a.close()))
}

// at reports whether c is at or below a path.
func (c Change) at(p string) bool {
	return p == "." || c.Path == p || c.From == p || strings.HasPrefix(c.Path, p+"/")
}

// of returns the chosen ones, and the new folders that they need.
func (c Choice) of(changes []Change) ([]Change, error) {
	if c.All {
		return changes, nil
	}
	chosen := map[int]bool{}
	for _, want := range c.Paths {
		want, found := path.Clean(want), false
		for i, ch := range changes {
			if ch.at(want) {
				chosen[i], found = true, true
			}
		}
		if !found {
			return nil, deskhand.Errorf("", deskhand.Invalid, "%q is not among the changes", want)
		}
	}
	needed := map[string]bool{} // folders above what is chosen
	for i := range chosen {
		for p := path.Dir(changes[i].Path); p != "."; p = path.Dir(p) {
			needed[p] = true
		}
	}
	var out []Change
	for i, ch := range changes {
		if chosen[i] || ch.Kind == deskhand.Added && ch.Type == fs.ModeDir && needed[ch.Path] {
			out = append(out, ch)
		}
	}
	return out, nil
}

// room refuses what would overflow the trash or a disk.
func (l *Layer) room(changes []Change, most int64) error {
	if most == 0 {
		most = defaultMaxTrash
	}
	var fresh, old int64
	for _, c := range changes {
		if c.Refused == "" {
			fresh += c.Size
			old += c.OldSize
		}
	}
	if used := sizeOf(filepath.Join(l.dir, trashDir)); used+old > most {
		return deskhand.Errorf("", deskhand.OverLimit, "the trash of this task would hold %d MB, more than its limit of %d MB: apply less at once, or raise the limit", (used+old)>>20, most>>20)
	}
	for dir, need := range map[string]int64{l.meta.Folder: fresh, l.dir: old} {
		var fs unix.Statfs_t
		if err := unix.Statfs(dir, &fs); err == nil && need > int64(fs.Bavail)*fs.Bsize {
			return deskhand.Errorf("", deskhand.OverLimit, "the disk that holds %s has no room for %d MB more: make room, or apply less at once", dir, need>>20)
		}
	}
	return nil
}

// sizeOf returns the bytes of all files below dir, as far as they can be seen.
func sizeOf(dir string) int64 {
	var sum int64
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			if info, err := e.Info(); err == nil {
				sum += info.Size()
			}
		}
		return nil
	})
	return sum
}

// applier is one Apply or Undo at work.
type applier struct {
	layer        *Layer
	lower, upper *tree
	batch        *batch
	known        map[string]identity
	deletions    bool
	timed        map[string]bool // folders whose times are written down
	out          Outcome
	broken       error // what ends the whole
}

func (l *Layer) applier() (*applier, error) {
	a := &applier{layer: l, timed: map[string]bool{}}
	var err error
	if a.known, err = l.known(); err != nil {
		return nil, err
	}
	if a.lower, err = l.lower(); err != nil {
		return nil, err
	}
	if a.upper, err = openTree(filepath.Join(l.dir, upperDir)); err != nil {
		return nil, errors.Join(err, a.lower.Close())
	}
	if a.batch, err = l.newBatch(); err != nil {
		return nil, errors.Join(err, a.lower.Close(), a.upper.Close())
	}
	return a, nil
}

// close makes durable what was done.
func (a *applier) close() error {
	return errors.Join(unix.Syncfs(a.lower.fd), a.batch.Close(), writeJSON(filepath.Join(a.layer.dir, knownFile), a.known),
		a.lower.Close(), a.upper.Close())
}

// all applies in an order in which nothing is in another's way: what gives
// its place to something of another type, then what is new, parents first, then
// the other deletions, children first.
func (a *applier) all(ctx context.Context, changes []Change) {
	replaced := map[string]bool{}
	for _, c := range changes {
		if c.WasAnotherType {
			replaced[c.Path] = true
		}
	}
	gives := func(c Change) bool {
		for p := c.Path; p != "."; p = path.Dir(p) {
			if replaced[p] {
				return true
			}
		}
		return false
	}
	var first, middle, last []Change
	for _, c := range changes {
		switch {
		case c.Kind != deskhand.Deleted:
			middle = append(middle, c)
		case gives(c):
			first = append(first, c)
		default:
			last = append(last, c)
		}
	}
	slices.Reverse(first)
	slices.Reverse(last)
	for _, c := range slices.Concat(first, middle, last) {
		if a.broken != nil {
			return
		}
		if a.broken = deskhand.E("", deskhand.Canceled, ctx.Err()); a.broken == nil {
			a.one(c)
		}
	}
}

// one applies c, or says why not.
func (a *applier) one(c Change) {
	if c.Refused == "" && c.Kind == deskhand.Deleted && !a.deletions {
		c.Refused = whyDeletion
	}
	if c.Refused == "" {
		var left *refusal
		if err := a.try(c); errors.As(err, &left) {
			c.Refused, c.Conflict = left.why, true
		} else if err != nil {
			a.broken = deskhand.Errorf("", deskhand.Unavailable, "%q could not be applied: %w", c.Path, err)
			c.Refused = "it could not be written"
		}
	}
	if c.Refused != "" {
		a.out.Left = append(a.out.Left, c)
		return
	}
	a.out.Applied = append(a.out.Applied, c)
}

// refusal is why one change is left while the others go on.
type refusal struct{ why string }

func (r *refusal) Error() string { return r.why }

// after returns err, or what went wrong while things were put back: then the
// change is no longer merely left.
func after(err error, back ...error) error {
	if failed := errors.Join(back...); failed != nil {
		return fmt.Errorf("%s, and it could not be put back: %w", err.Error(), failed)
	}
	return err
}
