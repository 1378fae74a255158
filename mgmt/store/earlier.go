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
// beside it. At any moment one of the two has the name: after a power cut in between a
// new and empty one would be made, and the audit log begin anew.
func goBack(path string, s Schema) error {
	own, aside := earlier(path, len(s.Steps)), path+".later"
	if _, err := os.Stat(own); err != nil {
		return err
	}
	if err := os.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Link(path, aside); err != nil {
		return err
	}
	// What SQLite kept beside the later file would be taken for this one's.
	if err := forget(path); err != nil {
		return err
	}
	return errors.Join(os.Rename(own, path), atomicfile.SyncDir(filepath.Dir(path)))
}
