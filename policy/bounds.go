package policy

import (
	"path"
	"slices"
	"strings"
)

// Bounds is what an accepted plan covers.
type Bounds struct {
	Folders    []string // absolute; files in them may be added and changed
	Deletions  []string // absolute patterns of what may be deleted
	Sites      []string // hosts, as in rules
	Programs   []string // commands, and classes of windows
	Connectors []string // other tools, by name

	// Shared are folders that are a person's own. What lies elsewhere in a
	// sandbox, in the home and in /tmp, is scratch, and always covered.
	Shared []string
}

// standing returns where a part stands to the plan.
func (c Context) standing(p *Part) Standing {
	switch {
	case c.Bounds == nil:
		return c.Plan
	case p.Class == Looks || c.Bounds.cover(p, c):
		return Inside
	}
	return Outside
}

func (b *Bounds) cover(p *Part, at Context) bool {
	switch p.tool {
	case "bash":
		return b.coverCommand(p, at)
	case "files":
		return p.strict && b.coverFile(p.op, p.path, at)
	case "computer":
		return p.app == "" || panel[strings.ToLower(p.app)] || fold(b.Programs, p.app) // launching alone does nothing
	case "browser", "network":
		return b.coverHost(p.host)
	}
	return slices.ContainsFunc(b.Connectors, func(pattern string) bool { return glob(pattern, p.name) })
}

// panel are the classes of what programs are started from.
var panel = words(`tint2 desktop_window pcmanfm-desktop xfce4-panel lxpanel`)

func fold(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// coverCommand covers a command that the plan names, and one of which all files
// and hosts are covered. Naming a command does not cover what it deletes.
func (b *Bounds) coverCommand(p *Part, at Context) bool {
	for _, f := range p.files {
		if f.op == "delete" && !(f.exact && b.coverFile(f.op, f.path, at)) {
			return false
		}
	}
	if len(p.words) > 0 && p.words[0].plain && fold(b.Programs, path.Base(p.words[0].text)) {
		return true
	}
	if !p.whole || len(p.files)+len(p.hosts) == 0 {
		return false
	}
	for _, f := range p.files {
		if !f.exact || !b.coverFile(f.op, f.path, at) {
			return false
		}
	}
	for _, h := range p.hosts {
		if !b.coverHost(h.name) {
			return false
		}
	}
	return true
}

func (b *Bounds) coverFile(op, file string, at Context) bool {
	full, ok := absolute(file, at)
	if !ok || strings.ContainsAny(file, "*?[") {
		return false
	}
	if at.Sandboxed && (below("/tmp", full) || at.Home != "" && below(at.Home, full)) && !belowAny(b.Shared, full) {
		return true
	}
	if op == "delete" {
		return slices.ContainsFunc(b.Deletions, func(pattern string) bool {
			clean, ok := absolute(pattern, at)
			return ok && matchPath(clean, full)
		})
	}
	return slices.ContainsFunc(b.Folders, func(dir string) bool {
		clean, ok := absolute(dir, at)
		return ok && clean != "/" && below(clean, full)
	})
}

func (b *Bounds) coverHost(name string) bool {
	return name != "" && slices.ContainsFunc(b.Sites, func(site string) bool {
		host, _ := splitPort(site)
		return hostMatches(host, name)
	})
}

func below(dir, file string) bool {
	return file == dir || strings.HasPrefix(file, strings.TrimSuffix(dir, "/")+"/")
}

func belowAny(dirs []string, file string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return below(path.Clean(dir), file) })
}
