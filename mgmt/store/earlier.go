package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"wirepatch/board/atomicfile"
)

// The firmware in the other slot may know an earlier form of a file only. So a
// durable file is copied before it is brought up to date, and whoever finds one
// that is too new for him takes up his own again.

// earlier is where the file of that version is kept.
func earlier(path string, version int) string { return fmt.Sprintf("%s.v%d", path, version) }

// keepAs copies the file as it is.
func (db *DB) keepAs(path string) error {
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := db.Write.Exec("VACUUM INTO ?", tmp); err != nil {
		return err
	}
	f, err := os.OpenFile(tmp, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return errors.Join(os.Rename(tmp, path), atomicfile.SyncDir(filepath.Dir(path)))
}

// goBack puts the file of this version in the place of a later one, which stays
// beside it.
func goBack(path string, s Schema) error {
	own := earlier(path, len(s.Steps))
	if _, err := os.Stat(own); err != nil {
		return err
	}
	if err := PutAside(path, path+".later"); err != nil {
		return err
	}
	return errors.Join(os.Rename(own, path), atomicfile.SyncDir(filepath.Dir(path)))
}
