package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"wirepatch/board"
	"wirepatch/firmware/release"
	"wirepatch/firmware/update"
	"wirepatch/init/console"
)

// openConsoles moves the log to the board's consoles and talks on each.
func (b *box) openConsoles(ctx context.Context, talk func(context.Context, board.Console, io.ReadWriter)) {
	var logs []io.Writer
	for _, c := range b.board.Consoles {
		w := &console.Writer{Console: c}
		if err := w.Open(); err != nil {
			b.journal.Logf("%v", err)
			continue
		}
		logs = append(logs, w)
		b.guard("console "+c.Device, func() { serve(ctx, c, talk) })
	}
	if len(logs) > 0 {
		b.journal.SetConsoles(logs...)
	}
}

// serve talks on one console for good.
func serve(ctx context.Context, c board.Console, talk func(context.Context, board.Console, io.ReadWriter)) {
	for ctx.Err() == nil {
		f, err := console.Open(c)
		if err == nil {
			talk(ctx, c, f)
			f.Close()
		}
		// The line hung up, or the device is gone for now.
		time.Sleep(time.Second)
	}
}

// showMenu shows the menu on one console. It lets the boot say what it has to
// say first.
func (b *box) showMenu(ctx context.Context, c board.Console, rw io.ReadWriter) {
	b.awaitWire(ctx)
	console.New(b.menu(ctx, c), rw).Run(ctx)
}

func (b *box) menu(ctx context.Context, c board.Console) console.Box {
	m := console.Box{State: b.state, Wire: wireStatus, Events: lastEvents, Log: b.journal.Lines, Fingerprint: fingerprint,
		Reboot:   func() { b.reboot("restart asked for on " + c.Device); <-ctx.Done() },
		Blink:    blink,
		Reset:    func() { b.factoryReset("factory reset asked for on " + c.Device); <-ctx.Done() },
		PowerOff: func() { b.powerOff("power-off asked for on " + c.Device); <-ctx.Done() },
	}
	if _, err := os.Stat(release.RootPath); err == nil {
		m.Update = update.Ask
	}
	if b.release.DebugShell {
		m.Shell = func() error { return b.runShell(c) }
	}
	return m
}

// runShell runs a shell on the console, in a process and a session of its own:
// what it does cannot harm the first process, and Ctrl-C reaches what runs in it.
func (b *box) runShell(c board.Console) error {
	tty, err := os.OpenFile("/dev/"+c.Device, os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer tty.Close()
	cmd := exec.Command("/bin/shell")
	cmd.Env = []string{"PATH=/bin", "HOME=/", "TERM=dumb"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	_, ended, err := b.reaper.Start(cmd)
	if err != nil {
		return fmt.Errorf("start shell: %w", err)
	}
	<-ended
	return nil
}
