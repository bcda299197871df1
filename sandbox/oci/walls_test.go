package oci_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/sandbox/oci"
)

// TestWalls looks at the walls from inside.
func TestWalls(t *testing.T) {
	t.Parallel()
	s := start(t, config(rig.use(t)))
	out := sh(t, s, `id -u; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/1/status /proc/self/status | cut -d: -f2- | tr '\t' ' '
		for f in /x /etc/x /usr/x /run/x /dev/x /run/deskhand/x /run/deskhand/hand/x /sys/x; do touch $f 2>/dev/null && echo WRITTEN $f; done
		cat /sys/class/net/*/address 2>/dev/null | sort -u; echo interfaces $(ls /sys/class/net)
		ls -A /run/deskhand/hand; echo end; stat -c '%n %a %u' /tmp /var/tmp /tmp/.X11-unix /tmp/.ICE-unix /run/user/1000 /home/user`)
	for _, line := range []string{"\n/tmp 1777 0\n", "\n/var/tmp 1777 0\n", "\n/tmp/.X11-unix 1777 0\n", "\n/run/user/1000 777 0\n", "\nCapEff: 0000000000000000\n", "\nCapBnd: 0000000000000000\n", "\nNoNewPrivs: 1\n", "\nSeccomp: 2\n", "\ninterfaces lo\nend\n"} {
		if !strings.Contains("\n"+out, line) {
			t.Errorf("%q is not in what was found inside:\n%s", line, out)
		}
	}
	if first, _, _ := strings.Cut(out, "\n"); first == "0" || strings.Contains(out, "WRITTEN") {
		t.Errorf("root inside, or a place that can be written:\n%s", out)
	}
	w := s.Walls()
	if w.Driver != "oci" || !slices.Contains(w.Present, "network") || os.Getuid() == 0 && !slices.Contains(w.Missing, "user") {
		t.Errorf("the walls are said to be %+v", w)
	}
}

// TestHostFilesAreHidden looks for a file of the host by its path and by its words.
func TestHostFilesAreHidden(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("canary"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := start(t, config(rig.use(t)))
	if out := sh(t, s, "cat "+secret+"; grep -rl canary /tmp /var/tmp /home 2>/dev/null; echo end"); !strings.HasPrefix(out, "end\n") {
		t.Errorf("inside: %s", out)
	}
	if out := sh(t, s, "cat /proc/*/comm"); strings.Contains(out, "podman") || strings.Contains(out, "conmon") {
		t.Errorf("processes of the host are visible: %s", out)
	}
}

// TestNetworkIsClosed dials a listener of the host by every address that it has,
// from outside, where it answers, and from inside, where it must not.
func TestNetworkIsClosed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(c, "canary")
			c.Close()
		}
	}()
	port := l.Addr().(*net.TCPAddr).Port
	s := start(t, config(rig.use(t)))
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, a := range addresses {
		ip := a.(*net.IPNet).IP.To4()
		if ip == nil {
			continue
		}
		dial := fmt.Sprintf("exec 3<>/dev/tcp/%s/%d && cat <&3", ip, port)
		if out, _ := exec.Command("bash", "-c", dial).Output(); string(out) != "canary\n" {
			t.Errorf("%s does not answer outside: nothing is shown", ip)
		}
		if out := sh(t, s, dial); strings.Contains(out, "canary") {
			t.Errorf("%s answers inside", ip)
		}
		asked++
	}
	if asked == 0 {
		t.Error("this machine has no address")
	}
}

// TestGuestNeedsItsToken lets a program inside look for a way to the guest.
func TestGuestNeedsItsToken(t *testing.T) {
	t.Parallel()
	s := start(t, config(rig.use(t)))
	if out := sh(t, s, "cat /proc/1/environ /proc/1/fd/0 /proc/1/mem >/dev/null && echo READ; ls -A /run/deskhand/hand; find / -xdev -type s 2>/dev/null"); strings.Contains(out, "READ") || strings.Contains(out, "hand\n") {
		t.Errorf("inside: %s", out)
	}
	c, err := s.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprint(c, "GET /v1/health HTTP/1.1\r\nHost: guest\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, " 401 ") {
		t.Errorf("without a token the guest answers %q, %v", line, err)
	}
}

// TestSystemCalls tries what the filter refuses, and what browsers need.
func TestSystemCalls(t *testing.T) {
	t.Parallel()
	s := start(t, config(rig.use(t)))
	const probe = `
import ctypes, socket, os
libc = ctypes.CDLL(None, use_errno=True)
def call(n, *a):
    ctypes.set_errno(0); r = libc.syscall(n, *[ctypes.c_long(x) for x in a]); return ctypes.get_errno()
for name, n, a in [('keyctl',250,(0,-1)), ('bpf',321,(0,-1)), ('userfaultfd',323,(0xdead,)), ('io_uring_setup',425,(1,-1)), ('ptrace',101,(16,1,0,0)), ('perf',298,(0,-1,0,-1,0)), ('mount',165,(0,-1,0,0,0)), ('tiocsti',16,(-1,0x5412,0)), ('personality',135,(0x0040000,))]:
    print(name, call(n, *a))
for name, a in [('netlink',(16,3,0)), ('packet',(17,3,0)), ('vsock',(40,1,0)), ('alg',(38,5,0)), ('raw',(2,3,1)), ('sctp',(2,1,132)), ('mptcp',(2,1,262))]:
    try: socket.socket(*a); print(name, 0)
    except OSError as e: print(name, e.errno)
for name, a in [('tcp',(2,1,0)), ('udp6',(10,2,17)), ('unix',(1,5,0))]:
    socket.socket(*a); print(name, 'works')
print('asked', call(135, 0xffffffff))
`
	out := output(t, s, "python3", "-c", probe)
	for line := range strings.Lines(out) {
		if name, answer, _ := strings.Cut(strings.TrimSpace(line), " "); answer != "1" && answer != "works" && line != "asked 0\n" {
			t.Errorf("%s: %s", name, answer)
		}
	}
	if n := strings.Count(out, "\n"); n != 20 {
		t.Errorf("%d answers, want 20:\n%s", n, out)
	}
	if out := sh(t, s, "unshare -Ur id -u"); out != "0\n" {
		t.Errorf("a browser's own walls need a user namespace: %q", out)
	}
}

