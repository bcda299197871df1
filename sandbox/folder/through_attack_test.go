package folder_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/sandbox/folder"
)

// bare runs a script on the folder itself, without the file system in between:
// there every attack must succeed.
func (p *place) bare(script string) {
	p.t.Helper()
	cmd := exec.Command("/bin/bash", "-c", script)
	cmd.Dir = p.dir
	_ = cmd.Run() // what counts is what is there afterwards
}

// TestAttackThrough plays what a task may try on a folder that it writes
// through to: names that others run later, links that lead out, other names of
// files, special files and bits.
func TestAttackThrough(t *testing.T) {
	t.Parallel()
	files := map[string]string{".git/config": "mine", ".git/hooks/pre-commit": "mine", "sub/x": "x", "h": "", "a/b/c/d/e/f/x": ""}
	for _, a := range []struct {
		name, script string
		evil         string // a file that must not be there, or not hold evil, afterwards
	}{
		{"F15 a hook that is there", "echo evil >.git/hooks/pre-commit", ".git/hooks/pre-commit"},
		{"F15 python over .git/config", `python3 -c "open('.git/config','w').write('evil')"`, ".git/config"},
		{"F15 a name moved over it", "echo evil >t; mv t .git/config", ".git/config"},
		{"F15 its folder exchanged", "mkdir n; echo evil >n/pre-commit; mv .git/hooks x; mv n .git/hooks", ".git/hooks/pre-commit"},
		{"F16 absent names", "echo evil >.bashrc", ".bashrc"},
		{"F16 .mcp.json", "echo evil >.mcp.json", ".mcp.json"},
		{"F16 autostart", "mkdir -p .config/autostart; echo evil >.config/autostart/x.desktop", ".config/autostart/x.desktop"},
		{"F16 six levels deep", "cd a/b/c/d/e/f; mkdir .git; mkdir .git/hooks; echo evil >.git/hooks/post-checkout", "a/b/c/d/e/f/.git/hooks/post-checkout"},
		{"F16 a folder made elsewhere, then moved", "mkdir -p n/hooks; echo evil >n/hooks/pre-push; mv n sub/.git", "sub/.git/hooks/pre-push"},
		{"F16 in capitals", "mkdir -p sub/.GIT/hooks; echo evil >sub/.GIT/hooks/pre-push", "sub/.GIT/hooks/pre-push"},
		{"F16 a bare repository", "mkdir -p r/hooks r/objects r/refs; echo evil >r/hooks/update; echo ref: refs/heads/main >r/HEAD", "r/HEAD"},
		{"F16 a .git that is a file", "echo evil >sub/.git", "sub/.git"},
		{"F4 a link that leads out", "ln -s ../O/c out; test -L out && echo evil >mark", "mark"},
		{"F4 a link that leads out by another", "ln -s .. sub/up; ln -s sub/up/../../O/c out; test -L out && echo evil >mark", "mark"},
		{"F4 a link moved until it leads out", "ln -s ../h sub/l; mv sub/l l; test -L l && echo evil >mark", "mark"},
		{"F4 its folder moved until it leads out", "mkdir sub/y; ln -s ../../h sub/y/l; mv sub/y y; test -L y/l && echo evil >mark", "mark"},
		{"F8 another name of a file", "ln h h2 && echo evil >mark", "mark"},
		{"F12 a pipe", "mkfifo pipe && echo evil >mark", "mark"},
		{"F12 a set-user-id bit", "echo x >s; chmod 4755 s && echo evil >mark", "mark"},
	} {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			held := func(p *place) bool {
				data, err := os.ReadFile(filepath.Join(p.dir, a.evil))
				return err != nil || !strings.Contains(string(data), "evil") && a.evil != "r/HEAD"
			}
			off, on := direct(t, files), direct(t, files)
			off.bare(a.script)
			on.through(folder.ThroughConfig{}, "("+a.script+") 2>/dev/null; true")
			t.Logf("attack\t%-52s\twithout guard: %s\twith guard: %s", a.name+" (direct)", outcome(!held(off)), outcome(!held(on)))
			if held(off) {
				t.Error("the attack is not real: without the guard it does nothing")
			}
			if !held(on) {
				t.Error("it succeeded")
			}
			on.canary()
		})
	}
}

// TestAttackThroughHardLink: F8. A file with another name outside is written:
// the other name keeps its content, and undo brings back the same file.
func TestAttackThroughHardLink(t *testing.T) {
	t.Parallel()
	off, on := direct(t, nil), direct(t, nil)
	for _, p := range []*place{off, on} {
		if err := os.Link(p.other+"/c", p.dir+"/h"); err != nil {
			t.Fatal(err)
		}
	}
	off.bare("echo evil >h")
	without := off.hit()
	on.through(folder.ThroughConfig{}, "echo evil >h; echo more >>h; chmod 600 h; touch h")
	t.Logf("attack\tF8 a hard link that was there (direct)\twithout guard: %s\twith guard: %s", outcome(without), outcome(on.hit()))
	if !without || on.hit() || on.read("h") != "evil\nmore\n" {
		t.Error("not as it was to be")
	}
	on.undoThrough()
	if a, err := os.Stat(on.dir + "/h"); err != nil {
		t.Error(err)
	} else if b, err := os.Stat(on.other + "/c"); err != nil || !os.SameFile(a, b) {
		t.Error("after undo it is another file")
	}
}

// TestUnlockedThrough: a name that the person unlocked can be written.
func TestUnlockedThrough(t *testing.T) {
	t.Parallel()
	p := direct(t, nil)
	_, notices := p.through(folder.ThroughConfig{Unlocked: []string{".bashrc"}}, "echo fine >.bashrc; echo evil >.zshrc; true")
	if p.read(".bashrc") != "fine\n" || len(notices) != 1 || !strings.Contains(notices[0], "cannot be written") {
		t.Errorf("notices: %q", notices)
	}
	if _, err := os.Stat(p.dir + "/.zshrc"); err == nil {
		t.Error(".zshrc is there")
	}
}
