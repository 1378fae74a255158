package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"wirepatch/board/command"
	"wirepatch/board/keeper"
	"wirepatch/board/settings"
	"wirepatch/board/state"
	"wirepatch/dataplane/control"
	"wirepatch/firmware/update"
	"wirepatch/mgmt/audit"
	"wirepatch/mgmt/auth"
	"wirepatch/mgmt/certs"
	"wirepatch/mgmt/change"
	"wirepatch/mgmt/console"
	"wirepatch/mgmt/sshd"
)

// exitShell tells init that the shell is wanted.
const exitShell = 42

// spool is where the consoles leave entries for the audit log.
func spool(data string) audit.Spool {
	return audit.Spool{Dir: filepath.Join(data, "audit"), Now: time.Now}
}

// menuOf is what menus have in common, wherever they are.
func menuOf(o options, users *auth.Users) console.Box {
	return console.Box{
		State: func() state.Box {
			b, err := state.Read(o.box)
			if err != nil {
				return state.Box{}
			}
			return *b
		},
		Wire: control.Dial(o.control), Command: command.Client{Path: o.command}, Keeper: keeper.Client{Path: o.keeper}, Update: update.Program{Socket: o.update},
		Users: users, Throttle: auth.NewThrottle(time.Now), Now: time.Now,
		Fingerprint: func() string { return certs.Sum(o.data) },
		HostKey:     func() string { return sshd.HostKey(o.data) },
	}
}

// menu runs the menu on the terminal that is standard input, device by name,
// until that ends or the shell is wanted.
func menu(ctx context.Context, o options, device string) int {
	users, err := auth.Open(o.data, time.Now)
	if err != nil {
		fmt.Printf("The menu cannot be used: %v\n", err)
		time.Sleep(10 * time.Second)
		return 1
	}
	b := menuOf(o, users)
	b.Place, b.Local, b.Shell = "console "+device, true, o.shell
	b.Audit = func(e audit.Entry) {
		if err := spool(o.data).Add(e); err != nil {
			fmt.Printf("%v\n", err)
		}
	}
	if err := console.New(b, console.TTY{File: os.Stdin}).Run(ctx); errors.Is(err, console.ErrShell) {
		return exitShell
	}
	return 0
}

// serveSSH serves the menu over SSH while the settings in force say so.
func serveSSH(ctx context.Context, o options, users *auth.Users, trail *audit.Log, changes *change.Manager, log *slog.Logger) {
	b := menuOf(o, users)
	b.Audit, b.Approvals = trail.Add, changes.Approvals
	wanted := false
	s := sshd.Server{Listen: o.ssh, Dir: o.data, Users: users, Throttle: auth.NewThrottle(time.Now), Audit: trail.Add, Menu: b, Log: log,
		Wanted: func() bool {
			if set, err := settings.Read(o.settings); err == nil {
				wanted = set.Management.SSH
			}
			return wanted
		}}
	s.Run(ctx)
}
