package folder_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox/folder"
)

// naive applies a layer as a script would: cp -a of what is there. Attacks are
// played against it first, to show that they are real.
func (p *place) naive(names ...string) {
	p.t.Helper()
	_, source := p.layer.Mount()
	if p.kind == folder.Overlay {
		source = filepath.Join(p.state, "upper")
	}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			p.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(p.dir, name), data, 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
}

// hit reports whether anything but folders appeared beside the folder, or the
// canary changed.
func (p *place) hit() bool {
	data, err := os.ReadFile(p.other + "/c")
	return err != nil || string(data) != "canary" || len(p.beside()) != 1
}

// beside lists what is not a folder beside the folder.
func (p *place) beside() (files []string) {
	p.t.Helper()
	err := filepath.WalkDir(p.other, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return files
}

func (p *place) heal() {
	p.t.Helper()
	for _, f := range p.beside() {
		if err := os.Remove(f); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := os.WriteFile(p.other+"/c", []byte("canary"), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// twice plays an attack without the guard and with it, and prints both.
func twice(t *testing.T, p *place, name string, naive, guarded func()) {
	t.Helper()
	naive()
	without := p.hit()
	p.heal()
	guarded()
	with := p.hit()
	t.Logf("attack\t%s (%s)\twithout guard: %s\twith guard: %s", name, p.kind, outcome(without), outcome(with))
	if !without {
		t.Errorf("%s: the attack is not real: without its guard it does nothing", name)
	}
	if with {
		t.Errorf("%s: the canary was touched", name)
	}
}

func outcome(hit bool) string {
	return map[bool]string{true: "succeeded", false: "refused"}[hit]
}

// TestAttackLinks: F4, F5, F8. The real folder has links that lead out of it,
// where a task's files are to go.
func TestAttackLinks(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, script, file string
		arrange            func(p *place) error
	}{
		{"F4 a link in the place of a file", "echo evil >l", "l", func(p *place) error { return os.Symlink("../O/c", p.dir+"/l") }},
		{"F4 a dangling link", "echo evil >l", "l", func(p *place) error { return os.Symlink("../O/new", p.dir+"/l") }},
		{"F5 a link in the place of a parent", "mkdir d; echo evil >d/new", "d/new", func(p *place) error { return os.Symlink("../O", p.dir+"/d") }},
		{"F5 a link further up", "echo evil >f/e/new", "f/e/new", func(p *place) error {
			return errorsOf(os.RemoveAll(p.dir+"/f"), os.Symlink("../O", p.dir+"/f"))
		}},
		{"F8 a hard link", "echo evil >h", "h", func(p *place) error { return os.Link(p.other+"/c", p.dir+"/h") }},
	}
	for _, c := range cases {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			both(t, map[string]string{"f/e/x": ""}, func(t *testing.T, p *place) {
				p.task(c.script)
				if err := c.arrange(p); err != nil { // after the layer was made: the person's own, or another program's
					t.Fatal(err)
				}
				twice(t, p, c.name, func() { p.naive(c.file) }, func() {
					if err := os.Remove(filepath.Join(p.dir, strings.Split(c.file, "/")[0])); err != nil {
						t.Fatal(err)
					}
					if err := c.arrange(p); err != nil {
						t.Fatal(err)
					}
					p.apply(folder.Choice{All: true, Deletions: true})
				})
			})
		})
	}
}

// TestAttackHardLink: F8. A hard link that was there from the beginning is
// replaced; the other name keeps its content.
func TestAttackHardLink(t *testing.T) {
	t.Parallel()
	for _, kind := range []folder.Kind{folder.Overlay, folder.Copy} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, kind, map[string]string{"x": ""})
			_ = p.layer.Close()
			if err := os.Link(p.other+"/c", p.dir+"/h"); err != nil {
				t.Fatal(err)
			}
			if err := folder.Remove(p.state); err != nil {
				t.Fatal(err)
			}
			p.open()
			p.task("echo evil >h")
			out := p.apply(folder.Choice{All: true})
			p.want("applied", words(out.Applied), []string{"changed h"})
			p.canary()
			p.undo()
			if a, err := os.Stat(p.dir + "/h"); err != nil {
				t.Error(err)
			} else if b, err := os.Stat(p.other + "/c"); err != nil || !os.SameFile(a, b) {
				t.Error("after undo h is no longer the same file as O/c")
			}
			p.canary()
		})
	}
}

