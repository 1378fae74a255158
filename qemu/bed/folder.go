package bed

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	folderPrefix = "wirepatch-"
	lockName     = "lock" // held as long as the folder's test bed lives
)

// folder makes the temporary folder. Its path is short, because a unix
// socket's may have 107 bytes at most.
func (b *Bed) folder(context.Context) error {
	sweep(os.TempDir())
	dir, err := os.MkdirTemp("", folderPrefix)
	if err != nil {
		return err
	}
	b.Dir = dir
	b.onClose(func() error { return os.RemoveAll(dir) })
	lock, err := os.Create(filepath.Join(dir, lockName))
	if err != nil {
		return err
	}
	b.onClose(lock.Close)
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("locking %s: %w", lock.Name(), err)
	}
	return nil
}

// sweep removes the folders of test beds that were killed and could not remove
// them: those whose lock nobody holds.
func sweep(temp string) {
	locks, _ := filepath.Glob(filepath.Join(temp, folderPrefix+"*", lockName))
	for _, path := range locks {
		f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW, 0)
		if err != nil {
			continue // of another user, or gone
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			os.RemoveAll(filepath.Dir(path))
		}
		f.Close()
	}
}
