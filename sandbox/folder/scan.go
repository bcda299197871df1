package folder

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/overlay"
)

// Changes returns what the task changed, by path. Of an overlay only what was
// written is read. unlocked are the protected names that may be applied.
// Unavailable, Conflict (another folder is in its place), Canceled.
func (l *Layer) Changes(ctx context.Context, unlocked []string) ([]Change, error) {
	lower, err := l.lower()
	if err != nil {
		return nil, err
	}
	defer lower.close()
	upper, err := openTree(filepath.Join(l.dir, upperDir))
	if err != nil {
		return nil, deskhand.E("", deskhand.Unavailable, err)
	}
	defer upper.close()
	known, err := l.known()
	if err != nil {
		return nil, deskhand.E("", deskhand.Internal, err)
	}
	s := &scan{ctx: ctx, layer: l, guard: guard{unlocked}, known: known, trees: []*tree{upper, lower}}
	if err := s.folder(".", upper.fd, lower.fd); err != nil {
		return nil, deskhand.Errorf("", deskhand.Unavailable, "the changes to %q cannot be read: %w", l.meta.Folder, err)
	}
	s.moves(upper, lower)
	slices.SortFunc(s.changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(order[a.Kind], order[b.Kind]))
	})
	return s.changes, nil
}

// order puts a deletion before what takes its place.
var order = map[deskhand.ChangeKind]int{deskhand.Deleted: -1}

// scan is one walk over a layer.
type scan struct {
	ctx     context.Context
	layer   *Layer
	guard   guard
	known   map[string]identity
	trees   []*tree // the layer and the folder
	changes []Change
}

// none is the descriptor of a folder that is not there.
const none = -1

// folder compares two open folders of the same path.
func (s *scan) folder(rel string, upper, lower int) error {
	if err := s.ctx.Err(); err != nil {
		return deskhand.E("", deskhand.Canceled, err)
	}
	names, err := namesIn(upper)
	if err != nil {
		return err
	}
	bare := isBare(upper, lower)
	for _, name := range names {
		if err := s.entry(path.Join(rel, name), name, upper, lower, bare); err != nil {
			return err
		}
	}
	if lower == none || s.layer.meta.Kind == Overlay && !overlay.Opaque(upper) {
		return nil // what is not in the layer is as it was
	}
	below, err := namesIn(lower)
	if err != nil {
		return err
	}
	there := make(map[string]bool, len(names))
	for _, name := range names {
		there[name] = true
	}
	for _, name := range below {
		if !there[name] {
			if err := s.deleted(path.Join(rel, name), name, lower, bare); err != nil {
				return err
			}
		}
	}
	return nil
}

// isBare reports whether git would take the folder for a bare repository.
func isBare(folders ...int) bool {
	for _, name := range []string{"HEAD", "objects", "refs"} {
		if !slices.ContainsFunc(folders, func(fd int) bool {
			if fd == none {
				return false
			}
			st, err := statAt(fd, name)
			return err == nil && st.Mode&unix.S_IFMT != unix.S_IFCHR
		}) {
			return false
		}
	}
	return true
}

// entry compares one name.
func (s *scan) entry(rel, name string, upper, lower int, bare bool) error {
	up, err := statAt(upper, name)
	if errors.Is(err, unix.ENOENT) {
		return nil // a running task removed it
	} else if err != nil {
		return err
	}
	var low unix.Stat_t
	there := false
	if lower != none {
		low, err = statAt(lower, name)
		there = err == nil
	}
	gone := s.layer.meta.Kind == Overlay && overlay.Whiteout(&up)
	same := there && up.Mode&unix.S_IFMT == low.Mode&unix.S_IFMT
	if there && (gone || !same) {
		if err := s.deleted(rel, name, lower, bare); err != nil {
			return err
		}
	}
	if gone {
		return nil
	}
	c := Change{
		Path: rel, Kind: deskhand.Added, Type: typeOf(up), Size: up.Size, Mode: fs.FileMode(up.Mode & 0o777), WasAnotherType: there && !same,
	}
	if same {
		c.Kind, c.OldSize, c.OldMode, c.before = deskhand.Changed, low.Size, fs.FileMode(low.Mode&0o777), identityOf(low)
	}
	s.refuse(&c, up, name, bare)
	if c.Type == fs.ModeDir {
		return s.subfolder(c, name, upper, lower, same)
	}
	return s.leaf(c, name, upper, lower, up, low)
}

