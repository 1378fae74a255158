package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"wirepatch/board/command"
)

// awaitSafe waits until it is known whether the management page's folder can be
// read: the menu keeps its users there. Where it cannot, it asks for the code.
func (b *box) awaitSafe(ctx context.Context, rw io.ReadWriter) error {
	select {
	case <-b.safe.known:
		return b.askCode(ctx, rw)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// askCode talks on a console while the folder of the management page is locked:
// who sits there has the recovery code, or gives the folder up. It returns when
// the folder is open or the console ends.
func (b *box) askCode(ctx context.Context, rw io.ReadWriter) error {
	lines := bufio.NewScanner(rw)
	for b.safe.isLocked() && ctx.Err() == nil {
		fmt.Fprint(rw, "\nThe secrets of the management page are locked: they are sealed to another\nmachine, or to another Secure Boot state. The wire forwards meanwhile.\n"+
			"Type the recovery code, or factory reset: ")
		if !lines.Scan() {
			return io.EOF
		}
		switch text := strings.TrimSpace(lines.Text()); text {
		case "":
		case "factory reset":
			if err := b.resetLocked(ctx, rw); err != nil {
				fmt.Fprintf(rw, "%v.\n", err)
			}
		default:
			if err := b.recover(text); err != nil {
				fmt.Fprintf(rw, "%v.\n", err)
			}
		}
	}
	return nil
}

// resetLocked erases what cannot be read. Nobody can sign in, so whoever asks has
// to stand before the box.
func (b *box) resetLocked(ctx context.Context, rw io.Writer) error {
	fmt.Fprintf(rw, "Settings, users and history are erased. Press the box's power button within %d\nseconds: it does not switch off this time.\n", int(command.PresenceTime.Seconds()))
	ctx, cancel := context.WithTimeout(ctx, command.PresenceTime)
	defer cancel()
	if err := (commands{b}).Presence(ctx, "a console"); err != nil {
		return err
	}
	return b.factoryReset(resetMark, "factory reset asked for on a console")
}
