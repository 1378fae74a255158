// Package jail takes system calls away from the management plane for good: all
// that starts programs, looks into others, touches the kernel, its clock, its
// modules or its mounts, and sockets of other kinds than it uses. init's confine
// has taken capabilities, writing outside of one folder, and new privileges away
// before; this is for who has found a way into the program nevertheless.
package jail

import (
	"fmt"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"
)

// denied are the system calls that the program never makes. A call that is not
// named goes through: a new kernel or runtime must not break the page. They are
// refused with EPERM.
var denied = []string{
	// other programs
	"execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd",
	// namespaces, roots, mounts
	"setns", "unshare", "chroot", "pivot_root", "mount", "umount2", "mount_setattr", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick",
	"mknod", "mknodat", "open_by_handle_at", "name_to_handle_at", "quotactl", "quotactl_fd", "swapon", "swapoff", "acct",
	// the kernel
	"bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "init_module", "finit_module", "delete_module",
	"kexec_load", "kexec_file_load", "reboot", "iopl", "ioperm", "modify_ldt", "personality", "syslog", "lookup_dcookie", "fanotify_init", "vhangup",
	"add_key", "request_key", "keyctl",
	// clock and names
	"settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname",
	// who it is
	"setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid", "setgroups", "capset",
}

// families are the kinds of sockets that it uses: the page's, its neighbours',
// and the kernel's answers about addresses.
var families = []uint64{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}

// Enter takes them away from all threads of this process. There is no way back.
func Enter() error {
	other := seccomp.SyscallGroup{Action: seccomp.ActionErrno, NamesWithCondtions: []seccomp.NameWithConditions{{Name: "socket"}}}
	for _, f := range families {
		c := &other.NamesWithCondtions[0].Conditions
		*c = append(*c, seccomp.Condition{Argument: 0, Operation: seccomp.NotEqual, Value: f})
	}
	err := seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: seccomp.Policy{
		DefaultAction: seccomp.ActionAllow,
		Syscalls:      []seccomp.SyscallGroup{{Action: seccomp.ActionErrno, Names: denied}, other},
	}})
	if err != nil {
		return fmt.Errorf("give up system calls: %w", err)
	}
	return nil
}
