package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"wirepatch/board/command"
	"wirepatch/board/keeper"
	"wirepatch/board/socket"
	"wirepatch/firmware/release"
	"wirepatch/firmware/slot"
)

// inputDevices are where a power button may be.
const inputDevices = "/dev/input/event*"

// takeCommands lets the menu and the page have done what only init may.
func (b *box) takeCommands(ctx context.Context) {
	l, err := socket.Listen(command.Socket, mgmtGroup)
	if err == nil {
		defer context.AfterFunc(ctx, func() { l.Close() })()
		err = command.Serve(ctx, l, commands{b})
	}
	if err != nil {
		b.journal.Logf("commands: the menu and the page can have nothing done: %v", err)
	}
}

// commands is the box as others may command it.
type commands struct{ *box }

var _ command.Box = commands{}

// Restart implements command.Box.
func (c commands) Restart(who string) error {
	c.reboot("restart asked for by " + who)
	return nil
}

// PowerOff implements command.Box.
func (c commands) PowerOff(who string) error {
	c.powerOff("power-off asked for by " + who)
	return nil
}

// FactoryReset implements command.Box.
func (c commands) FactoryReset(who string) error {
	if c.onlyInMemory() {
		return keeper.ErrCannot
	}
	return c.factoryReset(resetMark, "factory reset asked for by "+who)
}

// Blink implements command.Box.
func (c commands) Blink(ctx context.Context, port string) error { return blink(ctx, port) }

// Log implements command.Box.
func (c commands) Log(n int) []string { return c.journal.Lines(n) }

// SetClock implements command.Box.
func (c commands) SetClock(t time.Time, who string) error {
	if t.Before(release.Released) {
		return fmt.Errorf("%s is before this firmware was made, %s", t.UTC().Format(time.DateOnly), release.Released.Format(time.DateOnly))
	}
	if err := setClock(t); err != nil {
		return err
	}
	c.journal.Logf("clock: set to %s by %s", t.UTC().Format(time.DateTime), who)
	return nil
}

// ChooseSlot implements command.Box. The boot loader starts the newest slot that
// has tries: so to go back is to set aside what runs, and to go forward is to
// try the other again.
func (c commands) ChooseSlot(version, who string) error {
	if c.running.boot.Entry == "" {
		return errors.New("this box was started without boot loader and has no slots")
	}
	err := slot.With(c.running.boot.Partition, func(d slot.Dir) error {
		runs, err := d.Find(c.running.boot.Entry)
		if err != nil {
			return err
		}
		if runs.Version == version {
			return fmt.Errorf("firmware %s runs already", version)
		}
		want, err := d.Find((slot.Slot{Version: version}).ID())
		if err != nil {
			return fmt.Errorf("there is no firmware %s on this box: %w", version, err)
		}
		if slot.Compare(version, runs.Version) > 0 {
			return c.renamed(d, want, slot.Slot{Version: version, Counting: true, Left: slot.Tries})
		}
		if want.Counting {
			return fmt.Errorf("firmware %s is %s; only one that was confirmed can be gone back to", version, want.State())
		}
		return c.renamed(d, runs, runs.SetAside())
	})
	if err != nil {
		return err
	}
	c.reboot("firmware " + version + " chosen by " + who)
	return nil
}

// presence is who waits for the power button as a sign that somebody stands
// before the box.
type presence struct {
	mu      sync.Mutex
	waiting chan struct{} // nil: nobody
}

// Presence implements command.Box.
func (c commands) Presence(ctx context.Context, who string) error {
	if all, _ := filepath.Glob(inputDevices); len(all) == 0 {
		return errors.New("this box has no power button that can be told")
	}
	p := &c.box.presence
	p.mu.Lock()
	if p.waiting != nil {
		p.mu.Unlock()
		return errors.New("somebody else is asked to press the button; try again in a minute")
	}
	pressed := make(chan struct{})
	p.waiting = pressed
	p.mu.Unlock()
	c.journal.Logf("power button: for a minute it means that somebody stands before the box, for %s", who)
	select {
	case <-pressed:
		return nil
	case <-ctx.Done():
		p.mu.Lock()
		p.waiting = nil
		p.mu.Unlock()
		return errors.New("the button was not pressed")
	}
}

// pressed is the power button: a sign of presence where one is waited for, else
// the end of work.
func (b *box) pressed() {
	b.presence.mu.Lock()
	defer b.presence.mu.Unlock()
	if b.presence.waiting == nil {
		b.powerOff("power button pressed")
		return
	}
	close(b.presence.waiting)
	b.presence.waiting = nil
}
