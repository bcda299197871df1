package policy

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// usage is a way to call a program that is known to do no more than class, by
// the flags that may be given. Any other flag makes it Unknown.
type usage struct {
	class  Class  // default Looks
	any    bool   // no flag of the program does more
	flags  string // letters of flags without a value
	valued string // letters of flags with a value
	long   string // long flags, those with a value ending in =
	most   int    // operands; 0: any number
	none   bool   // no operands at all
}

// usages are the programs of which some calls are known to be harmless. Nothing
// that is not here is ever harmless.
var usages = map[string]usage{
	"sort":      {flags: "bdfghiMnRrVcCmsuz", valued: "ktS", long: "reverse numeric-sort unique human-numeric-sort version-sort ignore-case stable key= field-separator="},
	"uniq":      {flags: "cdDiuz", valued: "fsw", long: "count repeated unique ignore-case", most: 1},
	"xxd":       {flags: "abeiupE", valued: "clsgo", most: 1},
	"shuf":      {flags: "erz", valued: "in"},
	"diff":      {flags: "qruNbBwiEtyac", valued: "UCWxI", long: "brief recursive unified color unified= color="},
	"tree":      {flags: "adfpsughDFrtNQvCnAS", valued: "LPI", long: "dirsfirst noreport"},
	"file":      {flags: "biLhkNr0", long: "mime mime-type brief dereference"},
	"hostname":  {flags: "s", none: true},
	"rg":        {flags: "inwvlcoFHISUPNxusL", valued: "eABCgtTmE", long: "files hidden no-ignore ignore-case line-number count glob= type= max-count= context= no-heading color= files-with-matches"},
	"strings":   {flags: "af", valued: "nte"},
	"base64":    {flags: "di", valued: "w", long: "decode wrap="},
	"base32":    {flags: "di", valued: "w"},
	"split":     {class: Changes, flags: "d", valued: "labnC"},
	"zcat":      {none: false},
	"bzcat":     {},
	"xzcat":     {},
	"zstdcat":   {},
	"jq":        {flags: "rcnseMCSaje", valued: "", long: "arg= argjson= raw-output compact-output slurp null-input exit-status sort-keys tab"},
	"column":    {flags: "txe", valued: "scoNR"},
	"ps":        {any: true},
	"lsblk":     {flags: "afnmtpl", valued: "o"},
	"free":      {flags: "bkmghtwl"},
	"unzip":     {class: Changes, flags: "qonjulv", valued: "dx"},
	"zip":       {class: Changes, flags: "rqj0123456789vuy", valued: "x"},
	"gzip":      {class: Changes, any: true},
	"gunzip":    {class: Changes, any: true},
	"xz":        {class: Changes, any: true},
	"unxz":      {class: Changes, any: true},
	"bzip2":     {class: Changes, any: true},
	"bunzip2":   {class: Changes, any: true},
	"7z":        {class: Changes, flags: "yr"},
	"kill":      {class: Changes, any: true},
	"pkill":     {class: Changes, any: true},
	"killall":   {class: Changes, any: true},
	"pdftotext": {class: Changes, any: true},
	"iconv":     {class: Changes, any: true},
	"exit":      {class: Changes, any: true},
	"wmctrl":    {flags: "lpGxdm", none: true},
	"read":      {flags: "rs", valued: "pdnt"},
	"mktemp":    {class: Changes, any: true},
	"mkfifo":    {class: Changes, any: true},
}

// readers are programs that change nothing however they are called.
var readers = words(`cat tac head tail wc ls dir vdir echo pwd true false : stat readlink realpath basename dirname cut tr nl fold fmt paste comm join
	cmp expand unexpand od hexdump seq expr md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum du df id whoami groups uname arch
	nproc uptime tty printenv locale type which sleep rev factor cal grep egrep fgrep pgrep pidof lscpu getconf tsort numfmt look wait jobs times
	break continue return shift yes`)

