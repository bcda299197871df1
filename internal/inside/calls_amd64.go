package inside

import "golang.org/x/sys/unix"

// refusedHere are calls that only this architecture has: ports, segments, and
// what is left of times gone by.
var refusedHere = []Call{
	{"iopl", unix.SYS_IOPL}, {"ioperm", unix.SYS_IOPERM}, {"modify_ldt", unix.SYS_MODIFY_LDT}, {"uselib", unix.SYS_USELIB}, {"ustat", unix.SYS_USTAT}, {"sysfs", unix.SYS_SYSFS}, {"_sysctl", unix.SYS__SYSCTL},
	{"create_module", unix.SYS_CREATE_MODULE}, {"get_kernel_syms", unix.SYS_GET_KERNEL_SYMS}, {"query_module", unix.SYS_QUERY_MODULE}, {"nfsservctl", unix.SYS_NFSSERVCTL},
}
