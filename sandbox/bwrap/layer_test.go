package bwrap_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/internal/overlay"
	"github.com/deskhand/deskhand/sandbox/bwrap"
)

// TestLayer shows a folder inside through a layer: what is written inside is in
// the layer, and nowhere else; what lies over it read-only is not written; and
// nothing is mounted outside.
func TestLayer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"lower/hooks", "upper", "work", "merged"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = os.Chmod(dir+"/work/work", 0o700) }) // the kernel's own, which nobody may enter
	for _, name := range []string{"lower/file", "lower/hooks/hook"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("real"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := overlay.Layer{Lower: dir + "/lower", Upper: dir + "/upper", Work: dir + "/work", Merged: dir + "/merged"}
	if err := overlay.Probe(t.Context(), []string{"/proc/self/exe", "guest"}, l); err != nil {
		t.Skipf("no overlay in a user namespace here: %v", err)
	}
	s := start(t, bwrap.Config{Layers: []overlay.Layer{l}, Binds: []bwrap.Bind{
		{Host: l.Merged, Inside: "/work/here", Write: true}, {Host: dir + "/lower/hooks", Inside: "/work/here/hooks"},
	}})
	out := sh(t, s, `cd /work/here; cat file; echo task >file; echo task >new; cat file
echo x >hooks/hook; echo x >hooks/new; mv hooks h2; rm -rf hooks; cat hooks/hook
cat /proc/1/root/work/here/../../..`+dir+`/lower/file; ls `+dir+` /work/..; mknod dev c 1 3; mknod white c 0 0
setfattr -n user.overlay.opaque -v y . ; ln -s `+dir+`/lower/file l; cat l`)
	for _, want := range []string{"real", "task", "Read-only file system", "No such file or directory"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	for name, want := range map[string]string{"lower/file": "real", "lower/hooks/hook": "real", "upper/file": "task\n", "upper/new": "task\n"} {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(data) != want {
			t.Errorf("%s is %q (%v), want %q", name, data, err, want)
		}
	}
	for _, never := range []string{"lower/new", "lower/hooks/new", "upper/dev", "upper/white", "merged/file"} {
		if _, err := os.Lstat(filepath.Join(dir, never)); err == nil {
			t.Errorf("%s is there", never)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), dir) {
		t.Errorf("something is mounted outside (%v)", err)
	}
}
