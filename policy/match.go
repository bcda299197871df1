package policy

import (
	"path"
	"strings"
)

// target is what rules are matched against.
type target struct {
	tool string // as rules name it

	words  []word // bash: the words of one command
	veiled bool   // bash: part of the command is known only when it runs

	op, path string // files: one file, as written
	strict   bool   // files: the path is known exactly

	name       string // tool, connector, memory
	app        string // computer
	global     bool   // computer: not confined to the app in front
	host, port string // browser, network
	files      []file // bash: files the command deletes or writes
	whole      bool   // bash: files and hosts are all that the command touches
	hosts      []host // bash: hosts the command contacts
}

type file struct {
	op, path string
	exact    bool
}

type host struct{ name, port string }

// permits reports whether an allow rule covers all of a part. It is strict:
// what is not certain is not covered, and what a person would not have meant by
// a pattern with a * in it neither.
func (r Rule) permits(p *Part, at Context) bool {
	if r.tool != p.tool {
		return false
	}
	switch r.tool {
	case "bash":
		return r.permitsCommand(p, at)
	case "files":
		return r.permitsFile(p, at)
	case "computer":
		return p.Class == Changes && !p.global && p.app != "" && r.fold(p.app)
	case "browser":
		return (p.Class == Changes || p.Class == Reaches) && hostMatches(afterColon(r.pattern), p.host)
	case "network":
		return r.reaches(p.host, p.port)
	}
	return !p.Class.Never() && glob(r.pattern, p.name)
}

func (r Rule) permitsCommand(p *Part, at Context) bool {
	grave := p.Class.Never() && !savable[p.Class]
	return !at.Reshaped && len(p.words) > 0 && !(grave && r.wild()) && r.fits(p.words)
}

func (r Rule) permitsFile(p *Part, at Context) bool {
	vague := p.Class == Persists && strings.ContainsAny(r.pattern, "*?[")
	return r.op == p.op && p.strict && !p.Class.Never() && !vague && r.covers(p.path, at)
}

// piecewise returns the rules that together cover all files and hosts that a
// command touches, or nothing.
func (r Rules) piecewise(p *Part, at Context) string {
	if p.tool != "bash" || !p.whole || p.Class.Never() || at.Reshaped || len(p.files)+len(p.hosts) == 0 {
		return ""
	}
	var parts []Part
	for _, f := range p.files {
		parts = append(parts, Part{Class: p.Class, target: target{tool: "files", op: f.op, path: f.path, strict: f.exact}})
	}
	for _, h := range p.hosts {
		parts = append(parts, Part{Class: Reaches, target: target{tool: "network", host: h.name, port: h.port}})
	}
	name := ""
	for i := range parts {
		if name = r.allows(&parts[i], at); name == "" {
			return ""
		}
	}
	return name
}

// catches reports whether a deny or ask rule concerns a part. It is generous:
// spelling a thing another way does not avoid it.
func (r Rule) catches(p *Part, at Context) bool {
	switch r.tool {
	case "bash":
		return p.tool == "bash" && len(p.words) > 0 && r.among(p.words)
	case "files":
		return r.catchesFile(p, at)
	case "computer":
		return p.tool == "computer" && p.app != "" && r.fold(p.app)
	case "browser":
		return p.host != "" && (p.tool == "browser" || p.tool == "computer") && hostMatches(afterColon(r.pattern), p.host)
	case "network":
		return r.catchesHost(p)
	}
	return r.tool == p.tool && glob(strings.ToLower(r.pattern), strings.ToLower(p.name))
}

// concerns reports whether a rule could apply to a command that cannot be read.
func (r Rule) concerns(p *Part) bool {
	switch {
	case p.tool != "bash" && p.tool != "files":
		return false
	case r.tool == "bash" && len(p.words) > 0 && p.words[0].plain && len(r.words) > 0 && !runner(p.words[0].text):
		return path.Base(p.words[0].text) == path.Base(r.words[0])
	}
	return r.tool == "bash" || r.tool == "files" || r.tool == "network"
}

func (r Rule) catchesFile(p *Part, at Context) bool {
	if p.tool == "files" {
		return (r.op == p.op || r.op == "write" && p.op == "delete") && r.covers(p.path, at)
	}
	for _, f := range p.files {
		if (r.op == f.op || r.op == "write" && f.op == "delete") && r.covers(f.path, at) {
			return true
		}
	}
	return false
}

