package policy

import (
	"net/url"
	"path"
	"regexp"
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

// critical reports whether deleting w could take with it what a person has.
func critical(w word) bool {
	switch {
	case w.text == "":
		return false
	case w.tilde && !w.plain, !w.plain && strings.HasPrefix(w.text, "/") && !w.held: // ~x, "$x"/y
		return true
	}
	t := path.Clean(strings.TrimSuffix(w.text, "*"))
	if w.text == "*" || strings.HasPrefix(t, "../") {
		return true
	}
	top := strings.HasPrefix(t, "/") && strings.Count(t, "/") == 1 && t != "/tmp"
	home := strings.HasPrefix(t, "/home/") && strings.Count(t, "/") == 2
	return top || home || t == "~" || t == "." || t == ".."
}

func remove(_ *then, p *Part, args []word) {
	files, known := operands(args, "rRfviIdx")
	p.Class, p.whole = Deletes, known && len(files) > 0
	for _, w := range files {
		p.files = append(p.files, file{"delete", w.text, w.plain})
		if critical(w) {
			p.Class, p.Why, p.whole = Purges, "it deletes "+w.show(), false
		}
	}
	for _, w := range args[1:] {
		if w.text == "--no-preserve-root" {
			p.Class, p.whole = Purges, false
		}
	}
}

func deletesFiles(_ *then, p *Part, args []word) {
	p.Class = acts()[path.Base(args[0].text)]
	files, _ := operands(args, "pvz")
	for _, w := range files {
		p.files = append(p.files, file{"delete", w.text, w.plain})
	}
}

var (
	findLooks = words(`-name -iname -path -ipath -wholename -regex -iregex -regextype -type -xtype -size -mtime -mmin -atime -amin -ctime -cmin -newer -anewer -cnewer
		-maxdepth -mindepth -depth -empty -user -group -uid -gid -perm -links -inum -samefile -readable -writable -executable -print -print0 -printf -ls -prune -quit
		-not -a -and -o -or ! ( ) , -xdev -mount -follow -daystart -noleaf -true -false -nouser -nogroup -fstype -lname -ilname -used -L -P -H -warn -nowarn`)
	findRuns = words(`-exec -execdir -ok -okdir`)
)

func find(t *then, p *Part, args []word) {
	p.Class = Looks
	for i := 1; i < len(args); i++ {
		w := args[i]
		switch {
		case !w.plain && !w.held:
			if i > 1 && args[i-1].plain && strings.HasPrefix(args[i-1].text, "-") && findLooks[args[i-1].text] && w.text != "" {
				continue // a pattern such as *.txt behind -name
			}
			p.Class, p.Why = p.Class.Worse(Unknown), "what it searches for shows only when it runs"
		case findRuns[w.text]:
			i += t.found(args[i+1:])
		case w.text == "-delete":
			p.Class, p.Why = p.Class.Worse(Deletes), "find -delete"
		case strings.HasPrefix(w.text, "-") && !findLooks[w.text] && !number(w.text):
			p.Class, p.Why = p.Class.Worse(Unknown), "find "+w.text
		}
	}
}

func number(s string) bool { return strings.Trim(s, "-+0123456789.") == "" && s != "" }

// found judges the command behind -exec, and returns how many words it has.
func (t *then) found(args []word) int {
	n := 0
	for n < len(args) && !(args[n].plain && (args[n].text == ";" || args[n].text == "+")) {
		n++
	}
	command := slices.Clone(args[:n])
	for i := range command {
		if strings.Contains(command[i].text, "{}") {
			command[i] = word{} // names that are found, which may look like flags
		}
	}
	if n == 0 {
		command = []word{{}} // a command that nobody can read
	}
	t.commands = append(t.commands, command)
	return n
}

// Sed scripts that only print, delete lines from what is printed, or replace in it.
var (
	sedAddress = `(?:[0-9]+|\$|/(?:[^/\\\n]|\\[^\n])*/)`
	sedCommand = sedAddress + `?(?:,` + sedAddress + `)? *!? *(?:[pdqh=gGxNnHP]|` +
		`s/(?:[^/\\\n]|\\[^\n])*/(?:[^/\\\n]|\\[^\n])*/[gpiI0-9]*|s\|(?:[^|\\\n]|\\[^\n])*\|(?:[^|\\\n]|\\[^\n])*\|[gpiI0-9]*|` +
		`s#(?:[^#\\\n]|\\[^\n])*#(?:[^#\\\n]|\\[^\n])*#[gpiI0-9]*|s,(?:[^,\\\n]|\\[^\n])*,(?:[^,\\\n]|\\[^\n])*,[gpiI0-9]*)`
	sedHarmless = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(?:` + sedCommand + `)(?: *; *(?:` + sedCommand + `))*;? *$`)
	})
)

func sed(_ *then, p *Part, args []word) {
	p.Class, p.Why = Runs, "sed may write files and run commands"
	scripts, ok := sedScripts(args)
	if slices.ContainsFunc(args[1:], func(w word) bool {
		return strings.HasPrefix(w.text, "--in-place") || short(w.text) && strings.ContainsRune(w.text, 'i')
	}) {
		p.Why = "sed -i changes the file"
		return
	}
	for _, script := range scripts {
		ok = ok && script.plain && sedHarmless().MatchString(script.text)
	}
	if ok && len(scripts) > 0 {
		p.Class, p.Why = Looks, ""
	}
}

// sedScripts returns the scripts that sed is given, and whether every flag is
// known to do nothing else.
func sedScripts(args []word) (scripts []word, ok bool) {
	named := slices.ContainsFunc(args, func(w word) bool { return w.text == "-e" || strings.HasPrefix(w.text, "--expression=") })
	for i := 1; i < len(args); i++ {
		w := args[i]
		inline, given := strings.CutPrefix(w.text, "--expression=")
		switch {
		case !w.known():
			return scripts, false
		case w.text == "-e" && i+1 < len(args):
			i++
			scripts = append(scripts, args[i])
		case given:
			scripts = append(scripts, word{text: inline, plain: w.plain})
		case w.flag():
			if strings.Trim(w.text[1:], "nErsuz") != "" {
				return scripts, false
			}
		case !named && len(scripts) == 0:
			scripts = append(scripts, w)
		}
	}
	return scripts, true
}

var awkActs = regexp.MustCompile("[>|@`]|system|getline|extension|load|include|close|fflush|ARGV|ENVIRON")

func awk(_ *then, p *Part, args []word) {
	p.Class, p.Why = Runs, "an awk program may write files and run commands"
	for i := 1; i < len(args); i++ {
		w := args[i]
		switch {
		case !w.plain:
			return
		case w.text == "-F":
			i++
		case strings.HasPrefix(w.text, "-F"):
		case w.text == "-v" && i+1 < len(args) && args[i+1].plain:
			i++
		case strings.HasPrefix(w.text, "-"):
			return
		case awkActs.MatchString(w.text):
			return
		default:
			for _, rest := range args[i+1:] {
				if rest.flag() || strings.HasPrefix(rest.text, "/inet") {
					return
				}
			}
			p.Class, p.Why = Looks, ""
			return
		}
	}
}

var tarPlain = words("--list --extract --create --file --gzip --verbose --exclude --strip-components --directory")

func tar(_ *then, p *Part, args []word) {
	p.Class = Changes
	for i, w := range args[1:] {
		class, why := tarWord(i == 0, w)
		if p.Class.Worse(class) != p.Class {
			p.Class, p.Why = class, why
		}
	}
	if p.Class == Changes && len(args) > 1 && tarLists(args[1:]) {
		p.Class = Looks
	}
}

// tarLists reports whether tar only lists what is in an archive.
func tarLists(args []word) bool {
	return args[0].plain && strings.Contains(args[0].text, "t") && strings.Trim(args[0].text, "-tvfzjJ") == "" &&
		!slices.ContainsFunc(args[1:], word.flag)
}

// tarWord judges one argument of tar; the first may be flags without a hyphen.
func tarWord(first bool, w word) (Class, string) {
	long := strings.HasPrefix(w.text, "--")
	letters := short(w.text) && strings.ContainsAny(w.text, "IFT") || first && strings.ContainsAny(w.text, "IF") && !strings.Contains(w.text, "/")
	switch {
	case !w.known():
		return Unknown, "its arguments show only when it runs"
	case strings.HasPrefix(w.text, "--remove-files"), strings.HasPrefix(w.text, "--delete"):
		return Deletes, "tar " + w.text
	case long && !tarPlain[before(w.text)], letters, strings.Contains(w.text, ":"):
		return Runs, "tar may run a program for that"
	}
	return Looks, ""
}

func before(flag string) string { name, _, _ := strings.Cut(flag, "="); return name }

var curlLooks = usage{flags: "sSfIivLgkN46#", valued: "HAmeow", long: "silent show-error fail head include location verbose max-time= compressed header= user-agent= output= connect-timeout= fail-with-body"}

func curl(t *then, p *Part, args []word) {
	p.Class, p.Why, p.whole = Reaches, "curl", true
	for i := 1; i < len(args); i++ {
		w := args[i]
		get := w.text == "-X" && i+1 < len(args) && (args[i+1].text == "GET" || args[i+1].text == "HEAD")
		next, ok := false, false
		if w.plain && w.flag() {
			next, ok = curlLooks.takes(w.text)
		}
		switch {
		case !w.plain:
			p.tells("what it sends shows only when it runs")
		case !w.flag():
			p.url(w.text)
		case get:
			i++
		case !ok || next && i+1 == len(args):
			p.tells("curl " + w.text)
		default:
			if next {
				i++
			}
			p.curlFlag(t, w.text, args[i], next)
		}
	}
}

// tells marks a part as one that sends.
func (p *Part) tells(why string) { p.Class, p.Why, p.whole = p.Class.Worse(Sends), why, false }

// curlFlag judges a flag that is known, with its value when that is a word of its own.
func (p *Part) curlFlag(t *then, flag string, value word, given bool) {
	switch {
	case strings.Contains(flag, "L") || flag == "--location":
		p.whole = false // it may be sent on to another host
	case flag == "--output" || short(flag) && strings.HasSuffix(flag, "o"):
		t.writes = append(t.writes, value)
	case strings.HasPrefix(flag, "--output=") || short(flag) && strings.Contains(flag, "o"):
		t.writes = append(t.writes, word{text: "?"}) // the name is within the flag
	case given && (!value.plain || strings.Contains(value.text, "@")):
		p.tells("curl " + flag)
	}
}

// url notes the host of an address that is contacted.
func (p *Part) url(address string) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || strings.ContainsAny(address, "{}[]") {
		p.Class, p.Why, p.whole = p.Class.Worse(Sends), "an address that is not read", false
		return
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	p.hosts = append(p.hosts, host{strings.ToLower(u.Hostname()), port})
}

var wgetSends = []string{"--post", "--method", "--body", "--header", "--user", "--password", "--http-password", "--load-cookies"}

func wget(_ *then, p *Part, args []word) {
	p.Class, p.Why = Reaches, "wget"
	for _, w := range args[1:] {
		switch {
		case !w.plain:
			p.Class, p.Why = p.Class.Worse(Sends), "what it sends shows only when it runs"
		case strings.HasPrefix(w.text, "-e"), strings.HasPrefix(w.text, "--execute"), strings.HasPrefix(w.text, "--use-askpass"), strings.HasPrefix(w.text, "--config"):
			p.Class = p.Class.Worse(Runs)
		case slices.ContainsFunc(wgetSends, func(f string) bool { return strings.HasPrefix(w.text, f) }):
			p.Class = p.Class.Worse(Sends)
		case !strings.HasPrefix(w.text, "-"):
			p.url(w.text)
		}
		if obeys(w.text) && !strings.Contains(w.text, "://") {
			p.Class = p.Class.Worse(Persists)
		}
	}
}

func dd(_ *then, p *Part, args []word) {
	p.Class = Looks
	for _, w := range args[1:] {
		out, writes := strings.CutPrefix(w.text, "of=")
		switch {
		case !w.plain:
			p.Class, p.Why = p.Class.Worse(Unknown), "its arguments show only when it runs"
		case writes && strings.HasPrefix(out, "/dev/") && out != "/dev/null":
			p.Class, p.Why = Purges, "it writes to a device"
		case writes && out != "/dev/null":
			p.Class = p.Class.Worse(Deletes)
			p.files = append(p.files, file{"write", out, true})
		}
	}
	if p.Class == Looks {
		p.Class = Changes // what it reads may be a device that reading changes
	}
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

// makes judges what creates or writes the files that it names.
func makes(_ *then, p *Part, args []word) {
	files, known := operands(args, "pvacmia")
	p.Class, p.whole = Changes, known && len(files) > 0
	for _, w := range files {
		class, why := writes(w.text)
		if !w.plain {
			class, why = Changes, "what it writes shows only when it runs"
		}
		if p.Class.Worse(class) != p.Class {
			p.Class, p.Why = class, why
		}
		p.files = append(p.files, file{"write", w.text, w.plain})
	}
}

// copies judges what writes its last operand, or into the folder that -t names.
func copies(_ *then, p *Part, args []word) {
	files, _ := operands(args, "arRfvipPLsTud")
	p.Class = Changes
	moves := path.Base(args[0].text) == "mv"
	for i, w := range files {
		last := i == len(files)-1
		class, why := writes(w.text)
		switch {
		case moves && last && w.text == "/dev/null":
			class = Purges
		case !last && w.text == "/dev/null":
			class, why = Deletes, "it empties the file"
		case moves && !last && critical(w):
			class, why = Deletes, "it moves "+w.show()
		case !last && class != Persists:
			class = Changes
		}
		if p.Class.Worse(class) != p.Class {
			p.Class, p.Why = class, why
		}
		if op := map[bool]string{true: "write", false: "delete"}[last]; last || moves {
			p.files = append(p.files, file{op, w.text, w.plain})
		}
	}
}

var chmodTame = regexp.MustCompile(`^([ugo]*\+?x|\+x|[ua]?\+r|u[+=][rwx]+|[ugoa]*-[rwx]+|0?[4-7][0145]{2}|0?[4-7]00)$`)

func chmod(_ *then, p *Part, args []word) {
	modes, known := operands(args, "Rvcf")
	p.Class = Grants
	if known && len(modes) > 1 && chmodTame.MatchString(modes[0].text) {
		p.Class = Changes
	}
}

func rsync(_ *then, p *Part, args []word) {
	p.Class = Changes
	for _, w := range args[1:] {
		switch {
		case !w.plain && !w.held:
			p.Class = p.Class.Worse(Unknown)
		case strings.HasPrefix(w.text, "--del"), strings.HasPrefix(w.text, "--remove-source"):
			p.Class = p.Class.Worse(Deletes)
		case strings.HasPrefix(w.text, "-e"), strings.HasPrefix(w.text, "--rsh"), strings.HasPrefix(w.text, "--rsync-path"), strings.HasPrefix(w.text, "--config"):
			p.Class = p.Class.Worse(Runs)
		case strings.Contains(w.text, ":"):
			p.Class, p.Why = p.Class.Worse(Sends), "rsync to or from another machine"
		}
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
