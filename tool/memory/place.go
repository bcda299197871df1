package memory

import (
	"errors"
	"io/fs"
	"regexp"
	"strings"
	"syscall"

	"github.com/deskhand/deskhand/internal/plaintext"
)

// place is a path as the model wrote it, and after check what it means.
type place struct {
	shown string
	parts []string // below the root; none: the root itself
}

func (p place) rel() string {
	if len(p.parts) == 0 {
		return "."
	}
	return strings.Join(p.parts, "/")
}

func (p place) isRoot() bool { return len(p.parts) == 0 }

// above is the directory that p is in, still shown as p.
func (p place) above() place { return place{p.shown, p.parts[:len(p.parts)-1]} }

func (p place) base() string { return p.parts[len(p.parts)-1] }

const (
	mount    = "/memories"
	maxPath  = 1000 // bytes
	maxName  = 200  // bytes of one name, so that every file system takes it
	maxDepth = 16
	maxShown = 200 // characters of a path that are repeated to the model
	aside    = ".deskhand-"
)

// encoded is a character written as the web does: a path is taken as it stands,
// and one that would become another by decoding is refused.
var encoded = regexp.MustCompile(`%[0-9A-Fa-f]{2}|%u[0-9A-Fa-f]{4}`)

// check takes p apart. What it refuses was never looked for on the disk.
func (p *place) check() error {
	written := p.shown
	p.shown = plaintext.Short(written, maxShown)
	bad := func(why string) error { return refuse(badPath, "{p}", p.shown, "{s}", why) }
	rest, below := strings.CutPrefix(strings.TrimSuffix(written, "/"), mount)
	switch {
	case len(written) > maxPath:
		return bad("it is too long")
	case plaintext.Short(written, maxPath) != written:
		return bad("it has characters that cannot be shown")
	case encoded.MatchString(written), strings.Contains(written, `\`):
		return bad("it has an encoded or escaped character; write it plainly")
	case !below || rest != "" && rest[0] != '/':
		return refuse(outside, "{p}", p.shown)
	case rest == "":
		return nil
	}
	p.parts = strings.Split(rest[1:], "/")
	if len(p.parts) > maxDepth {
		return bad("it has too many directories")
	}
	for _, name := range p.parts {
		switch {
		case name == "" || name == "." || name == "..":
			return bad("name every directory of it, without . and ..")
		case len(name) > maxName:
			return bad("a name in it is too long")
		case strings.HasPrefix(name, aside):
			return bad("that name is reserved")
		}
	}
	return nil
}

// find describes what is at p: a directory, or a file that only one name leads
// to. fs.ErrNotExist when there is nothing.
func (m *Memory) find(p place) (fs.FileInfo, error) {
	for n := 1; n <= len(p.parts); n++ {
		info, err := m.root.Lstat(strings.Join(p.parts[:n], "/"))
		switch {
		case errors.Is(err, syscall.ENOTDIR):
			return nil, fs.ErrNotExist
		case err != nil:
			return nil, err
		case !plain(info):
			return nil, refuse(isLink, "{p}", p.shown)
		case n == len(p.parts):
			return info, nil
		case !info.IsDir():
			return nil, fs.ErrNotExist
		}
	}
	return m.root.Lstat(".")
}

// plain reports whether info is of a directory or of a file with one name.
func plain(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return info.IsDir() || info.Mode().IsRegular() && ok && stat.Nlink == 1
}

// existing is find for a path that must be there.
func (m *Memory) existing(p *place) (fs.FileInfo, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	info, err := m.find(*p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refuse(missing, "{p}", p.shown)
	}
	return info, err
}

// vacant checks that nothing is at p; occupied is said otherwise.
func (m *Memory) vacant(p *place, occupied string) error {
	if err := p.check(); err != nil {
		return err
	}
	_, err := m.find(*p)
	switch {
	case err == nil:
		return refuse(occupied, "{p}", p.shown, "{q}", p.shown)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}
