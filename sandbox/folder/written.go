package folder

import (
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/deskhand/deskhand"
)

// folded is what steps come to, by path.
type folded map[string]Change

// step adds one step.
func (f folded) step(s step) {
	switch {
	case !s.Done || s.Do == doTimes:
	case s.Do == doMove:
		f.move(string(s.From), string(s.Path))
	default:
		f.change(s)
	}
}

func (f folded) change(s step) {
	c := Change{Path: string(s.Path), Kind: kinds[s.Do], OldSize: s.Before.Size, OldMode: fs.FileMode(s.Mode & 0o777)}
	if s.Do == doMkdir || s.Do == doRmdir || s.Do == doMode {
		c.Type, c.OldSize = fs.ModeDir, 0
	}
	was, known := f[c.Path]
	switch {
	case !known:
	case was.Kind == deskhand.Added && c.Kind == deskhand.Deleted:
		delete(f, c.Path)
		return
	case was.Kind == deskhand.Deleted && c.Kind == deskhand.Added: // and made again
		c.Kind, c.OldSize, c.OldMode = deskhand.Changed, was.OldSize, was.OldMode
	case c.Kind != deskhand.Added:
		c.From, c.OldSize, c.OldMode = was.From, was.OldSize, was.OldMode
		if c.Kind == deskhand.Changed {
			c.Kind = was.Kind
		}
	}
	f[c.Path] = c
}

// move takes along what is known of a file, or of all in a folder.
func (f folded) move(from, to string) {
	over, replaces := f[to]
	c, known := f[from]
	if !known {
		c = Change{Kind: deskhand.Moved, From: from}
	}
	for p, below := range maps.Clone(f) {
		if rest, ok := strings.CutPrefix(p, from+"/"); ok {
			delete(f, p)
			below.Path = path.Join(to, rest)
			f[below.Path] = below
		}
	}
	delete(f, from)
	if replaces && over.Kind == deskhand.Deleted && c.Kind == deskhand.Added {
		c.Kind, c.OldSize, c.OldMode = deskhand.Changed, over.OldSize, over.OldMode
	}
	c.Path = to
	f[to] = c
}

// changes lists them, with the sizes of what is there now.
func (f folded) changes(lower *tree) []Change {
	out := []Change{}
	for _, rel := range slices.Sorted(maps.Keys(f)) {
		c := f[rel]
		if st, err := lower.stat(rel); err == nil && c.Kind != deskhand.Deleted {
			c.Type, c.Mode = typeOf(st), fs.FileMode(st.Mode&0o777)
			if c.Type != fs.ModeDir {
				c.Size = st.Size
			}
		}
		out = append(out, c)
	}
	return out
}