// actors are programs by what they do at least.
var actors = map[Class]string{
	Deletes: `rmdir unlink truncate`,
	Purges:  `shred wipe srm mkfs mkfs.ext4 mkfs.xfs mkfs.vfat mkswap fdisk sfdisk parted wipefs blkdiscard trash-empty sgdisk`,
	Sends: `ssh scp sftp ftp lftp nc ncat netcat socat telnet mail mailx sendmail mutt msmtp swaks gh hub glab aws gcloud gsutil az doctl rclone s3cmd
		tftp rsh rlogin smbclient mosh curlftpfs notify-send wall write zoom slack-cli heroku vercel netlify firebase ngrok cloudflared`,
	Reaches: `ping ping6 dig nslookup host whois traceroute tracepath mtr getent avahi-resolve nmap aria2c yt-dlp youtube-dl lynx w3m links elinks`,
	Grants: `su chown chgrp setfacl setcap usermod gpasswd visudo ssh-copy-id mount umount iptables nft ip6tables ufw chroot nsenter unshare ssh-keygen
		xhost xauth modprobe insmod sysctl setpriv runuser capsh firewall-cmd ssh-add`,
	Registers: `useradd adduser groupadd addgroup newusers`,
	Secret:    `passwd chpasswd secret-tool pass security keyctl`,
	Installs:  `dpkg rpm brew snap flatpak yum dnf zypper pacman apk gem cpan cpanm conda mamba pipx pip pip2 pip3 easy_install corepack update-alternatives opkg nix-env apt-key add-apt-repository debconf-set-selections`,
	Persists:  `crontab at batch atq atrm systemctl service systemd-run loginctl chsh update-rc.d rc-update launchctl gsettings dconf xdg-mime xdg-settings dbus-send busctl gdbus`,
	Runs: `sh bash dash zsh ksh mksh fish csh tcsh ash rbash python python2 python3 perl ruby node nodejs deno bun php lua luajit tclsh wish expect Rscript julia groovy java
		scala kotlin ghc runghc ocaml guile swipl gforth bc dc m4 osascript pwsh vim vi nvim view ex ed emacs nano pico less more most man info gdb lldb script screen tmux make gmake cmake
		ninja meson ant mvn gradle gradlew bazel npx bunx uv uvx poetry tox pytest rake bundle sqlite3 psql mysql mariadb mongo redis-cli patch xdg-open open
		gio gtk-launch exo-open parallel entr watchman inotifywait cargo rustc gcc cc g++ clang tcc go dotnet msbuild docker podman nerdctl kubectl helm vagrant ansible
		ansible-playbook terraform tofu systemd-nspawn firejail bwrap qemu-system-x86_64 wine rlwrap socat2 strace ltrace perf valgrind ld ld.so ld-linux-x86-64.so.2 coproc
		compgen mapfile readarray pdb ipython jupyter awk-script logger-run logrotate run-parts start-stop-daemon daemonize csplit-run pg_dump mysqldump`,
	Changes: `touch mkdir cp mv ln tee install mknod pr logger csplit sync fallocate renice`,
	Unknown: `shutdown reboot halt poweroff init xdotool ydotool xte xclip xsel wl-copy wl-paste import scrot`,
}

// shapers are builtins that change what later commands mean.
var shapers = words(`alias unalias set shopt trap enable hash bind complete unset source . exec eval popd pushd getopts ulimit umask fc history disown suspend logout typeset let`)

// acts is actors turned round.
var acts = sync.OnceValue(func() map[string]Class {
	m := map[string]Class{}
	for class, names := range actors {
		for name := range words(names) {
			m[name] = class.Worse(m[name].orLooks())
		}
	}
	return m
})

func (c Class) orLooks() Class {
	if c == "" {
		return Looks
	}
	return c
}

// binaries are the folders in which a program is the one of its name.
var binaries = []string{"/bin/", "/usr/bin/", "/usr/local/bin/", "/sbin/", "/usr/sbin/"}