// TestLimits fills memory, processes and /tmp.
func TestLimits(t *testing.T) {
	t.Parallel()
	c := config(rig.use(t))
	c.Limits.Memory, c.Limits.Processes, c.Limits.Scratch, c.Limits.FileSize = 256<<20, 120, 8<<20, 4<<20
	s := start(t, c)
	if out := sh(t, s, `python3 -c "b = bytearray(400 << 20)
for i in range(0, len(b), 4096): b[i] = 1
print('HAVE' + ' IT')"; echo after`); strings.Contains(out, "HAVE IT") || !strings.Contains(out, "after") {
		t.Errorf("400 MB of 256 MB: %s", out)
	}
	const fill = "for i in a b c; do head -c 20M /dev/zero >%s/$i; stat -c %%s %[1]s/$i; done 2>/dev/null; rm -f %[1]s/?"
	for dir, want := range map[string]string{"/tmp": "4194304\n4194304\n0\n", "/home/user": "4194304\n4194304\n4194304\n"} {
		if out, _, _ := strings.Cut(sh(t, s, fmt.Sprintf(fill, dir)), "bash:"); out != want {
			t.Errorf("files of 20 MB in %s have %q bytes, want %q", dir, out, want)
		}
	}
	if out := sh(t, s, `python3 -c "
import os, signal, time
made = []
try:
    for i in range(300):
        pid = os.fork()
        if pid == 0: time.sleep(600)
        made.append(pid)
except BlockingIOError: print('stopped at', len(made))
for pid in made: os.kill(pid, signal.SIGKILL)"`); !strings.Contains(out, "stopped at ") {
		t.Errorf("300 processes of 120: %s", out)
	}
}

// TestDiesWithItsMaker kills the process that holds a sandbox; nothing of that is left.
func TestDiesWithItsMaker(t *testing.T) {
	t.Parallel()
	engine := rig.use(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home, logs := t.TempDir(), t.TempDir()
	holder := exec.Command(exe, append([]string{holdArg, home, logs}, engine...)...)
	var said bytes.Buffer
	holder.Stderr = &said
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	beat := filepath.Join(home, "beat")
	within(t, "the program inside", func() bool { return !gone(beat) })
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // it was killed
	running := func() bool {
		if err := os.Remove(beat); err != nil && !gone(beat) {
			t.Fatal(err)
		}
		out, err := rig.say("ps", "--quiet", "--filter", "volume="+home)
		return err != nil || strings.TrimSpace(out) != "" || !gone(beat)
	}
	within(t, "the end of the container whose maker was killed ("+said.String()+")", func() bool { return !running() })
}

// hold starts a sandbox with a program that writes a file again and again.
func hold(args []string) {
	c := config(args[2:])
	c.Home, c.Logs = args[0], args[1]
	s, err := oci.Start(contextOf(), c)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, err = s.Exec(contextOf(), command("bash", "-c", "while :; do touch ~/beat; sleep 0.05; done"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {}
}

// TestRefusals are what cannot be started, each with what to do.
func TestRefusals(t *testing.T) {
	t.Parallel()
	engine := rig.use(t)
	for name, c := range map[string]struct {
		change func(*oci.Config)
		code   deskhand.Code
		words  string
	}{
		"no engine":       {func(c *oci.Config) { c.Engine = []string{"/nowhere/podman"} }, deskhand.Unavailable, "is not installed"},
		"no image":        {func(c *oci.Config) { c.Image = "localhost/nobody-made-this" }, deskhand.Unavailable, "make image"},
		"an option":       {func(c *oci.Config) { c.Image = "--privileged" }, deskhand.Invalid, "not the name of an image"},
		"a second option": {func(c *oci.Config) { c.Binds = []oci.Bind{{Host: "/usr,readwrite", Inside: "/x"}} }, deskhand.Invalid, "without commas"},
		"negative":        {func(c *oci.Config) { c.Limits.Memory = -1 }, deskhand.Invalid, "negative"},
		"no home":         {func(c *oci.Config) { c.Home = "/nowhere" }, deskhand.Invalid, "cannot be shared"},
	} {
		cfg := config(engine)
		cfg.Home, cfg.Logs, cfg.Dir = t.TempDir(), t.TempDir(), t.TempDir()
		c.change(&cfg)
		s, err := oci.Start(t.Context(), cfg)
		if err == nil {
			t.Errorf("%s: it starts", name)
			_ = s.Close()
			continue
		}
		if deskhand.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v (%s)", name, err, deskhand.CodeOf(err))
		}
		if left, err := os.ReadDir(cfg.Dir); err != nil || len(left) > 0 {
			t.Errorf("%s: %v is left, %v", name, left, err)
		}
	}
}

// BenchmarkStart measures from nothing to the guest's first answer, with the smallest image.
func BenchmarkStart(b *testing.B) {
	c := config(rig.use(b))
	for b.Loop() {
		c.Home, c.Logs = b.TempDir(), b.TempDir()
		s, err := oci.Start(b.Context(), c)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
