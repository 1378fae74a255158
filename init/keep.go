package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"

	"golang.org/x/sys/unix"

	"wirepatch/board/atomicfile"
	"wirepatch/board/keeper"
	"wirepatch/board/settings"
	"wirepatch/board/socket"
)

func (b *box) newKeeper() *keeper.Keeper {
	k := keeper.New(settings.DataFolder)
	k.Apply, k.Logf, k.Box = b.applySettings, b.journal.Logf, whole{b}
	return k
}

// keepSettings lets mgmt change appliance.ini, which it may not write.
func (b *box) keepSettings(ctx context.Context) {
	l, err := socket.Listen(keeper.Socket, mgmtGroup)
	if err == nil {
		defer context.AfterFunc(ctx, func() { l.Close() })()
		err = b.keeper.Serve(ctx, l)
	}
	if err != nil {
		b.journal.Logf("settings: cannot be changed from the page: %v", err)
	}
}

// putInForce copies a file to where the programs read it.
func putInForce(file, to string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return atomicfile.Write(to, text, 0o644)
}

// applySettings puts changed settings into force: the wire first, since it is
// what may refuse.
func (b *box) applySettings(ctx context.Context, old, new *settings.Settings) error {
	if err := putInForce(settings.OwnerPath, keeper.InForce); err != nil {
		return err
	}
	// A dataplane that does not run reads the file when it starts; and one that it
	// does not concern need not test its definitions anew, while somebody waits for
	// the management port to come back.
	if _, err := wireStatus(ctx); err == nil && concernsWire(old, new) {
		if err := dataplaneClient.Reload(ctx); err != nil {
			return err
		}
	}
	if new.Hostname != old.Hostname {
		if err := unix.Sethostname([]byte(new.Hostname)); err != nil {
			return fmt.Errorf("set host name: %w", err)
		}
		b.note(func(p *published) { p.hostname = new.Hostname })
	}
	replace(b.manageAs, new)
	if !slices.Equal(new.Time.Servers, old.Time.Servers) {
		replace(b.timeFrom, new.Time.Servers)
	}
	if new.Firmware != old.Firmware {
		b.programs.Renew("updated")
	}
	return nil
}

// concernsWire says whether there is a change for the dataplane.
func concernsWire(old, new *settings.Settings) bool {
	a, b := *old, *new
	for _, s := range []*settings.Settings{&a, &b} {
		s.Hostname, s.Management, s.Firmware, s.Time = "", settings.Management{}, settings.Firmware{}, settings.Time{}
	}
	return !reflect.DeepEqual(a, b)
}

// replace puts v into a channel of one place, over what was not taken yet.
func replace[T any](c chan T, v T) {
	select {
	case <-c:
	default:
	}
	c <- v
}

// chosen is the owner's or the image's file, made the one in force.
func (b *box) chosen(file string) string {
	if err := putInForce(file, keeper.InForce); err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			b.journal.Logf("settings: %v", err)
		}
		return file
	}
	return keeper.InForce
}