// program judges one command by its words.
func (s *scan) program(args []word) {
	p := Part{Text: shown(args), target: target{tool: "bash", words: args}}
	for _, w := range args {
		p.veiled = p.veiled || !w.plain
	}
	first := args[0]
	if !first.plain || first.tilde || first.text == "" || strings.HasPrefix(first.text, "%") {
		p.Class, p.Why = Unknown, "which program it is shows only when it runs"
		s.reshapes = true
		s.add(p)
		return
	}
	name := first.text
	if strings.Contains(name, "/") {
		dir, base := path.Split(name)
		if !slices.Contains(binaries, dir) {
			p.Class, p.Why = Runs, "it runs a file of its own choosing"
			s.add(p)
			return
		}
		name = base
	}
	if w, ok := wrappers[name]; ok {
		s.wrapped(p, w, name, args)
		return
	}
	if special, ok := specials()[name]; ok {
		p.Class = Unknown
		var next then
		special(&next, &p, args)
		if p.Why == "" && p.Class != Looks {
			p.Why = name
		}
		s.add(p)
		s.follow(next)
		return
	}
	p.Class, p.Why = classify(name, args)
	s.reshapes = s.reshapes || shapers[name]
	s.add(p)
}

// follow judges what a command does beside itself.
func (s *scan) follow(next then) {
	s.reshapes = s.reshapes || next.reshapes
	for _, args := range next.commands {
		s.enter(func() { s.program(args) })
	}
	for _, line := range next.lines {
		s.inner(line)
	}
	for _, w := range next.writes {
		s.write(w)
	}
}

// inner adds the parts of a line that another shell runs.
func (s *scan) inner(line string) {
	s.enter(func() {
		if len(line) > maxShell/2 {
			s.puzzled("the inner line", "it is too long to be read")
			return
		}
		in := readShellAt(line, s.depth)
		s.parts = append(s.parts, in.parts...)
		s.reshapes = s.reshapes || in.reshapes
	})
}

func classify(name string, args []word) (Class, string) {
	if readers[name] {
		return Looks, ""
	}
	if u, ok := usages[name]; ok {
		if u.holds(args) {
			return u.class.orLooks(), ""
		}
		return Unknown, name + " with flags or operands that are not known to be harmless"
	}
	class, ok := acts()[name]
	switch {
	case !ok && shapers[name]:
		return Persists, name
	case !ok:
		return Unknown, name + " is not a program that is known here"
	case class == Runs && len(args) == 2 && args[1].plain && args[1].text == "--version":
		return Looks, ""
	}
	return class, name
}

func shown(args []word) string {
	out := make([]string, len(args))
	for i, w := range args {
		out[i] = quote(w.show())
	}
	return strings.Join(out, " ")
}

