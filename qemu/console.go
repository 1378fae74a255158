package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/term"
)

// detach is the key that leaves the console: Ctrl-].
const detach = 0x1d

// console joins the terminal and the appliance's serial console.
func console(ctx context.Context, o *options) error {
	c, err := net.Dial("unix", o.consoleSocket())
	if err != nil {
		return fmt.Errorf("no appliance is running here: %w\nstart one with: make run", err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	fd := int(os.Stdin.Fd())
	if term.IsTerminal(fd) {
		fmt.Print("Attached to the appliance's serial console; Ctrl-] leaves it.\r\n")
		old, err := term.MakeRaw(fd)
		if err != nil {
			return err
		}
		defer fmt.Print("\r\nDetached; the appliance goes on.\r\n")
		defer term.Restore(fd, old)
	}
	done := make(chan struct{}, 2)
	go func() {
		io.Copy(os.Stdout, c)
		done <- struct{}{}
	}()
	go func() {
		typed(c, os.Stdin)
		done <- struct{}{}
	}()
	<-done
	return nil
}

// typed carries keys from in to out until the detach key or the end.
func typed(out io.Writer, in io.Reader) {
	buf := make([]byte, 256)
	for {
		n, err := in.Read(buf)
		keys, _, left := bytes.Cut(buf[:n], []byte{detach})
		if _, werr := out.Write(keys); werr != nil || err != nil || left {
			return
		}
	}
}