// leaf notes what became of anything but a folder. low is what is in the
// folder, if anything is there.
func (s *scan) leaf(c Change, name string, upper, lower int, up, low unix.Stat_t) (err error) {
	if c.Type == fs.ModeSymlink {
		if c.Target, err = linkAt(upper, name); err != nil {
			return err
		}
		if c.Refused == "" {
			c.Refused = s.landing(c)
		}
	}
	if c.Kind == deskhand.Changed {
		equal, err := s.equal(c, name, upper, lower, up, low)
		if err != nil || equal {
			return err
		}
		s.foreign(&c, c.Path, low)
	}
	s.changes = append(s.changes, c)
	return nil
}

// subfolder notes what became of a folder itself, then of what is in it.
func (s *scan) subfolder(c Change, name string, upper, lower int, same bool) error {
	up, err := openAt(upper, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(up)
	low := none
	if same {
		if low, err = openAt(lower, name, unix.O_RDONLY|unix.O_DIRECTORY); err != nil {
			return err
		}
		defer unix.Close(low)
	}
	if c.Size, c.OldSize = 0, 0; !same || c.Mode != c.OldMode {
		s.changes = append(s.changes, c)
	}
	return s.folder(c.Path, up, low)
}

// refuse says why c can never be applied, whatever the folder is like.
func (s *scan) refuse(c *Change, up unix.Stat_t, name string, bare bool) {
	c.Protected = s.guard.name(s.layer.meta.Folder, c.Path, c.Type == fs.ModeDir)
	if c.Protected == "" && bare {
		c.Protected = s.guard.inBare(name)
	}
	switch {
	case c.Protected != "":
		c.Refused = protectedWhy(c.Protected)
	case c.Type&^(fs.ModeDir|fs.ModeSymlink) != 0:
		c.Refused = whySpecial
	case c.Type == 0 && up.Mode&(unix.S_ISUID|unix.S_ISGID) != 0:
		c.Refused = whyBits
	}
}

func protectedWhy(name string) string {
	return "others run or obey it later: it needs --unlock " + name
}

// landing says why a link must not be made: somebody who trusts the folder would
// follow it. It may lead only to a place in the folder, by a way without
// further links, that is not protected itself.
func (s *scan) landing(c Change) string {
	to := c.Target
	if strings.Contains(strings.TrimLeft(to, "./")+"/", "/../") {
		return whyLeadsOn // where ".." leads after a name depends on what that name is by then
	}
	if path.IsAbs(to) {
		rel, err := filepath.Rel(s.layer.meta.Folder, to)
		if err != nil {
			return whyLeadsOut
		}
		to = rel
	} else {
		to = path.Join(path.Dir(c.Path), to)
	}
	if !filepath.IsLocal(to) {
		return whyLeadsOut
	}
	if name := cmp.Or(s.guard.name(s.layer.meta.Folder, to, false), s.guard.name(s.layer.meta.Folder, to+"/hooks", false)); name != "" {
		return protectedWhy(name)
	}
	for p := to; p != "."; p = path.Dir(p) {
		for _, t := range s.trees {
			if st, err := t.stat(p); errors.Is(err, unix.ELOOP) || err == nil && typeOf(st) == fs.ModeSymlink {
				return whyLeadsOn
			}
		}
	}
	return ""
}

// foreign marks c when the real file, as low, is not the one the task saw.
func (s *scan) foreign(c *Change, rel string, low unix.Stat_t) {
	id := identityOf(low)
	if c.Refused == "" && id.CTime > s.layer.meta.Since && s.known[rel] != id {
		c.Refused, c.Conflict = whyChanged, true
	}
}

// deleted notes that name and all below it are gone.
func (s *scan) deleted(rel, name string, lower int, bare bool) error {
	st, err := statAt(lower, name)
	if errors.Is(err, unix.ENOENT) {
		return nil
	} else if err != nil {
		return err
	}
	c := Change{Path: rel, Kind: deskhand.Deleted, Type: typeOf(st), OldSize: st.Size, OldMode: fs.FileMode(st.Mode & 0o777), before: identityOf(st)}
	if c.Protected = s.guard.name(s.layer.meta.Folder, rel, c.Type == fs.ModeDir); c.Protected == "" && bare {
		c.Protected = s.guard.inBare(name)
	}
	if c.Protected != "" {
		c.Refused = protectedWhy(c.Protected)
	}
	if c.Type != fs.ModeDir {
		s.foreign(&c, rel, st)
		s.changes = append(s.changes, c)
		return nil
	}
	c.OldSize = 0
	s.changes = append(s.changes, c)
	fd, err := openAt(lower, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if errors.Is(err, unix.EXDEV) { // something is mounted there: nothing of the folder's
		s.changes[len(s.changes)-1].Refused = "something is mounted there"
		return nil
	} else if err != nil {
		return err
	}
	defer unix.Close(fd)
	names, err := namesIn(fd)
	if err != nil {
		return err
	}
	bare = isBare(fd)
	for _, n := range names {
		if err := s.deleted(path.Join(rel, n), n, fd, bare); err != nil {
			return err
		}
	}
	return nil
}

// equal reports whether nothing changed but times. Of a copy, a file that has the
// size and the time of the original is taken for unread.
func (s *scan) equal(c Change, name string, upper, lower int, up, low unix.Stat_t) (bool, error) {
	switch {
	case c.Mode != c.OldMode && c.Type != fs.ModeSymlink || up.Size != low.Size:
		return false, nil
	case c.Type == fs.ModeSymlink:
		was, err := linkAt(lower, name)
		return was == c.Target, err
	case c.Type != 0: // a pipe, a socket or a device that was there before
		return up.Rdev == low.Rdev, nil
	case s.layer.meta.Kind == Copy && up.Mtim == low.Mtim:
		return true, nil
	}
	a, err := sumAt(upper, name)
	if err != nil {
		return false, err
	}
	b, err := sumAt(lower, name)
	return a == b, err
}

// gone reports whether c is a deleted file that may be somewhere else by now.
// Empty files are alike, and none of them is another.
func (c Change) gone() bool {
	return c.Kind == deskhand.Deleted && c.Type == 0 && c.OldSize > 0 && c.Refused == ""
}

// fresh reports whether c is an added file that may have been somewhere else.
func (c Change) fresh() bool {
	return c.Kind == deskhand.Added && c.Type == 0 && !c.WasAnotherType && c.Refused == ""
}

// moves joins a deleted and an added file of the same content.
func (s *scan) moves(upper, lower *tree) {
	m := matcher{scan: s, upper: upper, lower: lower, bySize: map[int64][]int{}, gone: map[int]bool{}, sums: map[int][sha256.Size]byte{}}
	added := map[string]bool{}
	for _, c := range s.changes {
		if c.Kind == deskhand.Added {
			added[c.Path] = true
		}
	}
	for i, c := range s.changes {
		if c.gone() && !added[c.Path] {
			m.bySize[c.OldSize] = append(m.bySize[c.OldSize], i)
		}
	}
	for i := range s.changes {
		c := &s.changes[i]
		if c.fresh() {
			m.match(c)
		}
	}
	kept := s.changes[:0]
	for i, c := range s.changes {
		if !m.gone[i] {
			kept = append(kept, c)
		}
	}
	s.changes = kept
}

// matcher finds where added files were before.
type matcher struct {
	scan         *scan
	upper, lower *tree
	bySize       map[int64][]int           // deleted files
	gone         map[int]bool              // those that were found again
	sums         map[int][sha256.Size]byte // of deleted files that were read
}

// match makes c a move when its content was in a deleted file. What cannot be
// read is not matched.
func (m *matcher) match(c *Change) {
	candidates := m.bySize[c.Size]
	if len(candidates) == 0 {
		return
	}
	own, err := sumAt(m.upper.fd, c.Path)
	if err != nil {
		return
	}
	for _, i := range candidates {
		from := m.scan.changes[i]
		sum, ok := m.sum(i, from.Path)
		if m.gone[i] || !ok || sum != own {
			continue
		}
		c.Kind, c.From, c.OldSize, c.OldMode, c.before = deskhand.Moved, from.Path, from.OldSize, from.OldMode, from.before
		m.gone[i] = true
		return
	}
}

func (m *matcher) sum(i int, rel string) (sum [sha256.Size]byte, ok bool) {
	if sum, ok = m.sums[i]; ok {
		return sum, true
	}
	sum, err := sumAt(m.lower.fd, rel)
	if err == nil {
		m.sums[i] = sum
	}
	return sum, err == nil
}

func sumAt(dir int, rel string) (sum [sha256.Size]byte, err error) {
	f, _, err := openRegular(dir, rel)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return [sha256.Size]byte(h.Sum(nil)), err
}

// typeOf returns the type bits of a file.
func typeOf(st unix.Stat_t) fs.FileMode {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return 0
	case unix.S_IFDIR:
		return fs.ModeDir
	case unix.S_IFLNK:
		return fs.ModeSymlink
	case unix.S_IFIFO:
		return fs.ModeNamedPipe
	case unix.S_IFSOCK:
		return fs.ModeSocket
	}
	return fs.ModeDevice
}