var needsNoQuotes = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,~…-]+$`)

func quote(s string) string {
	if needsNoQuotes.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// holds reports whether a call stays within u.
func (u usage) holds(args []word) bool {
	if u.any {
		return true
	}
	operands, rest := 0, false
	for i := 1; i < len(args); i++ {
		w := args[i]
		switch {
		case rest || !w.flag():
			if operands++; !u.operand(w, operands) {
				return false
			}
		case !w.plain:
			return false
		case w.text == "--":
			rest = true
		default:
			next, ok := u.takes(w.text)
			if next {
				i++
			}
			if !ok || next && (i == len(args) || !args[i].known()) {
				return false
			}
		}
	}
	return true
}

// operand reports whether w may be the nth operand.
func (u usage) operand(w word, n int) bool {
	return w.known() && !u.none && (u.most == 0 || n <= u.most && w.plain)
}

// takes reports whether flag is one of u's, and whether the next word is its value.
func (u usage) takes(flag string) (next, ok bool) {
	if name, long := strings.CutPrefix(flag, "--"); long {
		name, _, given := strings.Cut(name, "=")
		known := strings.Fields(u.long)
		switch {
		case given:
			return false, slices.Contains(known, name+"=")
		case slices.Contains(known, name):
			return false, true
		}
		return true, slices.Contains(known, name+"=")
	}
	for i, c := range flag[1:] {
		switch {
		case strings.ContainsRune(u.valued, c):
			return i+2 == len(flag), true
		case !strings.ContainsRune(u.flags, c):
			return false, false
		}
	}
	return false, true
}

// wrapper is a program that runs the command behind it.
type wrapper struct {
	class    Class // of itself
	flags    string
	valued   string
	long     string
	operands int  // before the command
	more     bool // it adds arguments of its own
	sets     bool // NAME=value may stand before the command
}

var wrappers = map[string]wrapper{
	"env":      {class: Looks, flags: "i0v", valued: "u", sets: true},
	"nohup":    {class: Changes},
	"timeout":  {class: Looks, flags: "v", valued: "sk", long: "foreground preserve-status signal= kill-after=", operands: 1},
	"nice":     {class: Looks, valued: "n"},
	"ionice":   {class: Looks, flags: "t", valued: "cn"},
	"stdbuf":   {class: Looks, valued: "ioe"},
	"setsid":   {class: Changes, flags: "cfw"},
	"time":     {class: Looks, flags: "pv"},
	"command":  {class: Looks, flags: "p"},
	"builtin":  {class: Looks},
	"xargs":    {class: Looks, flags: "0rtx", valued: "nILPdsEa", long: "null no-run-if-empty max-args= max-procs= delimiter= arg-file=", more: true},
	"sudo":     {class: Grants, flags: "EHnSkbKisA", valued: "ugCDhpRTU"},
	"doas":     {class: Grants, flags: "ns", valued: "uC"},
	"pkexec":   {class: Grants, valued: "u"},
	"busybox":  {class: Changes},
	"toybox":   {class: Changes},
	"flock":    {class: Changes, flags: "nsxu", valued: "wE", operands: 1},
	"exec":     {class: Persists, flags: "cl", valued: "a"},
	"watch":    {class: Runs, flags: "dtbex", valued: "n"},
	"caffeine": {class: Changes},
}

// runner reports whether name runs what its arguments say, so that no allow
// rule may leave them open.
func runner(name string) bool {
	name = path.Base(name)
	_, wraps := wrappers[name]
	_, special := runs[name]
	return wraps || special || acts()[name] == Runs || name == "." || name == "source" || name == "eval" || name == "su" || name == "chroot" || name == "ssh"
}

// runs are programs that are not made for running others, and can.
var runs = words(`find awk gawk mawk nawk sed tar rsync git`)

// wrapped judges a wrapper and what it runs as two parts.
func (s *scan) wrapped(p Part, w wrapper, name string, args []word) {
	if p.Class = w.class; w.class != Looks {
		p.Why = name
	}
	s.reshapes = s.reshapes || name == "exec"
	if name == "command" && len(args) > 1 && args[1].plain && (args[1].text == "-v" || args[1].text == "-V") {
		s.add(p)
		return
	}
	i, ok := w.command(args)
	if !ok {
		p.Class, p.Why = p.Class.Worse(Unknown), name+" with flags that are not known"
		s.add(p)
		if rest := plausible(args[1:]); len(rest) > 0 { // for the sake of deny rules
			s.enter(func() { s.program(rest) })
		}
		return
	}
	begin := i
	if w.sets {
		begin = w.settings(&p, args, i)
	}
	p.words, p.veiled = args[:begin], false
	p.Text = shown(p.words)
	s.add(p)
	inner := args[begin:]
	if w.more {
		inner = append(slices.Clone(inner), word{}) // names that are read
		if len(inner) == 1 {
			return // echo
		}
	}
	if len(inner) > 0 {
		s.enter(func() { s.program(inner) })
	}
}

// settings reads the NAME=value before a command and returns where it begins.
func (wrapper) settings(p *Part, args []word, i int) int {
	for ; i < len(args) && (!args[i].plain || strings.Contains(args[i].text, "=")); i++ {
		if name, _, _ := strings.Cut(args[i].text, "="); !args[i].plain || !harmlessV[name] {
			p.Class, p.Why = p.Class.Worse(Runs), "it sets a variable that the command obeys"
		}
	}
	return i
}

// plausible returns the words from the first that could be a program on.
func plausible(args []word) []word {
	for i, w := range args {
		if w.plain && !strings.HasPrefix(w.text, "-") && !strings.Contains(w.text, "=") {
			return args[i:]
		}
	}
	return nil
}

// command returns where the command behind a wrapper begins.
func (w wrapper) command(args []word) (int, bool) {
	u := usage{flags: w.flags, valued: w.valued, long: w.long}
	i := 1
	for ; i < len(args) && args[i].flag(); i++ {
		if !args[i].plain {
			return 0, false
		}
		if args[i].text == "--" {
			i++
			break
		}
		next, ok := u.takes(args[i].text)
		if !ok {
			return 0, false
		}
		if next {
			i++
		}
	}
	i += w.operands
	return min(i, len(args)), i <= len(args)
}