func (r Rule) catchesHost(p *Part) bool {
	if p.tool == "network" || p.tool == "browser" {
		return p.host != "" && r.reaches(p.host, p.port)
	}
	for _, h := range p.hosts {
		if r.reaches(h.name, h.port) {
			return true
		}
	}
	return false
}

func (r Rule) fold(app string) bool {
	return glob(strings.ToLower(afterColon(r.pattern)), strings.ToLower(app))
}

func (r Rule) reaches(name, port string) bool {
	host, want := splitPort(r.pattern)
	return hostMatches(host, name) && (want == "" || want == port)
}

// covers reports whether the rule's path matches file, which is cleaned as
// text: where links lead is the business of the folder walls.
func (r Rule) covers(file string, at Context) bool {
	full, ok := absolute(file, at)
	pattern, good := absolute(afterColon(r.pattern), at)
	if !ok && r.Outcome != allow { // where it lies is not known: by its last names
		return strings.HasPrefix(pattern, "**") && matchPath(pattern, "/"+file)
	}
	return ok && good && (matchPath(pattern, full) || r.Outcome != allow && matchPath(pattern, full+"/x"))
}

func absolute(file string, at Context) (string, bool) {
	switch {
	case strings.HasPrefix(file, "**"):
		return file, true
	case file == "~" || strings.HasPrefix(file, "~/"):
		if at.Home == "" {
			return file, false
		}
		file = at.Home + file[1:]
	case !strings.HasPrefix(file, "/"):
		if at.Dir == "" {
			return file, false
		}
		file = at.Dir + "/" + file
	}
	return path.Clean(file), true
}

// matchPath matches name by pattern, where ** stands for any folders.
func matchPath(pattern, name string) bool {
	return matchParts(strings.Split(pattern, "/"), strings.Split(name, "/"))
}

func matchParts(pattern, name []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			if len(pattern) == 1 {
				return len(name) > 0
			}
			for i := range len(name) + 1 {
				if matchParts(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		}
		if len(name) == 0 || !glob(pattern[0], name[0]) {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return len(name) == 0
}

// glob matches s by a pattern with *, ? and [...].
func glob(pattern, s string) bool {
	if !strings.ContainsAny(pattern, "*?[\\") {
		return pattern == s
	}
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(s, "/", "\x00"))
	return err == nil && ok
}

func afterColon(pattern string) string {
	if _, after, ok := strings.Cut(pattern, ":"); ok {
		return after
	}
	return pattern
}

// hostMatches matches on whole labels: *.x is everything below x, and not x.
func hostMatches(pattern, name string) bool {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	below, wild := strings.CutPrefix(pattern, "*.")
	switch {
	case pattern == "*":
		return name != ""
	case wild:
		return strings.HasSuffix(name, "."+below) && len(name) > len(below)+1
	}
	return name == pattern
}

// fits reports whether a command is what an allow rule says, word for word.
func (r Rule) fits(command []word) bool {
	if len(command) < len(r.words) || len(command) > len(r.words) && !r.open {
		return false
	}
	for i, w := range r.words {
		if !command[i].plain || !glob(w, command[i].text) {
			return false
		}
	}
	return true // the rest is whatever it becomes: that is what * says
}

// among reports whether the words of a rule stand in a command in their order,
// with anything between and behind them.
func (r Rule) among(command []word) bool {
	rest := command
	for n, want := range r.words {
		if short(want) {
			if !hasLetters(command, want) {
				return false
			}
			continue
		}
		i := 0
		for ; i < len(rest); i++ {
			got := rest[i].text
			if n == 0 {
				got = path.Base(got)
			}
			if glob(want, got) || n == 0 && glob(path.Base(want), got) {
				break
			}
			if n == 0 {
				return false
			}
		}
		if i == len(rest) {
			return false
		}
		rest = rest[i+1:]
	}
	return true
}

// short reports whether w is a cluster of one-letter flags.
func short(w string) bool {
	return len(w) > 1 && w[0] == '-' && w[1] != '-' && !strings.ContainsAny(w, "*?[=")
}

// hasLetters reports whether all letters of cluster are given as flags, in
// whatever clusters.
func hasLetters(command []word, cluster string) bool {
	all := ""
	for _, w := range command {
		if short(w.text) {
			all += w.text
		}
	}
	for _, c := range cluster[1:] {
		if !strings.ContainsRune(all, c) {
			return false
		}
	}
	return true
}
