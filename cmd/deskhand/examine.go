package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand/machine"
	"github.com/deskhand/deskhand/model/claude"
	"github.com/deskhand/deskhand/sandbox/bwrap"
	"github.com/deskhand/deskhand/sandbox/folder"
	"github.com/deskhand/deskhand/store/sqlite"
)

// examine runs every check, in the order in which things build on each other.
func (a *app) examine(ctx context.Context) []finding {
	found := append(wallFindings(ctx), limitsFinding(), a.containerFinding(ctx))
	for _, p := range programs {
		found = append(found, p.look())
	}
	found = append(found, fileFinding("keyboard data", "/usr/share/X11/xkb/rules/evdev", "xkb-data"))
	for _, f := range fonts {
		found = append(found, f.look(ctx))
	}
	found = append(found, a.stateFinding(), a.keptFinding(), a.storeFinding(ctx), a.keyFinding())
	for _, f := range found {
		if f.Needed && !f.OK {
			return append(found, finding{Name: "desktop", Needed: true, Detail: "not tried, because something it needs is missing"})
		}
	}
	return append(found, desktopFinding(ctx))
}

func wallFindings(ctx context.Context) []finding {
	problems := bwrap.Check(ctx)
	if len(problems) == 0 {
		return []finding{{Name: "walls", OK: true, Needed: true, Detail: "bubblewrap can build all of them"}}
	}
	var all []finding
	for _, p := range problems {
		all = append(all, finding{Name: "walls", Needed: true, Detail: p.What, Mend: p.Mend, Apt: p.Apt})
	}
	return all
}

// limitsFinding says how much a sandbox as a whole can be bounded here.
func limitsFinding() finding {
	how, missing, err := bwrap.Bounds()
	f := finding{Name: "limits", OK: len(missing) == 0, Detail: how}
	if !f.OK {
		f.Detail = "a sandbox's " + strings.Join(missing, " and ") + " can only be bounded for each process, not for all together"
		if err != nil {
			f.Detail += " (" + firstLine(err.Error()) + ")"
		}
		f.Mend = "run deskhand in a systemd session with delegation, such as: systemd-run --user --scope -p Delegate=yes deskhand …"
	}
	return f
}

// program is something that must be on the PATH, by any of its names.
type program struct {
	what   string
	needed bool
	apt    string
	names  []string
}

// programs lists what a desktop is made of. Without those that are not needed
// a desktop comes up and lacks a launcher.
var programs = [...]program{
	{"display server", true, "xvfb", []string{"Xvfb"}},
	{"keyboard compiler", true, "x11-xkb-utils", []string{"xkbcomp"}},
	{"window manager", true, "mutter", []string{"mutter"}},
	{"panel", true, "tint2", []string{"tint2"}},
	{"message bus", true, "dbus", []string{"dbus-daemon"}},
	{"browser", true, "chromium", []string{"chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "firefox-esr", "firefox", "epiphany-browser", "epiphany"}},
	{"terminal", true, "xterm", []string{"xfce4-terminal", "mate-terminal", "lxterminal", "xterm"}},
	{"text editor", true, "mousepad", []string{"mousepad", "gedit", "xed", "pluma", "gnome-text-editor", "featherpad", "leafpad"}},
	{"file manager", true, "pcmanfm", []string{"pcmanfm", "thunar", "nemo", "caja", "nautilus"}},
	{"calculator", false, "galculator", []string{"galculator", "gnome-calculator", "mate-calc", "kcalc", "xcalc"}},
}

func (p program) look() finding {
	f := finding{Name: p.what, Needed: p.needed, Apt: p.apt}
	snap := false
	for _, name := range p.names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if isSnap(path) {
			snap = true
			continue
		}
		f.OK, f.Detail, f.Apt = true, path, ""
		return f
	}
	f.Detail = "not installed"
	if snap {
		f.Detail = "there is only a snap, and snaps cannot run inside the sandbox"
	}
	f.Mend = "sudo apt-get install " + p.apt
	if len(p.names) > 1 {
		f.Mend += ", or another of " + strings.Join(p.names, ", ")
	}
	return f
}

// isSnap reports whether a program only starts a snap, directly or, as on
// Ubuntu, through a small script in its place.
func isSnap(path string) bool {
	if real, err := filepath.EvalSymlinks(path); err == nil && (strings.HasPrefix(real, "/snap/") || filepath.Base(real) == "snap") {
		return true
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 4096)
	n, _ := f.Read(head)
	return strings.HasPrefix(string(head[:n]), "#!") && strings.Contains(string(head[:n]), "/snap/bin/")
}

func fileFinding(name, path, apt string) finding {
	if _, err := os.Stat(path); err != nil {
		return finding{Name: name, Needed: true, Detail: path + " is not there", Mend: "sudo apt-get install " + apt, Apt: apt}
	}
	return finding{Name: name, OK: true, Needed: true, Detail: filepath.Dir(filepath.Dir(path))}
}

// font is letters that must be legible on the desktop.
type font struct {
	what, pattern, apt string
	needed             bool
}

var fonts = [...]font{
	{"Latin letters", ":charset=41", "fonts-dejavu-core", true},
	{"Chinese, Japanese and Korean letters", ":charset=660e", "fonts-noto-cjk", false},
	{"emoji", ":charset=1f642", "fonts-noto-color-emoji", false},
}

func (f font) look(ctx context.Context) finding {
	found := finding{Name: f.what, Needed: f.needed, Apt: f.apt, Mend: "sudo apt-get install " + f.apt, Detail: "no font has them"}
	ctx, cancel := context.WithTimeoutCause(ctx, doctorLimit, errors.New("fc-list took too long"))
	defer cancel()
	out, err := exec.CommandContext(ctx, "fc-list", f.pattern, "family").Output()
	if err != nil {
		found.Detail = "fc-list cannot be asked"
		return found
	}
	if families := strings.TrimSpace(string(out)); families != "" {
		first, _, _ := strings.Cut(firstLine(families), ",")
		if best, err := exec.CommandContext(ctx, "fc-match", "-f", "%{family[0]}", "sans"+f.pattern).Output(); err == nil {
			first = firstLine(string(best)) // what programs will take
		}
		found.OK, found.Detail, found.Mend, found.Apt = true, first, "", ""
	}
	return found
}

// leastSpace is what a state directory should have free, in bytes: a task of an
// hour keeps some hundred screenshots.
const leastSpace = 500 << 20

func (a *app) stateFinding() finding {
	f := finding{Name: "state directory", Needed: true}
	dir, err := a.home()
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	probe, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		f.Detail, f.Mend = fmt.Sprintf("%s cannot be written (%s)", dir, cause(err)), "point DESKHAND_HOME at a directory of your own"
		return f
	}
	err = errors.Join(probe.Close(), os.Remove(probe.Name()))
	var disk unix.Statfs_t
	if err = errors.Join(err, unix.Statfs(dir, &disk)); err != nil {
		f.Detail = err.Error()
		return f
	}
	free := int64(disk.Bavail) * disk.Bsize
	f.OK, f.Detail = free >= leastSpace, fmt.Sprintf("%s, %.1f GB free", dir, float64(free)/1e9)
	if !f.OK {
		f.Mend = "free some space, or point DESKHAND_HOME at another disk"
	}
	return f
}

