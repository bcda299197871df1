package seccomp_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/deskhand/deskhand/internal/seccomp"
)

// data is struct seccomp_data.
type data struct {
	number, arch uint32
	args         [6]uint64
}

func (d data) word(offset uint32) uint32 {
	var b [64]byte
	binary.LittleEndian.PutUint32(b[0:], d.number)
	binary.LittleEndian.PutUint32(b[4:], d.arch)
	for i, a := range d.args {
		binary.LittleEndian.PutUint64(b[16+8*i:], a)
	}
	return binary.LittleEndian.Uint32(b[offset:])
}

// run interprets the program as the kernel does.
func run(t *testing.T, program []byte, d data) uint32 {
	t.Helper()
	if len(program)%8 != 0 {
		t.Fatalf("%d bytes are not whole instructions", len(program))
	}
	var acc uint32
	for pc := 0; pc < len(program)/8; pc++ {
		ins := program[8*pc:]
		code, jt, jf, k := binary.NativeEndian.Uint16(ins), int(ins[2]), int(ins[3]), binary.NativeEndian.Uint32(ins[4:])
		jump := func(yes bool) {
			if yes {
				pc += jt
			} else {
				pc += jf
			}
		}
		switch code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			acc = d.word(k)
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			acc &= k
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			jump(acc == k)
		case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
			jump(acc > k)
		case unix.BPF_RET | unix.BPF_K:
			return k
		default:
			t.Fatalf("instruction %d has the unknown code %#x", pc, code)
		}
	}
	t.Fatal("the program runs off its end")
	return 0
}

func native(t *testing.T) uint32 {
	t.Helper()
	program, err := seccomp.Filter{Newest: 10}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return binary.NativeEndian.Uint32(program[8+4:]) // of the comparison after the first load
}

const (
	allow = unix.SECCOMP_RET_ALLOW
	eperm = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	nosys = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

func TestFilter(t *testing.T) {
	t.Parallel()
	program, err := seccomp.Filter{Newest: 400, Calls: []seccomp.Call{
		{Number: 7},
		{Number: 41, Args: []seccomp.Arg{{Index: 0, Only: []uint32{1, 2, 10}}, {Index: 1, Mask: 0xf, Only: []uint32{1, 2}}}},
		{Number: 16, Args: []seccomp.Arg{{Index: 1, Never: []uint32{0x5412, 0x541c}}}},
		{Number: 9},
	}}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	arch := native(t)
	for _, c := range []struct {
		name string
		d    data
		want uint32
	}{
		{"not listed", data{number: 1, arch: arch}, allow},
		{"refused", data{number: 7, arch: arch}, eperm},
		{"the last one refused", data{number: 9, arch: arch}, eperm},
		{"the newest", data{number: 400, arch: arch}, allow},
		{"newer", data{number: 401, arch: arch}, nosys},
		{"x32", data{number: 0x40000001, arch: arch}, nosys},
		{"another architecture", data{number: 1, arch: unix.AUDIT_ARCH_I386}, eperm},
		{"first of only", data{number: 41, arch: arch, args: [6]uint64{1, 1}}, allow},
		{"last of only", data{number: 41, arch: arch, args: [6]uint64{10, 2}}, allow},
		{"none of only", data{number: 41, arch: arch, args: [6]uint64{3, 1}}, eperm},
		{"second argument", data{number: 41, arch: arch, args: [6]uint64{2, 3}}, eperm},
		{"masked", data{number: 41, arch: arch, args: [6]uint64{2, 0x80802}}, allow},
		{"masked, refused", data{number: 41, arch: arch, args: [6]uint64{2, 0x80803}}, eperm},
		{"high bits are not looked at", data{number: 41, arch: arch, args: [6]uint64{1 | 5<<32, 1}}, allow},
		{"never, first", data{number: 16, arch: arch, args: [6]uint64{0, 0x5412}}, eperm},
		{"never, last", data{number: 16, arch: arch, args: [6]uint64{0, 0x541c}}, eperm},
		{"never, hidden by high bits", data{number: 16, arch: arch, args: [6]uint64{0, 0x5412 | 1<<40}}, eperm},
		{"never, another", data{number: 16, arch: arch, args: [6]uint64{0, 0x5413}}, allow},
	} {
		if got := run(t, program, c.d); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
	}
}

func TestSenseless(t *testing.T) {
	t.Parallel()
	long := make([]seccomp.Call, 4096)
	for name, f := range map[string]seccomp.Filter{
		"argument 6":      {Calls: []seccomp.Call{{Args: []seccomp.Arg{{Index: 6, Only: []uint32{1}}}}}},
		"no value":        {Calls: []seccomp.Call{{Args: []seccomp.Arg{{Index: 1}}}}},
		"only and never":  {Calls: []seccomp.Call{{Args: []seccomp.Arg{{Only: []uint32{1}, Never: []uint32{1}}}}}},
		"too many values": {Calls: []seccomp.Call{{Args: []seccomp.Arg{{Only: make([]uint32, 201)}}}}},
		"too long a call": {Calls: []seccomp.Call{{Args: []seccomp.Arg{{Only: make([]uint32, 200)}, {Only: make([]uint32, 200)}}}}},
		"too long":        {Calls: long},
	} {
		if _, err := f.Bytes(); err == nil || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
