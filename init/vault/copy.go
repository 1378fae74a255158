package vault

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Staging is where the encrypted copy of a folder is made, beside it.
func Staging(folder string) string { return folder + ".sealing" }

// Replace puts an encrypted copy in the folder's place, in one step: whenever the
// power fails there is one of the two, whole. What is left of the other is removed
// by Tidy.
func Replace(folder string, s Secret) error {
	staging := Staging(folder)
	if err := errors.Join(Tidy(folder), room(folder)); err != nil {
		return err
	}
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	if err := os.Mkdir(staging, 0o700); err != nil {
		return err
	}
	id, err := s.Unlock(staging)
	if err == nil {
		err = Encrypt(staging, id)
	}
	if err == nil {
		err = errors.Join(copyTree(folder, staging), own(staging, info))
	}
	if err != nil {
		return errors.Join(err, Tidy(folder))
	}
	unix.Sync()
	if err := unix.Renameat2(unix.AT_FDCWD, staging, unix.AT_FDCWD, folder, unix.RENAME_EXCHANGE); err != nil {
		return errors.Join(fmt.Errorf("put the encrypted folder in place: %w", err), Tidy(folder))
	}
	unix.Sync()
	return Tidy(folder)
}

// Tidy removes what Replace left when it was interrupted, or done.
func Tidy(folder string) error { return os.RemoveAll(Staging(folder)) }

// room wants room for a second copy.
func room(folder string) error {
	var need int64
	err := filepath.WalkDir(folder, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil {
			need += info.Size()
		}
		return err
	})
	if err != nil {
		return err
	}
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return err
	}
	if free := int64(s.Bavail) * s.Bsize; free < need+need/8 {
		return fmt.Errorf("encrypt %s: a second copy takes %d bytes, and %d are free; delete old events", folder, need, free)
	}
	return nil
}

// copyTree copies files and folders with their owners and modes. Nobody may write
// to from meanwhile; links and devices, of which the page makes none, are left out.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == from {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		target := to + path[len(from):]
		switch {
		case e.IsDir():
			err = os.Mkdir(target, 0o700)
		case e.Type().IsRegular():
			err = copyFile(path, target)
		default:
			return nil
		}
		return errors.Join(err, own(target, info))
	})
}

func copyFile(from, to string) error {
	r, err := os.OpenFile(from, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, w.Sync(), w.Close())
}

func own(path string, as fs.FileInfo) error {
	s, ok := as.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("who owns %s is not known", path)
	}
	return errors.Join(os.Chown(path, int(s.Uid), int(s.Gid)), os.Chmod(path, as.Mode().Perm()), os.Chtimes(path, as.ModTime(), as.ModTime()))
}
