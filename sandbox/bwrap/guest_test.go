package bwrap_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/deskhand/deskhand"
	"github.com/deskhand/deskhand/internal/procfs"
	"github.com/deskhand/deskhand/sandbox"
	"github.com/deskhand/deskhand/sandbox/bwrap"
)

// spy tries everything that one process can do to another of the same user,
// and prints what succeeded.
const spy = `
import ctypes, os, sys
pid = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def attempt(name, f):
    try:
        if f() is not False: print(name)
    except OSError: pass
for name in "environ", "maps", "mem", "auxv", "io", "stack":
    attempt(name, lambda: open("/proc/%d/%s" % (pid, name), "rb").read(0 if name == "mem" else 1))
for name in "exe", "cwd", "root":
    attempt(name, lambda: os.readlink("/proc/%d/%s" % (pid, name)))
attempt("fd", lambda: [os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)])
pidfd = libc.syscall(434, pid, 0)
attempt("getfd", lambda: any(libc.syscall(438, pidfd, fd, 0) >= 0 for fd in range(64)))
class iov(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
buf = ctypes.create_string_buffer(8)
here, there = iov(ctypes.addressof(buf), 8), iov(0x400000, 8)
addrs = [0x400000, 0xc000000000] # where Go programs begin
try: addrs += [int(open("/proc/%d/maps" % pid).read().split("-")[0], 16)]
except OSError: pass
for addr in addrs:
    there.base = addr
    attempt("readv", lambda: libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) > 0)
attempt("ptrace", lambda: libc.ptrace(16, pid, 0, 0) == 0 and os.waitpid(pid, 0x40000000) and libc.ptrace(17, pid, 0, 0) == 0)
`

// spyOnSibling starts a program in s, spies on it, and returns what succeeded.
func spyOnSibling(t *testing.T, s sandbox.Sandbox) []string {
	t.Helper()
	p, err := s.Exec(t.Context(), sandbox.Cmd{Args: []string{"bash", "-c", "echo $$; exec sleep 1000"}})
	if err != nil {
		t.Fatal(err)
	}
	sibling, _ := bufio.NewReader(p.Stdout()).ReadString('\n')
	got := strings.Fields(output(t, s, "python3", "-c", spy, strings.TrimSpace(sibling)))
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
	return got
}

// TestGuestCannotBeReached spies on the guest from inside; and on a sibling,
// where it must succeed as far as the kernel's doors are open.
func TestGuestCannotBeReached(t *testing.T) {
	t.Parallel()
	s := start(t, bwrap.Config{})
	inside, outside := spyOnSibling(t, s), spyOnSibling(t, open(t))
	for _, want := range []string{"environ", "mem", "fd", "exe", "getfd", "readv", "ptrace"} {
		if !slices.Contains(outside, want) {
			t.Errorf("%s of a sibling fails without walls: the attack is not real (succeeded: %q)", want, outside)
		}
		refused := want == "getfd" || want == "readv" || want == "ptrace" // by the filter of system calls
		if slices.Contains(inside, want) == refused {
			t.Errorf("%s of a sibling inside: refused is to be %v (succeeded: %q)", want, refused, inside)
		}
	}
	if got := output(t, s, "python3", "-c", spy, "1"); got != "" {
		t.Errorf("of the guest a program inside reaches: %q", strings.Fields(got))
	}
	if got := output(t, s, "unshare", "-Ur", "python3", "-c", spy, "1"); got != "" {
		t.Errorf("of the guest root in a nested namespace reaches: %q", strings.Fields(got))
	}
	// The guest's socket is in no directory, and nothing listens by a name.
	if out := sh(t, s, "find / -xdev -type s 2>/dev/null; ls -l /proc/[0-9]*/fd 2>/dev/null | grep socket; awk '$8 != \"\"' /proc/net/unix | grep -v Path"); out != "" {
		t.Errorf("sockets to be seen inside: %s", out)
	}
}

