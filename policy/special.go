package policy

import (
	"path"
	"slices"
	"strings"
	"sync"
)

// then is what a command does beside itself, to be judged as parts of their own.
type then struct {
	commands [][]word
	lines    []string // for a shell
	writes   []word   // files
	reshapes bool
}

// specials are programs whose arguments decide what they do.
var specials = sync.OnceValue(func() map[string]func(*then, *Part, []word) {
	m := map[string]func(*then, *Part, []word){
		"rm": remove, "find": find, "sed": sed, "tar": tar, "curl": curl, "wget": wget, "dd": dd, "printf": printf, "test": test, "[": test,
		"cd": cd, "date": date, "read": readInto, "cp": copies, "mv": copies, "ln": copies, "install": copies, "touch": makes, "mkdir": makes, "tee": makes,
		"chmod": chmod, "rsync": rsync, "sh": shell, "bash": shell, "dash": shell, "zsh": shell, "eval": evaluate,
		"rmdir": deletesFiles, "unlink": deletesFiles, "truncate": deletesFiles, "shred": deletesFiles,
	}
	for _, name := range []string{"awk", "gawk", "mawk", "nawk"} {
		m[name] = awk
	}
	for name, t := range subcommands {
		m[name] = t.judge
	}
	return m
})

// subs judges a program by its first word that is no flag.
type subs struct {
	of     map[Class]string
	rest   Class  // what is in no list
	global string // global flags with a value, by their names
}

var subcommands = map[string]subs{
	"git": {map[Class]string{
		Changes: "status log diff show branch tag add commit stash init mv blame describe ls-files ls-tree rev-parse shortlog grep reflog remote switch merge-base cat-file rev-list cherry-pick revert merge",
		Deletes: "clean reset checkout restore rm gc prune update-ref worktree", Purges: "filter-branch filter-repo",
		Reaches: "clone fetch pull ls-remote", Sends: "push send-email request-pull", Persists: "config hook submodule credential",
	}, Runs, "-C --git-dir --work-tree"},
	"apt":       {map[Class]string{Changes: "list search show policy"}, Installs, ""},
	"apt-get":   {nil, Installs, ""},
	"npm":       {map[Class]string{Installs: "install i ci add update uninstall link", Sends: "publish deprecate access token owner login adduser unpublish"}, Runs, ""},
	"yarn":      {map[Class]string{Installs: "add install global upgrade", Sends: "publish npm"}, Runs, ""},
	"pnpm":      {map[Class]string{Installs: "add install i update", Sends: "publish"}, Runs, ""},
	"cargo":     {map[Class]string{Installs: "install", Sends: "publish login owner yank"}, Runs, ""},
	"go":        {map[Class]string{Installs: "install get"}, Runs, ""},
	"docker":    {map[Class]string{Sends: "push login", Deletes: "rm rmi kill", Purges: "system volume prune"}, Runs, ""},
	"podman":    {map[Class]string{Sends: "push login", Deletes: "rm rmi kill", Purges: "system volume prune"}, Runs, ""},
	"kubectl":   {map[Class]string{Purges: "delete drain", Sends: "apply create replace patch scale rollout cp"}, Runs, ""},
	"helm":      {map[Class]string{Purges: "uninstall delete", Sends: "install upgrade push"}, Runs, ""},
	"make":      {map[Class]string{Installs: "install"}, Runs, ""},
	"uv":        {map[Class]string{Installs: "pip add sync tool"}, Runs, ""},
	"poetry":    {map[Class]string{Installs: "add install", Sends: "publish"}, Runs, ""},
	"gio":       {map[Class]string{Deletes: "trash remove"}, Runs, ""},
	"terraform": {map[Class]string{Purges: "destroy", Sends: "apply"}, Runs, ""},
}

