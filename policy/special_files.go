package policy

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

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

func before(flag string) string { name, _, _ := strings.Cut(flag, "="); return name }

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