// TestAttackPaths: F1, F2, F3, F18. From inside, no path of any form reaches
// what lies beside the folder. (The sandbox has its own mounts; here only the
// layer stands between: what a path inside means is a file in the layer.)
func TestAttackPaths(t *testing.T) {
	t.Parallel()
	p := newPlace(t, folder.Overlay, map[string]string{"x/y": ""})
	if _, err := p.layer.Apply(t.Context(), folder.Choice{Paths: []string{"../O/c"}}); deskhand.CodeOf(err) != deskhand.Invalid {
		t.Errorf("../O/c: %v", err)
	}
	for _, f := range []deskhand.Folder{{Path: "/t/a"}, {Path: "/"}, {Path: "/etc/x"}} {
		err := folder.Check([]deskhand.Folder{f}, "/t/ab") // F3: a sibling whose name begins the same
		if (f.Path == "/t/a") != (err == nil) {
			t.Errorf("%s: %v", f.Path, err)
		}
	}
	for _, bad := range [][]string{{"/t/a", "/t/a/b"}, {"/t/a/b", "/t/a"}, {"/s/x"}, {"/s"}, {"/"}} {
		var all []deskhand.Folder
		for _, path := range bad {
			all = append(all, deskhand.Folder{Path: path})
		}
		if err := folder.Check(all, "/s"); deskhand.CodeOf(err) != deskhand.Invalid {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// TestAttackSwap: F7. While changes are applied, somebody exchanges the folder
// they go to with a link that leads out, at full speed.
func TestAttackSwap(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for i := range 300 {
		files[fmt.Sprintf("d/e/%03d", i)] = "old"
	}
	p := newPlace(t, folder.Overlay, files)
	p.task("for f in d/e/*; do echo evil >$f; done; for i in $(seq 300); do echo evil >d/e/n$i; done")
	if err := os.Symlink("../O", p.dir+"/l"); err != nil {
		t.Fatal(err)
	}
	// Without the guard: checked by path, then written by path.
	swap := func() error {
		return unix.Renameat2(unix.AT_FDCWD, p.dir+"/d", unix.AT_FDCWD, p.dir+"/l", unix.RENAME_EXCHANGE)
	}
	twice(t, p, "F7 a folder exchanged with a link", func() {
		if info, err := os.Lstat(p.dir + "/d"); err != nil || !info.IsDir() {
			t.Fatal("no folder")
		}
		if err := swap(); err != nil {
			t.Fatal(err)
		}
		p.naive("d/e/n1")
		if err := swap(); err != nil {
			t.Fatal(err)
		}
	}, func() {
		stop := make(chan struct{})
		var swapping sync.WaitGroup
		swaps := 0
		swapping.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if swap() == nil {
						swaps++
					}
				}
			}
		})
		for range 5 { // what was left is tried again
			if _, err := p.layer.Apply(t.Context(), folder.Choice{All: true}); err != nil && deskhand.CodeOf(err) != deskhand.Unavailable {
				t.Error(err)
			}
		}
		close(stop)
		swapping.Wait()
		if swaps < 100 {
			t.Errorf("only %d exchanges: nothing was raced", swaps)
		}
	})
}

// TestAttackSpecial: F12. Pipes, sockets and devices are neither waited for nor
// applied.
func TestAttackSpecial(t *testing.T) {
	t.Parallel()
	both(t, map[string]string{"was": "a file"}, func(t *testing.T, p *place) {
		p.task(`mkfifo pipe; rm was; mkfifo was; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'; echo x >suid; chmod 4755 suid`)
		p.want("changes", p.changes(), []string{"added pipe!", "added socket!", "added suid!", "deleted was", "added was!"})
		out := p.apply(folder.Choice{All: true})
		p.want("applied", words(out.Applied), []string{})
		if p.read("was") != "a file" {
			t.Error("the file is gone")
		}
	})
}

