package sandboxtest

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox"
)

func (p Place) write(t *testing.T, path, text string) sandbox.FileInfo {
	t.Helper()
	info, err := p.Sandbox.WriteFile(t.Context(), path, []byte(text), sandbox.WriteOptions{})
	if err != nil {
		t.Fatalf("WriteFile %q: %v", path, err)
	}
	return info
}

func (p Place) read(t *testing.T, path string) string {
	t.Helper()
	data, _, err := p.Sandbox.ReadFile(t.Context(), path, 0, 0)
	if err != nil {
		t.Fatalf("ReadFile %q: %v", path, err)
	}
	return string(data)
}

func testWrite(t *testing.T, p Place) {
	path := p.Dir + "/a/b/c/file"
	info := p.write(t, path, "hello\x00\xff")
	if want := deskhand.HashOf([]byte("hello\x00\xff")); info.Hash != want || info.Size != 7 || info.Name != "file" || !info.Mode.IsRegular() {
		t.Errorf("WriteFile says %+v", info)
	}
	stat, err := p.Sandbox.Stat(t.Context(), path)
	if err != nil || stat.Version != info.Version || stat.Size != 7 || time.Since(stat.ModTime).Abs() > time.Minute {
		t.Errorf("Stat says %+v, %v after %+v", stat, err, info)
	}
	data, read, err := p.Sandbox.ReadFile(t.Context(), path, 0, 0)
	if err != nil || string(data) != "hello\x00\xff" || read.Hash != info.Hash || read.Version != info.Version {
		t.Errorf("ReadFile says %q, %+v, %v", data, read, err)
	}
	data, read, err = p.Sandbox.ReadFile(t.Context(), path, 1, 3)
	if err != nil || string(data) != "ell" || read.Hash != "" {
		t.Errorf("a part: %q, %+v, %v", data, read, err)
	}
	if data, _, err = p.Sandbox.ReadFile(t.Context(), path, 100, 0); err != nil || len(data) != 0 {
		t.Errorf("beyond the end: %q, %v", data, err)
	}
	testRewrite(t, p, path)
}

// testRewrite checks that mode and owner of path are kept, on shrinking too, and
// that no file is left beside.
func testRewrite(t *testing.T, p Place, path string) {
	t.Helper()
	p.run(t, "chmod 751 a/b/c/file")
	p.write(t, path, "")
	if out, _, _ := p.run(t, "stat -c %a a/b/c/file; ls -A a/b/c"); out != "751\nfile\n" {
		t.Errorf("got %q", out)
	}
	if got := p.read(t, path); got != "" {
		t.Errorf("got %q", got)
	}
	if out, _, _ := p.run(t, "umask 022; touch plain; stat -c %a plain"); out == "644\n" {
		p.write(t, p.Dir+"/new", "x")
		if out, _, _ := p.run(t, "stat -c %a new"); out != "644\n" {
			t.Errorf("a new file has mode %q", out)
		}
	}
}

func testNames(t *testing.T, p Place) {
	names := []string{
		"new\nline", "esc\x1b[31m", "rtl\u202etxt.exe", strings.Repeat("n", 255), " lead and trail ", "-rf", "$(touch pwn)", "`id`",
		`quo"te'`, `back\slash`, "%2e%2e", "#?&=;", "日本語 🙂", "\x7f\u0080", "CON", "...",
	}
	for _, name := range names {
		p.write(t, p.Dir+"/names/"+name, name)
		data, info, err := p.Sandbox.ReadFile(t.Context(), p.Dir+"/names/"+name, 0, 0)
		if err != nil || string(data) != name || info.Name != name {
			t.Errorf("%q: %q, %q, %v", name, data, info.Name, err)
		}
	}
	infos, err := p.Sandbox.ReadDir(t.Context(), p.Dir+"/names")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range infos {
		got = append(got, i.Name)
	}
	slices.Sort(names)
	if !slices.Equal(got, names) {
		t.Errorf("ReadDir: %q, want %q", got, names)
	}
	if out, _, _ := p.run(t, "ls -A; ls -A names | grep -c pwn"); out != "names\n1\n" {
		t.Errorf("got %q", out)
	}
	for name, want := range map[string]deskhand.Code{
		"/" + strings.Repeat("n", 256): deskhand.Invalid, "/a\x00b": deskhand.Invalid, "/": deskhand.Invalid, "/names": deskhand.Invalid, "/names/-rf/x": deskhand.NotFound,
	} {
		_, err := p.Sandbox.WriteFile(t.Context(), p.Dir+name, nil, sandbox.WriteOptions{})
		if got := deskhand.CodeOf(err); got != want && !(want == deskhand.NotFound && got == deskhand.Invalid) {
			t.Errorf("WriteFile %q: %v, want %s", name, err, want)
		}
	}
	_, err = p.Sandbox.Stat(t.Context(), "relative")
	wantCode(t, "a relative path", err, deskhand.Invalid)
}

