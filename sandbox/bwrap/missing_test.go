package bwrap_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox/bwrap"
)

// TestMissingWalls checks that nothing starts without walls, and that what is
// missing has a name. What bubblewrap says is its own, word for word.
func TestMissingWalls(t *testing.T) {
	for _, c := range []struct{ says, wall, mend string }{
		{"bwrap: No permissions to create new namespace, likely because the kernel does not allow non-privileged user namespaces. See <https://deb.li/bubblewrap> or <file:///usr/share/doc/bubblewrap/README.Debian.gz>.", "user namespace", "kernel.unprivileged_userns_clone=1"},
		{"bwrap: setting up uid map: Permission denied", "user namespace", "/etc/apparmor.d/bwrap"},
		{"bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted", "network namespace", "/etc/apparmor.d/bwrap"},
		{"bwrap: Creating new namespace failed: Operation not permitted", "user namespace", "docker"},
		{"bwrap: Creating new namespace failed: nesting depth or /proc/sys/user/max_*_namespaces exceeded (ENOSPC)", "user namespace", "user.max_user_namespaces"},
		{"bwrap: Creating new namespace failed, likely because the kernel does not support user namespaces.  bwrap must be installed setuid on such systems.", "user namespace", "CONFIG_USER_NS"},
		{"bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "PID namespace", "systempaths=unconfined"},
		{"bwrap: Unexpected capabilities but not setuid, old file caps config?", "capabilities", "setcap -r"},
		{"bwrap: something never heard of", "sandbox", "something never heard of"},
	} {
		dir := t.TempDir()
		script := "#!/bin/sh\ncat >&2 <<'E'\n" + c.says + "\nE\nexit 1\n"
		if err := os.WriteFile(filepath.Join(dir, "bwrap"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
		_, err := bwrap.Start(t.Context(), bwrap.Config{})
		wantMissing(t, err, c.wall, c.mend)
		problems := bwrap.Check(t.Context())
		if len(problems) == 0 || !strings.Contains(problems[0].Mend, c.mend) {
			t.Errorf("%q: Check says %+v", c.says, problems)
		}
	}
	t.Setenv("PATH", t.TempDir())
	_, err := bwrap.Start(t.Context(), bwrap.Config{})
	wantMissing(t, err, "bubblewrap is not installed", "apt install bubblewrap")
	if problems := bwrap.Check(t.Context()); len(problems) != 1 || problems[0].Apt != "bubblewrap" {
		t.Errorf("Check says %+v", problems)
	}
}

func wantMissing(t *testing.T, err error, texts ...string) {
	t.Helper()
	if deskhand.CodeOf(err) != deskhand.Unavailable {
		t.Errorf("got %v, want Unavailable", err)
		return
	}
	for _, text := range append(texts, "sandbox: start: ") {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not say %q", err, text)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q is more than a line", err)
	}
}

// TestForbidden takes user namespaces away for real, in a user namespace of
// its own, and tries to start a sandbox there.
func TestForbidden(t *testing.T) {
	if os.Getenv("BWRAP_TEST_FORBIDDEN") != "" {
		_, err := bwrap.Start(t.Context(), bwrap.Config{})
		wantMissing(t, err, "user namespace", "user.max_user_namespaces")
		if problems := bwrap.Check(t.Context()); len(problems) != 2 {
			t.Errorf("Check says %+v", problems)
		}
		return
	}
	t.Parallel()
	cmd := exec.Command("unshare", "-Ur", "sh", "-c", `echo 0 >/proc/sys/user/max_user_namespaces && exec "$0" -test.run='^TestForbidden$'`, os.Args[0])
	cmd.Env = append(os.Environ(), "BWRAP_TEST_FORBIDDEN=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	if problems := bwrap.Check(t.Context()); len(problems) != 0 {
		t.Errorf("Check says %+v", problems)
	}
}

func TestInvalid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]bwrap.Config{
		"no home":       {Home: "/no/such/dir"},
		"relative home": {Home: "."},
		"file as logs":  {Logs: os.Args[0]},
		"no folder":     {Binds: []bwrap.Bind{{Host: "/no/such/dir", Inside: "/x"}}},
		"relative":      {Binds: []bwrap.Bind{{Host: "/tmp", Inside: "x"}}},
	} {
		if _, err := bwrap.Start(t.Context(), c); deskhand.CodeOf(err) != deskhand.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAsNobody runs this package's tests again as a user without rights.
func TestAsNobody(t *testing.T) {
	if os.Getuid() != 0 {
		return // they just ran as one
	}
	dir, err := os.MkdirTemp("", "nobody")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	data, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	program, temp := filepath.Join(dir, "bwrap.test"), filepath.Join(dir, "tmp")
	if err := os.WriteFile(program, data, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{dir: 0o755, temp: 0o777} {
		if err := os.MkdirAll(path, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "-test.timeout=5m")
	cmd.Dir, cmd.Env = temp, append(os.Environ(), "TMPDIR="+temp, "HOME="+temp)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