func (t subs) judge(_ *then, p *Part, args []word) {
	if len(args) == 2 && args[1].plain && args[1].text == "--version" {
		p.Class = Looks
		return
	}
	p.Class = t.rest
	extra := Looks
	for i := 1; i < len(args); i++ {
		w := args[i]
		switch {
		case !w.plain:
			p.Class = t.rest.Worse(Unknown)
			return
		case slices.Contains(strings.Fields(t.global), w.text):
			i++
			extra = Changes
		case strings.HasPrefix(w.text, "-"):
			extra = extra.Worse(Runs) // -c, --exec-path: it may name a program
			if t.rest != Runs {
				extra = Looks
			}
		default:
			for class, list := range t.of {
				if slices.Contains(strings.Fields(list), w.text) {
					p.Class = class
				}
			}
			p.Class = p.Class.Worse(extra)
			p.Why = args[0].text + " " + w.text
			if args[0].text == "git" && danger(args[i:]) {
				p.Class = p.Class.Worse(Deletes)
			}
			return
		}
	}
	p.Class = p.Class.Worse(extra)
}

var (
	gitDestroys = words("drop clear -D -d --delete --hard -f --force expire")
	gitRuns     = []string{"--upload-pack", "--exec", "--ext-diff", "--output", "--open-files-in-pager", "-O"}
)

// danger reports whether a git command destroys or runs something by a flag.
func danger(args []word) bool {
	return slices.ContainsFunc(args[1:], func(w word) bool {
		return gitDestroys[w.text] || slices.ContainsFunc(gitRuns, func(f string) bool { return strings.HasPrefix(w.text, f) })
	})
}

// operands returns the words that are no flags, and whether every flag was one
// of letters.
func operands(args []word, letters string) (out []word, known bool) {
	known, rest := true, false
	for _, w := range args[1:] {
		switch {
		case !rest && w.plain && w.text == "--":
			rest = true
		case !rest && w.plain && len(w.text) > 1 && w.text[0] == '-':
			known = known && w.text[1] != '-' && strings.Trim(w.text[1:], letters) == ""
		default:
			known = known && w.plain
			out = append(out, w)
		}
	}
	return out, known
}

func printf(_ *then, p *Part, args []word) {
	if len(args) > 1 && (args[1].plain || args[1].held) && !strings.HasPrefix(args[1].text, "-") {
		p.Class = Looks
		return
	}
	p.Why = "printf may set a variable"
}

func test(_ *then, p *Part, args []word) {
	for _, w := range args[1:] {
		if !w.plain || w.text == "-v" || w.text == "-R" || w.text == "-o" {
			p.Why = "a test may evaluate what is known only when it runs"
			return
		}
	}
	p.Class = Looks
}

var dateFlags = usage{flags: "uRI", valued: "d", long: "utc iso-8601 rfc-email date= iso-8601= rfc-3339="}

func date(_ *then, p *Part, args []word) {
	for i, w := range args[1:] {
		if !w.flag() && !strings.HasPrefix(w.text, "+") && !(args[i].plain && strings.HasSuffix(args[i].text, "d")) {
			p.Why = "date may set the clock"
			return
		}
	}
	if dateFlags.holds(args) {
		p.Class = Looks
	}
}

func cd(_ *then, p *Part, args []word) {
	if len(args) <= 2 && (len(args) < 2 || args[1].plain || args[1].held) {
		p.Class = Looks
	}
}

func readInto(_ *then, p *Part, args []word) {
	names, _ := operands(args, "rs")
	for _, w := range names {
		if !w.plain || !tame.MatchString(w.text) || strings.HasSuffix(w.text, "_proxy") {
			p.Why = "it may set a variable that later commands obey"
			return
		}
	}
	if len(names) <= 8 && usages["read"].holds(args) {
		p.Class = Looks
	}
}

// shell judges a shell, and what it is given to run where that can be read.
func shell(t *then, p *Part, args []word) {
	p.Class, p.Why = Runs, path.Base(args[0].text)+" runs what it is given"
	for i, w := range args {
		if w.plain && short(w.text) && strings.HasSuffix(w.text, "c") && i+1 < len(args) && args[i+1].plain {
			t.lines = append(t.lines, args[i+1].text)
		}
	}
}

func evaluate(t *then, p *Part, args []word) {
	p.Class, p.Why = Runs, "eval runs what it is given"
	t.reshapes = true
	line := make([]string, 0, len(args))
	for _, w := range args[1:] {
		if !w.plain {
			return
		}
		line = append(line, w.text)
	}
	t.lines = append(t.lines, strings.Join(line, " "))
}