// TestHelper is not a test: it is the host process that TestSuddenDeath kills.
func TestHelper(t *testing.T) {
	if os.Getenv("BWRAP_TEST_HELPER") == "" {
		return
	}
	s, err := bwrap.Start(context.Background(), bwrap.Config{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Exec(context.Background(), sandbox.Cmd{Args: []string{"bash", "-c", "setsid sleep 1000 & (setsid sleep 1001 &); echo ready; sleep 1002"}})
	if err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(p.Stdout()).ReadString('\n')
	fmt.Print(line)
	select {}
}

// TestSuddenDeath kills the host process with SIGKILL: nothing may be left.
func TestSuddenDeath(t *testing.T) {
	t.Parallel()
	helper := exec.Command(os.Args[0], "-test.run=^TestHelper$")
	helper.Env = append(os.Environ(), "BWRAP_TEST_HELPER=1")
	out, err := helper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	helper.Stderr = os.Stderr
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	all, err := procfs.List()
	if err != nil || line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	below := procfs.Below(all, helper.Process.Pid)
	if len(below) < 5 { // bwrap, guest, keeper, bash, three sleeps
		t.Fatalf("only %d processes below the helper", len(below))
	}
	var handles []procfs.Handle
	for _, p := range below {
		h, err := procfs.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		handles = append(handles, h)
	}
	if err := helper.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = helper.Wait()
	for i, h := range handles {
		if !h.Wait(5 * time.Second) {
			t.Errorf("process %+v outlives the host process", below[i])
			_ = h.Signal(syscall.SIGKILL)
		}
		_ = h.Close()
	}
}

// TestThreadDeath starts a sandbox from a thread that ends: the sandbox may
// die with the process only.
func TestThreadDeath(t *testing.T) {
	t.Parallel()
	type result struct {
		s   *bwrap.Sandbox
		err error
		tid int
	}
	started := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		s, err := bwrap.Start(context.Background(), bwrap.Config{})
		started <- result{s, err, syscall.Gettid()}
	}()
	r := <-started
	if r.err != nil {
		t.Fatal(r.err)
	}
	for deadline := time.Now().Add(5 * time.Second); r.tid != os.Getpid(); runtime.Gosched() {
		if _, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", r.tid)); err != nil || time.Now().After(deadline) {
			break
		}
	}
	if out := sh(t, r.s, "echo alive"); out != "alive\n" {
		t.Errorf("got %q", out)
	}
	if err := r.s.Close(); err != nil {
		t.Error(err)
	}
}

// TestWallsDie kills bubblewrap, and then the guest: every method must say
// that the sandbox is gone, and nothing may be left.
func TestWallsDie(t *testing.T) {
	t.Parallel()
	for _, depth := range []int{0, 1} {
		s, err := bwrap.Start(t.Context(), bwrap.Config{})
		if err != nil {
			t.Fatal(err)
		}
		args := []string{"bash", "-c", "echo ready; read", fmt.Sprintf("walls-die-%d-%d", os.Getpid(), depth)}
		p, err := s.Exec(t.Context(), sandbox.Cmd{Args: args})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = bufio.NewReader(p.Stdout()).ReadString('\n')
		victim, leaf := family(t, strings.Join(args, "\x00")+"\x00", depth)
		if err := victim.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		select {
		case <-s.Done():
		case <-time.After(10 * time.Second):
			t.Fatal("the death was not noticed")
		}
		_, err = s.Stat(t.Context(), "/")
		if deskhand.CodeOf(err) != deskhand.Unavailable || !strings.Contains(err.Error(), "the sandbox ended (") {
			t.Errorf("after the death: %v", err)
		}
		if _, err := p.Wait(); deskhand.CodeOf(err) != deskhand.Unavailable {
			t.Errorf("Wait after the death: %v", err)
		}
		if _, err := io.ReadAll(p.Stdout()); err == nil {
			t.Error("the output of a lost program ends as if it had ended in order")
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if !leaf.Wait(0) {
			t.Error("a program inside is left after Close")
		}
		_, _ = victim.Close(), leaf.Close()
	}
}

// family finds the program with this command line and returns handles on its
// bubblewrap (depth 0) or guest (depth 1), and on itself.
func family(t *testing.T, cmdline string, depth int) (victim, leaf procfs.Handle) {
	t.Helper()
	all, err := procfs.List()
	if err != nil {
		t.Fatal(err)
	}
	byPID := map[int]procfs.Process{}
	var chain []procfs.Process
	for _, p := range all {
		byPID[p.PID] = p
		if data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.PID)); string(data) == cmdline {
			chain = []procfs.Process{p}
		}
	}
	if chain == nil {
		t.Fatalf("%q does not run", cmdline)
	}
	for p := chain[0]; p.Parent != os.Getpid(); chain = append(chain, p) {
		p = byPID[p.Parent]
		if p.PID == 0 {
			t.Fatal("the program does not descend from the test")
		}
	}
	victim, err = procfs.Open(chain[len(chain)-1-depth])
	if err != nil {
		t.Fatal(err)
	}
	if leaf, err = procfs.Open(chain[0]); err != nil {
		t.Fatal(err)
	}
	return victim, leaf
}

// TestOrphans checks that orphans are reaped, and that no status of a program
// that the guest started itself is lost among them.
func TestOrphans(t *testing.T) {
	t.Parallel()
	s := start(t, bwrap.Config{})
	for i := range 40 {
		p, err := s.Exec(t.Context(), sandbox.Cmd{Args: []string{"bash", "-c", fmt.Sprintf("read go; for i in 1 2 3 4 5; do (setsid sleep 0.0$i &) ; done; kill -9 $PPID; exit %d", i)}})
		if err == nil {
			_, err = p.Stdin().Write([]byte("go\n")) // what keeps it has said by now that it runs
		}
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(p.Stdout())
		if _, err := p.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		out := sh(t, s, "ps -eo stat= | grep -c Z")
		if out == "0\n" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("zombies are left: %s", out)
		}
	}
}
