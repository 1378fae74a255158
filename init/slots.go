package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"wirepatch/board/state"
	"wirepatch/firmware/slot"
)

// running is the slot that this start came from. It is zero when the kernel
// was started without boot loader, as make run does.
type running struct {
	boot slot.Boot
	slot slot.Slot
}

// counting says whether the slot is on trial.
func (r running) counting() bool { return r.slot.Counting }

// findSlot learns from the boot loader which slot was started, and from its file
// name whether it is on trial. What runs is told by what was really started,
// never by what should have been.
func (b *box) findSlot() {
	if _, err := os.Stat("/sys/firmware/efi"); err != nil {
		return
	}
	if err := b.readSlot(); err != nil && !errors.Is(err, slot.ErrNoLoader) {
		b.journal.Logf("firmware: %v; it is neither confirmed nor given up", err)
	}
}

func (b *box) mountVariables() error {
	if err := unix.Mount("efivarfs", slot.Efivars, "efivarfs", closed, ""); err != nil && !errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("mount EFI variables: %w", err)
	}
	return nil
}

func (b *box) readSlot() error {
	if err := b.mountVariables(); err != nil {
		return err
	}
	b.tellSecureBoot()
	boot, err := slot.ReadBoot(slot.Efivars)
	if err != nil {
		return err
	}
	if want := (slot.Slot{Version: b.release.Version}).ID(); boot.Entry != want {
		return fmt.Errorf("the boot loader says that it started %s; what runs is %s", boot.Entry, want)
	}
	// Before it is mounted: what a power cut left must not be built upon.
	mended, err := slot.Mend(boot.Partition)
	for _, m := range mended {
		b.journal.Logf("firmware: EFI system partition mended: %s", m)
	}
	if err != nil {
		b.journal.Logf("firmware: EFI system partition: %v", err)
	}
	return slot.Read(boot.Partition, func(d slot.Dir) error {
		s, err := d.Find(boot.Entry)
		if err != nil {
			return err
		}
		b.running = running{boot, s}
		return b.tellSlots(d)
	})
}

// tellSlots publishes the slots, and says which of them did not hold.
func (b *box) tellSlots(d slot.Dir) error {
	all, err := d.List()
	if err != nil {
		return err
	}
	var out []state.Slot
	for _, s := range all {
		runs := s.ID() == b.running.boot.Entry
		out = append(out, state.Slot{Version: s.Version, State: s.State(), Running: runs, Left: s.Left})
		switch {
		case runs:
			b.journal.Logf("firmware: slot %s runs, %s", s.Version, s.State())
		case s.State() == "given up":
			b.journal.Logf("firmware: %s did not hold and was given up", s.Version)
		case s.State() == "set aside":
			b.journal.Logf("firmware: %s was set aside by hand", s.Version)
		}
	}
	b.note(func(p *published) { p.slots = out })
	b.leaveNext(d)
	return nil
}

// confirm makes the running slot the one that stays. Its starts are not counted
// any more.
func (b *box) confirm() error {
	return b.rename(slot.Slot.Confirmed)
}

// ensureOptions lets the machine come back to the boot loader when it refuses
// what that loads.
func (b *box) ensureOptions() error {
	p, err := slot.Find(b.running.boot.Partition)
	if err != nil {
		return err
	}
	changed, err := slot.EnsureOptions(slot.Efivars, p)
	if changed && err == nil {
		b.journal.Logf("firmware: boot options are set")
	}
	return err
}

// giveUp marks the running slot as failed, if there is another to go back to.
func (b *box) giveUp() error { return b.rename(slot.Slot.GivenUp) }

func (b *box) rename(to func(slot.Slot) slot.Slot) error {
	return slot.With(b.running.boot.Partition, func(d slot.Dir) error {
		s, err := d.Find(b.running.boot.Entry)
		if err != nil {
			return err
		}
		next := to(s)
		if next.Counting && !hasOther(d, s) {
			return errNoOther
		}
		if err := d.Rename(s, next); err != nil {
			return err
		}
		b.running.slot = next
		return b.tellSlots(d)
	})
}

var errNoOther = errors.New("there is no other firmware to go back to")

// hasOther says whether there is a confirmed slot beside s.
func hasOther(d slot.Dir, s slot.Slot) bool {
	all, err := d.List()
	for _, o := range all {
		if err == nil && o.ID() != s.ID() && !o.Counting {
			return true
		}
	}
	return false
}

// faultsText is a list of faults for a line of the log.
func faultsText(all []string) string { return strings.Join(all, "; ") }
