package folder_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/overlay"
	"github.com/deskhand/deskhand/sandbox/folder"
)

// direct is a place whose folder is written through to.
func direct(t testing.TB, files map[string]string) *place {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &place{t: t, dir: base + "/W", other: base + "/O", state: base + "/state", kind: folder.Direct}
	for _, dir := range []string{p.dir, p.other} {
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
		if err := folder.Remove(p.state); err != nil {
			t.Error(err)
		}
	})
	return p
}

// through opens the folder and runs a script on it, as a task would, and returns what it printed.
func (p *place) through(c folder.ThroughConfig, script string) (out string, notices []string) {
	p.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	th, err := folder.OpenThrough(p.t.Context(), p.state, p.dir, []string{exe}, c)
	if deskhand.CodeOf(err) == deskhand.Unavailable && strings.Contains(err.Error(), "FUSE") {
		p.t.Skipf("MISSING WALL: %v", err)
	} else if err != nil {
		p.t.Fatal(err)
	}
	m, source := th.Mount()
	data, err := overlay.Order{
		Served: []overlay.Served{{At: m.At, FD: 4}},
		Argv:   []string{"/bin/bash", "-uc", "cd \"$1\"\n" + script, "sh", source},
	}.Bytes()
	if err != nil {
		p.t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		p.t.Fatal(err)
	}
	w.Close()
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, overlay.Arg, "3")
	cmd.ExtraFiles = []*os.File{r, m.Socket}
	cmd.SysProcAttr = overlay.Attributes(&syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL})
	said, err := cmd.CombinedOutput()
	r.Close()
	if err != nil {
		p.t.Errorf("the script failed: %v", err)
	}
	notices = th.Notices()
	if err := th.Close(); err != nil {
		p.t.Error(err)
	}
	return string(said), notices
}

// layerOf opens the trash.
func (p *place) trash() *folder.Layer {
	p.t.Helper()
	l, err := folder.Existing(p.state)
	if err != nil {
		p.t.Fatal(err)
	}
	return l
}

func (p *place) undoThrough() folder.Outcome {
	p.t.Helper()
	l := p.trash()
	if err := l.Lock(); err != nil {
		p.t.Fatal(err)
	}
	p.layer = l
	defer func() { p.layer = nil; l.Close() }()
	return p.undo()
}

