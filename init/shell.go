package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// shell reads POSIX shell commands line by line and runs them until its input
// ends or exit is called. The terminal edits the line; nothing is drawn.
func shell(in *os.File, out, errs io.Writer) error {
	// Ctrl-C is for what runs in it.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT)
	defer giveTerminalBack(in)
	r, err := interp.New(interp.StdIO(in, out, errs))
	if err != nil {
		return err
	}
	prompt := func() { fmt.Fprint(out, "# ") }
	p := syntax.NewParser(syntax.Variant(syntax.LangPOSIX))
	for {
		prompt()
		err = p.Interactive(in, func(all []*syntax.Stmt) bool {
			if p.Incomplete() {
				fmt.Fprint(out, "> ")
				return true
			}
			for _, s := range all {
				err := r.Run(context.Background(), s)
				if _, ok := interp.IsExitStatus(err); err != nil && !ok {
					fmt.Fprintln(errs, err)
				}
				if r.Exited() {
					return false
				}
			}
			prompt()
			return true
		})
		if err == nil || r.Exited() {
			return nil
		}
		// A line that is no shell command is said and forgotten.
		fmt.Fprintln(errs, err)
		p = syntax.NewParser(syntax.Variant(syntax.LangPOSIX))
	}
}

// giveTerminalBack lets go of the terminal before the shell ends: the kernel
// hangs up the line of a session's leader that ends with it, and what was typed
// ahead for the menu would be lost.
func giveTerminalBack(tty *os.File) {
	signal.Ignore(syscall.SIGHUP)
	unix.IoctlSetInt(int(tty.Fd()), unix.TIOCNOTTY, 0)
}
