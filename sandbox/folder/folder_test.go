package folder_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/overlay"
	"github.com/deskhand/deskhand/sandbox/folder"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == overlay.Arg {
		syscall.Exit(overlay.Main(os.Args[2:], os.Stderr))
	}
	if len(os.Args) == 3 && os.Args[1] == applyArg {
		syscall.Exit(applyMain(os.Args[2]))
	}
	goleak.VerifyTestMain(m)
}

// place is a folder with a layer.
type place struct {
	t     testing.TB
	dir   string // real folder
	other string // beside it, with a canary
	state string
	kind  folder.Kind
	layer *folder.Layer
}

// both runs f with either kind of layer.
func both(t *testing.T, files map[string]string, f func(t *testing.T, p *place)) {
	t.Helper()
	for _, kind := range []folder.Kind{folder.Overlay, folder.Copy} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			f(t, newPlace(t, kind, files))
		})
	}
}

func newPlace(t testing.TB, kind folder.Kind, files map[string]string) *place {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &place{t: t, dir: base + "/W", other: base + "/O", state: base + "/state", kind: kind}
	for _, dir := range []string{p.dir, p.other, p.other + "/e"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(p.other+"/c", []byte("canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		p.put(name, content)
	}
	t.Cleanup(func() {
		if p.layer != nil {
			_ = p.layer.Close()
		}
		if err := folder.Remove(p.state); err != nil {
			t.Error(err)
		}
	})
	p.open()
	return p
}

func (p *place) companion() []string {
	if p.kind == folder.Copy {
		return nil
	}
	exe, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	return []string{exe}
}

func (p *place) open() {
	p.t.Helper()
	l, err := folder.Open(p.t.Context(), p.state, p.dir, p.companion())
	if err != nil {
		p.t.Fatal(err)
	}
	if p.layer = l; l.Kind() != p.kind {
		p.t.Skipf("no %s here: this machine cannot mount overlayfs in a user namespace", p.kind)
	}
}

// put writes a file of the person's.
func (p *place) put(name, content string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// task runs a script of the task's on the layer, in its folder.
func (p *place) task(script string) {
	p.t.Helper()
	mounts, source := p.layer.Mount()
	cmd := exec.Command("/bin/sh", "-euc", "cd \"$1\"\n"+script, "sh", source)
	if len(mounts) > 0 {
		data, err := overlay.Order{Layers: mounts, Argv: append([]string{"/bin/sh"}, cmd.Args[1:]...)}.Bytes()
		if err != nil {
			p.t.Fatal(err)
		}
		r, w, err := os.Pipe()
		if err != nil {
			p.t.Fatal(err)
		}
		defer r.Close()
		if _, err := w.Write(data); err != nil {
			p.t.Fatal(err)
		}
		w.Close()
		cmd = exec.Command(p.companion()[0], overlay.Arg, "3")
		cmd.ExtraFiles = []*os.File{r}
		cmd.SysProcAttr = overlay.Attributes(&syscall.SysProcAttr{})
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("%v: %s", err, out)
	}
}

// changes returns one word a change: "added x", "moved x<y", with "!" for refused ones.
func (p *place) changes(unlocked ...string) []string {
	p.t.Helper()
	all, err := p.layer.Changes(p.t.Context(), unlocked)
	if err != nil {
		p.t.Fatal(err)
	}
	return words(all)
}

func words(all []folder.Change) []string {
	out := []string{}
	for _, c := range all {
		w := string(c.Kind) + " " + c.Path
		if c.From != "" {
			w += "<" + c.From
		}
		if c.Type == fs.ModeDir {
			w += "/"
		}
		if c.Refused != "" {
			w += "!"
		}
		out = append(out, w)
	}
	return out
}

func (p *place) apply(c folder.Choice) folder.Outcome {
	p.t.Helper()
	out, err := p.layer.Apply(p.t.Context(), c)
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

func (p *place) undo() folder.Outcome {
	p.t.Helper()
	out, err := p.layer.Undo(context.Background())
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

// picture is everything that can be seen of a folder: names, types, modes,
// times, targets and content.
func picture(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%q %s %s", strings.TrimPrefix(path, dir), info.Mode(), info.ModTime().Format(time.RFC3339Nano))
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %x", sha256.Sum256(data))
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " -> %q", target)
		}
		b.WriteString("\n")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func (p *place) want(what string, got, want []string) {
	p.t.Helper()
	if !slices.Equal(got, want) {
		p.t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func (p *place) read(name string) string {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Error(err)
	}
	return string(data)
}

// canary fails the test when the file beside the folder was touched.
func (p *place) canary() {
	p.t.Helper()
	if p.hit() {
		p.t.Errorf("the canary was touched: %q", p.beside())
	}
}

var usual = map[string]string{
	"keep": "same", "edit": "old\n", "gone": "farewell", "here": "I move about", "sub/deep/file": "deep", "sub/other": "o",
	"whole/a": "1", "whole/b/c": "2",
}

const usualScript = `
echo new >edit; chmod 600 edit
rm gone
mv here there
mkdir -p fresh/folder; echo hello >fresh/folder/file; ln -s nowhere fresh/link
echo more >>sub/deep/file
cat keep >/dev/null; touch keep
rm -r whole
`

var usualChanges = []string{
	"changed edit", "added fresh/", "added fresh/folder/", "added fresh/folder/file", "added fresh/link", "deleted gone",
	"changed sub/deep/file", "moved there<here", "deleted whole/", "deleted whole/a", "deleted whole/b/", "deleted whole/b/c",
}

// TestReview follows changes from the task to the folder and back.
func TestReview(t *testing.T) {
	t.Parallel()
	both(t, usual, func(t *testing.T, p *place) {
		before := picture(t, p.dir)
		p.task(usualScript)
		if got := picture(t, p.dir); got != before {
			t.Fatalf("the real folder changed while the task ran:\n%s\nwas\n%s", got, before)
		}
		p.want("changes", p.changes(), usualChanges)

		out := p.apply(folder.Choice{All: true})
		p.want("left without deletions", words(out.Left), []string{"deleted whole/b/c!", "deleted whole/b/!", "deleted whole/a!", "deleted whole/!", "deleted gone!"})
		if p.read("edit") != "new\n" || p.read("there") != "I move about" || p.read("fresh/folder/file") != "hello\n" || p.read("gone") != "farewell" {
			t.Error("the folder is not as accepted")
		}
		if info, err := os.Stat(p.dir + "/edit"); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("edit: %v %v", info.Mode(), err)
		}
		p.want("changes after", p.changes(), []string{"deleted gone", "deleted whole/", "deleted whole/a", "deleted whole/b/", "deleted whole/b/c"})

		out = p.apply(folder.Choice{All: true, Deletions: true})
		p.want("left", words(out.Left), []string{})
		p.want("changes at the end", p.changes(), []string{})
		if _, err := os.Stat(p.dir + "/whole"); err == nil {
			t.Error("whole is still there")
		}

		out = p.undo()
		p.want("not undone", words(out.Left), []string{})
		if got := picture(t, p.dir); got != before {
			t.Errorf("after undo:\n%s\nwant\n%s", got, before)
		}
		p.want("changes after undo", p.changes(), usualChanges)
		p.canary()
	})
}

// TestKinds replaces each kind of file by each other.
func TestKinds(t *testing.T) {
	t.Parallel()
	both(t, map[string]string{"file": "f", "folder/x": "x", "f2": "2", "d2/y": "y"}, func(t *testing.T, p *place) {
		before := picture(t, p.dir)
		p.task(`rm file; mkdir file; echo in >file/in; rm -r folder; echo flat >folder; rm f2; ln -s keep f2; mkdir d3; mv d2/y d3/y; rmdir d2`)
		out := p.apply(folder.Choice{All: true})
		if p.read("folder/x") != "x" || p.read("file") != "f" {
			t.Errorf("something was deleted unasked: %q", words(out.Left))
		}
		out = p.apply(folder.Choice{All: true, Deletions: true})
		p.want("left", words(out.Left), []string{})
		if p.read("file/in") != "in\n" || p.read("folder") != "flat\n" || p.read("d3/y") != "y" {
			t.Error("the folder is not as accepted")
		}
		p.undo()
		if got := picture(t, p.dir); got != before {
			t.Errorf("after undo:\n%s\nwant\n%s", got, before)
		}
	})
}

// TestConflicts changes the real folder while the task works.
func TestConflicts(t *testing.T) {
	t.Parallel()
	both(t, map[string]string{"both": "1", "gone": "2", "theirs": "3", "dropped": "4"}, func(t *testing.T, p *place) {
		p.task(`echo mine >both; echo mine >gone; echo mine >new; rm dropped`)
		p.put("both", "the person's")
		p.put("new", "the person's too")
		p.put("dropped", "needed after all")
		if err := os.Remove(p.dir + "/gone"); err != nil {
			t.Fatal(err)
		}
		before := picture(t, p.dir)
		out := p.apply(folder.Choice{All: true, Deletions: true})
		p.want("left", words(out.Left), []string{"changed both!", "changed new!", "deleted dropped!"})
		// Nothing tells this file from one that the task made: it comes back.
		p.want("applied", words(out.Applied), []string{"added gone"})
		p.undo()
		if got := picture(t, p.dir); got != before {
			t.Errorf("the folder changed:\n%s\nwant\n%s", got, before)
		}
	})
}

// TestSaves saves files in the ways in which editors do, and edits what was moved.
func TestSaves(t *testing.T) {
	t.Parallel()
	both(t, map[string]string{"a": "1", "b": "2", "c": "3", "e": ""}, func(t *testing.T, p *place) {
		p.task("mv a a~; echo new >a; echo new >.b.swp; mv .b.swp b; mv c d; echo more >>d; mv e f")
		out := p.apply(folder.Choice{All: true, Deletions: true})
		p.want("left", words(out.Left), []string{})
		p.want("applied", words(out.Applied), []string{"changed a", "added a~", "changed b", "added d", "added f", "deleted e", "deleted c"})
	})
}

// TestUndoKeepsLaterWork undoes after the person went on.
func TestUndoKeepsLaterWork(t *testing.T) {
	t.Parallel()
	both(t, usual, func(t *testing.T, p *place) {
		p.task(usualScript)
		p.apply(folder.Choice{All: true, Deletions: true})
		p.put("edit", "edited since")
		p.put("gone", "made again")
		p.put("fresh/mine", "mine")
		out := p.undo()
		got := words(out.Left)
		slices.Sort(got)
		p.want("left", got, []string{"added fresh/!", "changed edit!", "deleted gone!"})
		if p.read("edit") != "edited since" || p.read("gone") != "made again" || p.read("fresh/mine") != "mine" || p.read("whole/b/c") != "2" {
			t.Error("later work was lost")
		}
	})
}

// TestChoice applies some.
func TestChoice(t *testing.T) {
	t.Parallel()
	both(t, usual, func(t *testing.T, p *place) {
		p.task(usualScript)
		if _, err := p.layer.Apply(t.Context(), folder.Choice{Paths: []string{"nothing"}}); deskhand.CodeOf(err) != deskhand.Invalid {
			t.Errorf("an unknown path: %v", err)
		}
		p.apply(folder.Choice{Paths: []string{"fresh/folder/file", "sub"}})
		want := slices.DeleteFunc(slices.Clone(usualChanges), func(w string) bool {
			return strings.HasSuffix(w, "fresh/") || strings.Contains(w, "fresh/folder") || strings.Contains(w, "sub/")
		})
		p.want("changes", p.changes(), want)
	})
}
