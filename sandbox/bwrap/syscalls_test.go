package bwrap_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand/sandbox/bwrap"
)

// probeArg as the first argument makes the test binary a prober: it makes each
// call of the list once, harmlessly, and prints what the kernel answered.
const probeArg = "probe"

// probe is one way into the kernel. Where the kernel knows the call, it answers
// without walls with anything but the refusal.
type probe struct {
	name string
	call func() error
}

func raw(number uintptr, args ...uintptr) func() error {
	return func() error {
		var a [6]uintptr
		copy(a[:], args)
		if _, _, errno := unix.RawSyscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
			return errno
		}
		return nil
	}
}

func socket(family, kind, protocol int) func() error {
	return func() error {
		fd, err := unix.Socket(family, kind, protocol)
		if err == nil {
			err = unix.Close(fd)
		}
		return err
	}
}

// nowhere is an address and a descriptor that cannot be meant: calls that reach
// the kernel fail on it (EFAULT, EBADF, EINVAL) and change nothing.
const nowhere = ^uintptr(0)

// harmful must be refused inside.
func harmful() []probe {
	word := uint64(1)
	pid := uintptr(os.Getpid())
	return []probe{
		{"ptrace", raw(unix.SYS_PTRACE, unix.PTRACE_PEEKDATA, pid, 0, uintptr(unsafe.Pointer(&word)))},
		{"process_vm_readv", raw(unix.SYS_PROCESS_VM_READV, pid, 0, 0, 0, 0, 0)},
		{"process_vm_writev", raw(unix.SYS_PROCESS_VM_WRITEV, pid, 0, 0, 0, 0, 0)},
		{"pidfd_getfd", raw(unix.SYS_PIDFD_GETFD, nowhere, 0, 0)},
		{"bpf", raw(unix.SYS_BPF, 0, nowhere, 0)},
		{"perf_event_open", raw(unix.SYS_PERF_EVENT_OPEN, nowhere, 0, 0, nowhere, 0)},
		{"userfaultfd", raw(unix.SYS_USERFAULTFD, 0xdead)},
		{"io_uring_setup", raw(unix.SYS_IO_URING_SETUP, 1, nowhere)},
		{"io_uring_register", raw(unix.SYS_IO_URING_REGISTER, nowhere, 0, 0, 0)},
		{"keyctl", raw(unix.SYS_KEYCTL, 0, nowhere, 0)},
		{"add_key", raw(unix.SYS_ADD_KEY, nowhere, nowhere, 0, 0, 0)},
		{"kexec_load", raw(unix.SYS_KEXEC_LOAD, 0, 0xffff, nowhere, 0)},
		{"fanotify_init", raw(unix.SYS_FANOTIFY_INIT, 0xffffffff, 0)},
		{"setns", raw(unix.SYS_SETNS, nowhere, 0)},
		{"mount", raw(unix.SYS_MOUNT, 0, nowhere, 0, 0, 0)},
		{"fsopen", raw(unix.SYS_FSOPEN, nowhere, 0)},
		{"open_tree", raw(unix.SYS_OPEN_TREE, nowhere, nowhere, 0)},
		{"open_by_handle_at", raw(unix.SYS_OPEN_BY_HANDLE_AT, nowhere, nowhere, 0)},
		{"TIOCSTI", raw(unix.SYS_IOCTL, nowhere, 0x5412, 0)},
		{"TIOCSTI with high bits", raw(unix.SYS_IOCTL, nowhere, 0x5412|1<<40, 0)},
		{"TIOCLINUX", raw(unix.SYS_IOCTL, nowhere, 0x541c, 0)},
		{"personality", raw(unix.SYS_PERSONALITY, 0x0040000)}, // ADDR_NO_RANDOMIZE
		{"netlink", socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)},
		{"packet", socket(unix.AF_PACKET, unix.SOCK_RAW, 0)},
		{"raw", socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)},
		{"raw with flags", socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_ICMPV6)},
		{"vsock", socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0)},
		{"bluetooth", socket(unix.AF_BLUETOOTH, unix.SOCK_RAW, 0)},
		{"alg", socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0)},
		{"sctp", socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP)},
		{"mptcp", socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)},
	}
}

// ordinary must work inside.
func ordinary() []probe {
	return []probe{
		{"tcp", socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)},
		{"udp6", socket(unix.AF_INET6, unix.SOCK_DGRAM, unix.IPPROTO_UDP)},
		{"unix", socket(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)},
		{"personality asked", raw(unix.SYS_PERSONALITY, 0xffffffff)},
		{"getpid", raw(unix.SYS_GETPID)},
		{"socketpair", func() error { _, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err }},
	}
}

// unknown is a call that no kernel has yet, and one of x32 on amd64.
func unknown() []probe {
	all := []probe{{"not invented yet", raw(9999)}}
	if runtime.GOARCH == "amd64" {
		all = append(all, probe{"x32", raw(0x40000000 + unix.SYS_GETPID)})
	}
	return all
}

func probes() []probe { return slices.Concat(harmful(), ordinary(), unknown()) }

// probeMain prints one line "name: answer" for each probe.
func probeMain() {
	for _, p := range probes() {
		var errno unix.Errno
		if err := p.call(); errors.As(err, &errno) {
			fmt.Printf("%s: %s\n", p.name, unix.ErrnoName(errno))
		} else {
			fmt.Printf("%s: %v\n", p.name, err)
		}
	}
}

func answers(out string) map[string]string {
	all := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		name, answer, _ := strings.Cut(line, ": ")
		all[name] = answer
	}
	return all
}

// TestAttackSystemCalls knocks at the doors of the kernel, without walls and inside.
func TestAttackSystemCalls(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	outside := answers(output(t, open(t), exe, probeArg))
	inside := answers(output(t, start(t, bwrap.Config{}), bwrap.Binary, probeArg))
	real := 0
	for _, p := range harmful() {
		if inside[p.name] != "EPERM" {
			t.Errorf("%s: %q inside, want EPERM", p.name, inside[p.name])
		}
		if outside[p.name] != "EPERM" && outside[p.name] != "ENOSYS" {
			t.Logf("attack\tP2 P15 P18 P22 N3 N19 %-21s\twithout guard: %s\twith guard: %s", p.name, outside[p.name], inside[p.name])
			real++
		} else {
			t.Logf("%s: %s without walls too: nothing is shown for it", p.name, outside[p.name])
		}
	}
	if os.Getuid() == 0 && real < len(harmful())-4 {
		t.Errorf("only %d of %d attacks are real on this machine: %v", real, len(harmful()), outside)
	}
	for _, p := range ordinary() {
		if inside[p.name] != "<nil>" {
			t.Errorf("%s: %q inside, want it to work", p.name, inside[p.name])
		}
	}
	for _, p := range unknown() {
		if inside[p.name] != "ENOSYS" {
			t.Errorf("%s: %q inside, want ENOSYS", p.name, inside[p.name])
		}
	}
}

// TestMounts checks that mounting in a nested namespace is refused unless it
// was asked for.
func TestMounts(t *testing.T) {
	t.Parallel()
	const attack = "unshare -Urm --propagation unchanged sh -c 'mount -t tmpfs none /tmp && echo mounted'"
	if out := sh(t, start(t, bwrap.Config{Mounts: true}), attack); out != "mounted\n" {
		t.Errorf("with leave to mount: %q", out)
	}
	if out := sh(t, start(t, bwrap.Config{}), attack); strings.Contains(out, "mounted") || !strings.Contains(out, "ermi") && !strings.Contains(out, "permitted") {
		t.Errorf("without leave to mount: %q", out)
	}
}
