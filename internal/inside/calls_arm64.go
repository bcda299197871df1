package inside

import "golang.org/x/sys/unix"

// refusedHere are calls that only some architectures have.
var refusedHere = []Call{{"nfsservctl", unix.SYS_NFSSERVCTL}}
