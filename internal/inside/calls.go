package inside

import (
	"slices"

	"golang.org/x/sys/unix"
)

// Call is a system call.
type Call struct {
	Name   string // as the manual writes it
	Number uint32 // on this architecture
}

// refused are the system calls that no program inside may make, with why. They
// are the parts of the kernel that desktop programs do without and that breakouts
// are made of. What browsers need for walls of their own (clone, unshare, chroot,
// seccomp) is not among them.
var refused = []struct {
	Why   string
	Calls []Call
}{
	{"looking into other processes", []Call{{"ptrace", unix.SYS_PTRACE}, {"process_vm_readv", unix.SYS_PROCESS_VM_READV}, {"process_vm_writev", unix.SYS_PROCESS_VM_WRITEV}, {"pidfd_getfd", unix.SYS_PIDFD_GETFD}, {"kcmp", unix.SYS_KCMP}}},
	{"programs in the kernel and counters of it", []Call{{"bpf", unix.SYS_BPF}, {"perf_event_open", unix.SYS_PERF_EVENT_OPEN}, {"userfaultfd", unix.SYS_USERFAULTFD}, {"lookup_dcookie", unix.SYS_LOOKUP_DCOOKIE}, {"syslog", unix.SYS_SYSLOG}}},
	{"work queues that other filters do not see", []Call{{"io_uring_setup", unix.SYS_IO_URING_SETUP}, {"io_uring_enter", unix.SYS_IO_URING_ENTER}, {"io_uring_register", unix.SYS_IO_URING_REGISTER}}},
	{"keyrings, which no namespace separates", []Call{{"keyctl", unix.SYS_KEYCTL}, {"add_key", unix.SYS_ADD_KEY}, {"request_key", unix.SYS_REQUEST_KEY}}},
	{"another kernel, and modules of this one", []Call{{"kexec_load", unix.SYS_KEXEC_LOAD}, {"kexec_file_load", unix.SYS_KEXEC_FILE_LOAD}, {"init_module", unix.SYS_INIT_MODULE}, {"finit_module", unix.SYS_FINIT_MODULE}, {"delete_module", unix.SYS_DELETE_MODULE}, {"reboot", unix.SYS_REBOOT}}},
	{"files by handle, past every path", []Call{{"open_by_handle_at", unix.SYS_OPEN_BY_HANDLE_AT}}},
	{"watching a whole file system", []Call{{"fanotify_init", unix.SYS_FANOTIFY_INIT}, {"fanotify_mark", unix.SYS_FANOTIFY_MARK}}},
	{"quotas, swap, accounting", []Call{{"quotactl", unix.SYS_QUOTACTL}, {"quotactl_fd", unix.SYS_QUOTACTL_FD}, {"swapon", unix.SYS_SWAPON}, {"swapoff", unix.SYS_SWAPOFF}, {"acct", unix.SYS_ACCT}}},
	{"the clock of the machine", []Call{{"settimeofday", unix.SYS_SETTIMEOFDAY}, {"clock_settime", unix.SYS_CLOCK_SETTIME}, {"adjtimex", unix.SYS_ADJTIMEX}, {"clock_adjtime", unix.SYS_CLOCK_ADJTIME}}},
	{"other people's namespaces", []Call{{"setns", unix.SYS_SETNS}}},
	{"hanging up terminals", []Call{{"vhangup", unix.SYS_VHANGUP}}},
	{"pages of other processes", []Call{{"migrate_pages", unix.SYS_MIGRATE_PAGES}, {"move_pages", unix.SYS_MOVE_PAGES}}},
}

// mounting is refused too, unless a browser needs it.
var mounting = []Call{
	{"mount", unix.SYS_MOUNT}, {"umount2", unix.SYS_UMOUNT2}, {"pivot_root", unix.SYS_PIVOT_ROOT}, {"move_mount", unix.SYS_MOVE_MOUNT}, {"open_tree", unix.SYS_OPEN_TREE},
	{"fsopen", unix.SYS_FSOPEN}, {"fsconfig", unix.SYS_FSCONFIG}, {"fsmount", unix.SYS_FSMOUNT}, {"fspick", unix.SYS_FSPICK}, {"mount_setattr", unix.SYS_MOUNT_SETATTR},
}

// Refused returns the calls that no program inside may make, also those that
// mount unless mounts.
func Refused(mounts bool) []Call {
	var all []Call
	for _, r := range refused {
		all = append(all, r.Calls...)
	}
	all = append(all, refusedHere...)
	if !mounts {
		all = append(all, mounting...)
	}
	return slices.Clip(all)
}