// keptFinding says what the layers and the trash of tasks hold. It mends nothing:
// what is in there may be the only copy.
func (a *app) keptFinding() finding {
	f := finding{Name: "kept files", OK: true}
	dir, err := a.homePath()
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	tasks, err := os.ReadDir(filepath.Join(dir, "folders"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.OK, f.Detail = false, err.Error()
		return f
	}
	var layers, trash int64
	for _, t := range tasks {
		shared, _ := filepath.Glob(filepath.Join(dir, "folders", t.Name(), "*")) // the pattern is well-formed
		for _, s := range shared {
			if l, err := folder.Existing(s); err == nil {
				inLayer, inTrash := l.Sizes()
				layers, trash = layers+inLayer, trash+inTrash
			}
		}
	}
	f.Detail = fmt.Sprintf("layers of folders hold %s, trash %s, of %d tasks; deskhand task rm removes them", megabytes(layers), megabytes(trash), len(tasks))
	return f
}

func (a *app) storeFinding(ctx context.Context) finding {
	f := finding{Name: "journal", Needed: true}
	dir, err := a.home()
	if err == nil {
		var st *sqlite.Store
		if st, err = sqlite.Open(ctx, dir); err == nil {
			_, err = st.List(ctx, 1)
			err = errors.Join(err, st.Close())
		}
	}
	if err != nil {
		f.Detail = firstOf(err).Error()
		return f
	}
	f.OK, f.Detail = true, "SQLite opens"
	return f
}

// keyFinding says whether there is a key, and nothing about it.
func (a *app) keyFinding() finding {
	api := claude.FromEnvironment(a.env)
	if api.HasKey() || api.Ambient {
		return finding{Name: "API key", OK: true, Detail: "there is one (not tried)"}
	}
	return finding{Name: "API key", Detail: "there is none; deskhand plays its demonstration and scripts without", Mend: "set ANTHROPIC_API_KEY to use a model"}
}

func desktopFinding(ctx context.Context) finding {
	f := finding{Name: "desktop", Needed: true}
	ctx, cancel := context.WithTimeoutCause(ctx, doctorLimit, errors.New("the desktop took too long to come up"))
	defer cancel()
	start := time.Now()
	m, err := machine.Up(ctx, machine.Config{Environ: withoutKeys(os.Environ())})
	if err == nil {
		up := time.Since(start)
		err = m.Close()
		f.OK, f.Detail = err == nil, fmt.Sprintf("came up in %.1f s", up.Seconds())
	}
	if err != nil {
		f.Detail = firstOf(err).Error()
	}
	return f
}
