package oci

import (
	"crypto/rand"
	"encoding/hex"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand/internal/inside"
)

// filter is a filter of system calls in the form that docker and podman take
// (the runtime specification's, with names and comparisons for libseccomp).
type filter struct {
	Default  string   `json:"defaultAction"`
	Archs    []string `json:"architectures"`
	Syscalls []rule   `json:"syscalls"`
}

type rule struct {
	Names  []string `json:"names"`
	Action string   `json:"action"`
	Errno  uint     `json:"errnoRet,omitempty"`
	Args   []arg    `json:"args,omitempty"` // all of them
}

type arg struct {
	Index uint   `json:"index"`
	Value uint64 `json:"value"`
	Two   uint64 `json:"valueTwo,omitempty"` // of masked comparisons: what is compared with
	Op    string `json:"op"`
}

// Comparisons and actions.
const (
	refuse   = "SCMP_ACT_ERRNO"
	greater  = "SCMP_CMP_GT"
	masked   = "SCMP_CMP_MASKED_EQ"
	low      = 0xffffffff // the kernel looks at the low half of an int
	kindMask = 0xf        // of a socket's kind, without its flags
)

// archs are this machine's own conventions only: none for 32 bits, no x32.
var archs = map[string][]string{"amd64": {"SCMP_ARCH_X86_64"}, "arm64": {"SCMP_ARCH_AARCH64"}}

// filterOf refuses calls, and what of others is refused in sandbox/bwrap by
// their arguments. Engines start from a list of what is allowed instead, which
// has no user namespaces: without those browsers lose their inner walls.
func filterOf(calls []inside.Call) filter {
	f := filter{Default: "SCMP_ACT_ALLOW", Archs: archs[runtime.GOARCH]}
	never := rule{Action: refuse, Errno: uint(unix.EPERM)}
	for _, c := range calls {
		never.Names = append(never.Names, c.Name)
	}
	f.Syscalls = append(f.Syscalls, never)
	when := func(name string, a ...arg) {
		f.Syscalls = append(f.Syscalls, rule{Names: []string{name}, Action: refuse, Errno: uint(unix.EPERM), Args: a})
	}
	// Families from 0 to the last that is let pass, and all beyond.
	for family := range uint64(unix.AF_INET6) {
		if family != unix.AF_UNIX && family != unix.AF_INET {
			when("socket", arg{0, low, family, masked})
		}
	}
	when("socket", arg{Index: 0, Value: unix.AF_INET6, Op: greater})
	for kind := range uint64(kindMask + 1) {
		if kind != unix.SOCK_STREAM && kind != unix.SOCK_DGRAM && kind != unix.SOCK_SEQPACKET {
			when("socket", arg{1, kindMask, kind, masked})
		}
	}
	for _, protocol := range []uint64{unix.IPPROTO_SCTP, unix.IPPROTO_MPTCP, unix.IPPROTO_RAW, unix.IPPROTO_DCCP, unix.IPPROTO_UDPLITE} {
		when("socket", arg{2, low, protocol, masked})
	}
	when("socketpair", arg{Index: 0, Value: unix.AF_UNIX, Op: greater})
	for _, request := range []uint64{unix.TIOCSTI, unix.TIOCLINUX} {
		when("ioctl", arg{1, low, request, masked})
	}
	const addrNoRandomize = 0x0040000
	when("personality", arg{0, addrNoRandomize, addrNoRandomize, masked}, arg{Index: 0, Value: low, Op: "SCMP_CMP_NE"})
	return f
}

// machineID returns a random identity in the form of /etc/machine-id.
func machineID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}
