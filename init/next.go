package main

import "wirepatch/firmware/slot"

// leaveNext leaves with the boot loader what is started next, and what instead of
// it, now that the slots are as they are. A machine that takes no such thing is
// worked with as it is.
func (b *box) leaveNext(d slot.Dir) {
	b.step("firmware: what is started next", func() error {
		all, err := d.List()
		if err != nil {
			return err
		}
		return slot.Plan(all).Leave(slot.Efivars)
	})
}

// renamed gives a slot another state, and leaves word of it.
func (b *box) renamed(d slot.Dir, from, to slot.Slot) error {
	if err := d.Rename(from, to); err != nil {
		return err
	}
	b.leaveNext(d)
	return nil
}

// tryAgain is asked when what runs is confirmed. If there is a newer one that is,
// too, that was to start and did not come as far as this: its file is damaged, or
// the power went. It goes on trial again, from which the boot loader comes back
// here by itself if there is no other way.
func (b *box) tryAgain() bool {
	again := ""
	err := slot.With(b.running.boot.Partition, func(d slot.Dir) error {
		all, err := d.List()
		if err != nil || all[0].Counting || all[0].ID() == b.running.boot.Entry {
			return err
		}
		again = all[0].Version
		if err := d.Rename(all[0], slot.Slot{Version: again, Counting: true, Left: slot.Tries}); err != nil {
			return err
		}
		return b.tellSlots(d)
	})
	if err != nil {
		b.journal.Logf("firmware: put %s on trial again: %v", again, err)
	}
	if err != nil || again == "" {
		return false
	}
	b.reboot("firmware " + again + " was confirmed and did not come up; it is tried again")
	return true
}
