package bwrap

import "golang.org/x/sys/unix"

// refusedHere are calls that only some architectures have.
var refusedHere = []uint32{unix.SYS_NFSSERVCTL}
