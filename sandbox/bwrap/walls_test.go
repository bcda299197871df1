package bwrap_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/bwrap"
	"github.com/deskhand/deskhand/sandbox/host"
)

// output runs a program to its end and returns all that it printed.
func output(t *testing.T, s sandbox.Sandbox, args ...string) string {
	t.Helper()
	p, err := s.Exec(t.Context(), sandbox.Cmd{Args: args})
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	errText := make(chan string, 1)
	go func() {
		data, _ := io.ReadAll(p.Stderr())
		errText <- string(data)
	}()
	out, _ := io.ReadAll(p.Stdout())
	return string(out) + <-errText
}

func sh(t *testing.T, s sandbox.Sandbox, script string) string {
	t.Helper()
	return output(t, s, "bash", "-c", script)
}

// open is a sandbox without walls, in which every attack must succeed: an
// attack that fails there proves nothing.
func open(t *testing.T, env ...string) sandbox.Sandbox {
	s := host.New(host.Config{Env: append(env, "PATH="+os.Getenv("PATH"))})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestKeyStaysOutside looks for a key of the host's environment everywhere a
// program inside can look.
func TestKeyStaysOutside(t *testing.T) {
	const canary = "sk-canary-7f3a"
	t.Setenv("ANTHROPIC_API_KEY", canary)
	t.Setenv("LC_ALL", "$("+canary+")")
	t.Setenv("TZ", "../"+canary)
	t.Setenv("TERM", canary+" x")
	const look = "env; cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\\0' '\\n'"
	if out := sh(t, open(t, os.Environ()...), look); !strings.Contains(out, canary) {
		t.Error("without walls the key is not found: the attack is not real")
	}
	s := start(t, bwrap.Config{Environ: os.Environ(), Env: []string{"GIVEN=yes"}})
	out := sh(t, s, look)
	if strings.Contains(out, canary) {
		t.Errorf("the key is inside:\n%s", out)
	}
	var names []string
	for _, line := range strings.Split(sh(t, s, "env -0 | tr '\\0' '\\n'"), "\n") {
		if name, _, ok := strings.Cut(line, "="); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	want := []string{"GIVEN", "HOME", "LANG", "LOGNAME", "PATH", "PWD", "SHELL", "SHLVL", "USER", "XDG_CONFIG_DIRS", "XDG_DATA_DIRS", "XDG_RUNTIME_DIR", "_"}
	if !slices.Equal(names, want) {
		t.Errorf("the environment inside has %q, want %q", names, want)
	}
}

// TestLocale checks which of the host's variables are passed on.
func TestLocale(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ environ, want string }{
		{"", "C.UTF-8||"},
		{"LANG=C.UTF-8 TZ=Europe/Berlin TERM=xterm-256color", "C.UTF-8|Europe/Berlin|xterm-256color"},
		{"LANG=xx_XX.UTF-8", "C.UTF-8||"},
		{"LANG=C", "C.UTF-8||"},
		{"LANG=C.UTF-8 LC_ALL=de_DE.ISO-8859-1", "C.UTF-8||"},
		{"LANG=C.UTF-8/../../x TZ=/etc/shadow/../x", "C.UTF-8||"},
	} {
		s := start(t, bwrap.Config{Environ: strings.Fields(c.environ)})
		if got := strings.TrimSpace(sh(t, s, `printf %s "$LANG|$TZ|$TERM"`)); strings.TrimSuffix(got, "dumb") != c.want {
			t.Errorf("%q: got %q, want %q", c.environ, got, c.want)
		}
		if got := sh(t, s, "locale charmap"); got != "UTF-8\n" {
			t.Errorf("%q: the character set is %q", c.environ, got)
		}
	}
}

// TestVisible compares what a program inside sees with what it may see.
func TestVisible(t *testing.T) {
	t.Parallel()
	s := start(t, bwrap.Config{})
	for dir, want := range map[string]string{
		"/":             "bin dev etc home lib lib32 lib64 libx32 opt proc run sbin tmp usr var",
		"/home":         "user",
		"/home/user":    "",
		"/tmp":          ".X11-unix .ICE-unix",
		"/var/tmp":      "",
		"/run":          "deskhand lock user",
		"/run/lock":     "",
		"/run/user":     "1000",
		"/run/deskhand": "deskhand log",
		"/var":          "cache lib lock run tmp",
		"/var/cache":    "fontconfig",
		"/var/lib":      "",
		"/opt":          "google brave.com microsoft vivaldi",
		"/dev":          "console core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero",
		"/dev/shm":      "",
		"/etc/ssl":      "certs openssl.cnf",
	} {
		for _, name := range strings.Fields(sh(t, s, "ls -A "+dir+" 2>/dev/null")) {
			if !slices.Contains(strings.Fields(want), name) {
				t.Errorf("%s/%s is visible", dir, name)
			}
		}
	}
	// No mount but these; every one of the host's is read-only.
	for _, line := range strings.Split(strings.TrimSpace(sh(t, s, "cat /proc/self/mounts")), "\n") {
		f := strings.Fields(line)
		private := f[2] == "tmpfs" || f[2] == "proc" || f[2] == "devpts" || strings.HasPrefix(f[1], "/dev/")
		if !private && !strings.HasPrefix(f[3], "ro,") {
			t.Errorf("writable: %s", line)
		}
	}
	if out := sh(t, s, "ls -A /etc | grep -E 'shadow|gshadow|sudoers|ssh$|subuid|environment|hosts.allow|fstab|crontab|npmrc|pip.conf|gitconfig'"); out != "" {
		t.Errorf("/etc holds %q", out)
	}
	if out := sh(t, s, "cat /etc/passwd /etc/hostname /etc/resolv.conf; hostname; id; cat /etc/machine-id | wc -c"); out !=
		"root:x:0:0:root:/root:/usr/sbin/nologin\nuser:x:1000:1000:user:/home/user:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\ndesk\ndesk\nuid=1000(user) gid=1000(user) groups=1000(user)\n33\n" {
		t.Errorf("got %q", out)
	}
}

// TestHostFiles tries what the host's files would give away.
func TestHostFiles(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("canary"), 0o644); err != nil {
		t.Fatal(err)
	}
	inside, outside := start(t, bwrap.Config{}), open(t)
	for _, attack := range []string{
		"cat " + secret, "cat /proc/self/root" + secret, "cat /proc/1/root" + secret, "cat /proc/self/cwd/../../.." + secret,
		"head -c 6 /etc/shadow", "ls -d /root/.", fmt.Sprintf("grep -q . /proc/%d/cmdline", os.Getpid()),
		"touch /usr/x && rm /usr/x", "touch /etc/x && rm /etc/x", "touch /x && rm /x", "touch /run/x && rm /run/x", "touch /dev/x && rm /dev/x",
	} {
		script := "(" + attack + ") >/dev/null 2>&1 && echo breached"
		if os.Getuid() == 0 && !strings.Contains(attack, "cwd") && !strings.Contains(attack, "/1/") && sh(t, outside, script) == "" {
			t.Errorf("%s: fails without walls: the attack is not real", attack)
		}
		if sh(t, inside, script) != "" {
			t.Errorf("%s: succeeds inside", attack)
		}
	}
}