// testAtomic checks that readers see one content or the other, never a mix.
func testAtomic(t *testing.T, p Place) {
	const size = 1 << 20
	path := p.Dir + "/file"
	contents := [][]byte{bytes.Repeat([]byte("a"), size), bytes.Repeat([]byte("b"), size/2)}
	p.write(t, path, string(contents[0]))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				data, info, err := p.Sandbox.ReadFile(t.Context(), path, 0, 0)
				if err != nil || !bytes.Equal(data, contents[0]) && !bytes.Equal(data, contents[1]) || info.Hash != deskhand.HashOf(data) {
					t.Errorf("a reader saw %d bytes, %v", len(data), err)
					return
				}
			}
		})
	}
	for i := range 30 {
		p.write(t, path, string(contents[i%2]))
	}
	close(stop)
	readers.Wait()
}

// testSpecial checks that what is not a regular file is refused at once.
func testSpecial(t *testing.T, p Place) {
	p.run(t, "mkfifo fifo; mkdir dir; ln -s fifo tofifo; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"sock\")'")
	for _, path := range []string{p.Dir + "/fifo", p.Dir + "/tofifo", p.Dir + "/sock", p.Dir + "/dir", "/dev/zero", "/dev/tty"} {
		start := time.Now()
		_, _, err := p.Sandbox.ReadFile(t.Context(), path, 0, 0)
		wantCode(t, "ReadFile "+path, err, deskhand.Invalid)
		_, err = p.Sandbox.WriteFile(t.Context(), path, []byte("x"), sandbox.WriteOptions{})
		wantCode(t, "WriteFile "+path, err, deskhand.Invalid)
		if d := time.Since(start); d > time.Second {
			t.Errorf("%s was refused after %s", path, d)
		}
	}
	if info, err := p.Sandbox.Stat(t.Context(), p.Dir+"/fifo"); err != nil || info.Mode.Type() != fs.ModeNamedPipe {
		t.Errorf("Stat of a FIFO: %+v, %v", info, err)
	}
	_, _, err := p.Sandbox.ReadFile(t.Context(), p.Dir+"/nothing", 0, 0)
	wantCode(t, "a missing file", err, deskhand.NotFound)
	_, err = p.Sandbox.ReadDir(t.Context(), p.Dir+"/fifo")
	wantCode(t, "ReadDir of a FIFO", err, deskhand.Invalid)
	_, err = p.Sandbox.ReadDir(t.Context(), p.Dir+"/nothing")
	wantCode(t, "ReadDir of nothing", err, deskhand.NotFound)
	// A file that opens and cannot be read is told as such, and nothing else goes.
	// This one opens for root only, where whoever reads cannot be looked into.
	_, _, err = p.Sandbox.ReadFile(t.Context(), "/proc/self/mem", 0, 0)
	if code := deskhand.CodeOf(err); code != deskhand.Internal && code != deskhand.Denied {
		t.Errorf("a file that cannot be read: code %q (%v), want internal or denied", code, err)
	}
	// A FIFO that somebody writes to is not opened: the writer stays waiting.
	writer := p.start(t, "echo x >fifo")
	_, _, err = p.Sandbox.ReadFile(t.Context(), p.Dir+"/fifo", 0, 0)
	wantCode(t, "ReadFile of a FIFO with a writer", err, deskhand.Invalid)
	if err := writer.Kill(); err != nil {
		t.Error(err)
	}
	if _, _, exit := finish(t, writer); exit.Status != 137 {
		t.Errorf("the FIFO's writer went on: %+v", exit)
	}
}

