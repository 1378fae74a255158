package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"wirepatch/board/atomicfile"
	"wirepatch/init/datafs"
)

// resetMark asks the next start to erase the data partition's content. A mark,
// because a cut in the middle of the erasure must not leave half of it.
const resetMark = "/data/factory-reset"

// keep is what a factory reset leaves: what update metadata this box has seen,
// so that nobody gets an old, flawed firmware in by resetting it.
var keep = map[string]bool{"update": true, "lost+found": true, filepath.Base(resetMark): true}

// factoryReset marks the data partition and restarts. Where the disk takes no mark the
// box does not restart either: whoever gives it away would take it for erased.
func (b *box) factoryReset(mark, why string) error {
	if err := atomicfile.Write(mark, []byte(why+"\n"), 0o600); err != nil {
		b.journal.Logf("factory reset: %v", err)
		return fmt.Errorf("nothing is erased: %w", err)
	}
	b.reboot(why)
	return nil
}

// wiped bounds the files that are overwritten before they are removed; larger ones
// are of events, which have no secrets.
const wiped = 64 << 20

// erase removes a file or folder, and leaves no secret of it in the free room: a
// sealed secret would open on the same machine for whoever found it there.
func erase(path string) error {
	err := filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil // what cannot be looked at is removed below
		}
		if info, err := e.Info(); err == nil && info.Size() <= wiped {
			return atomicfile.Wipe(p)
		}
		return nil
	})
	return errors.Join(err, os.RemoveAll(path))
}

// finishReset erases what a factory reset asked to, before anything is read.
func (b *box) finishReset() {
	if _, err := os.Stat(resetMark); err != nil {
		return
	}
	b.step("factory reset", func() error {
		all, err := os.ReadDir(dataFolder)
		errs := []error{err}
		for _, e := range all {
			if !keep[e.Name()] {
				errs = append(errs, erase(filepath.Join(dataFolder, e.Name())))
			}
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
		unix.Sync()
		// Files that were replaced over the years have left their content behind, too.
		if err := datafs.Trim(dataFolder); err != nil {
			b.journal.Logf("factory reset: this disk does not discard what is deleted (%v): overwrite it before it goes into other hands", err)
		} else {
			b.journal.Logf("factory reset: the disk was told to discard what was deleted")
		}
		b.journal.Logf("factory reset: done; the box is as it came, its firmware aside")
		return atomicfile.Remove(resetMark)
	})
}
