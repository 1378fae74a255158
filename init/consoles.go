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
	"wirepatch/init/console"
)

// talk is what goes on at one console, until its line hangs up or it ends.
type talk func(context.Context, board.Console, *os.File)

// openConsoles moves the log to the board's consoles and talks on each.
func (b *box) openConsoles(ctx context.Context, t talk) {
	var logs []io.Writer
	for _, c := range b.board.Consoles {
		w := &console.Writer{Console: c}
		if err := w.Open(); err != nil {
			b.journal.Logf("%v", err)
			continue
		}
		logs = append(logs, w)
		b.guard("console "+c.Device, func() { serve(ctx, c, t) })
	}
	if len(logs) > 0 {
		b.journal.SetConsoles(logs...)
	}
}

// serve talks on one console for good.
func serve(ctx context.Context, c board.Console, t talk) {
	for ctx.Err() == nil {
		f, err := console.Open(c)
		if err == nil {
			t(ctx, c, f)
			f.Close()
		}
		// Logged out, or the line hung up, or the device is gone for now.
		time.Sleep(time.Second)
	}
}

// exitShell is how the menu ends when it is to make room for the shell.
const exitShell = 42

// showMenu runs the menu on one console. It lets the boot say what it has to say
// first.
func (b *box) showMenu(ctx context.Context, c board.Console, tty *os.File) {
	b.awaitWire(ctx)
	if b.awaitSafe(ctx, tty) != nil {
		return
	}
	for ctx.Err() == nil {
		status, err := b.runMenu(c, tty)
		if err == nil && status.Exited() && status.ExitStatus() == exitShell && b.release.DebugShell {
			if err = b.runShell(c); err == nil {
				continue
			}
		}
		if err != nil {
			b.journal.Logf("console %s: %v", c.Device, err)
		}
		return
	}
}

// runMenu runs the menu, a part of mgmt, as a process of mgmt's few rights on a
// console: what is typed, and shown, cannot harm the first process.
func (b *box) runMenu(c board.Console, tty *os.File) (syscall.WaitStatus, error) {
	argv := []string{mgmtPath, "-data", mgmtFolder, "-console", c.Device}
	if b.release.DebugShell {
		argv = append(argv, "-shell")
	}
	cmd := exec.Command(confinePath, mgmt.Args(argv...)...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/bin", "HOME=/", "TMPDIR=" + mgmtFolder}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	return b.child(cmd)
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
	_, err = b.child(cmd)
	return err
}

// child runs a program to its end.
func (b *box) child(cmd *exec.Cmd) (syscall.WaitStatus, error) {
	_, ended, err := b.reaper.Start(cmd)
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return <-ended, nil
}