func testLinks(t *testing.T, p Place) {
	p.run(t, "mkdir d; echo old >d/target; ln -s d/target link; ln -s link link2; ln -s d/new dangling; ln -s loop loop; ln d/target hard; chmod 600 d/target")
	if info := p.write(t, p.Dir+"/link2", "new"); info.Name != "link2" {
		t.Errorf("the name is %q", info.Name)
	}
	p.write(t, p.Dir+"/dangling", "made")
	out, _, _ := p.run(t, "readlink link link2 dangling; cat d/target d/new hard; stat -c %a d/target")
	if want := "d/target\nlink\nd/new\nnewmadeold\n600\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
	if got := p.read(t, p.Dir+"/link2"); got != "new" {
		t.Errorf("through two links: %q", got)
	}
	_, err := p.Sandbox.WriteFile(t.Context(), p.Dir+"/loop", nil, sandbox.WriteOptions{})
	wantCode(t, "a loop", err, deskhand.Invalid)
	infos, err := p.Sandbox.ReadDir(t.Context(), p.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range infos {
		if i.Name == "link2" && (i.Link != "link" || i.Mode.Type() != fs.ModeSymlink) {
			t.Errorf("ReadDir says %+v", i)
		}
	}
	// ".." after a link is the parent of where it leads, as for the kernel.
	p.run(t, "mkdir -p up/down; ln -s up/down low")
	p.write(t, p.Dir+"/low/../there", "above down")
	if got := p.read(t, p.Dir+"/up/there"); got != "above down" {
		t.Errorf("it was written elsewhere: %q", got)
	}
	_, err = p.Sandbox.WriteFile(t.Context(), p.Dir+"/missing/../x", []byte("x"), sandbox.WriteOptions{})
	wantCode(t, "up from what is missing", err, deskhand.NotFound)
	for _, path := range []string{"/low/.", "/low/..", "/low/"} {
		_, err := p.Sandbox.WriteFile(t.Context(), p.Dir+path, []byte("x"), sandbox.WriteOptions{})
		wantCode(t, "WriteFile "+path, err, deskhand.Invalid)
	}
}

func testGuards(t *testing.T, p Place) {
	ctx, path := t.Context(), p.Dir+"/file"
	put := func(text string, o sandbox.WriteOptions) (sandbox.FileInfo, error) {
		return p.Sandbox.WriteFile(ctx, path, []byte(text), o)
	}
	_, err := put("x", sandbox.WriteOptions{IfVersion: "1-2-3"})
	wantCode(t, "a version of nothing", err, deskhand.Conflict)
	first, err := put("one", sandbox.WriteOptions{IfAbsent: true})
	wantCode(t, "absent", err, "")
	_, err = put("two", sandbox.WriteOptions{IfAbsent: true})
	wantCode(t, "present", err, deskhand.Conflict)
	_, err = put("two", sandbox.WriteOptions{IfVersion: first.Version})
	wantCode(t, "the same version", err, "")
	_, err = put("three", sandbox.WriteOptions{IfVersion: first.Version})
	wantCode(t, "an old version", err, deskhand.Conflict)
	now, _ := p.Sandbox.Stat(ctx, path)
	p.run(t, "chmod 600 file")
	_, err = put("three", sandbox.WriteOptions{IfVersion: now.Version})
	wantCode(t, "other metadata", err, deskhand.Conflict)
	if got := p.read(t, path); got != "two" {
		t.Errorf("got %q", got)
	}
	var made sync.Map
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if _, err := p.Sandbox.WriteFile(ctx, p.Dir+"/once", []byte{byte(i)}, sandbox.WriteOptions{IfAbsent: true}); err == nil {
				made.Store(i, true)
			} else {
				wantCode(t, "a late creator", err, deskhand.Conflict)
			}
		})
	}
	all.Wait()
	n := 0
	made.Range(func(any, any) bool { n++; return true })
	if out, _, _ := p.run(t, "ls -A"); n != 1 || out != "file\nonce\n" {
		t.Errorf("%d writers created the file; left: %q", n, out)
	}
}

func testBounds(t *testing.T, p Place) {
	p.run(t, fmt.Sprintf("truncate -s %d big", sandbox.MaxRead+10))
	data, info, err := p.Sandbox.ReadFile(t.Context(), p.Dir+"/big", 0, 0)
	if err != nil || len(data) != sandbox.MaxRead || info.Size != sandbox.MaxRead+10 || info.Hash != "" {
		t.Errorf("%d bytes, %+v, %v", len(data), info, err)
	}
	_, err = p.Sandbox.WriteFile(t.Context(), p.Dir+"/big", make([]byte, sandbox.MaxRead+1), sandbox.WriteOptions{})
	wantCode(t, "too much", err, deskhand.Invalid)
	for _, c := range [][2]int64{{-1, 0}, {0, -1}, {0, sandbox.MaxRead + 1}} {
		_, _, err := p.Sandbox.ReadFile(t.Context(), p.Dir+"/big", c[0], c[1])
		wantCode(t, fmt.Sprint(c), err, deskhand.Invalid)
	}
	if data, _, err := p.Sandbox.ReadFile(t.Context(), "/proc/self/stat", 0, 0); err != nil || len(data) == 0 {
		t.Errorf("a file without a size: %q, %v", data, err)
	}
}

func testList(t *testing.T, p Place) {
	n := sandbox.MaxEntries + 5
	p.run(t, fmt.Sprintf("mkdir many; cd many; seq -f f%%06g 1 %d | xargs touch", n))
	infos, err := p.Sandbox.ReadDir(t.Context(), p.Dir+"/many")
	if err != nil || len(infos) != sandbox.MaxEntries || infos[0].Name != "f000001" || infos[sandbox.MaxEntries-1].Name != fmt.Sprintf("f%06d", sandbox.MaxEntries) {
		t.Errorf("%d entries, %v", len(infos), err)
	}
	infos, err = p.Sandbox.ReadDir(t.Context(), p.Dir)
	if err != nil || len(infos) != 1 || infos[0].Name != "many" || !infos[0].Mode.IsDir() {
		t.Errorf("%+v, %v", infos, err)
	}
}
