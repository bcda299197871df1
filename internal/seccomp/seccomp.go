// Package seccomp writes filters of system calls: small classic BPF programs
// that the kernel runs before each call of a process and of all its children.
//
// It holds no opinion on which calls are dangerous; sandbox/bwrap has the list.
//
// Source: Linux, Documentation/userspace-api/seccomp_filter.rst.
package seccomp

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Call refuses a system call: always, or unless every one of Args is as it says.
type Call struct {
	Number uint32
	Args   []Arg // default: refused whatever its arguments are
}

// Arg is what one argument of a call must be for the call to go on. Only the
// low 32 bits are looked at, as the kernel does with an int.
type Arg struct {
	Index int    // 0 to 5
	Mask  uint32 // of the bits that count; default: all
	Only  []uint32
	Never []uint32 // used when Only is empty
}

// Filter refuses calls with EPERM. Calls with a number above Newest, which
// nobody has thought about, do not exist (ENOSYS), as on an older kernel.
// Calls by the conventions of another architecture are refused.
type Filter struct {
	Calls  []Call
	Newest uint32
}

// Offsets in struct seccomp_data, on a little-endian machine.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

const (
	maxInstructions = 4096 // BPF_MAXINSNS
	maxValues       = 200  // of one argument, as jumps are one byte long

	loadWord  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	ifEqual   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	ifGreater = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
	keepBits  = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	answer    = unix.BPF_RET | unix.BPF_K

	allow    = unix.SECCOMP_RET_ALLOW
	refuse   = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	notThere = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

// Bytes returns the program as an array of struct sock_filter in this
// machine's byte order, the form that bubblewrap takes.
func (f Filter) Bytes() ([]byte, error) {
	p := program{{Code: loadWord, K: offArch}}
	p.unless(ifEqual, arch, refuse)
	p = append(p, unix.SockFilter{Code: loadWord, K: offNumber},
		// Beyond the newest call lie those of x32 on amd64 too.
		unix.SockFilter{Code: ifGreater, K: f.Newest, Jf: 1}, unix.SockFilter{Code: answer, K: notThere})
	for _, c := range f.Calls {
		if err := p.call(c); err != nil {
			return nil, err
		}
	}
	p = append(p, unix.SockFilter{Code: answer, K: allow})
	if len(p) > maxInstructions {
		return nil, fmt.Errorf("a filter of %d instructions is longer than the kernel takes (%d)", len(p), maxInstructions)
	}
	var out bytes.Buffer
	if err := binary.Write(&out, binary.NativeEndian, []unix.SockFilter(p)); err != nil {
		return nil, err // unreachable: the struct has a fixed size
	}
	return out.Bytes(), nil
}

// program is the instructions so far. Before each call's block the accumulator
// holds the number of the system call.
type program []unix.SockFilter

// unless answers when the test fails.
func (p *program) unless(test uint16, k, with uint32) {
	*p = append(*p, unix.SockFilter{Code: test, K: k, Jt: 1}, unix.SockFilter{Code: answer, K: with})
}

// call adds the block of one call, which ends in an answer.
func (p *program) call(c Call) error {
	var block program
	for _, a := range c.Args {
		if err := block.arg(c.Number, a); err != nil {
			return err
		}
	}
	if len(c.Args) == 0 {
		block = program{{Code: answer, K: refuse}}
	} else {
		block = append(block, unix.SockFilter{Code: answer, K: allow})
	}
	if len(block) > 255 {
		return fmt.Errorf("the rules for system call %d are too long", c.Number)
	}
	*p = append(*p, unix.SockFilter{Code: ifEqual, K: c.Number, Jf: uint8(len(block))})
	*p = append(*p, block...)
	return nil
}

// arg adds the test of one argument: it falls through when that is as it must be.
func (p *program) arg(number uint32, a Arg) error {
	values := a.Only
	if len(values) == 0 {
		values = a.Never
	}
	if a.Index < 0 || a.Index > 5 || len(values) == 0 || len(values) > maxValues || len(a.Only) > 0 && len(a.Never) > 0 {
		return fmt.Errorf("the rule for argument %d of system call %d makes no sense", a.Index, number)
	}
	*p = append(*p, unix.SockFilter{Code: loadWord, K: uint32(offArgs + 8*a.Index)})
	if a.Mask != 0 {
		*p = append(*p, unix.SockFilter{Code: keepBits, K: a.Mask})
	}
	for i, v := range values {
		left := uint8(len(values) - 1 - i) // tests that follow
		if len(a.Only) > 0 {
			*p = append(*p, unix.SockFilter{Code: ifEqual, K: v, Jt: left + 1}) // over the refusal
			continue
		}
		next := unix.SockFilter{Code: ifEqual, K: v, Jt: left} // to the refusal
		if left == 0 {
			next.Jf = 1
		}
		*p = append(*p, next)
	}
	*p = append(*p, unix.SockFilter{Code: answer, K: refuse})
	return nil
}
