package main

import (
	"os"
	"path/filepath"
	"strings"

	"wirepatch/board/atomicfile"
	"wirepatch/firmware/slot"
)

// confirmedFile keeps which firmware was confirmed last. Its name on the EFI
// system partition says so, too; this is for a partition whose names say it of
// none any more.
const confirmedFile = "/data/firmware/confirmed"

func readConfirmed() string {
	text, err := os.ReadFile(confirmedFile)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// keepConfirmed notes that what runs is confirmed.
func (b *box) keepConfirmed() {
	version := b.release.Version
	if b.running.boot.Entry == "" || readConfirmed() == version {
		return
	}
	b.step("firmware: what was confirmed last", func() error {
		if err := os.MkdirAll(filepath.Dir(confirmedFile), 0o700); err != nil {
			return err
		}
		if err := atomicfile.Write(confirmedFile, []byte(version+"\n"), 0o600); err != nil {
			return err
		}
		b.journal.Logf("firmware: %s was confirmed last", version)
		return nil
	})
}

// returnToConfirmed is asked when the boot loader has started firmware that has
// no tries left, because none has: it takes the newest then. If the other was
// the last to be confirmed, that gets its tries back and is started. It happens
// once: what fails now is in doubt as well.
func (b *box) returnToConfirmed() bool {
	last := readConfirmed()
	if last == "" || last == b.release.Version {
		return false
	}
	other := false
	err := slot.With(b.running.boot.Partition, func(d slot.Dir) error {
		s, err := d.Find((slot.Slot{Version: last}).ID())
		if err != nil || !s.Spent() { // then this is the last try of what runs
			return err
		}
		other = true
		// Forgotten first: a cut in between must not lead back and forth.
		if err := atomicfile.Remove(confirmedFile); err != nil {
			return err
		}
		return b.renamed(d, s, slot.Slot{Version: last, Counting: true, Left: slot.Tries})
	})
	if err != nil {
		b.journal.Logf("firmware: %s was confirmed last and cannot be started: %v", last, err)
	}
	if err != nil || !other {
		return false
	}
	b.reboot("firmware " + last + " was confirmed last; no other has tries left")
	return true
}
