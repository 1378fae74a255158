package main

import (
	"context"
	"fmt"
	"os"

	"wirepatch/board"
	"wirepatch/firmware/release"
	"wirepatch/firmware/slot"
	"wirepatch/init/install"
)

// installer is what the stick's image does in place of a box: no wire, no
// network, only the conversation about where to install.
func (b *box) installer(ctx context.Context) {
	stick := ""
	if b.mountVariables() == nil {
		stick = slot.StartedFrom(slot.Efivars)
	}
	b.checkPorts()
	i := &install.Installer{About: fmt.Sprintf("Wirepatch %s for board %s (%s)", b.release.Version, b.board.Name, b.board.Title), Image: release.DiskPath,
		Disks:   func() []install.Disk { return install.Disks("/sys/class/block", "/dev", stick) },
		Restart: func() { b.reboot("installed") },
		Logf:    b.journal.Logf}
	b.openConsoles(ctx, func(ctx context.Context, _ board.Console, tty *os.File) { i.Run(ctx, tty) })
	b.guard("watch", func() { b.beat(ctx) })
	b.guard("power button", func() { b.watchPowerButton(ctx) })
}

// isInstaller says whether this image is an installer's.
func isInstaller() bool {
	_, err := os.Stat(release.DiskPath)
	return err == nil
}

// checkPorts says before anything is installed whether the image's board is this
// machine.
func (b *box) checkPorts() {
	roles, found, err := b.findPorts()
	for _, p := range []struct {
		role string
		is   *board.Interface
	}{{"wire a", roles.WireA}, {"wire b", roles.WireB}, {"management", roles.Management}} {
		if p.is != nil {
			b.journal.Logf("ports: %s is %s", p.role, p.is)
		}
	}
	if err != nil {
		b.mismatch(err, found)
	}
}