// TestThrough writes to a folder at once, in every way there is, and takes all
// of it back.
func TestThrough(t *testing.T) {
	t.Parallel()
	p := direct(t, usual)
	if err := os.Chtimes(p.dir, time.Unix(1e9, 0), time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	before := picture(t, p.dir)
	out, notices := p.through(folder.ThroughConfig{}, usualScript+`
grep -q new `+p.dir+`/edit && echo at once
mkdir d1; echo 1 >d1/f; mv d1 d2; mv d2/f g; echo 2 >>g
echo v1 >tmp; mv tmp keep; echo v2 >tmp; mv tmp keep     # as editors save
cp -p keep copied; touch -d 2001-01-01 copied
exec 5<>sub/other; rm sub/other; echo late >&5; exec 5>&-  # written to after it is gone
: >born; rm born
truncate -s 3 sub/deep/file; chmod 700 sub
python3 - <<'P'
import mmap, os
f = open("mapped", "w+b"); f.write(b"x" * 9000); f.flush()
m = mmap.mmap(f.fileno(), 0); m[5000:5003] = b"abc"; m.flush(); m.close(); f.close()
g = open("mapped", "ab"); g.write(b"end"); g.close()
P
`)
	if out != "at once\n" || len(notices) != 0 {
		t.Errorf("said %q, notices %q", out, notices)
	}
	for name, want := range map[string]string{"edit": "new\n", "there": "I move about", "g": "1\n2\n", "keep": "v2\n", "copied": "v2\n", "fresh/folder/file": "hello\n", "sub/deep/file": "dee"} {
		if got := p.read(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := p.read("mapped"); len(got) != 9003 || got[4999:5004] != "xabcx" || !strings.HasSuffix(got, "xend") {
		t.Errorf("mapped: %d bytes", len(got))
	}
	all, err := p.trash().Written()
	if err != nil {
		t.Fatal(err)
	}
	p.want("written", words(all), []string{
		"added copied", "added d2/", "changed edit", "added fresh/", "added fresh/folder/", "added fresh/folder/file", "added fresh/link", "added g", "deleted gone",
		"changed keep", "added mapped", "changed sub/", "changed sub/deep/file", "deleted sub/other", "moved there<here",
		"deleted whole/", "deleted whole/a", "deleted whole/b/", "deleted whole/b/c",
	})
	got := p.undoThrough()
	p.want("left", words(got.Left), []string{})
	if after := picture(t, p.dir); after != before {
		t.Errorf("after undo:\n%s\nwant\n%s", after, before)
	}
	p.canary()
}

// TestThroughLaterWork undoes after the person went on: what is theirs stays.
func TestThroughLaterWork(t *testing.T) {
	t.Parallel()
	p := direct(t, map[string]string{"a": "1", "b": "2", "c": "3"})
	p.through(folder.ThroughConfig{}, "echo task >a; echo task >b; echo task >new; rm c")
	p.put("a", "the person's")
	p.put("new", "the person's too")
	got := p.undoThrough()
	p.want("left", words(got.Left), []string{"added new!", "changed a!"})
	if p.read("a") != "the person's" || p.read("new") != "the person's too" || p.read("b") != "2" || p.read("c") != "3" {
		t.Error("not as it was to be")
	}
}

// TestThroughSeesBoth checks that the person's changes are seen inside at once.
func TestThroughSeesBoth(t *testing.T) {
	t.Parallel()
	p := direct(t, map[string]string{"a": "1\n"})
	out, _ := p.through(folder.ThroughConfig{}, "echo task >a; echo person >"+p.dir+"/a; cat a; echo x >"+p.dir+"/n; cat n; rm "+p.dir+"/n; cat n 2>/dev/null || echo gone")
	if out != "person\nx\ngone\n" {
		t.Errorf("said %q", out)
	}
}

// TestThroughFull fills the trash, then the disk but for its reserve.
func TestThroughFull(t *testing.T) {
	t.Parallel()
	p := direct(t, map[string]string{"big": strings.Repeat("x", 3<<20), "small": "s"})
	before := picture(t, p.dir)
	out, notices := p.through(folder.ThroughConfig{MaxTrash: 1 << 20}, "rm small && echo took small; echo no >big || echo refused; rm big || echo kept; echo new >n && echo new ones go on")
	if !strings.Contains(out, "took small") || strings.Count(out, "No space left on device") != 2 || !strings.Contains(out, "refused\n") || !strings.Contains(out, "kept\n") || !strings.Contains(out, "new ones go on") {
		t.Errorf("said %q", out)
	}
	if len(notices) != 1 || !strings.Contains(notices[0], "its trash holds all that it may") {
		t.Errorf("notices: %q", notices)
	}
	p.undoThrough()
	if after := picture(t, p.dir); after != before {
		t.Errorf("after undo:\n%s\nwant\n%s", after, before)
	}
	// The reserve of the disk.
	out, notices = p.through(folder.ThroughConfig{Reserve: 1 << 60}, "echo more >n2; head -c 20M /dev/zero >small; true")
	if strings.Count(out, "No space left on device") != 2 || len(notices) != 1 || !strings.Contains(notices[0], "the disk is full but for its reserve") {
		t.Errorf("said %q, notices %q", out, notices)
	}
}

// TestThroughAgain goes on in a second process, then undoes both.
func TestThroughAgain(t *testing.T) {
	t.Parallel()
	p := direct(t, map[string]string{"a": "1"})
	before := picture(t, p.dir)
	p.through(folder.ThroughConfig{}, "echo 2 >a; mkdir d; echo x >d/x")
	p.through(folder.ThroughConfig{}, "echo 3 >a; rm -r d; echo y >d")
	if p.read("a") != "3\n" || p.read("d") != "y\n" {
		t.Error("not written")
	}
	p.undoThrough()
	if after := picture(t, p.dir); after != before {
		t.Errorf("after undo:\n%s\nwant\n%s", after, before)
	}
}

// BenchmarkThrough makes 1,000 small files in a folder that is written through.
func BenchmarkThrough(b *testing.B) {
	const script = "for i in $(seq 1000); do echo $i >f$i; done"
	b.Run("through", func(b *testing.B) {
		for b.Loop() {
			p := direct(b, nil)
			p.through(folder.ThroughConfig{}, "time ("+script+")")
		}
	})
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			direct(b, nil).bare(script)
		}
	})
}