// TestHostSockets tries to reach the host's listeners.
func TestHostSockets(t *testing.T) {
	t.Parallel()
	inside, outside := start(t, bwrap.Config{}), open(t)
	dir, err := os.MkdirTemp("", "x11") // where an X server's socket would be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": dir + "/s", "unix ": "@" + dir} {
		l, err := net.Listen(strings.TrimSpace(network), address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		script := `import socket,sys
a = sys.argv[1]
s = socket.create_connection(a.rsplit(":", 1)) if ":" in a else socket.socket(socket.AF_UNIX)
if ":" not in a: s.connect(a.replace("@", "\0"))
print("connected")`
		if out := output(t, outside, "python3", "-c", script, l.Addr().String()); out != "connected\n" {
			t.Errorf("%s: fails without walls: %s", l.Addr(), out)
		}
		if out := output(t, inside, "python3", "-c", script, l.Addr().String()); strings.Contains(out, "connected") {
			t.Errorf("%s: can be reached inside", l.Addr())
		}
	}
	if out := sh(t, inside, "cat /proc/net/unix | grep -c @; cat /proc/net/tcp | wc -l; ls /sys/class/net 2>&1 | wc -l; tail -n +3 /proc/net/dev | cut -d: -f1"); out != "0\n1\n1\n    lo\n" {
		t.Errorf("the network inside: %q", out)
	}
}

// TestNoPrivileges checks what the kernel says of a program inside.
func TestNoPrivileges(t *testing.T) {
	t.Parallel()
	s := start(t, bwrap.Config{})
	out := sh(t, s, "grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs' /proc/self/status")
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		want := "0000000000000000"
		if strings.HasPrefix(line, "NoNewPrivs") {
			want = "1"
		}
		if f := strings.Fields(line); f[1] != want {
			t.Errorf("%s, want %s", line, want)
		}
	}
	// Browsers need it for walls of their own.
	if out := sh(t, s, "unshare -Ur id -u"); out != "0\n" {
		t.Errorf("nested user namespaces: %q", out)
	}
	// What is root there is nothing here.
	if out := sh(t, s, "unshare -Urm sh -c 'mount --bind /tmp /usr/bin 2>&1 && echo mounted; mount -o remount,rw,bind /usr 2>&1 && touch /usr/x && echo written'"); strings.Contains(out, "written") {
		t.Errorf("root in a nested namespace: %q", out)
	}
	if out := sh(t, s, "kill -9 1; sleep 0.3; kill -9 -1; true"); out != "" {
		t.Logf("kill says %q", out)
	}
	if out := sh(t, s, "echo alive"); out != "alive\n" {
		t.Errorf("the guest does not outlive kill -9: %q", out)
	}
}

// TestGiven checks what the sandbox is given of the host.
func TestGiven(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"home", "logs", "rw", "ro"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s := start(t, bwrap.Config{Home: dir + "/home", Logs: dir + "/logs", Binds: []bwrap.Bind{
		{Host: dir + "/rw", Inside: "/shared folder/rw", Write: true}, {Host: dir + "/ro", Inside: "/shared folder/ro"},
	}})
	out := sh(t, s, `echo a >~/f && echo b >/run/deskhand/log/f && echo c >"/shared folder/rw/f"; echo d >"/shared folder/ro/f"`)
	if !strings.Contains(out, "Read-only file system") {
		t.Errorf("got %q", out)
	}
	for name, want := range map[string]string{"home": "a\n", "logs": "b\n", "rw": "c\n"} {
		if data, err := os.ReadFile(filepath.Join(dir, name, "f")); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	if _, err := s.WriteFile(context.Background(), bwrap.Home+"/f", []byte("e"), sandbox.WriteOptions{}); err != nil {
		t.Error(err)
	}
	w := s.Walls()
	all := slices.Concat(w.Present, w.Missing) // whether memory and processes are bounded is the machine's to say
	if w.Driver != "bwrap" || !slices.Equal(w.Present[:7], []string{"user", "mount", "pid", "ipc", "uts", "network", "syscalls"}) || len(all) != 9 || !slices.Contains(all, "memory") || !slices.Contains(all, "processes") {
		t.Errorf("Walls: %+v", w)
	}
}
