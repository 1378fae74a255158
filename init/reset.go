package main

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"wirepatch/board/atomicfile"
)

// resetMark asks the next start to erase the data partition's content. A mark,
// because a cut in the middle of the erasure must not leave half of it.
const resetMark = "/data/factory-reset"

// keep is what a factory reset leaves: what update metadata this box has seen,
// so that nobody gets an old, flawed firmware in by resetting it.
var keep = map[string]bool{"update": true, "lost+found": true, filepath.Base(resetMark): true}

// factoryReset marks the data partition and restarts.
func (b *box) factoryReset(why string) {
	b.step("factory reset", func() error { return atomicfile.Write(resetMark, []byte(why+"\n"), 0o600) })
	b.reboot(why)
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
				errs = append(errs, os.RemoveAll(filepath.Join(dataFolder, e.Name())))
			}
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
		unix.Sync()
		b.journal.Logf("factory reset: done; the box is as it came, its firmware aside")
		return atomicfile.Remove(resetMark)
	})
}
