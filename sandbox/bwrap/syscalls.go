package bwrap

import (
	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand/internal/inside"
	"github.com/deskhand/deskhand/internal/seccomp"
)

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
	for _, c := range inside.Refused(mounts) {
		f.Calls = append(f.Calls, seccomp.Call{Number: c.Number})
	}
	return f.Bytes()
}
