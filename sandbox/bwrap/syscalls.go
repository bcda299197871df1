package bwrap

import (
	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand/internal/seccomp"
)

// refused are the system calls that no program inside may make, with why. They
// are the parts of the kernel that desktop programs do without and that breakouts
// are made of. What browsers need for walls of their own (clone, unshare, chroot,
// seccomp) is not among them.
var refused = []struct {
	why   string
	calls []uint32
}{
	{"looking into other processes", []uint32{unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PIDFD_GETFD, unix.SYS_KCMP}},
	{"programs in the kernel and counters of it", []uint32{unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_LOOKUP_DCOOKIE, unix.SYS_SYSLOG}},
	{"work queues that other filters do not see", []uint32{unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER}},
	{"keyrings, which no namespace separates", []uint32{unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY}},
	{"another kernel, and modules of this one", []uint32{unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_REBOOT}},
	{"files by handle, past every path", []uint32{unix.SYS_OPEN_BY_HANDLE_AT}},
	{"watching a whole file system", []uint32{unix.SYS_FANOTIFY_INIT, unix.SYS_FANOTIFY_MARK}},
	{"quotas, swap, accounting", []uint32{unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT}},
	{"the clock of the machine", []uint32{unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_ADJTIMEX, unix.SYS_CLOCK_ADJTIME}},
	{"other people's namespaces", []uint32{unix.SYS_SETNS}},
	{"hanging up terminals", []uint32{unix.SYS_VHANGUP}},
	{"pages of other processes", []uint32{unix.SYS_MIGRATE_PAGES, unix.SYS_MOVE_PAGES}},
}

// mounting is refused too, unless a browser needs it.
var mounting = []uint32{
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE,
	unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR,
}

// newest is the last system call that was considered here (removexattrat, Linux
// 6.13); the numbers from 424 on are the same on all architectures.
const newest = 466

const (
	// Requests of ioctl that put words into the mouth of whoever has the terminal.
	ioctlTIOCSTI   = 0x5412
	ioctlTIOCLINUX = 0x541c

	personalityAsks = 0xffffffff // sets nothing
	personality32   = 0x0008     // PER_LINUX32, of programs for 32 bits
)

// conditional are calls whose arguments decide.
var conditional = []seccomp.Call{
	// Sockets of this machine's own kind, to programs and to the loopback. Raw
	// and packet sockets, netlink (routes, nf_tables), vsock, Bluetooth, CAN,
	// SCTP, MPTCP and the rest are large and seldom looked at.
	{Number: unix.SYS_SOCKET, Args: []seccomp.Arg{
		{Index: 0, Only: []uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6}},
		{Index: 1, Mask: 0xf, Only: []uint32{unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_SEQPACKET}},
		{Index: 2, Only: []uint32{0, 1, unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_ICMPV6}}, // 1 is ICMP, and Unix in the words of libraries
	}},
	{Number: unix.SYS_SOCKETPAIR, Args: []seccomp.Arg{{Index: 0, Only: []uint32{unix.AF_UNIX}}}},
	{Number: unix.SYS_IOCTL, Args: []seccomp.Arg{{Index: 1, Never: []uint32{ioctlTIOCSTI, ioctlTIOCLINUX}}}},
	{Number: unix.SYS_PERSONALITY, Args: []seccomp.Arg{{Index: 0, Only: []uint32{0, personality32, personalityAsks}}}},
}

// filter returns the program that bubblewrap loads before it starts the guest.
func filter(mounts bool) ([]byte, error) {
	f := seccomp.Filter{Newest: newest, Calls: conditional}
	add := func(numbers []uint32) {
		for _, n := range numbers {
			f.Calls = append(f.Calls, seccomp.Call{Number: n})
		}
	}
	for _, r := range refused {
		add(r.calls)
	}
	add(refusedHere)
	if !mounts {
		add(mounting)
	}
	return f.Bytes()
}
