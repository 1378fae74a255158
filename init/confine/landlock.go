package confine

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What changes a file system, in Landlock's words (kernel,
// Documentation/userspace-api/landlock.rst). Reading stays with the file modes.
const (
	changes = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_SYM
	changesV2 = unix.LANDLOCK_ACCESS_FS_REFER
	changesV3 = unix.LANDLOCK_ACCESS_FS_TRUNCATE
)

// landlock forbids this thread, and what it becomes, to change anything but
// below the given folders. A kernel without Landlock is no error: the file modes
// say the same, this is the second lock.
func landlock(folders []string) error {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno == unix.ENOSYS || errno == unix.EOPNOTSUPP {
		return nil
	}
	if errno != 0 {
		return fmt.Errorf("ask for Landlock: %w", errno)
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: changes}
	if version >= 2 {
		attr.Handled_access_fs |= changesV2
	}
	if version >= 3 {
		attr.Handled_access_fs |= changesV3
	}
	// Only the first field: older kernels refuse a longer structure.
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr.Handled_access_fs), 0)
	if errno != 0 {
		return fmt.Errorf("create Landlock rules: %w", errno)
	}
	defer unix.Close(int(fd))
	for _, f := range append([]string{"/dev/null"}, folders...) {
		if err := allow(int(fd), f, attr.Handled_access_fs); err != nil {
			return err
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return fmt.Errorf("apply Landlock rules: %w", errno)
	}
	return nil
}

func allow(rules int, path string, access uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("allow writing below %s: %w", path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("allow writing below %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &= unix.LANDLOCK_ACCESS_FS_WRITE_FILE | changesV3
	}
	// The kernel's structure is packed; Go's is longer, but begins with the same bytes.
	attr := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(rules), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&attr)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("allow writing below %s: %w", path, errno)
	}
	return nil
}
