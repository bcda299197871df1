package stack

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// Kind is what a program is for. There is one launcher per kind.
type Kind string

// The kinds, in the order of their launchers.
const (
	Browser    Kind = "browser"
	Terminal   Kind = "terminal"
	Editor     Kind = "editor"
	Files      Kind = "files"
	Calculator Kind = "calculator"
	Office     Kind = "office"
)

// Look is how a kind is shown. Colour fills the launcher's icon, so that a
// script, and a person who tells the model about it, can find it by colour.
type Look struct {
	Kind   Kind
	Label  string
	Colour uint32 // 0xRRGGBB
}

// Looks are the kinds in the order of their launchers.
func Looks() []Look {
	return []Look{
		{Browser, "Web browser", 0x2D7FF9},
		{Terminal, "Terminal", 0x22303C},
		{Editor, "Text editor", 0xF29F05},
		{Files, "Files", 0x8E44AD},
		{Calculator, "Calculator", 0x17A589},
		{Office, "Office", 0x6C7A89},
	}
}

// known is a program that deskhand knows how to start well.
type known struct {
	kind Kind
	name string   // of the binary
	args []string // always given, before the person's own
	open []string // given by the launcher only, after args
}

// knownPrograms lists what is looked for. The first of a kind that is
// installed gets the launcher; every one that has args gets a wrapper of its
// own name, so that it behaves the same from a shell.
func knownPrograms(c Config) []known {
	chromium, firefox := chromiumArgs(c), firefoxArgs(c)
	blank := []string{"about:blank"}
	office := []string{"--norestore", "--nologo", "--nofirststartwizard"}
	return []known{
		{Browser, "chromium", chromium, blank},
		{Browser, "chromium-browser", chromium, blank},
		{Browser, "google-chrome-stable", chromium, blank},
		{Browser, "google-chrome", chromium, blank},
		{Browser, "firefox-esr", firefox, blank},
		{Browser, "firefox", firefox, blank},
		{Browser, "epiphany-browser", nil, nil}, // the one browser of Ubuntu that is not a snap
		{Browser, "epiphany", nil, nil},
		{Terminal, "xfce4-terminal", []string{"--disable-server"}, nil},
		{Terminal, "mate-terminal", []string{"--disable-factory"}, nil},
		{Terminal, "lxterminal", []string{"--no-remote"}, nil},
		{Terminal, "xterm", nil, nil},
		{Editor, "mousepad", []string{"--disable-server"}, nil},
		{Editor, "gedit", nil, nil},
		{Editor, "xed", nil, nil},
		{Editor, "pluma", nil, nil},
		{Editor, "gnome-text-editor", nil, nil},
		{Editor, "featherpad", nil, nil},
		{Editor, "leafpad", nil, nil},
		{Files, "pcmanfm", nil, []string{c.Home}},
		{Files, "thunar", nil, []string{c.Home}},
		{Files, "nemo", nil, []string{c.Home}},
		{Files, "caja", []string{"--no-desktop"}, []string{c.Home}},
		{Files, "nautilus", nil, []string{c.Home}},
		{Calculator, "galculator", nil, nil},
		{Calculator, "gnome-calculator", nil, nil},
		{Calculator, "mate-calc", nil, nil},
		{Calculator, "kcalc", nil, nil},
		{Calculator, "xcalc", nil, nil},
		{Office, "libreoffice", office, nil},
		{Office, "soffice", office, nil},
	}
}

// installed is a known program with the path of its binary.
type installed struct {
	known
	path string
}

// findPrograms returns the known programs that stand in one of dirs and can work here.
func findPrograms(c Config, dirs []string) []installed {
	var found []installed
	for _, k := range knownPrograms(c) {
		for _, dir := range dirs {
			if path := filepath.Join(dir, k.name); usable(path) {
				found = append(found, installed{k, path})
				break
			}
		}
	}
	return found
}

// webkit are the browsers whose own walls are bubblewrap's, and so need to mount.
var webkit = []string{"epiphany-browser", "epiphany"}

// BrowserMounts reports whether the browser that gets the launcher mounts things
// to build its own walls. dirs are where programs are looked for.
func BrowserMounts(dirs []string) bool {
	browser, ok := first(findPrograms(Config{Scale: 1}, dirs), Browser)
	return ok && slices.Contains(webkit, browser.name)
}

// find returns the path of a program of the stack itself, empty when it is not
// installed.
func (s *Stack) find(name string) string {
	for _, dir := range s.config.ProgramDir {
		if path := filepath.Join(dir, name); usable(path) {
			return path
		}
	}
	return ""
}

// first returns the program of kind that gets the launcher.
func first(programs []installed, kind Kind) (installed, bool) {
	for _, p := range programs {
		if p.kind == kind {
			return p, true
		}
	}
	return installed{}, false
}

// usable reports whether path is a program that works without a snap daemon:
// Ubuntu's browsers are scripts that only ask for one.
func usable(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	start := make([]byte, 4096)
	n, _ := io.ReadFull(f, start)
	start = start[:n]
	return !bytes.HasPrefix(start, []byte("#!")) || !bytes.Contains(start, []byte("/snap/bin/"))
}
