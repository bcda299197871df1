package oci_test

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/deskhand/deskhand/guest"
	"github.com/deskhand/deskhand/guest/stack"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/oci"
	"github.com/deskhand/deskhand/sandbox/sandboxtest"
)

// holdArg makes the test binary one that holds a sandbox until it is killed.
const holdArg = "hold-a-sandbox"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "guest" {
		// Not os.Exit, which waits for a second under the race detector.
		syscall.Exit(guest.Main(os.Args[2:], os.Stdin, os.Stderr, stack.Open))
	}
	if len(os.Args) > 1 && os.Args[1] == holdArg {
		hold(os.Args[2:])
		return
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		if err := rig.remove(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = max(status, 1)
		}
		os.Exit(status)
	}))
}

// engineRig is an engine with a storage of its own and the smallest image there
// can be: the folders in which the programs of this machine are shown.
type engineRig struct {
	once   sync.Once
	dir    string
	engine []string
	why    error // why there is none
}

//nolint:gochecknoglobals // made once for all tests, removed by TestMain
var rig engineRig

const smallest = "localhost/deskhand-smallest"

// use skips the test, saying why, where no container engine can run.
func (r *engineRig) use(t testing.TB) []string {
	t.Helper()
	r.once.Do(func() { r.why = r.make() })
	if r.why != nil {
		t.Skipf("no container engine can run here: %v", r.why)
	}
	return r.engine
}

func (r *engineRig) make() error {
	podman, err := exec.LookPath("podman")
	if err != nil {
		return err
	}
	if r.dir, err = os.MkdirTemp("", "deskhand-oci-test-"); err != nil {
		return err
	}
	image := filepath.Join(r.dir, "image.tar")
	if err := writeImage(image); err != nil {
		return err
	}
	var all []error
	for _, runtime := range []string{"", "runc", "crun"} {
		r.engine = []string{podman, "--root", r.dir + "/root", "--runroot", r.dir + "/run", "--tmpdir", r.dir + "/tmp", "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"}
		if runtime != "" {
			r.engine = append(r.engine, "--runtime", runtime)
		}
		if out, err := r.say("import", image, smallest); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		_, err := oci.Check(context.Background(), config(r.engine))
		if err == nil {
			return nil
		}
		all = append(all, err)
	}
	return errors.Join(all...)
}

func (r *engineRig) say(args ...string) (string, error) {
	out, err := exec.Command(r.engine[0], append(r.engine[1:len(r.engine):len(r.engine)], args...)...).CombinedOutput()
	return string(out), err
}

// remove takes the storage away, unless something is mounted there.
func (r *engineRig) remove() error {
	if r.dir == "" {
		return nil
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	if strings.Contains(string(mounts), " "+r.dir+"/") {
		return fmt.Errorf("something is mounted below %s: it is left", r.dir)
	}
	return os.RemoveAll(r.dir)
}

func writeImage(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := tar.NewWriter(f)
	for _, dir := range []string{"usr", "etc", "proc", "sys", "dev", "tmp", "var", "var/tmp", "run", "home"} {
		mode := int64(0o755)
		if filepath.Base(dir) == "tmp" {
			mode = 0o1777 // runc keeps the mode of what it mounts over
		}
		err = errors.Join(err, w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: mode}))
	}
	for _, link := range []string{"bin", "sbin", "lib", "lib32", "lib64"} {
		err = errors.Join(err, w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: link, Linkname: "usr/" + link, Mode: 0o777}))
	}
	return errors.Join(err, w.Close(), f.Close())
}

// config shows the programs of this machine in the smallest image.
func config(engine []string) oci.Config {
	c := oci.Config{Engine: engine, Image: smallest, Environ: os.Environ()}
	for _, path := range []string{"/usr", "/etc/alternatives", "/etc/ld.so.cache", "/etc/fonts", "/etc/xdg", "/etc/dbus-1", "/etc/gtk-3.0", "/etc/X11", "/etc/chromium.d"} {
		if _, err := os.Stat(path); err == nil {
			c.Binds = append(c.Binds, oci.Bind{Host: path, Inside: path})
		}
	}
	return c
}

// start starts a sandbox that ends with the test.
func start(t testing.TB, c oci.Config) *oci.Sandbox {
	t.Helper()
	if c.Home == "" {
		c.Home, c.Logs = t.TempDir(), t.TempDir()
	}
	s, err := oci.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func TestSandbox(t *testing.T) { // not parallel: it counts descriptors
	engine := rig.use(t)
	sandboxtest.Run(t, func(t *testing.T) sandboxtest.Place {
		return sandboxtest.Place{Sandbox: start(t, config(engine)), Dir: oci.Home}
	})
}

// output runs a program to its end and returns what it printed.
func output(t testing.TB, s sandbox.Sandbox, args ...string) string {
	t.Helper()
	p, err := s.Exec(t.Context(), sandbox.Cmd{Args: args})
	if err != nil {
		t.Fatal(err)
	}
	var failed []byte
	var both sync.WaitGroup
	both.Go(func() { failed, _ = io.ReadAll(p.Stderr()) })
	out, err := io.ReadAll(p.Stdout())
	both.Wait()
	if _, e := p.Wait(); err != nil || e != nil {
		t.Fatal(err, e)
	}
	return string(out) + string(failed)
}

func sh(t testing.TB, s sandbox.Sandbox, line string) string {
	t.Helper()
	return output(t, s, "bash", "-c", line)
}

// within waits for something to become so.
func within(t testing.TB, what string, so func() bool) {
	t.Helper()
	const limit = 60 * time.Second
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); !so(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, limit)
		}
	}
}

func gone(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// contextOf is the context of a process that is killed.
func contextOf() context.Context { return context.Background() }

func command(args ...string) sandbox.Cmd { return sandbox.Cmd{Args: args} }