// TestAttackNames: F14. Names that mean something to shells and terminals are
// names.
func TestAttackNames(t *testing.T) {
	t.Parallel()
	both(t, map[string]string{"x": ""}, func(t *testing.T, p *place) {
		names := []string{"a\nb", "-rf", "\x1b[31m", "\u202etxt", "bad\xff\xfe", strings.Repeat("n", 255), "space ", "$(touch ..O..pwn)", "`touch pwn`", "a\\b", "*"}
		for _, name := range names {
			_, source := p.layer.Mount()
			if p.kind == folder.Overlay {
				source = p.state + "/upper" // nothing is mounted now
			}
			if err := os.WriteFile(filepath.Join(source, name), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		out := p.apply(folder.Choice{All: true})
		p.want("left", words(out.Left), []string{})
		var got []string
		all, err := os.ReadDir(p.dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			got = append(got, e.Name())
		}
		want := append(names, "x")
		slices.Sort(want)
		slices.Sort(got)
		p.want("names", got, want)
		p.undo()
		if all, _ := os.ReadDir(p.dir); len(all) != 1 {
			t.Errorf("%d files after undo", len(all))
		}
	})
}

// TestAttackProtected: F15, F16. Names that somebody runs later, present or
// absent, at any depth, in either case, in repositories of any form.
func TestAttackProtected(t *testing.T) {
	t.Parallel()
	both(t, map[string]string{".bashrc": "mine", ".git/hooks/pre-commit": "mine", ".git/config": "mine", "dir/x": ""}, func(t *testing.T, p *place) {
		before := picture(t, p.dir)
		p.task(`for f in .bashrc .git/hooks/pre-commit .git/config; do echo evil >$f; done
mkdir -p a/b/c/d/e/f/.git/hooks .config/autostart .GIT/hooks bare/objects bare/refs bare/hooks .ssh
for f in .mcp.json .zshrc dir/.envrc a/b/c/d/e/f/.git/hooks/post-checkout .config/autostart/x.desktop .GIT/hooks/pre-push bare/HEAD bare/config bare/hooks/update .ssh/authorized_keys .git/hooks/new; do echo evil >$f; done
ln -s a/b/c/d/e/f dir/.git; rm .git/config`)
		if got := picture(t, p.dir); got != before {
			t.Fatal("the real folder changed while the task ran")
		}
		p.apply(folder.Choice{All: true, Deletions: true})
		for _, evil := range []string{
			".mcp.json", ".zshrc", "dir/.envrc", "a/b/c/d/e/f/.git/hooks", ".config/autostart", ".GIT/hooks", "bare/config", "bare/hooks", ".ssh", ".git/hooks/new", "dir/.git",
		} {
			if _, err := os.Lstat(filepath.Join(p.dir, evil)); err == nil {
				t.Errorf("%s was applied", evil)
			}
		}
		if p.read(".bashrc") != "mine" || p.read(".git/config") != "mine" || p.read(".git/hooks/pre-commit") != "mine" {
			t.Error("a protected file was changed")
		}
		p.apply(folder.Choice{Paths: []string{".bashrc"}, Unlocked: []string{".bashrc"}})
		if p.read(".bashrc") != "evil\n" { // without the guard it arrives: the attack is real
			t.Error("an unlocked name was not applied")
		}
	})
}

// TestAttackChangedMeanwhile: F23, and a replacement in the moment between look
// and exchange, which the exchange itself shows.
func TestAttackChangedMeanwhile(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for i := range 200 {
		files[fmt.Sprintf("%03d", i)] = "old"
	}
	p := newPlace(t, folder.Overlay, files)
	p.task("for f in *; do echo task >$f; done")
	var saving sync.WaitGroup
	saving.Go(func() { // an editor of the person's, saving by rename
		for i := range 200 {
			name := fmt.Sprintf("%s/%03d", p.dir, i)
			if err := errorsOf(os.WriteFile(name+".save", []byte("person"), 0o600), os.Rename(name+".save", name)); err != nil {
				t.Error(err)
			}
		}
	})
	out := p.apply(folder.Choice{All: true})
	saving.Wait()
	for i := range 200 {
		if got := p.read(fmt.Sprintf("%03d", i)); got != "person" {
			t.Errorf("%03d is %q: the person's work was lost", i, got)
		}
	}
	t.Logf("%d were applied before the person saved, %d left", len(out.Applied), len(out.Left))
}

func errorsOf(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestAttackPlantedLinks: links that a task plants, for somebody trusted to follow later.
func TestAttackPlantedLinks(t *testing.T) {
	t.Parallel()
	both(t, map[string]string{".git/hooks/pre-commit": "mine", "in/x": "", "y": ""}, func(t *testing.T, p *place) {
		if err := os.Symlink("../O", p.dir+"/theirs"); err != nil {
			t.Fatal(err)
		}
		p.task(`ln -s ../O/c out; ln -s "$OLDPWD/../O" abs || ln -s /etc/passwd abs; ln -s theirs/c over; ln -s .git/hooks h; ln -s .bashrc rc; ln -s in/../../O dots; ln -s one two; ln -s x in/ok; ln -s ../y in/fine; ln -s in one; ln -s .git g; ln -s .. in/up; ln -s in/up/../../O/c up`)
		out := p.apply(folder.Choice{All: true})
		p.want("applied", words(out.Applied), []string{"added in/fine", "added in/ok", "added in/up", "added one"})
	})
}
