package auth

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The page and the menu on each console are processes of their own and share one
// file: each reads it anew when another has written it, and holds a lock from
// reading to writing.

// lockFile is what is locked; users.json itself is replaced at each change.
const lockFile = "users.lock"

// stamp tells one state of a file from another.
type stamp struct {
	inode    uint64
	size     int64
	modified time.Time
}

func stampOf(path string) (s stamp) {
	st, err := os.Stat(path)
	if err != nil {
		return s
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		s.inode = sys.Ino
	}
	s.size, s.modified = st.Size(), st.ModTime()
	return s
}

// fresh takes over what another process has written; what cannot be read changes
// nothing. u.mu is held.
func (u *Users) fresh() {
	now := stampOf(u.path(usersFile))
	if now == u.stamp || now == (stamp{}) {
		return
	}
	f, err := readFile(u.dir)
	if err != nil {
		return
	}
	u.file, u.stamp, u.code = f, now, ""
}

// lock keeps other processes from changing the users until it is called off.
func (u *Users) lock() (unlock func(), err error) {
	f, err := os.OpenFile(u.path(lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("keep users: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("lock users: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock users: %w", err)
	}
	return func() { f.Close() }, nil
}
