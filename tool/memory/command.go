package memory

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/deskhand/deskhand/internal/lines"
	"github.com/deskhand/deskhand/internal/plaintext"
)

// maxLines is how many lines of a file can be numbered in six digits.
const maxLines = 999_999

// view shows a file, or a directory two levels deep.
func view(m *Memory, a args) (string, error) {
	info, err := m.existing(&a.path)
	switch {
	case err != nil:
		return "", err
	case info.IsDir() && a.viewRange != nil:
		return "", refuse(rangeOnDir)
	case info.IsDir():
		return m.list(a.path)
	}
	text, err := m.text(a.path, info)
	if err != nil {
		return "", err
	}
	all, first := lines.Split(text), 1
	if len(all) > maxLines {
		return "", refuse(tooLong, "{p}", a.path.shown)
	}
	if r := a.viewRange; r != nil {
		last := r[1]
		if last == -1 {
			last = len(all)
		}
		if r[0] < 1 || last > len(all) || last < r[0] {
			return "", refuse(badRange, "{a}", strconv.Itoa(r[0]), "{b}", strconv.Itoa(r[1]), "{n}", strconv.Itoa(len(all)))
		}
		all, first = all[r[0]-1:last], r[0]
	}
	return say(content, "{p}", a.path.shown) + lines.Number(all, first), nil
}

// levels is how deep a directory is shown.
const levels = 2

// list shows a directory with the sizes of what is in it, all of it.
func (m *Memory) list(p place) (string, error) {
	sizes, names := map[string]int64{}, []string{}
	err := fs.WalkDir(m.root.FS(), p.rel(), func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rest := ""
		if at != p.rel() {
			rest = strings.TrimPrefix(at, strings.TrimPrefix(p.rel()+"/", "./"))
		}
		info, err := d.Info()
		hidden := rest != "" && (d.Name()[0] == '.' || d.Name() == "node_modules")
		switch {
		case err != nil:
			return err
		case hidden && d.IsDir():
			return fs.SkipDir
		case hidden, !plain(info):
			return nil
		}
		if strings.Count(rest, "/") < levels {
			names = append(names, rest)
		}
		for dir := rest; !d.IsDir(); dir = up(dir) {
			sizes[dir] += info.Size()
			if dir == "" {
				break
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	slices.Sort(names)
	for _, name := range names {
		shown := strings.TrimSuffix(p.shown, "/")
		if name != "" {
			shown += "/" + plaintext.Short(name, maxPath)
		}
		b.WriteString(size(sizes[name]) + "\t" + shown + "\n")
	}
	return say(directory, "{p}", p.shown) + strings.TrimSuffix(b.String(), "\n"), nil
}

// up returns the directory of a path, "" for one at the top.
func up(p string) string { return p[:max(0, strings.LastIndexByte(p, '/'))] }

func create(m *Memory, a args) (string, error) {
	if err := m.vacant(&a.path, exists); err != nil {
		return "", err
	}
	err := m.put(a.path, a.fileText, 0, true)
	if errors.Is(err, fs.ErrExist) {
		return "", refuse(exists, "{p}", a.path.shown)
	}
	return say(created, "{p}", a.path.shown), err
}

// file reads the file at p for an edit. A directory counts as missing.
func (m *Memory) file(p *place) (text string, info fs.FileInfo, err error) {
	if info, err = m.existing(p); err != nil {
		return "", nil, err
	}
	if info.IsDir() {
		return "", nil, refuse(missing, "{p}", p.shown)
	}
	text, err = m.text(*p, info)
	return text, info, err
}

func replace(m *Memory, a args) (string, error) {
	text, info, err := m.file(&a.path)
	if err != nil {
		return "", err
	}
	found := lines.Places(text, a.old)
	switch {
	case len(found) == 0:
		return "", refuse(noMatch, "{s}", echo(a.old), "{p}", a.path.shown)
	case len(found) > 1:
		return "", refuse(manyMatches, "{s}", echo(a.old), "{n}", lines.Numbers(text, found))
	case a.old == a.new:
		return "", refuse(sameText)
	}
	at := found[0]
	text = text[:at] + a.new + text[at+len(a.old):]
	if err := m.put(a.path, text, info.Size(), false); err != nil {
		return "", err
	}
	first := strings.Count(text[:at], "\n")
	return edited + lines.Snippet(text, first, first+strings.Count(a.new, "\n")), nil
}

func insert(m *Memory, a args) (string, error) {
	text, info, err := m.file(&a.path)
	if err != nil {
		return "", err
	}
	if n := len(lines.Split(text)); a.insertLine < 0 || a.insertLine > n {
		return "", refuse(badLine, "{a}", strconv.Itoa(a.insertLine), "{n}", strconv.Itoa(n))
	}
	if err := m.put(a.path, lines.InsertAfter(text, a.insertText, a.insertLine), info.Size(), false); err != nil {
		return "", err
	}
	return say(inserted, "{p}", a.path.shown), nil
}

// remove deletes a file, or a directory with all that is in it.
func remove(m *Memory, a args) (string, error) {
	if _, err := m.existing(&a.path); err != nil {
		return "", err
	}
	if a.path.isRoot() {
		return "", refuse(rootStays)
	}
	if err := m.root.RemoveAll(a.path.rel()); err != nil {
		return "", err
	}
	return say(deleted, "{p}", a.path.shown), nil
}

func rename(m *Memory, a args) (string, error) {
	if _, err := m.existing(&a.path); err != nil {
		return "", err
	}
	if a.path.isRoot() {
		return "", refuse(rootStays)
	}
	if err := m.vacant(&a.to, taken); err != nil {
		return "", err
	}
	if strings.HasPrefix(a.to.rel(), a.path.rel()+"/") {
		return "", refuse(intoItself, "{p}", a.path.shown)
	}
	if err := m.room(0, len(a.to.parts)-1); err != nil {
		return "", err
	}
	from, err := m.enter(a.path.above())
	if err != nil {
		return "", err
	}
	defer from.Close()
	to, err := m.enter(a.to.above())
	if err != nil {
		return "", err
	}
	defer to.Close()
	err = move(from, a.path.base(), to, a.to.base(), true)
	if errors.Is(err, fs.ErrExist) {
		return "", refuse(taken, "{q}", a.to.shown)
	}
	return say(renamed, "{p}", a.path.shown, "{q}", a.to.shown), err
}
